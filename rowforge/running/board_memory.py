"""A test of the memory from which a board replays programs: `fill_and_compare`."""

from dataclasses import dataclass

import numpy as np

from hw.arch.config import MemoryConfig
from hw.arch.program import Words
from sw_driver.replaying import BoardMemory

_PIECE = 1 << 15  # words that are written or read at once
_WORD_BYTES = 8


@dataclass(frozen=True)
class MemoryErrors:
    """What came back wrong.

    Attributes
    ----------
    words : that were tested
    lanes : wrong bytes by lane of the memory's data pins, lowest first
    first : the first word with a wrong byte; None: there is none
    """

    words: int
    lanes: tuple[int, ...]
    first: int | None

    def __str__(self) -> str:
        if self.first is None:
            return f"{self.words * _WORD_BYTES:,} bytes of the board's memory hold what was written"
        counts = ", ".join(f"lane {lane}: {count:,}" for lane, count in enumerate(self.lanes))
        return f"wrong bytes by lane: {counts}; the first in word {self.first:#x}"


def address_words(address: int, count: int) -> Words:
    """What the words from an address on are filled with: each bit depends on the whole address.

    A word that lies at another address, which a stuck address bit causes, differs in about half of
    its bits.
    """
    with np.errstate(over="ignore"):
        mixed = np.arange(address + 1, address + count + 1, dtype=np.uint64)
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ mixed >> np.uint64(shift)) * np.uint64(factor)
        return mixed ^ mixed >> np.uint64(31)


def fill_and_compare(
    memory: BoardMemory, config: MemoryConfig, *, words: int | None = None
) -> MemoryErrors:
    """Fill the memory with words that depend on their addresses, then read all of them.

    Images that were there are lost, which the driver is told.

    Parameters
    ----------
    words : int or None
        How many, from word 0 on; None: all.
    """
    total = config.words if words is None else min(words, config.words)
    places = range(0, total, _PIECE)
    memory.forget()
    for place in places:
        memory.write(place, address_words(place, min(_PIECE, total - place)))
    wrong = np.zeros(_lanes(config), dtype=np.int64)
    first: int | None = None
    for place in places:
        wanted = address_words(place, min(_PIECE, total - place))
        bad = (memory.read(place, len(wanted)) ^ wanted).astype("<u8").view(np.uint8) != 0
        wrong += bad.reshape(-1, len(wrong)).sum(axis=0)
        if first is None and bad.any():
            first = place + int(bad.argmax()) // _WORD_BYTES
    return MemoryErrors(total, tuple(wrong.tolist()), first)


def _lanes(config: MemoryConfig) -> int:
    """Bytes that the memory's data pins carry at once."""
    return config.sdram.width // 8 if config.kind == "sdram" else _WORD_BYTES
