"""Modules are told apart by what they hold, and lose what is not to be counted."""

import pytest

from hw.base.queue import Queue
from hw.emit.verilog import emit_with_makers
from hw.pe.kinds import pe_kind
from rowforge.configs import preset
from sim.coverage.modules import CoveredDesign, prepared

VERILOG = """/* made */

module {top}(clk, a);
  reg at_start;
  initial at_start = 0;
  input clk;
  reg [7:0] words [3:0];
  reg [7:0] held = 8'h00;
  {top}_leaf{leaf} leaf (
    .clk(clk)
  );
  always @* begin
    if (at_start) begin end
    held = a;
  end
endmodule

module {top}_leaf{leaf}(clk);
  input clk;
  wire {wire};
endmodule
"""
MAKERS = {"x": "hw.some.Top", "x_leaf": "hw.some.Leaf"}


def design(top: str = "x", leaf: str = "", wire: str = "w") -> CoveredDesign:
    verilog = VERILOG.format(top=top, leaf=leaf, wire=wire)
    return CoveredDesign(verilog, top, MAKERS if top == "x" else {})


def test_lines_stay_where_they_are() -> None:
    verilog = VERILOG.format(top="x", leaf="", wire="w")
    lines, before = prepared(verilog).splitlines(), verilog.splitlines()
    assert len(lines) == len(before)
    changed = {old.strip(): new for new, old in zip(lines, before, strict=True) if new != old}
    assert changed.pop("reg [7:0] words [3:0];").startswith("/*verilator coverage_off*/")
    assert changed == dict.fromkeys(
        ("reg at_start;", "initial at_start = 0;", "if (at_start) begin end"), ""
    )


def test_modules_have_names_makers_and_places() -> None:
    top, leaf = design().modules
    assert (top.name, top.maker, top.first) == ("Top", "hw.some.Top", 3)
    assert (leaf.name, leaf.maker, leaf.first) == ("leaf", "hw.some.Leaf", 18)
    assert leaf.text.startswith("module x_leaf(clk);")
    assert [design().at(line) for line in (3, 17, 18, 20)] == [top, top, leaf, leaf]
    assert design().declares(8) and not design().declares(14)


def test_names_do_not_matter_and_contents_do() -> None:
    first = [module.identity for module in design().modules]
    assert [module.identity for module in design("other", "_3").modules] == first
    other = [module.identity for module in design(wire="v").modules]
    assert not set(first) & set(other)  # the top module's child is another one


def test_places_do_not_matter() -> None:
    """The last module of a file ends without an empty line."""
    verilog = VERILOG.format(top="x", leaf="", wire="w")
    top, leaf = verilog.partition("\n\nmodule x_leaf")[0::2]
    turned = CoveredDesign(f"module x_leaf{leaf}\n{top}\n", "x", MAKERS)
    found = {module.name: module.identity for module in turned.modules}
    assert found == {module.name: module.identity for module in design().modules}


@pytest.mark.slow
def test_a_block_alone_is_what_it_is_in_others() -> None:
    """Parts of a block are called after it; all its modules are found again."""
    pe = pe_kind(preset("tiny"))(preset("tiny"))
    found = CoveredDesign(*_emitted(pe, "one"))
    again = CoveredDesign(*_emitted(pe_kind(preset("tiny"))(preset("tiny")), "two"))
    assert [m.identity for m in found.modules] == [m.identity for m in again.modules]
    assert {m.name: m.maker for m in found.modules}["ifmap_queue"] == "hw.pe.dense.DensePE"
    assert CoveredDesign(*_emitted(Queue(7, depth=2), "q")).modules[0].name == "Queue"


def _emitted(block: object, top: str) -> tuple:
    verilog, makers = emit_with_makers(block, top)
    return verilog, top, makers
