"""The part of a board's design that depends on the board: pins, PLL, reset."""

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import io, wiring

from boards.common import pll
from boards.common.board import Board, SerialLink
from hw.arch.errors import RowforgeError

DESIGN = "rowforge_board"  # the module with the ports clk, rst, rx, tx
_RESET_CYCLES = 256  # block RAMs of iCE40 read zeros for some microseconds after configuration


class BoardTop(wiring.Component):
    """Oscillator, PLL, power-on reset and the serial line's pins around the module `DESIGN`.

    The pins are those of the board's amaranth platform, so it has none of its own. The reset ends
    some cycles after the PLL has locked; registers start as the bitstream says.
    """

    def __init__(self, board: Board):
        super().__init__({})
        self.board = board

    def elaborate(self, platform: Any) -> Module:
        link = self.board.link
        if not isinstance(link, SerialLink):
            raise RowforgeError(f"link of board {self.board.name} must be a serial line")
        found = self._pll_settings(platform)
        m = Module()
        m.domains.sync = domain = ClockDomain("sync")
        locked = self._clock(m, platform, domain, found)
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
        )
        return m

    def _pll_settings(self, platform: Any) -> pll.PllSettings | None:
        """None where the oscillator's own clock serves."""
        source = platform.lookup(self.board.oscillator).clock.frequency
        if source == self.board.clock:
            return None
        if self.board.family not in _PLLS:
            raise RowforgeError(
                f"clock of board {self.board.name} must be its oscillator's {source / 1e6:g} MHz"
            )
        return pll.settings(source, self.board.clock, _PLLS[self.board.family][0])

    def _clock(self, m: Module, platform: Any, domain: ClockDomain, found: Any):
        """Drive the domain's clock; returns "it runs steadily"."""
        pin = platform.request(self.board.oscillator, 0, dir="-")
        m.submodules.oscillator = buffer = io.Buffer("i", pin)
        if found is None:
            m.d.comb += domain.clk.eq(buffer.i)
            return Const(1)
        source = platform.lookup(self.board.oscillator).clock.frequency
        output, locked, stable = Signal(), Signal(), Signal(2, reset_less=True)
        m.submodules.pll = _PLLS[self.board.family][1](source, found, buffer.i, output, locked)
        m.d.comb += domain.clk.eq(output)
        m.d.sync += stable.eq(stable << 1 | locked)  # the lock signal is of no clock domain
        return stable[1]


def _ecp5_pll(source: float, found: pll.PllSettings, clock, output, locked) -> Instance:
    return Instance(
        "EHXPLLL",
        ("p", "CLKI_DIV", found.reference),
        ("p", "CLKFB_DIV", found.feedback),
        ("p", "CLKOP_DIV", found.divider),
        ("p", "CLKOP_ENABLE", "ENABLED"),
        ("p", "CLKOP_CPHASE", found.divider // 2),
        ("p", "CLKOP_FPHASE", 0),
        ("p", "FEEDBK_PATH", "CLKOP"),
        ("p", "OUTDIVIDER_MUXA", "DIVA"),
        ("a", "ICP_CURRENT", "12"),
        ("a", "LPF_RESISTOR", "8"),
        ("a", "MFG_ENABLE_FILTEROPAMP", "1"),
        ("a", "MFG_GMCREF_SEL", "2"),
        ("i", "CLKI", clock),
        ("i", "CLKFB", output),
        ("i", "RST", Const(0)),
        ("i", "STDBY", Const(0)),
        ("i", "PHASESEL0", Const(0)),
        ("i", "PHASESEL1", Const(0)),
        ("i", "PHASEDIR", Const(1)),
        ("i", "PHASESTEP", Const(1)),
        ("i", "PHASELOADREG", Const(1)),
        ("i", "PLLWAKESYNC", Const(0)),
        ("i", "ENCLKOP", Const(0)),
        ("o", "CLKOP", output),
        ("o", "LOCK", locked),
    )


def _gowin_pll(source: float, found: pll.PllSettings, clock, output, locked) -> Instance:
    return Instance(
        "rPLL",
        ("p", "FCLKIN", f"{source / 1e6:g}"),
        ("p", "DEVICE", "GW2AR-18C"),
        ("p", "IDIV_SEL", found.reference - 1),
        ("p", "FBDIV_SEL", found.feedback - 1),
        ("p", "ODIV_SEL", found.divider),
        ("p", "DYN_IDIV_SEL", "false"),
        ("p", "DYN_FBDIV_SEL", "false"),
        ("p", "DYN_ODIV_SEL", "false"),
        ("p", "DYN_DA_EN", "false"),
        ("p", "PSDA_SEL", "0000"),
        ("p", "DUTYDA_SEL", "1000"),
        ("p", "CLKOUT_FT_DIR", 1),
        ("p", "CLKOUTP_FT_DIR", 1),
        ("p", "CLKOUT_DLY_STEP", 0),
        ("p", "CLKOUTP_DLY_STEP", 0),
        ("p", "CLKFB_SEL", "internal"),
        ("p", "CLKOUT_BYPASS", "false"),
        ("p", "CLKOUTP_BYPASS", "false"),
        ("p", "CLKOUTD_BYPASS", "false"),
        ("p", "DYN_SDIV_SEL", 2),
        ("p", "CLKOUTD_SRC", "CLKOUT"),
        ("p", "CLKOUTD3_SRC", "CLKOUT"),
        ("i", "CLKIN", clock),
        ("i", "CLKFB", Const(0)),
        ("i", "RESET", Const(0)),
        ("i", "RESET_P", Const(0)),
        ("i", "FBDSEL", Const(0, 6)),
        ("i", "IDSEL", Const(0, 6)),
        ("i", "ODSEL", Const(0, 6)),
        ("i", "DUTYDA", Const(0, 4)),
        ("i", "PSDA", Const(0, 4)),
        ("i", "FDLY", Const(0, 4)),
        ("o", "CLKOUT", output),
        ("o", "LOCK", locked),
    )


# Limits of a family's PLL, and what places one.
_PLLS = {"ecp5": (pll.ECP5, _ecp5_pll), "gowin": (pll.GW2A, _gowin_pll)}
