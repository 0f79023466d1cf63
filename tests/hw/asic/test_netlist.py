"""Netlists: what is read of liberty files, of netlists and of timing reports; a small synthesis."""

import pytest

from hw.arch.errors import RowforgeError
from hw.asic.netlist.blocks import block_areas, total
from hw.asic.netlist.liberty import liberty_text, parse_liberty
from hw.asic.netlist.netlist import Netlist
from hw.asic.netlist.synthesis import synthesise
from hw.asic.netlist.timing import parse_path
from hw.asic.process import GENERIC, IHP_SG13G2
from tests.support.netlist.standard_cells import cell_models
from tests.support.pdk import pdk

LIBERTY = """
library (small) { /* a comment { */
  capacitive_load_unit (1, pf); voltage_unit : "1V"; leakage_power_unit : "1nW";
  nom_voltage : 1.2; nom_temperature : 25;
  cell (flop) { area : 40; cell_leakage_power : 2;
    ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; }
    pin (D) { direction : input; capacitance : 0.002; } }
  cell (gate) { area : 5.5;
    leakage_power () { value : 1; when : "A"; } leakage_power () { value : 3; }
    pin (Y) { function : "!A"
      timing () { timing_type : combinational; values ("1, 2", \\
        "3, 4"); } } }
  cell (ram) { area : 900; memory () { type : ram; } }
}
"""
NETLIST = """
module top(clk, d, q);
  input clk;
  gate _1_ (
    .A(d),
    .Y(n)
  );
  part core (
    .clk(clk)
  );
endmodule

module part(clk);
  pe pe_0_0 (
    .clk(clk)
  );
  pe pe_0_1 (
    .clk(clk)
  );
  ram \\odd[0].name  (
    .CLK(clk)
  );
endmodule

module pe(clk);
  flop _1_ (
    .CLK(clk),
    .D(\\x[3] )
  );
  flop _2_ (
    .CLK(gated),
    .D({ a, b })
  );
endmodule
"""


def test_liberty():
    library = parse_liberty(LIBERTY)
    assert (library.name, library.corner) == ("small", "1.2 V 25 °C")
    assert library.area("gate") == 5.5
    assert library.leakage("flop") == pytest.approx(2e-9)
    assert library.leakage("gate") == pytest.approx(2e-9), "the mean of its states"
    assert library.energy_unit == pytest.approx(1e-12)
    pin = next(library.cells["gate"].of("pin"))
    assert pin.values["function"] == "!A", "a semicolon was forgotten"
    assert next(pin.of("timing")).lists["values"] == ["1, 2", "3, 4"]


@pytest.mark.parametrize("text", ["", "cell (x) { area : 1; }", "nonsense"])
def test_what_is_no_liberty_file_is_refused(text):
    with pytest.raises(RowforgeError, match="liberty file must hold a library"):
        parse_liberty(text)


def test_blocks_of_a_netlist():
    netlist = Netlist(NETLIST, "top")
    assert dict(netlist.instances())["core.pe_0_1"] == "pe"
    assert netlist.modules["part"][2].name == "odd[0].name"
    assert netlist.modules["pe"][1].pins == {"CLK": "gated", "D": "{ a, b }"}
    blocks = {block.name: block for block in block_areas(netlist, [parse_liberty(LIBERTY)])}
    assert set(blocks) == {"pe", "rest"}
    pes, rest = blocks["pe"], blocks["rest"]
    assert (pes.count, pes.cells, pes.bits, pes.gated) == (2, 160, 4, 2)
    assert (rest.cells, rest.macros, rest.bits) == (5.5, 900, 0)
    everything = total([*blocks.values()])
    assert everything.cells == 165.5
    assert everything.leakage == pytest.approx(4 * 2e-9 + 2e-9)


REPORT = """
Startpoint: core/a/_1_ (rising edge-triggered flip-flop clocked by clk)
Endpoint: core/b/ram_0_0
          (rising edge-triggered flip-flop clocked by clk)

   0.0000    0.0000   clock clk (rise edge)
   0.3000    0.3000 v core/a/_1_/Q (flop)
   1.2000    1.5000 ^ core/b/ram_0_0/A_WEN (ram)
             1.5000   data arrival time

  10.0000   10.0000   clock clk (rise edge)
  -0.5000    9.5000   library setup time
             9.5000   data required time
---------------------------------------------------------
            -2.5000   slack (VIOLATED)
"""


def test_a_timing_report():
    path = parse_path(REPORT, 10.0)
    assert (path.start, path.end) == ("core/a/_1_", "core/b/ram_0_0")
    assert path.period_ns == 12.5 and path.megahertz == 80
    assert path.steps[0] == (0.3, "core/a/_1_/Q", "flop")
    assert len(path.steps) == 2
    with pytest.raises(RowforgeError, match="found no path"):
        parse_path("No paths found.", 10.0)


HELD = """
module held(input clk, input rst, input en, input [7:0] d, output reg [7:0] q);
  always @(posedge clk) if (rst) q <= 8'd0; else if (en) q <= d;
endmodule
"""


def test_registers_that_hold_get_a_gated_clock(tmp_path):
    """A reset that overrides the enable is no obstacle."""
    text = liberty_text(pdk("ihp-sg13g2") / "sg13g2_stdcell_typ_1p20V_25C.lib.gz")
    (tmp_path / "held.v").write_text(HELD)
    result = synthesise(tmp_path, IHP_SG13G2, "held", ["held.v"], text, period_ns=5)
    assert result.gated == 8
    (block,) = block_areas(result.netlist, [parse_liberty(text)])
    assert (block.bits, block.gated) == (8, 8)
    assert result.netlist.counts["held"]["sg13g2_lgcp_1"] == 1
    (tmp_path / "held.v").write_text(HELD.replace("else if (en)", "else"))
    with pytest.raises(RowforgeError, match="no flip-flop got a gated clock by sg13g2_lgcp_1"):
        synthesise(tmp_path, IHP_SG13G2, "held", ["held.v"], text, period_ns=5)
    result = synthesise(
        tmp_path, IHP_SG13G2, "held", ["held.v"], text, period_ns=5, clock_gating=False
    )
    assert result.gated == 0


def test_a_process_without_cells_is_refused(tmp_path):
    with pytest.raises(RowforgeError, match="process generic has no standard cells"):
        synthesise(tmp_path, GENERIC, "held", ["held.v"], "", period_ns=5)
    with pytest.raises(RowforgeError, match="process generic has no standard cells"):
        cell_models(GENERIC, "")
