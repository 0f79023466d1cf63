"""Proofs that changed Verilog is the same hardware, and that no other is taken for it."""

import pytest

from tests.campaigns.mutants.equivalence import equivalent

COUNTER = """\
module counter(clk, rst, step, value, low);
  input clk;
  input rst;
  input step;
  output [2:0] value;
  output low;
  reg [3:0] count = 4'h1;
  wire [3:0] next;
  wire lowest;
  assign next = count + 4'h1;
  assign value = count[2:0];
  is_low child (
    .count(value),
    .low(lowest)
  );
  assign low = lowest;
  always @(posedge clk)
    if (rst) count <= 4'h1;
    else if (step) count <= next;
endmodule
module is_low(count, low);
  input [2:0] count;
  output low;
  assign low = count < 3'h2;
endmodule
"""
pytestmark = pytest.mark.slow  # the first call of a WebAssembly yosys takes more than a minute


def same(*changes: tuple[str, str]) -> bool:
    text = COUNTER
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return equivalent([COUNTER], [text], seconds=200)


WIDER = [("[3:0]", "[4:0]"), ("4'h1", "5'h1")]


def test_the_same_text_needs_no_proof() -> None:
    assert equivalent([COUNTER], [COUNTER], seconds=0)


def test_a_register_may_be_wider_than_anyone_sees() -> None:
    assert same(*WIDER)
    assert same(("count < 3'h2", "count <= 3'h1"))


@pytest.mark.parametrize(
    "change",
    [
        ("count + 4'h1", "count + 4'h2"),
        ("4'h1;\n  wire", "4'h2;\n  wire"),
        ("count <= 4'h1", "count <= 4'h2"),
        ("if (step)", "if (~step)"),
        ("count < 3'h2", "count < 3'h3"),
        ("assign low = lowest", "assign low = ~lowest"),
        (".count(value)", ".count(next[2:0])"),
    ],
)
def test_a_difference_is_not_overlooked(change: tuple[str, str]) -> None:
    assert not same(change)
    assert not same(change, ("[3:0]", "[4:0]"))


def test_a_proof_without_time_is_none() -> None:
    text = COUNTER.replace("count < 3'h2", "count <= 3'h1")
    assert not equivalent([COUNTER], [text], seconds=0)
