"""What is to be known of a board: its part, clock, link, budget, and the preset made for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hw.arch.config import MemoryConfig
from hw.arch.errors import RowforgeError
from hw.arch.frames import REQUEST_WORDS

_KILO = 1e3


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
class BoardSdram:
    """An SDRAM on the board.

    Attributes
    ----------
    chip : its name in `hw.arch.sdram.CHIPS`
    phase : degrees by which its clock is late
    resource : its name among the platform's resources
    """

    chip: str
    phase: int = 180
    resource: str = "sdram"


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
    sdram : BoardSdram or None
        The memory that a configuration may use.
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
    sdram: BoardSdram | None = None

    def check_memory(self, memory: MemoryConfig) -> None:
        """Refuse, with the field, a memory that the board does not have."""
        if memory.kind == "sdram" and self.sdram is not None:
            here = {
                "chip": self.sdram.chip,
                "clock": round(self.clock / _KILO),
                "phase": self.sdram.phase,
            }
            for name, value in here.items():
                if getattr(memory, name) != value:
                    raise RowforgeError(
                        f"memory.{name} must be {value} on board {self.name}, "
                        f"not {getattr(memory, name)}"
                    )
        elif memory.kind == "sdram" or (
            memory.kind == "axi" and not isinstance(self.link, AxiLink)
        ):
            kinds = "none or ram" if self.sdram is None else "none, ram or sdram"
            raise RowforgeError(
                f'memory.kind must be {kinds} on board {self.name}, not "{memory.kind}"'
            )
