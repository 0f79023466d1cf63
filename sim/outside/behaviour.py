"""How a simulated memory behaves that lies outside of the core."""

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class AxiBehaviour:
    """How a memory behind AXI behaves.

    Attributes
    ----------
    latency : cycles from a burst's turn to its first word, or from its last word to its answer
    pauses : sixteenths of all cycles in which a channel pauses, each by itself and at random
    bad : page of 512 words whose bursts are answered with an error; None: there is none
    """

    latency: int = 1
    pauses: int = 0
    bad: int | None = None


PROMPT = AxiBehaviour()
"""A memory that never pauses."""


def sources_of_memories() -> str:
    """What determines the Verilog of these memories besides the gateware."""
    names = ("sdram_chip.v", "chip.py", "axi_memory.py", "attached.py")
    return "".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)
