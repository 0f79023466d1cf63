"""Modules under other names of signals, and with a level of hierarchy more."""

import pytest

from benchmarks.unchanged.rewriting import inlined, same_but_for_names, with_names_of
from benchmarks.unchanged.verilog import Design, compare
from tests.campaigns.mutants.equivalence import equivalent

UNIT = """\
module unit(clk, a, y);
  wire _0_;
  input clk;
  wire clk;
  input [3:0] a;
  wire [3:0] a;
  output [3:0] y;
  wire [3:0] y;
  reg [3:0] sum = 4'h1;
  reg [3:0] late = 4'h0;
  assign _0_ = sum == a;
  always @(posedge clk)
    sum <= a + sum;
  always @(posedge clk)
    late <= sum;
  leaf one (
    .a(late),
    .y(y)
  );
endmodule
"""
LEAF = """\
module leaf(a, y);
  input [3:0] a;
  wire [3:0] a;
  output [3:0] y;
  wire [3:0] y;
endmodule
"""
OUTER = """\
module unit(clk, a, y);
  input clk;
  wire clk;
  input [3:0] a;
  wire [3:0] a;
  output [3:0] y;
  wire [3:0] y;
  wire [3:0] \\level.x ;
  inner level (
    .\\early.value (\\level.x ),
    .y(y)
  );
  reg [3:0] sum = 4'h1;
  reg [3:0] late = 4'h0;
  always @(posedge clk)
    sum <= a + sum;
  always @(posedge clk)
    late <= sum;
  assign \\level.x  = { late[3:2], late[1:0] };
endmodule
"""
INNER = """\
module inner(\\early.value , y);
  wire [3:0] _0_;
  input [3:0] \\early.value ;
  wire [3:0] \\early.value ;
  output [3:0] y;
  wire [3:0] y;
  wire [3:0] between;
  assign _0_ = \\early.value  ^ 4'h0;
  assign between = _0_;
  leaf one (
    .a(between),
    .y(y)
  );
endmodule
"""


def test_signals_may_have_other_names_one_for_one():
    assert same_but_for_names(UNIT, UNIT)
    renamed = UNIT.replace("sum", "total").replace("_0_", "_7_")
    assert same_but_for_names(UNIT, renamed)
    lines = renamed.splitlines(keepends=True)
    lines[1], lines[8] = lines[8], lines[1]  # declarations in another order
    assert same_but_for_names(UNIT, "".join(lines))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("late <= sum", "late <= late"),  # two names became one
        ("a + sum", "a - sum"),
        ("4'h1", "4'h2"),
        ("reg [3:0] late", "reg [4:0] late"),
        (".a(late)", ".y(late)"),
        ("[3:0] a", "[3:0] b"),  # a port
        ("== a", "== y"),
    ],
)
def test_nothing_else_may_differ(old, new):
    assert old in UNIT
    assert not same_but_for_names(UNIT, UNIT.replace(old, new))


def test_a_level_more_is_proved_equal_and_a_mistake_in_it_is_not():
    before = Design("/* */\n" + UNIT + LEAF, "unit")
    for inner, same in ((INNER, True), (INNER.replace("4'h0", "4'h2"), False)):
        after = Design("/* */\n" + OUTER + inner + LEAF, "unit")
        (pair,) = compare(before, after).unlike
        assert not pair.reason
        assert "inner" not in pair.after
        assert equivalent([pair.before], [pair.after], seconds=300) is same


def test_names_of_a_level_do_not_meet_those_of_its_parent():
    text = inlined(OUTER, "level", INNER)
    assert "level___0_ = \\early.value  ^ 4'h0" in text
    assert "assign y = level__y ;" in text
    assert "assign \\early.value = \\level.x  ;" in text


def test_a_register_that_can_be_no_other_is_called_alike():
    after = UNIT.replace("late", "after").replace("leaf one", "leaf two")
    assert with_names_of(UNIT, after) == UNIT.replace("leaf one", "leaf two")
    both = after.replace("sum", "late")  # the name is taken
    assert with_names_of(UNIT, both) == both
    two = UNIT.replace("sum", "one_").replace("late", "two_").replace("4'h1", "4'h0")
    assert with_names_of(UNIT.replace("4'h1", "4'h0"), two) == two  # which of them is which?
