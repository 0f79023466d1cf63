"""The words of a memory, and when each of them is sure to be there."""

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import Status
from hw.arch.images.messages import RANGE_BITS, MemoryRange
from hw.arch.program import Words
from sim.functional.errors import CommandError, require


class ReplayMemory:
    """A memory of 64-bit words that knows what a replay may rely on.

    A word that a data block of the present replay has written is sure to be there when the replay
    has waited for as many words as were written up to it.
    """

    def __init__(self, words: int):
        self._words = np.zeros(words, dtype=np.uint64)
        self._written = np.zeros(words, dtype=bool)
        self._after: NDArray[np.int64] = np.zeros(words, dtype=np.int64)

    def begin(self) -> None:
        """A replay begins: everything that was written before is there."""
        self._after[:] = 0

    def check(self, field: MemoryRange, end: int) -> None:
        """`CommandError` unless the words before `end` exist."""
        if end > len(self._words):
            raise CommandError(Status.BAD_RANGE, end << RANGE_BITS | field)

    def write(self, address: int, words: Words, after: int = 0) -> None:
        """Words go to the memory; of a data block, they are there when `after` words are."""
        place = slice(address, address + len(words))
        self._words[place] = words
        self._written[place] = True
        self._after[place] = after

    def read(self, address: int, count: int, *, waited: int | None = None) -> Words:
        """Words of the memory; `waited`: of a replay that has waited for so many words.

        Raises `SemanticsError` if a replay reads what nothing has written, or may not be there yet.
        """
        place = slice(address, address + count)
        if waited is not None:
            require(
                self._written[place].all(),
                f"memory words {address} to {address + count} are gathered but were never written",
            )
            newest = int(self._after[place].max(initial=0))
            require(
                newest <= waited,
                f"memory words {address} to {address + count} are gathered after {waited} words of "
                f"data blocks, but are there only after {newest}",
            )
        return self._words[place].copy()
