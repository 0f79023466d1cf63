"""Netlists simulated gate by gate, beside Icarus Verilog: results, cycles and changes of nets."""

import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from hw.asic.macros.ihp import IHP_MACROS
from hw.asic.macros.macro import Macro
from hw.asic.macros.sky130 import SKY130_MACROS
from hw.asic.netlist.liberty import parse_liberty
from hw.asic.netlist.netlist import Netlist
from hw.asic.netlist.toggles import read_vcd
from hw.asic.process import CellPins, NamedCells, Process
from sim.netlist.gates.activity import clear_activity, read_activity
from sim.netlist.gates.design import gate_design
from sim.netlist.gates.library import gate_library
from sim.rtl import RtlEngine
from tests.support.netlist.icarus import SCOPES, WAVE, play

LIBERTY = parse_liberty("""
library (few) {
  capacitive_load_unit (1, pf); voltage_unit : "1V"; nom_voltage : 1; nom_temperature : 25;
  cell (nand2) { pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "!(A*B)"; } }
  cell (xor3) { pin (A) { direction : input; } pin (B) { direction : input; }
    pin (C) { direction : input; } pin (Y) { direction : output; function : "A^B^C"; } }
  cell (inv) { pin (A) { direction : input; } pin (Y) { direction : output; function : "!A"; } }
  cell (high) { pin (Y) { direction : output; function : "1"; } }
  cell (low) { pin (Y) { direction : output; function : "0"; } }
  cell (flop) { ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; clear : "!RN"; }
    pin (D) { direction : input; } pin (CK) { direction : input; clock : true; }
    pin (RN) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; }
    pin (QN) { direction : output; function : "IQN"; } }
  cell (latch) { latch (IQ, IQN) { data_in : "D"; enable : "G"; }
    pin (Q) { direction : output; function : "IQ"; } }
  cell (gater) { pin (E) { direction : input; } pin (CK) { direction : input; }
    pin (GCK) { direction : output; } }
}
""")
CELLS = """
module nand2(input A, input B, output Y); assign Y = ~(A & B); endmodule
module xor3(input A, input B, input C, output Y); assign Y = A ^ B ^ C; endmodule
module inv(input A, output Y); assign Y = ~A; endmodule
module high(output Y); assign Y = 1; endmodule
module low(output Y); assign Y = 0; endmodule
module flop(input D, input CK, input RN, output Q, output QN);
  reg q; assign Q = q; assign QN = ~q;
  always @(posedge CK, negedge RN) if (!RN) q <= 0; else q <= D;
endmodule
module gater(input E, input CK, output GCK);
  reg open; always @* if (!CK) open = E; assign GCK = CK & open;
endmodule
"""
PROCESS = Process(
    name="few",
    macros=(*IHP_MACROS, *SKY130_MACROS),
    cells=NamedCells(
        clock_gate=CellPins("gater", ("E", "CK", "GCK")),
        high=CellPins("high", ("Y",)),
        low=CellPins("low", ("Y",)),
        buffer=CellPins("inv", ("A", "Y")),
    ),
)
_RESET = 5  # cycles of the bench before its first beat
WORDS = [0x0123456789ABCDEF, 0xF0F0A5A500FF1234]


@dataclass
class _Cells:
    """Text of cells in the form that yosys writes."""

    _ODD = "\\[0] "  # of an escaped name

    text: str = ""
    count: int = 0

    def add(self, kind: str, **pins: str) -> None:
        """A cell; a module is named as its kind."""
        self.count += 1
        tied = ",\n".join(f"    .{pin}({net})" for pin, net in pins.items())
        name = kind if kind == "part" else f"_{self.count}_"
        self.text += f"  {kind} {name} (\n{tied}\n  );\n"

    def both(self, output: str, *inputs: str) -> None:
        """An AND of two."""
        self.add("nand2", A=inputs[0], B=inputs[1], Y=f"n_{output.strip(self._ODD)}")
        self.add("inv", A=f"n_{output.strip(self._ODD)}", Y=output)

    def flop(self, output: str, next_: str, clock: str = "clk") -> None:
        self.add("flop", D=next_, CK=clock, RN="one", Q=output, QN=f"n_{output}")


def _module(name: str, ports: str, nets: str, cells: _Cells) -> str:
    return f"module {name}({ports.replace(';', ',')});\n{nets}{cells.text}endmodule\n\n"


def echo(*, reset: str = "one") -> Netlist:
    """A core of one bit a beat: every second cycle it takes a bit, and gives it changed."""
    top, part = _Cells(), _Cells()
    top.add("high", Y="one")
    top.add("low", Y="zero")
    top.add("inv", A="rst", Y="running")
    top.both("turned", "running", "n_turn")
    top.flop("turn", "turned")
    top.add("inv", A="n_turn", Y="cmd__ready")
    top.both("moves", "cmd__valid", "cmd__ready")
    top.both("kept", "running", "moves")
    top.flop("result__valid", "kept")
    top.add("nand2", A="n_moves", B="running", Y="opens")
    top.add("part", clk="clk", opens="opens", d="cmd__payload", q="held", one=reset, r="running")
    top.add("xor3", A="held", B="turn", C="zero", Y="result__payload")
    part.add("gater", E="opens", CK="clk", GCK="gated")
    part.add("xor3", A="d", B="n_q", C="one", Y="changed")
    part.both("\\next[0] ", "changed", "r")
    part.flop("q", "\\next[0] ", "gated")
    nets = "  input clk;\n  input rst;\n  input cmd__payload;\n  input cmd__valid;\n"
    nets += "  input result__ready;\n  output cmd__ready;\n  output result__valid;\n"
    nets += "  output result__payload;\n"
    names = "clk, rst, cmd__payload, cmd__valid, cmd__ready, result__payload, result__valid, "
    inner = "  input clk;\n  input opens;\n  input d;\n  input one;\n  input r;\n  output q;\n"
    inner += "  wire \\next[0] ;\n"
    text = _module("echo", names + "result__ready", nets, top)
    return Netlist(text + _module("part", "clk, opens, d, q, one, r", inner, part), "echo")


def stored(macro: Macro) -> Netlist:
    """A core that writes a bit to one of two words, and then reads it there."""
    top, single = _Cells(), len(macro.ports) == 1
    top.add("high", Y="one")
    top.add("low", Y="zero")
    top.add("inv", A="rst", Y="running")
    top.add("inv", A="turn", Y="cmd__ready")
    top.both("moves", "cmd__valid", "cmd__ready")
    top.both("turned", "running", "moves")
    top.flop("turn", "turned")
    top.flop("result__valid", "turn")
    top.both("jumps", "turn", "cmd__payload")
    top.add("xor3", A="place", B="jumps", C="zero", Y="other")
    top.both("chosen", "other", "running")
    top.flop("place", "chosen")
    wide, deep = macro.width, macro.address_bits
    pins = {pin.name: ("zero" if pin.width == 1 else f"{pin.width}'h0") for pin in macro.pins()}
    first, reader = macro.ports[0], macro.ports[-1]
    top.add("inv", A="moves", Y="n_moves_2")
    top.add("inv", A="turn", Y="n_turn_2")
    top.add("nand2", A="n_moves_2", B="n_turn_2", Y="uses")
    top.add("inv", A="uses", Y="unused")
    address = f"{{ {deep - 1}'h0, place }}"
    for port in macro.ports:
        pins[port.clock] = "clk"
        pins[port.address] = address
        pins[port.output] = f"from_{port.output}"
    pins[first.data] = f"{{ {wide}{{cmd__payload}} }}"
    masks = wide // macro.mask_bits
    pins[first.mask] = f"{{ {masks}{{one}} }}" if masks > 1 else "one"
    low = first.active.startswith("!")
    if low:
        pins |= {"csb0": "n_moves_2", "web0": "n_moves_2", "csb1": "n_turn_2"}
    elif single:
        pins |= {first.active: "uses", first.write: "moves", first.read: "turn"}
    else:
        pins |= {first.active: "moves", first.write: "moves", reader.active: "turn"}
        pins |= {reader.read: "turn"}
    for name in [name for name in pins if name.endswith("DLY")]:
        pins[name] = "one"
    top.add(macro.name, **pins)
    source = f"from_{reader.output}[{wide - 1}]"
    top.add("xor3", A=source, B="zero", C="zero", Y="result__payload")
    nets = "  input clk;\n  input rst;\n  input cmd__payload;\n  input cmd__valid;\n"
    nets += "  input result__ready;\n  output cmd__ready;\n  output result__valid;\n"
    nets += "  output result__payload;\n"
    nets += "".join(f"  wire [{wide - 1}:0] from_{port.output};\n" for port in macro.ports)
    names = "clk, rst, cmd__payload, cmd__valid, cmd__ready, result__payload, result__valid, "
    return Netlist(_module("stored", names + "result__ready", nets, top), "stored")


@pytest.fixture(autouse=True)
def _icarus():
    if shutil.which("iverilog") is None:
        pytest.skip("no iverilog")


def _beats() -> np.ndarray:
    return np.array([word >> bit & 1 for word in WORDS for bit in range(64)], dtype=np.uint64)


def _gates(netlist: Netlist, seed: int = 1):
    """Results, cycles and activity of a run without stalls."""
    design = gate_design(netlist, PROCESS, LIBERTY)
    library = gate_library(design)
    engine = RtlEngine(library, seed=seed)
    clear_activity(library)
    beats = _beats()
    result = engine.run(beats, len(beats), 10_000)
    toggles = read_activity(library, design, netlist, result.elapsed)
    assert engine.violations == 0
    bits = result.words.astype(object)
    words = [sum(int(b) << i for i, b in enumerate(bits[at : at + 64])) for at in (0, 64)]
    return words, result.elapsed, toggles


def test_an_echo_and_every_change_of_its_nets(tmp_path):
    netlist = echo()
    wanted, _ = play(tmp_path, netlist, [CELLS], WORDS, 2, link_width=1, wave=True)
    words, cycles, toggles = _gates(netlist)
    assert words == wanted.tolist()
    wave = read_vcd(tmp_path / WAVE, levels=SCOPES, since=2 * _RESET)
    assert {place for place, _ in toggles.bits} == {"", "part"}
    for place, net in toggles.bits:
        theirs = wave.counts[wave.bits[place, net]]
        ours = toggles.counts[toggles.bits[place, net]]
        # The first beat meets `turn` in either state, and the bench ends half a cycle earlier.
        assert ours == pytest.approx(theirs, abs=3), (place, net)
    assert toggles.counts[toggles.bits["", "clk"]] == 2 * cycles


@pytest.mark.parametrize(
    "macro",
    [IHP_MACROS[0], IHP_MACROS[16], SKY130_MACROS[0]],
    ids=lambda macro: macro.name,
)
@pytest.mark.parametrize("seed", [1, 2])
def test_memories(tmp_path, macro, seed):
    netlist = stored(macro)
    wanted, _ = play(tmp_path, netlist, [CELLS, macro.model()], WORDS, 2, link_width=1)
    words, _, _ = _gates(netlist, seed)
    assert words == wanted.tolist()


def test_what_is_not_simulated_is_refused():
    with pytest.raises(RowforgeError, match="a reset or self-test of part._5_ must be tied off"):
        gate_design(echo(reset="running"), PROCESS, LIBERTY)
    netlist = echo()

    def changed(old: str, new: str) -> Netlist:
        assert old in netlist.verilog
        return replace(netlist, verilog=netlist.verilog.replace(old, new))

    loop = changed(".A(rst),\n    .Y(running)", ".A(kept),\n    .Y(running)")
    with pytest.raises(RowforgeError, match="combinational loop"):
        gate_design(loop, PROCESS, LIBERTY)
    clock = changed(".CK(gated)", ".CK(d)")
    with pytest.raises(RowforgeError, match="flip-flop .* must have the core's clock"):
        gate_design(clock, PROCESS, LIBERTY)
    behind = changed(".CK(clk),\n    .GCK(gated)", ".CK(d),\n    .GCK(gated)")
    with pytest.raises(RowforgeError, match="clock gate .* must be on the core's clock"):
        gate_design(behind, PROCESS, LIBERTY)
    unknown = changed("xor3 _", "maj3 _")
    with pytest.raises(RowforgeError, match="must be of the liberty file, not maj3"):
        gate_design(unknown, PROCESS, LIBERTY)
    latch = changed("  flop _", "  latch _")
    with pytest.raises(RowforgeError, match="is a latch"):
        gate_design(latch, PROCESS, LIBERTY)
