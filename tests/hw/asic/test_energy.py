"""Energy of a replay: what is read of waves, and what cells, clocks and macros are counted for."""

import pytest

from hw.arch.errors import RowforgeError
from hw.asic.netlist.energy import spent_energy, table_value
from hw.asic.netlist.liberty import parse_liberty
from hw.asic.netlist.netlist import Netlist
from hw.asic.netlist.toggles import read_vcd

VCD = """$version test $end
$scope module TOP $end
 $var wire 1 a clk $end
 $scope module top $end
  $var wire 1 a clk $end
  $var wire 2 b bus [1:0] $end
  $scope module part $end
   $var wire 1 c \\odd[3] $end
   $var wire 4 d high [7:4] $end
  $upscope $end
 $upscope $end
$upscope $end
$enddefinitions $end
#0
0a
bxx b
0c
b0000 d
#1
1a
b01 b
#2
0a
b10 b
1c
#3
1a
b1000 d
#4
0a
0c
bx b
"""

LIBERTY = """
library (power) {
  capacitive_load_unit (1, pf); voltage_unit : "1V"; leakage_power_unit : "1uW";
  nom_voltage : 2; nom_temperature : 25;
  power_lut_template (grid) { variable_1 : input_transition_time;
    variable_2 : total_output_net_capacitance; index_1 ("0.05, 0.1"); index_2 ("0, 1"); }
  cell (gate) { area : 1; cell_leakage_power : 3;
    pin (A) { direction : input; capacitance : 0.5; }
    pin (Y) { direction : output;
      internal_power () { rise_power (grid) { values ("2, 4", "9, 9"); }
                          fall_power (grid) { values ("0, 2", "9, 9"); } } } }
  cell (flop) { area : 1; cell_leakage_power : 0;
    ff (IQ, IQN) { clocked_on : "C"; }
    pin (C) { direction : input; clock : true; capacitance : 0.1;
      internal_power () { rise_power (x) { values ("6"); } fall_power (x) { values ("2"); } } }
    pin (Q) { direction : output; } }
  cell (ram) { area : 1; memory () { type : ram; }
    pin (A_REN) { direction : input; } pin (A_WEN) { direction : input; }
    pin (A_CLK) { direction : input; clock : true;
      internal_power () { when : "A_MEN & !A_WEN & A_REN"; rise_power (s) { values (50); } }
      internal_power () { when : "A_MEN & A_WEN & !A_REN"; rise_power (s) { values (70); } } } }
}
"""


@pytest.fixture
def wave(tmp_path):
    path = tmp_path / "wave.vcd"
    path.write_text(VCD)
    return path


def test_waves(wave):
    toggles = read_vcd(wave, levels=2)

    def count(path, net):
        return toggles.counts[toggles.bits[path, net]]

    assert count("", "clk") == 4
    assert (count("", "bus[0]"), count("", "bus[1]")) == (1, 1), "x is no change"
    assert count("part", "odd[3]") == 2
    assert (count("part", "high[7]"), count("part", "high[4]")) == (1, 0)
    assert toggles.ones[toggles.bits["", "clk"]] == 2
    assert toggles.ones[toggles.bits["part", "odd[3]"]] == 2
    assert toggles.span == 4
    late = read_vcd(wave, levels=2, since=3)
    assert late.counts[late.bits["", "clk"]] == 2
    assert late.ones[late.bits["part", "odd[3]"]] == 1


def test_a_file_that_is_no_wave_is_refused(tmp_path):
    (tmp_path / "empty.vcd").write_text("nothing\n")
    with pytest.raises(RowforgeError, match="wave must declare variables"):
        read_vcd(tmp_path / "empty.vcd", levels=2)
    with pytest.raises(RowforgeError, match="cannot read wave"):
        read_vcd(tmp_path / "none.vcd", levels=2)


def test_a_table_is_linear_between_its_points():
    library = parse_liberty(LIBERTY)
    (output,) = [pin for pin in library.cells["gate"].of("pin") if pin.arguments[0] == "Y"]
    (power,) = output.of("internal_power")
    rise = next(power.of("rise_power"))
    assert table_value(library, rise, 0.25) == pytest.approx(2.5)
    assert table_value(library, rise, 7.0) == pytest.approx(4), "the end holds"


NETLIST = """
module top(clk);
  gate first (
    .A(bus[1]),
    .Y(bus[0])
  );
  flop held (
    .C(clk),
    .Q(bus[1])
  );
  part part (
    .clk(clk)
  );
endmodule

module part(clk);
  gate second (
    .A(\\odd[3] ),
    .Y(high[4])
  );
  ram store (
    .A_CLK(clk),
    .A_REN(\\odd[3] ),
    .A_WEN(high[7])
  );
endmodule
"""


def test_energy_of_instances(wave):
    toggles = read_vcd(wave, levels=2)
    spent = spent_energy(Netlist(NETLIST, "top"), [parse_liberty(LIBERTY)], toggles, seconds=2e-6)
    top, part = spent[""], spent["part"]
    # bus[0] has no load and one change, of 1 pJ; bus[1] one change with 0.5 pF at 2 V.
    assert top.internal == pytest.approx(1e-12)
    assert top.switching == pytest.approx(0.5 * 0.5e-12 * 4)
    assert top.clock == pytest.approx(4 * 4e-12)
    assert top.leakage == pytest.approx(6e-12)
    assert top.total == pytest.approx(1e-12 + 1e-12 + 16e-12 + 6e-12)
    assert part.internal == part.switching == 0
    assert part.accesses == pytest.approx(1 * 50e-12 + 0.5 * 70e-12)
