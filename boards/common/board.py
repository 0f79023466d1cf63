"""What is to be known of a board: its part, clock, link, budget, and the preset made for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hw.arch.frames import REQUEST_WORDS


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the part holds.

    Attributes
    ----------
    lut, ff : int
        Look-up tables (of four inputs; on xc7 of six) and flip-flops.
    dsp : int
        Multipliers of 18 × 18 bits (16 × 16 on iCE40, 25 × 18 on xc7).
    block_ram : int
        Block RAMs, each of `block_ram_bits`.
    """

    lut: int
    ff: int
    dsp: int
    block_ram: int
    block_ram_bits: int


@dataclass(frozen=True, kw_only=True)
class SerialLink:
    """A serial line.

    `resource`: its name among the platform's resources; `words`: most words in a request or reply,
    which wait in block RAMs; `note`: its wiring.
    """

    baud: int
    resource: str = "uart"
    words: int = REQUEST_WORDS
    note: str = ""

    def __str__(self) -> str:
        return f"UART {self.baud / 1e6:g} Mbaud"


@dataclass(frozen=True, kw_only=True)
class AxiLink:
    """AXI4-Stream and AXI4-Lite inside a Zynq."""

    note: str = ""

    def __str__(self) -> str:
        return "AXI4-Stream"


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board.

    Attributes
    ----------
    name, title : str
        As in `--board`, and what it is called in full.
    family : str
        "ecp5", "ice40", "gowin" or "xc7": which flow builds for it.
    part : str
        The part number that is printed on the chip, as far as it matters.
    platform : function
        Makes the amaranth platform with the board's pins; called only when something is built.
    oscillator : str
        Name of the platform's clock resource.
    clock : float
        Frequency of `sync` in Hz, made by the part's PLL unless it is the oscillator's.
    link : SerialLink or AxiLink
    budget : Budget
    preset : str
        The configuration made for the board, by name.
    flash : tuple of str
        Arguments of openFPGALoader that name the board.
    dense : bool
        The preset nearly fills the part: synthesis saves cells rather than time.
    options : tuple of str
        Arguments for the program that packs the bitstream.
    """

    name: str
    title: str
    family: str
    part: str
    platform: Callable[[], Any]
    oscillator: str
    clock: float
    link: SerialLink | AxiLink
    budget: Budget
    preset: str
    flash: tuple[str, ...]
    dense: bool = False
    options: tuple[str, ...] = field(default=())
