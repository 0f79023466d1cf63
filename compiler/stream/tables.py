"""Tables held in hardware (patterns, parameters, ADD tables), filled as round robins."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from hw.arch.config import Config
from hw.arch.program import Words
from hw.arch.program.layout import pack_params


class RoundRobin:
    """Places runs of entries in a table of `size`, reusing equal ones that are still there.

    `find` or `place` picks the entries that the next command uses; `use` must be called with that
    command, `idle` when all earlier work is known to be done.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._next = 0
        self._held: dict[Hashable, range] = {}
        self._busy: set[int] = set()
        self._current = range(0)

    def idle(self) -> None:
        """Nothing uses the table any more."""
        self._busy.clear()

    def use(self) -> None:
        """A command uses the entries picked last."""
        self._busy.update(self._current)

    def find(self, key: Hashable) -> int | None:
        """Picks the entries with this key; the first one, or None if they are not there."""
        if key not in self._held:
            return None
        self._current = self._held[key]
        return self._current.start

    def place(self, key: Hashable, count: int) -> tuple[int, bool]:
        """Picks `count` entries to be written: (the first, unfinished work may still use them)."""
        assert 0 < count <= self.size
        if self._next + count > self.size:
            self._next = 0
        taken = range(self._next, self._next + count)
        self._next += count
        self._held = {
            other: held
            for other, held in self._held.items()
            if held.start >= taken.stop or held.stop <= taken.start
        }
        self._held[key] = self._current = taken
        return taken.start, not self._busy.isdisjoint(taken)


def packed_params(config: Config, bias: Any, multiplier: Any, shift: Any, addend: Any = 0) -> Words:
    """Parameters of some channels, filled up to whole rows; one addend may hold for all."""
    given = (bias, multiplier, shift, np.broadcast_to(addend, np.shape(bias)))
    columns = [np.atleast_1d(np.asarray(a, dtype=np.int64)) for a in given]
    size = -(-len(columns[0]) // config.post.units) * config.post.units
    return pack_params(*(np.pad(a, (0, size - len(a))) for a in columns))
