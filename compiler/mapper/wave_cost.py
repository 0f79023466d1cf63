"""What the waves of mappings cost: cycles of every resource, and words moved.

A pass takes as long as its busiest resource, plus what it takes to fill and drain the array. All
figures are computed for many candidate mappings at once.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, reduce
from math import ceil
from typing import Any, TypeAlias

import numpy as np

from compiler.mapper.candidates import Candidates
from compiler.mapper.cost import Cost
from compiler.mapper.folds import cut_unit, filter_counts
from compiler.mapper.legal import MOST_SLOT_ROWS, tag_span
from compiler.mapper.passes import PassKinds, pass_kinds, pixels
from compiler.mapper.resources.model import array_model
from compiler.mapper.resources.work import Ints, PassWork, multiply_steps, psum_beats
from compiler.mapper.space import ConvShape, Fold
from hw.arch.accesses import Access, Accesses, DataType, Level, Tally
from hw.arch.config import Config
from hw.arch.patterns import col_pattern_words, row_pattern_words

_Groups: TypeAlias = list[tuple[Fold, tuple[Any, ...]]]
"""Mappings of several folds, see `Candidates.joined`."""

_DESCRIPTOR = 50  # words of a CONV command besides its filters, and its start


class WaveCost:
    """Cost of one wave (all passes for one set of column tasks), arrays over the candidates.

    Attributes
    ----------
    cycles : of the wave
    psum_beats : psum beats that must be held between passes (0: none)
    """

    def __init__(self, waves: "Waves", windows: int, more: int) -> None:
        self._waves, self._windows, self._more = waves, windows, more
        self.cycles = waves.cycles(windows, more)
        self.psum_beats = waves.held * windows

    def load(self, index: int) -> Cost:
        """The cost of one candidate."""
        model = self._waves.model
        work, times = self._waves.alone(index, self._windows, self._more)
        busy, words = (
            [int((row * times).sum()) for row in rows]
            for rows in (model.busy(work), model.words(work))
        )
        return Cost(
            cycles=int(self.cycles[index]),
            busy=Tally(model.resources, busy),
            accesses=Accesses(model.accesses, words),
            passes=self._waves.passes(index),
        )

    @cached_property
    def glb(self) -> Ints:
        """Words read from and written to the buffer."""
        return self._waves.words(self._windows, self._more, _read_or_written)

    @cached_property
    def filters(self) -> Ints:
        """Words of filters sent to PEs."""
        return self._waves.words(self._windows, self._more, _sent)


def _read_or_written(access: Access) -> bool:
    return access.level is Level.BUFFER


def _sent(access: Access) -> bool:
    return access.level is Level.NETWORK and access.data is DataType.FILTER


def block_overhead(config: Config) -> int:
    """Link words that a CONV command with patterns of its own needs before it can begin."""
    return row_pattern_words(config.array.rows) + col_pattern_words(config.array.cols) + _DESCRIPTOR


class Waves:
    """Waves of candidate mappings of a nest: all of their cost that does not depend on the F tile.

    Every candidate has an entry for each kind of pass that its fold has; the entries of all
    candidates are computed at once.

    Attributes
    ----------
    model : names the resources and accesses
    times : passes of each entry
    held : psum beats of a window that must be held between passes, an array over the candidates
    """

    def __init__(self, config: Config, shape: ConvShape, some: Candidates) -> None:
        self._config, self._shape, self._some = config, shape, some
        kinds = [pass_kinds(shape, fold, config.array.rows) for fold in some.folds]
        sizes = np.array([len(kind) for kind in kinds], dtype=np.int64)
        firsts = np.cumsum(sizes) - sizes
        self._each = sizes[some.fold]
        self._starts = np.cumsum(self._each) - self._each
        self._at = np.repeat(np.arange(len(some)), self._each)  # the candidate of an entry
        # Of all kinds of pass, those of one fold after another, the one of an entry.
        kind = np.arange(len(self._at)) + (firsts[some.fold] - self._starts)[self._at]

        def of_kinds(name: str) -> Ints:
            joined: Ints = np.concatenate([getattr(entry, name) for entry in kinds])[kind]
            return joined

        self.model = array_model(config)
        self.times = of_kinds("times")
        self._of_kinds = {name: of_kinds(name) for name in ("inward", "outward", "ends", "filters")}
        self._ifmap_rows = some.cn[self._at] * self._count_ifmap_rows(kinds, sizes)
        self._columns = some.columns
        self._q, self._span = some.of_folds(lambda fold: fold.q), some.of_folds(_span)
        self._steps = multiply_steps(config, some.p, self._q, shape.multiplier)
        waiting = np.array([entry.psums_wait for entry in kinds])[some.fold]
        self.held = psum_beats(config, some.p) * self._columns * waiting
        self.held *= some.of_folds(lambda fold: fold.units)
        self._lines: dict[int, list[tuple[Ints | int, Ints | int]]] = {}
        self._words: dict[tuple[int, Callable[[Access], bool]], tuple[Ints, Ints]] = {}
        self._kinds = kinds

    def passes(self, index: int) -> int:
        """Of a wave of one candidate."""
        return int(self._kinds[self._some.fold[index]].passes)

    def alone(self, index: int, windows: int, more: int) -> tuple[PassWork, Ints]:
        """What the passes of one candidate have to do, and how often each comes."""
        some, at, first = self._some, slice(index, index + 1), int(self._starts[index])
        entries = slice(first, first + int(self._each[index]))
        times = self.times[entries]
        streamed = pixels(self._shape, some.folds[some.fold[index]], windows)
        work = PassWork(
            windows=windows,
            at=np.zeros(len(times), dtype=np.int64),
            p=some.p[at],
            q=self._q[at],
            span=self._span[at],
            steps=self._steps[at],
            columns=self._columns[at],
            groups=some.cm[at] + more,
            pixels=self._ifmap_rows[entries] * streamed,
            **{name: values[entries] for name, values in self._of_kinds.items()},
        )
        return work, times

    def cost(self, windows: int, *, more: int = 0) -> WaveCost:
        """Cost of a wave with an F tile of so many windows, for every candidate.

        more : filter groups side by side beyond those of the candidates, in as many columns
        """
        return WaveCost(self, windows, more)

    def cycles(self, windows: int, more: int) -> Ints:
        """Cycles of a wave of each candidate, see `cost`."""
        if more not in self._lines:
            self._lines[more] = self._make_lines(more)
        rows = (least + windows * each for least, each in self._lines[more])
        longest: Any = reduce(np.maximum, rows)
        return self.summed(longest + self.model.overhead)

    def _make_lines(self, more: int) -> list[tuple[Ints | int, Ints | int]]:
        """(cycles without a window, cycles of a window) of every entry, by resource.

        A table is made for every F tile, and all cycles are linear in its windows. Of resources
        that windows do not matter to, and of those that nothing else matters to, the busiest will
        do.
        """
        one, two = (
            self.model.busy(self._work(windows, more, self._at, self._ifmap_rows, self._of_kinds))
            for windows in (1, 2)
        )
        lines: list[tuple[Ints | int, Ints | int]] = []
        steady, rising = [], []
        for first, second in zip(one, two, strict=True):
            each = second - first
            least = first - each
            if not each.any():
                steady.append(least)
            elif not least.any():
                rising.append(each)
            else:
                lines.append((least, each))
        if steady:
            lines.append((reduce(np.maximum, steady), 0))
        if rising:
            lines.append((0, reduce(np.maximum, rising)))
        return lines

    def words(self, windows: int, more: int, wanted: Callable[[Access], bool]) -> Ints:
        """Words that some accesses of a wave of each candidate move, see `cost`."""
        key = more, wanted
        if key not in self._words:
            one, two = (self._moved(count, more, wanted) for count in (1, 2))
            self._words[key] = one, two - one
        first, each = self._words[key]
        return first + (windows - 1) * each

    def _moved(self, windows: int, more: int, wanted: Callable[[Access], bool]) -> Ints:
        rows = self.model.words(self._work(windows, more, *self._together))
        moved = zip(rows, self.model.accesses, strict=True)
        nothing = np.zeros(len(self._some), dtype=np.int64)
        return sum((row for row, access in moved if wanted(access)), nothing)

    @cached_property
    def _together(self) -> tuple[Ints, Ints, dict[str, Ints]]:
        # All F tiles share them: words of a table cost next to nothing beside its cycles.
        of_kinds = {name: self.summed(values) for name, values in self._of_kinds.items()}
        return np.arange(len(self._some)), self.summed(self._ifmap_rows), of_kinds

    def _work(
        self, windows: int, more: int, at: Ints, ifmap_rows: Ints, of_kinds: dict[str, Ints]
    ) -> PassWork:
        some = self._some
        streamed = some.of_folds(lambda fold: pixels(self._shape, fold, windows))
        return PassWork(
            windows=windows,
            at=at,
            p=some.p,
            q=self._q,
            span=self._span,
            steps=self._steps,
            columns=self._columns,
            groups=some.cm + more,
            pixels=ifmap_rows * streamed.take(at),
            **of_kinds,
        )

    def summed(self, values: Ints) -> Ints:
        """Values of one pass of every entry, added up over the passes of each candidate."""
        total: Ints = np.add.reduceat(values * self.times, self._starts)
        return total

    def _count_ifmap_rows(self, kinds: Sequence[PassKinds], sizes: Ints) -> Ints:
        """Ifmap rows of every entry for one batch item."""
        some = self._some
        most = int(some.ce.max(initial=0)) + 1
        codes = some.fold * most + some.ce
        used = np.zeros(len(kinds) * most, dtype=bool)
        used[codes] = True
        known = np.flatnonzero(used)
        folds, sides = known // most, known % most
        rows = [
            kinds[fold].ifmap_rows(ce)
            for fold, ce in zip(folds.tolist(), sides.tolist(), strict=True)
        ]
        firsts = np.zeros(len(used), dtype=np.int64)
        firsts[known] = np.cumsum(sizes[folds]) - sizes[folds]
        joined = np.array([count for each in rows for count in each], dtype=np.int64)
        found: Ints = joined[(firsts[codes] - self._starts)[self._at] + np.arange(len(self._at))]
        return found


def _span(fold: Fold) -> int:
    return fold.span


class Linears:
    """The linear mappings of a kind of nest, whatever the F tile and the objective."""

    def __init__(self, config: Config, kind: ConvShape, every: Sequence[Fold]) -> None:
        self._config, self._kind, self._folds = config, kind, every
        self._unit = cut_unit(config, kind)
        self._by_rows: dict[int, _Groups] = {}
        self._waves: dict[tuple[int, tuple[int, ...]], tuple[Candidates, Waves]] = {}

    def folds(self, rows: int) -> int:
        """How many folds have such mappings of so many output rows."""
        if rows not in self._by_rows:
            self._by_rows[rows] = self._groups(rows)
        return len(self._by_rows[rows])

    def waves(self, rows: int, chosen: tuple[int, ...]) -> tuple[Candidates, Waves]:
        """Those of some of these folds."""
        if (rows, chosen) not in self._waves:
            groups = self._by_rows[rows]
            some = Candidates.joined([groups[index] for index in chosen])
            self._waves[rows, chosen] = some, Waves(self._config, self._kind, some)
        return self._waves[rows, chosen]

    def _groups(self, rows: int) -> _Groups:
        config, kind, cols = self._config, self._kind, self._config.array.cols
        groups: _Groups = []
        for fold in self._folds:
            ce, rest = divmod(rows, fold.ue)
            useful = not rest and 1 < ce <= 2 * cols and cols % ce and not kind.multiplier
            if not useful or tag_span(kind, fold, ce) > MOST_SLOT_ROWS:
                continue
            p = [n for n in filter_counts(config, kind, fold) if n % self._unit == 0]
            if p:
                groups.append((fold, (np.array(p), ce, ceil(cols / ce), 1, cols)))
        return groups
