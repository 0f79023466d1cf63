"""The part of a board's design that depends on the board: pins, PLL, reset."""

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import io, wiring

from boards import pll
from boards.board import Board, SerialLink
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
        m = Module()
        m.domains.sync = domain = ClockDomain("sync")
        locked = self._clock(m, platform, domain)
        wait = Signal(range(_RESET_CYCLES), init=_RESET_CYCLES - 1, reset_less=True)
        reset = Signal(init=1, reset_less=True)
        m.d.sync += reset.eq(~locked | (wait != 0))
        with m.If(~locked):
            m.d.sync += wait.eq(_RESET_CYCLES - 1)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        m.d.comb += domain.rst.eq(reset)
        line = platform.request(link.resource, 0, dir=dict.fromkeys(_others(platform, link), "-"))
        m.submodules.design = Instance(
            DESIGN,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_rx=line.rx.i,
            o_tx=line.tx.o,
        )
        return m

    def _clock(self, m: Module, platform: Any, domain: ClockDomain):
        """Drive the domain's clock; returns "it runs steadily"."""
        board = self.board
        pin = platform.request(board.oscillator, 0, dir="-")
        m.submodules.oscillator = buffer = io.Buffer("i", pin)
        source = platform.lookup(board.oscillator).clock.frequency
        if source == board.clock:
            m.d.comb += domain.clk.eq(buffer.i)
            return Const(1)
        make = {"ecp5": _ecp5_pll, "gowin": _gowin_pll}[board.family]
        output, locked, stable = Signal(), Signal(), Signal(2, reset_less=True)
        m.submodules.pll = make(source, board.clock, buffer.i, output, locked)
        m.d.comb += domain.clk.eq(output)
        m.d.sync += stable.eq(stable << 1 | locked)  # the lock signal is of no clock domain
        return stable[1]


def _others(platform: Any, link: SerialLink) -> list[str]:
    """Pins of the serial line's resource beside rx and tx: handshakes that nobody uses."""
    return [pin.name for pin in platform.lookup(link.resource).ios if pin.name not in ("rx", "tx")]


def _ecp5_pll(source: float, target: float, clock, output, locked) -> Instance:
    found = pll.settings(source, target, pll.ECP5)
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


def _gowin_pll(source: float, target: float, clock, output, locked) -> Instance:
    found = pll.settings(source, target, pll.GW2A)
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
