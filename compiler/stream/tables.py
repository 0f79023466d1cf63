"""Tables held in hardware (patterns, parameters, ADD tables), filled as round robins."""

from collections.abc import Callable, Hashable, Sequence
from copy import copy
from typing import Any

import numpy as np

from hw.arch.config import Config
from hw.arch.program import Words
from hw.arch.program.layout import pack_params


class RoundRobin:
    """Places runs of entries in a table of `size`, reusing equal ones that are still there.

    `find` or `place` picks the entries that the next command uses; `use` must be called with that
    command, `idle` when all earlier work is known to be done.

    Parameters
    ----------
    size : int
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._cut: Callable[[], None] | None = None
        self._grouped: set[int] | None = None  # entries picked since a group began
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

    def group(self, cut: Callable[[], None]) -> None:
        """A group begins: commands that come after everything that fills tables for them.

        cut : called before entries are given up that a command of the group uses
        """
        self._cut, self._grouped = cut, set()

    def regroup(self) -> None:
        """Another group begins, to which the entries picked last belong."""
        self._grouped = set(self._current)

    def copy(self) -> "RoundRobin":
        """Another table with the same entries, in no group."""
        other = RoundRobin(self.size)
        other._next, other._held, other._busy = self._next, dict(self._held), set(self._busy)
        return other

    def meet(self, others: Sequence["RoundRobin"]) -> None:
        """Knows from now on only what all these tables hold at the same place."""
        each = [other._held.items() for other in others]
        self._held = dict(each[0] & set.intersection(*(set(held) for held in each)))
        self._busy = set().union(*(other._busy for other in others))
        self._next = others[0]._next
        self._current = range(0)

    def find(self, key: Hashable) -> int | None:
        """Picks the entries with this key; the first one, or None if they are not there."""
        if key not in self._held:
            return None
        self._pick(self._held[key])
        return self._current.start

    def place(self, key: Hashable, count: int) -> tuple[int, bool]:
        """Picks `count` entries to be written: (the first, unfinished work may still use them)."""
        assert 0 < count <= self.size
        if self._next + count > self.size:
            self._next = 0
        taken = range(self._next, self._next + count)
        self._next += count
        if self._cut is not None and self._grouped and not self._grouped.isdisjoint(taken):
            self._cut()
        self._held = {
            other: held
            for other, held in self._held.items()
            if held.start >= taken.stop or held.stop <= taken.start
        }
        self._held[key] = taken
        self._pick(taken)
        return taken.start, not self._busy.isdisjoint(taken)

    def _pick(self, entries: range) -> None:
        self._current = entries
        if self._grouped is not None:
            self._grouped.update(entries)


class StreamTables:
    """The tables of an accelerator, or of a cluster.

    Attributes
    ----------
    rows, columns : patterns
    params : rows of parameters
    table : of sums, a single one
    """

    def __init__(self, config: Config) -> None:
        self.rows = RoundRobin(config.control.row_patterns)
        self.columns = RoundRobin(config.control.col_patterns)
        self.params = RoundRobin(config.post.channels // config.post.units)
        self.table = RoundRobin(1)

    @property
    def all(self) -> tuple[RoundRobin, ...]:
        """Each of them."""
        return self.rows, self.columns, self.params, self.table

    def copy(self) -> "StreamTables":
        """Tables of another cluster with the same entries."""
        other = copy(self)
        other.rows, other.columns, other.params, other.table = (each.copy() for each in self.all)
        return other

    def meet(self, others: Sequence["StreamTables"]) -> None:
        """Know from now on what these of all clusters hold."""
        for number, table in enumerate(self.all):
            table.meet([other.all[number] for other in others])


def packed_params(config: Config, bias: Any, multiplier: Any, shift: Any, addend: Any = 0) -> Words:
    """Parameters of some channels, filled up to whole rows; one addend may hold for all."""
    given = (bias, multiplier, shift, np.broadcast_to(addend, np.shape(bias)))
    columns = [np.atleast_1d(np.asarray(a, dtype=np.int64)) for a in given]
    size = -(-len(columns[0]) // config.post.units) * config.post.units
    rows = np.zeros((len(columns), size), dtype=np.int64)
    for row, values in zip(rows, columns, strict=True):
        row[: len(values)] = values
    return pack_params(*rows)
