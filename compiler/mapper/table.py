"""All mappings of a kind of nest, as tiles of output rows x filters (or channels)."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import inf
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.mapper.candidates import Candidates
from compiler.mapper.columns import linear_period, linear_waves
from compiler.mapper.cost import Cost
from compiler.mapper.folds import cut_unit, filter_counts, folds, lane_unit
from compiler.mapper.legal import MOST_SLOT_ROWS, tag_span
from compiler.mapper.objective import objective
from compiler.mapper.resources.work import Ints
from compiler.mapper.space import ConvShape, Fold, MappedBlock, Mapping
from compiler.mapper.tiles import Cover, Tile, Tiles
from compiler.mapper.wave_cost import Linears, WaveCost, Waves, block_overhead
from hw.arch.commands import TAG
from hw.arch.config import Config

_TAG_LIMIT = 1 << TAG
_ENDLESS = 1 << 14  # output rows and filters of a kind of nest
_MOST_FITTED = 3  # linear mappings offered for a rectangle
LINEAR_GAIN = 0.93  # least cost of a linear mapping in that of the best grid: 13 / 14
_MOST_LINEAR = 6  # folds of linear mappings for a number of rows, those with the best rate


_Ready: TypeAlias = tuple["_Linear | None", Ints, list[tuple[int, int, int, float, float]]]
"""Linear mappings, filters of a group of each, and (number, ce, filters, costs of its waves)."""

_Figures: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""What a wave costs by the objective, and its filters, which several waves may share."""


@dataclass(frozen=True)
class _Linear:
    """Linear mappings for a number of output rows, those of the best folds.

    um : units of a column along filter groups
    cost : of a wave with as many filter groups as columns over rows; wide : with one more
    narrow_figures, wide_figures : of these waves, see `Table`
    """

    some: Candidates
    um: Ints
    cost: WaveCost
    wide: WaveCost
    narrow_figures: _Figures
    wide_figures: _Figures


@lru_cache(maxsize=16384)
def kind_of(config: Config, shape: ConvShape) -> ConvShape:
    """The shape without its size: nests of one kind share their table."""
    unit = cut_unit(config, shape)
    lanes = _ENDLESS // unit * unit + shape.lanes % unit
    if shape.multiplier:
        return replace(shape, E=_ENDLESS, F=1, C=lanes, M=lanes * shape.multiplier)
    return replace(shape, E=_ENDLESS, F=1, M=lanes)


@dataclass(frozen=True)
class _Grids:
    """The grids of a kind of nest, whatever the F tile and the objective.

    rows, filters : what a wave covers
    linears : mappings of the same folds that are no grids
    """

    linears: Linears
    some: Candidates
    waves: Waves | None
    rows: Ints
    filters: Ints

    @cached_property
    def by_size(self) -> Ints:
        """Their numbers, see `Tiles.by_size`."""
        return Tiles.by_size(self.rows, self.filters)

    @cached_property
    def several(self) -> NDArray[np.bool_]:
        """Which of them take several commands for their channels."""
        return self.some.of_folds(lambda fold: len(fold.runs)) > 1

    @cached_property
    def sizes(self) -> tuple[Ints, Ints, Ints, Ints]:
        """The different numbers of rows, in order, and which one is each grid's; then filters."""
        heights, down = np.unique(self.rows, return_inverse=True)
        widths, across = np.unique(self.filters, return_inverse=True)
        return heights, down, widths, across


@lru_cache(maxsize=32)
def _grids_of(config: Config, kind: ConvShape) -> _Grids:
    every = tuple(folds(config, kind))
    some = _grids(config, kind, every)
    each = some.p // max(kind.multiplier, 1)
    return _Grids(
        linears=Linears(config, kind, every),
        some=some,
        waves=Waves(config, kind, some) if len(some) else None,
        rows=some.ce * some.of_folds(lambda fold: fold.ue),
        filters=some.cm * each * some.of_folds(lambda fold: fold.um),
    )


@lru_cache(maxsize=64)
def table_of(config: Config, kind: ConvShape, windows: int, aim: str) -> "Table":
    """The table of a kind of nest with one F tile."""
    return Table(config, kind, windows, aim)


class Table:
    """Every legal wave of a kind of nest with one F tile, and its cost by the objective `aim`."""

    def __init__(self, config: Config, kind: ConvShape, windows: int, aim: str) -> None:
        self.config, self.kind, self.windows, self.aim = config, kind, windows, aim
        self.unit = cut_unit(config, kind)
        grids = _grids_of(config, kind)
        self._grids, self._linears, self._some = grids, grids.linears, grids.some
        self._rows, self._filters = grids.rows, grids.filters
        self._covers: dict[tuple[int, int], Cover] = {}
        self._by_rows: dict[int, _Linear | None] = {}
        self._ready: dict[tuple[int, int], _Ready] = {}
        self._measured: list[tuple[_Linear, int]] = []  # what tiles with a negative index stand for
        if grids.waves is not None:
            self._cost = grids.waves.cost(windows)

    @cached_property
    def _tiles(self) -> Tiles:
        some = self._some
        waves = self.kind.N // some.cn
        wave, once = self._figures(self._cost)
        return Tiles(
            rows=self._rows,
            filters=self._filters,
            cost=wave * waves,
            tail=self._filters % self.unit != 0,
            index=np.arange(len(some)),
            once=once,
            waves=waves,
            held=np.full(len(some), _ENDLESS),
        )

    def _figures(self, cost: WaveCost) -> _Figures:
        nothing = np.zeros_like(cost.cycles)
        once = objective(self.aim, self.config, nothing, nothing, cost.filters)
        return self._each(cost), np.asarray(once, dtype=np.float64)

    def _each(self, cost: WaveCost) -> NDArray[np.float64]:
        """The figures of waves without their filters."""
        nothing = np.zeros_like(cost.cycles)
        each = objective(self.aim, self.config, cost.cycles, cost.glb, nothing)
        return np.asarray(each, dtype=np.float64)

    def cover(self, psum_beats: int, each: int = 1) -> Cover | None:
        """Covers with the mappings whose psums fit so many beats; None if there are none at all.

        each : PEs hold a multiple of so many filters
        """
        if not len(self._some):
            return None
        if (psum_beats, each) not in self._covers:
            fits = self._cost.psum_beats <= psum_beats
            if each > 1:
                fits &= self._some.p % each == 0
            some = self._grids.by_size
            self._covers[psum_beats, each] = Cover(
                self._held(psum_beats),
                block_overhead(self.config),
                self.unit,
                lambda rows, filters: [
                    tile
                    for tile in self._fitted(rows, filters, psum_beats)
                    if self._filters_held(tile) % each == 0
                ],
                some[fits[some]],
            )
        return self._covers[psum_beats, each]

    def _held(self, psum_beats: int) -> Tiles:
        """The tiles of a nest that may use so many beats."""
        waiting = self._cost.psum_beats
        if self.kind.partial:  # its psums have their place in any case
            waiting = np.zeros_like(waiting)
        held = np.where(waiting > 0, psum_beats // np.maximum(waiting, 1), _ENDLESS)
        return replace(self._tiles, held=np.where(self._grids.several, 1, held))

    def least(self, rows: int, filters: int) -> float:
        """About the least cycles of an output row of a filter (channel) in such a rectangle."""
        if not len(self._some):
            return 0.0
        heights, widths, rates = self._rates
        down, across = bisect_right(heights, rows), bisect_right(widths, filters)
        rate = float(rates[down - 1, across - 1]) if down and across else inf
        return LINEAR_GAIN * rate if rate < inf else 0.0

    @cached_property
    def _rates(self) -> tuple[list[int], list[int], NDArray[np.float64]]:
        """The least cycles of an output row of a filter by what a wave covers at most.

        Returns
        -------
        rows, filters : of waves, in order
        rates : of the waves that cover at most so many, [rows, filters]
        """
        heights, down, widths, across = self._grids.sizes
        each = self._cost.cycles / (self._rows * self._filters * self._some.cn)
        rates = np.full((len(heights), len(widths)), np.inf)
        np.minimum.at(rates, (down, across), each)
        rates = np.minimum.accumulate(np.minimum.accumulate(rates, axis=0), axis=1)
        return heights.tolist(), widths.tolist(), rates

    def crowded(self, rows: int, filters: int, psum_beats: int) -> bool:
        """Whether some mapping of such a rectangle needs more psum space."""
        if not len(self._some):
            return False
        tight = self._cost.psum_beats > psum_beats
        return bool((tight & (self._rows <= rows) & (self._filters <= filters)).any())

    # ---- linear mappings ------------------------------------------------------------------------

    def _fitted(self, rows: int, filters: int, psum_beats: int) -> list[Tile]:
        """The best linear mappings of a rectangle."""
        key = (rows, psum_beats)
        if key not in self._ready:
            self._ready[key] = self._weigh_linear(rows, psum_beats)
        found, widths, each = self._ready[key]
        groups = filters // widths
        offers = []
        for number in (groups >= 2).nonzero()[0].tolist():
            at, ce, width, narrow, wide = each[number]
            count, more = linear_waves(ce, self.config.array.cols, int(groups[number]))
            # Waves of partial nests come in commands of as many patterns as there are.
            if not self.kind.partial and not self._patterns_fit(ce, count):
                continue
            cost, covered = (count - more) * narrow + more * wide, int(groups[number]) * width
            offers.append((cost / covered, cost, covered, at))
        tiles = []
        for _, cost, covered, at in sorted(offers, key=itemgetter(0))[:_MOST_FITTED]:
            assert found is not None
            self._measured.append((found, at))
            tiles.append(Tile(rows, covered, cost, False, -len(self._measured)))
        return tiles

    def _weigh_linear(self, rows: int, psum_beats: int) -> _Ready:
        """The linear mappings of so many rows whose psums fit so many beats."""
        found = self._linear(rows)
        if found is None:
            return None, np.zeros(0, dtype=np.int64), []
        (narrow, filters_), (wide, more_) = found.narrow_figures, found.wide_figures
        # Filters move on from wave to wave and stay over items alone.
        sets = self._sets(found, psum_beats)
        narrow, wide = narrow * self.kind.N + filters_ * sets, wide * self.kind.N + more_ * sets
        at = np.flatnonzero(found.wide.psum_beats <= psum_beats)
        widths = (found.some.p * found.um)[at]
        columns = (values[at].tolist() for values in (found.some.ce, narrow, wide))
        ce, narrow_, wide_ = columns
        each = zip(at.tolist(), ce, widths.tolist(), narrow_, wide_, strict=True)
        return found, widths, list(each)

    def _sets(self, found: _Linear, psum_beats: int) -> Ints:
        """How often linear mappings send the filters of a wave."""
        waiting = found.wide.psum_beats
        free = self.kind.partial | (waiting == 0)
        return np.where(free | (self.kind.N * waiting <= psum_beats), 1, self.kind.N)

    def _patterns_fit(self, ce: int, waves: int) -> bool:
        period, _ = linear_period(ce, self.config.array.cols)
        return min(waves, period) <= self.config.control.col_patterns

    def _linear(self, rows: int) -> _Linear | None:
        """Linear mappings of so many rows, made when first asked for."""
        if rows not in self._by_rows:
            self._by_rows[rows] = self._make_linear(rows)
        return self._by_rows[rows]

    def _make_linear(self, rows: int) -> _Linear | None:
        count = self._linears.folds(rows)
        if not count:
            return None
        some, waves = self._linears.waves(rows, tuple(range(count)))
        rates = self._each(waves.cost(self.windows)) / some.p
        rates = rates / some.of_folds(lambda fold: fold.units)
        firsts = np.flatnonzero(np.diff(some.fold, prepend=-1))
        best = np.argsort(np.minimum.reduceat(rates, firsts), kind="stable")[:_MOST_LINEAR]
        return self._weighed(*self._linears.waves(rows, tuple(best.tolist())))

    def _weighed(self, some: Candidates, waves: Waves) -> _Linear:
        narrow, wide = (waves.cost(self.windows, more=more) for more in (0, 1))
        figures = (self._figures(cost) for cost in (narrow, wide))
        return _Linear(some, some.of_folds(lambda fold: fold.um), narrow, wide, *figures)

    # ---- blocks ---------------------------------------------------------------------------------

    def block(
        self, tile: Tile, row: int, lane: int, down: int, across: int, columns: tuple[int, int]
    ) -> MappedBlock:
        """The block of a placed tile."""
        each = max(self.kind.multiplier, 1)
        tiles = (columns[1] - columns[0]) // self.windows
        mapping, load = self._measured_tile(tile) if tile.index < 0 else self._grid_tile(tile)
        return MappedBlock(
            mapping=mapping,
            rows=(row, row + down * tile.rows),
            columns=columns,
            filters=(lane * each, (lane + across * tile.filters) * each),
            load=load * (down * across * tiles * (self.kind.N // mapping.cn)),
        )

    def _grid_tile(self, tile: Tile) -> tuple[Mapping, Cost]:
        return self._some.mapping(tile.index, self.windows), self._cost.load(tile.index)

    def _filters_held(self, tile: Tile) -> int:
        """Filters in a PE; the whole mapping with its cost is only made for tiles that are used."""
        found, index = self._measured[-1 - tile.index]
        return int(found.some.p[index])

    def _measured_tile(self, tile: Tile) -> tuple[Mapping, Cost]:
        found, index = self._measured[-1 - tile.index]
        mapping = found.some.mapping(index, self.windows)
        groups = tile.filters // (mapping.p * mapping.fold.um)
        count, more = linear_waves(mapping.ce, mapping.width, groups)
        load = found.cost.load(index) * (count - more) + found.wide.load(index) * more
        return mapping, load


def _grids(config: Config, kind: ConvShape, every: Sequence[Fold]) -> Candidates:
    """Every (p, ce, cm) of all folds that the array and the fields of the command allow."""
    items = [n for n in range(1, min(kind.N, config.array.cols) + 1) if kind.N % n == 0]
    unit = lane_unit(config, kind)
    groups = []
    for fold in every:
        p = np.array(filter_counts(config, kind, fold), dtype=np.int64)
        odd = p // max(kind.multiplier, 1) % unit != 0
        for cn in items:
            ce, cm = _sides(
                config.array.cols // cn, _most_rows(config, kind, fold, cn), kind.multiplier
            )
            filters, sides = np.tile(p, len(ce)), (np.repeat(ce, len(p)), np.repeat(cm, len(p)))
            if odd.any():
                legal = ~np.tile(odd, len(ce)) | (sides[1] * fold.um == 1)
                filters, sides = filters[legal], (sides[0][legal], sides[1][legal])
            groups.append((fold, (filters, *sides, cn, 0)))
    return Candidates.joined(groups)


def _most_rows(config: Config, kind: ConvShape, fold: Fold, cn: int) -> int:
    """Columns over output rows that the tags allow."""
    most = min(_TAG_LIMIT // cn, MOST_SLOT_ROWS)
    # `tag_span` grows by as many tags with every column.
    first = tag_span(kind, fold, 1)
    if first > most:
        return 0
    return min(1 + (most - first) // (fold.ue * kind.stride[0]), config.array.cols // cn)


@lru_cache(maxsize=1024)
def _sides(columns: int, most: int, multiplier: int) -> tuple[Ints, Ints]:
    """(ce, cm) of every grid of at most so many columns."""
    sides = [
        (ce, cm)
        for ce in range(1, most + 1)
        for cm in range(1, (1 if multiplier else columns // ce) + 1)
    ]
    both = np.array(sides, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
