"""The part of a board's design that depends on the board: pins, PLL, reset."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io, wiring

from boards.common import pll
from boards.common.board import Board, SerialLink
from boards.common.pll_cells import PLLS, PllWires
from hw.arch.config import NO_MEMORY, MemoryConfig
from hw.arch.errors import RowforgeError

DESIGN = "rowforge_board"  # the module with the ports clk, rst, rx, tx
_RESET_CYCLES = 256  # block RAMs of iCE40 read zeros for some microseconds after configuration


class BoardTop(wiring.Component):
    """Oscillator, PLL, power-on reset and the serial line's pins around the module `DESIGN`.

    The pins are those of the board's amaranth platform, so it has none of its own. The reset ends
    some cycles after the PLL has locked; registers start as the bitstream says.
    """

    def __init__(self, board: Board, memory: MemoryConfig = NO_MEMORY):
        super().__init__({})
        self.board = board
        self.memory = memory

    def elaborate(self, platform: Any) -> Module:
        link = self.board.link
        if not isinstance(link, SerialLink):
            raise RowforgeError(f"link of board {self.board.name} must be a serial line")
        found = self._pll_settings(platform)
        m = Module()
        m.domains.sync = domain = ClockDomain("sync")
        late = Signal()  # the SDRAM's clock
        locked = self._clock(m, platform, _Clocks(domain.clk, late), found)
        wait = Signal(range(_RESET_CYCLES), init=_RESET_CYCLES - 1, reset_less=True)
        reset = Signal(init=1, reset_less=True)
        m.d.sync += reset.eq(~locked | (wait != 0))
        with m.If(~locked):
            m.d.sync += wait.eq(_RESET_CYCLES - 1)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        m.d.comb += domain.rst.eq(reset)
        names = [pin.name for pin in platform.lookup(link.resource).ios]
        line = platform.request(link.resource, 0, dir=dict.fromkeys(names, "-"))
        m.submodules.receive = receive = io.Buffer("i", line.rx)
        m.submodules.transmit = transmit = io.Buffer("o", line.tx)
        m.submodules.design = Instance(
            DESIGN,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_rx=receive.i,
            o_tx=transmit.o,
            **(self._sdram(m, platform, late) if self.memory.kind == "sdram" else {}),
        )
        return m

    def _sdram(self, m: Module, platform: Any, late: Signal) -> dict[str, Any]:
        """The pins of the SDRAM; returns what the design's ports are wired to."""
        assert self.board.sdram is not None
        resource = self.board.sdram.resource
        names = [pin.name for pin in platform.lookup(resource).ios]
        pins = platform.request(resource, 0, dir=dict.fromkeys(names, "-"))
        outputs = {name: io.Buffer("o", getattr(pins, name)) for name in names if name != "dq"}
        m.submodules.sdram_dq = data = io.Buffer("io", pins.dq)
        for name, buffer in outputs.items():
            m.submodules[f"sdram_{name}"] = buffer
        command, mask, enable = Signal(3), Signal(), Signal()
        m.d.comb += [
            outputs["clk"].o.eq(late),
            # Those of CS#, RAS#, CAS# and WE# invert: 1 is active.
            Cat(outputs[name].o for name in ("we", "cas", "ras")).eq(~command),
            outputs["dqm"].o.eq(mask.replicate(len(outputs["dqm"].o))),
            data.oe.eq(enable),
            *(outputs[name].o.eq(1) for name in ("clk_en", "cs")),
        ]
        return {
            "o_sdram__command": command,
            "o_sdram__bank": outputs["ba"].o,
            "o_sdram__address": outputs["a"].o,
            "o_sdram__mask": mask,
            "o_sdram__dq_o": data.o,
            "o_sdram__dq_oe": enable,
            "i_sdram__dq_i": data.i,
        }

    def _pll_settings(self, platform: Any) -> pll.PllSettings | None:
        """None where the oscillator's own clock serves."""
        source = platform.lookup(self.board.oscillator).clock.frequency
        if source == self.board.clock and self.memory.kind != "sdram":
            return None
        if self.board.family not in PLLS:
            raise RowforgeError(
                f"clock of board {self.board.name} must be its oscillator's {source / 1e6:g} MHz"
            )
        return pll.settings(source, self.board.clock, PLLS[self.board.family][0])

    def _clock(self, m: Module, platform: Any, clocks: "_Clocks", found: Any):
        """Drive the clocks; returns "they run steadily"."""
        pin = platform.request(self.board.oscillator, 0, dir="-")
        m.submodules.oscillator = buffer = io.Buffer("i", pin)
        if found is None:
            m.d.comb += clocks.core.eq(buffer.i)
            return Const(1)
        source = platform.lookup(self.board.oscillator).clock.frequency
        output, locked, stable = Signal(), Signal(), Signal(2, reset_less=True)
        phase = self.memory.phase if self.memory.kind == "sdram" else None
        wires = PllWires(buffer.i, output, clocks.late, locked)
        m.submodules.pll = PLLS[self.board.family][1](source, found, wires, phase)
        m.d.comb += clocks.core.eq(output)
        m.d.sync += stable.eq(stable << 1 | locked)  # the lock signal is of no clock domain
        return stable[1]


@dataclass(frozen=True)
class _Clocks:
    """The clock of the core, and the same with the phase of the SDRAM's."""

    core: Any
    late: Signal
