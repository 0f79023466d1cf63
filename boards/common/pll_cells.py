"""The cells of the parts' PLLs, with a second clock for an SDRAM where one is wanted."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Instance, Signal

from boards.common import pll
from hw.arch.errors import RowforgeError

_GOWIN_STEP = 22.5  # degrees
_EIGHTHS = 8  # of a turn of the oscillator inside, the ECP5's finest step


@dataclass(frozen=True)
class PllWires:
    """Clocks that come in, that is made, the same with a phase; and whether they are locked."""

    clock: Any
    output: Signal
    late: Signal
    locked: Signal


def _ecp5_base(found: pll.PllSettings) -> int:
    """Turns of the oscillator inside by which the first clock is late against the divider's."""
    return found.divider // 2


def _ecp5_late(found: pll.PllSettings, wires: PllWires, phase: int) -> tuple[Any, ...]:
    """The second clock: as the first one, `phase` degrees late."""
    eighths = phase * found.divider * _EIGHTHS / 360
    if eighths != int(eighths):
        step = 360 / (found.divider * _EIGHTHS)
        raise RowforgeError(
            f"memory.phase must be a multiple of {step:g} degrees with this clock, not {phase}"
        )
    turns, rest = divmod(int(eighths), _EIGHTHS)
    return (
        ("p", "CLKOS_DIV", found.divider),
        ("p", "CLKOS_ENABLE", "ENABLED"),
        ("p", "CLKOS_CPHASE", _ecp5_base(found) + turns),
        ("p", "CLKOS_FPHASE", rest),
        ("p", "OUTDIVIDER_MUXB", "DIVB"),
        ("o", "CLKOS", wires.late),
    )


def _gowin_steps(phase: int) -> int:
    """The phase in the steps of the second output."""
    if phase % _GOWIN_STEP:
        raise RowforgeError(
            f"memory.phase must be a multiple of {_GOWIN_STEP:g} degrees with this PLL, not {phase}"
        )
    return int(phase / _GOWIN_STEP)


def _ecp5_pll(
    source: float, found: pll.PllSettings, wires: PllWires, phase: int | None
) -> Instance:
    late = () if phase is None else _ecp5_late(found, wires, phase)
    return Instance(
        "EHXPLLL",
        ("p", "CLKI_DIV", found.reference),
        ("p", "CLKFB_DIV", found.feedback),
        ("p", "CLKOP_DIV", found.divider),
        ("p", "CLKOP_ENABLE", "ENABLED"),
        ("p", "CLKOP_CPHASE", _ecp5_base(found)),
        ("p", "CLKOP_FPHASE", 0),
        ("p", "FEEDBK_PATH", "CLKOP"),
        ("p", "OUTDIVIDER_MUXA", "DIVA"),
        ("a", "ICP_CURRENT", "12"),
        ("a", "LPF_RESISTOR", "8"),
        ("a", "MFG_ENABLE_FILTEROPAMP", "1"),
        ("a", "MFG_GMCREF_SEL", "2"),
        ("i", "CLKI", wires.clock),
        ("i", "CLKFB", wires.output),
        ("i", "RST", Const(0)),
        ("i", "STDBY", Const(0)),
        ("i", "PHASESEL0", Const(0)),
        ("i", "PHASESEL1", Const(0)),
        ("i", "PHASEDIR", Const(1)),
        ("i", "PHASESTEP", Const(1)),
        ("i", "PHASELOADREG", Const(1)),
        ("i", "PLLWAKESYNC", Const(0)),
        ("i", "ENCLKOP", Const(0)),
        ("o", "CLKOP", wires.output),
        ("o", "LOCK", wires.locked),
        *late,
    )


def _gowin_pll(
    source: float, found: pll.PllSettings, wires: PllWires, phase: int | None
) -> Instance:
    late = () if phase is None else (("o", "CLKOUTP", wires.late),)
    steps = _gowin_steps(phase or 0)
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
        ("p", "PSDA_SEL", f"{steps:04b}"),
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
        ("i", "CLKIN", wires.clock),
        ("i", "CLKFB", Const(0)),
        ("i", "RESET", Const(0)),
        ("i", "RESET_P", Const(0)),
        ("i", "FBDSEL", Const(0, 6)),
        ("i", "IDSEL", Const(0, 6)),
        ("i", "ODSEL", Const(0, 6)),
        ("i", "DUTYDA", Const(0, 4)),
        ("i", "PSDA", Const(0, 4)),
        ("i", "FDLY", Const(0, 4)),
        ("o", "CLKOUT", wires.output),
        ("o", "LOCK", wires.locked),
        *late,
    )


PLLS = {"ecp5": (pll.ECP5, _ecp5_pll), "gowin": (pll.GW2A, _gowin_pll)}
"""Limits of a family's PLL, and what places one: of source, settings, wires and phase."""
