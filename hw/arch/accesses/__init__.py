"""Accesses: which words move at which level, in one vocabulary for all that count them."""

from hw.arch.accesses.access import Access, Accesses, DataType, Direction, Level
from hw.arch.accesses.block import counter_block
from hw.arch.accesses.counted import counted_accesses
from hw.arch.accesses.replayed import replayed
from hw.arch.accesses.sizes import (
    access_bits,
    glb_bytes,
    link_bytes,
    memory_bytes,
    resident_bytes,
)
from hw.arch.accesses.tally import Tally

__all__ = [
    "Access",
    "Accesses",
    "DataType",
    "Direction",
    "Level",
    "Tally",
    "access_bits",
    "counter_block",
    "counted_accesses",
    "glb_bytes",
    "link_bytes",
    "memory_bytes",
    "replayed",
    "resident_bytes",
]
