"""The geometry of a memory, by which its macro is called and composed."""

from dataclasses import dataclass
from typing import Literal

PortKind = Literal["1r1w", "1rw"]
"""One read port and one write port, or one port that reads or writes."""

FLIP_FLOP_WORDS = 64
"""Words of the deepest memory that is made of flip-flops where others are macros."""


@dataclass(frozen=True, order=True)
class MemoryGeometry:
    """What tells the macro of one memory from that of another.

    Attributes
    ----------
    ports : "1r1w" or "1rw"
    depth : words
    width : bits in a word
    lane_width : bits that are written apart from the rest; divides the width
    """

    ports: PortKind
    depth: int
    width: int
    lane_width: int

    @property
    def lanes(self) -> int:
        """Lanes in a word."""
        return self.width // self.lane_width

    @property
    def address_bits(self) -> int:
        """Bits of an address, at least one."""
        return max(self.depth - 1, 1).bit_length()

    @property
    def name(self) -> str:
        """Of the macro's module, after the design's prefix: `ram_1rw_256x64_l8`."""
        lanes = f"_l{self.lane_width}" if self.lanes > 1 else ""
        return f"ram_{self.ports}_{self.depth}x{self.width}{lanes}"
