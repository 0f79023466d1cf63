"""All mappings of a kind of nest, as tiles of output rows x filters (or channels)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from math import ceil

import numpy as np
from numpy.typing import NDArray

from compiler.mapper.columns import linear_period, linear_waves
from compiler.mapper.cost import (
    Candidates,
    Ints,
    WaveCost,
    block_overhead,
    filter_limit,
    objective,
    wave_cost,
)
from compiler.mapper.folds import cut_unit, folds, lane_unit
from compiler.mapper.legal import MOST_SLOT_ROWS, tag_span
from compiler.mapper.space import Block, ConvShape, Fold, Load, Mapping
from compiler.mapper.tiles import Cover, Tile
from hw.arch.commands import TAG
from hw.arch.config import Config

_TAG_LIMIT = 1 << TAG
_ENDLESS = 1 << 14  # output rows and filters of a kind of nest
_MOST_FITTED = 3  # linear mappings offered for a rectangle
_MOST_LINEAR = 6  # folds of linear mappings for a number of rows, those with the best rate


@dataclass(frozen=True)
class _Entry:
    """Candidates that share a fold, with their costs; `wide` is the cost with a group more."""

    fold: Fold
    some: Candidates
    cost: WaveCost
    wide: WaveCost | None = None


def kind_of(config: Config, shape: ConvShape) -> ConvShape:
    """The shape without its size: nests of one kind share their table."""
    unit = cut_unit(config, shape)
    lanes = _ENDLESS // unit * unit + shape.lanes % unit
    if shape.multiplier:
        return replace(shape, E=_ENDLESS, F=1, C=lanes, M=lanes * shape.multiplier)
    return replace(shape, E=_ENDLESS, F=1, M=lanes)


@lru_cache(maxsize=256)
def table_of(config: Config, kind: ConvShape, windows: int, aim: str) -> "Table":
    """The table of a kind of nest with one F tile."""
    return Table(config, kind, windows, aim)


class Table:
    """Every legal wave of a kind of nest with one F tile, and its cost by the objective `aim`."""

    def __init__(self, config: Config, kind: ConvShape, windows: int, aim: str) -> None:
        self.config, self.kind, self.windows, self.aim = config, kind, windows, aim
        self.unit = cut_unit(config, kind)
        self._folds = list(folds(config, kind))
        self._entries: list[_Entry] = []
        self._tiles: list[tuple[Tile, int]] = []
        self._covers: dict[int, Cover] = {}
        self._by_rows: dict[int, list[int]] = {}
        for fold in self._folds:
            for cn in range(1, min(kind.N, config.cols) + 1):
                if kind.N % cn == 0:
                    self._add(fold, cn)

    def _add(self, fold: Fold, cn: int) -> None:
        some = _grid(self.config, self.kind, fold, cn)
        if len(some.p) == 0:
            return
        cost = wave_cost(self.config, self.kind, fold, self.windows, some)
        figures = self._figures(cost) * (self.kind.N // cn)
        number = len(self._entries)
        self._entries.append(_Entry(fold, some, cost))
        filters = some.cm * (some.p // max(self.kind.multiplier, 1)) * fold.um
        for index, (ce, count, beats) in enumerate(
            zip(some.ce.tolist(), filters.tolist(), cost.psum_beats.tolist(), strict=True)
        ):
            tile = Tile(
                rows=fold.ue * ce,
                filters=count,
                cost=float(figures[index]),
                tail=count % self.unit != 0,
                index=number << 20 | index,
            )
            self._tiles.append((tile, beats))

    def _figures(self, cost: WaveCost) -> NDArray[np.float64]:
        figures: NDArray[np.float64] = objective(self.aim, self.config, cost.cycles, cost.words)
        return figures

    def cover(self, psum_beats: int) -> Cover:
        """Covers with the mappings whose psums fit so many beats."""
        if psum_beats not in self._covers:
            fits = [tile for tile, beats in self._tiles if beats <= psum_beats]
            self._covers[psum_beats] = Cover(
                fits,
                block_overhead(self.config),
                self.unit,
                lambda rows, filters: self._fitted(rows, filters, psum_beats),
            )
        return self._covers[psum_beats]

    def crowded(self, rows: int, filters: int, psum_beats: int) -> bool:
        """Whether some mapping of such a rectangle needs more psum space."""
        sizes = self._sizes
        tight = sizes[:, 2] > psum_beats
        return bool((tight & (sizes[:, 0] <= rows) & (sizes[:, 1] <= filters)).any())

    @cached_property
    def _sizes(self) -> Ints:
        """Rows, filters and psum beats of every tile."""
        sizes = [(tile.rows, tile.filters, beats) for tile, beats in self._tiles]
        return np.array(sizes, dtype=np.int64).reshape(-1, 3)

    # ---- linear mappings ------------------------------------------------------------------------

    def _fitted(self, rows: int, filters: int, psum_beats: int) -> list[Tile]:
        """The best linear mappings of a rectangle."""
        tiles = []
        for number in self._linear_entries(rows):
            entry = self._entries[number]
            ce = rows // entry.fold.ue
            assert entry.wide is not None
            narrow, wide = self._figures(entry.cost), self._figures(entry.wide)
            for index, p in enumerate(entry.some.p.tolist()):
                groups = filters // (p * entry.fold.um)
                if groups < 2 or entry.wide.psum_beats[index] > psum_beats:
                    continue
                count, more = linear_waves(ce, self.config.cols, groups)
                # Waves of partial nests come in commands of as many patterns as there are.
                if not self.kind.partial and not self._patterns_fit(ce, count):
                    continue
                cost = (count - more) * narrow[index] + more * wide[index]
                size = groups * p * entry.fold.um
                tiles.append(
                    Tile(rows, size, float(cost) * self.kind.N, False, number << 20 | index)
                )
        return sorted(tiles, key=lambda tile: tile.cost / tile.filters)[:_MOST_FITTED]

    def _patterns_fit(self, ce: int, waves: int) -> bool:
        period, _ = linear_period(ce, self.config.cols)
        return min(waves, period) <= self.config.col_patterns

    def _linear_entries(self, rows: int) -> list[int]:
        """Entries of linear mappings of so many rows, made when first asked for."""
        if rows not in self._by_rows:
            found = [entry for fold in self._folds if (entry := self._linear(fold, rows))]
            found = sorted(found, key=self._rate)[:_MOST_LINEAR]
            self._by_rows[rows] = list(range(len(self._entries), len(self._entries) + len(found)))
            self._entries += found
        return self._by_rows[rows]

    def _rate(self, entry: _Entry) -> float:
        """Cost of a filter in a row of a full wave, at the best p."""
        return float((self._figures(entry.cost) / (entry.some.p * entry.fold.units)).min())

    def _linear(self, fold: Fold, rows: int) -> _Entry | None:
        config, cols = self.config, self.config.cols
        ce, rest = divmod(rows, fold.ue)
        useful = not rest and 1 < ce <= 2 * cols and cols % ce
        span = tag_span(self.kind, fold, max(ce, 1))
        if self.kind.multiplier or not useful or span > MOST_SLOT_ROWS:
            return None
        p = [n for n in filter_counts(config, self.kind, fold) if n % self.unit == 0]
        if not p:
            return None
        costs = []
        for groups in (ceil(cols / ce), ceil(cols / ce) + 1):
            counts = np.array(p, dtype=np.int64)
            some = Candidates(
                counts, np.full_like(counts, ce), np.full_like(counts, groups), 1, cols
            )
            costs.append(wave_cost(config, self.kind, fold, self.windows, some))
        return _Entry(fold, some, *costs)

    # ---- blocks ---------------------------------------------------------------------------------

    def block(
        self, tile: Tile, row: int, lane: int, down: int, across: int, columns: tuple[int, int]
    ) -> Block:
        """The block of a placed tile."""
        entry, index = self._entries[tile.index >> 20], tile.index & 0xFFFFF
        some = entry.some
        mapping = Mapping(
            fold=entry.fold,
            p=int(some.p[index]),
            ce=int(some.ce[index]),
            cm=int(some.cm[index]),
            cn=some.cn,
            windows=self.windows,
            width=some.width,
        )
        each = max(self.kind.multiplier, 1)
        tiles = (columns[1] - columns[0]) // self.windows
        times = down * across * tiles * (self.kind.N // some.cn)
        return Block(
            mapping=mapping,
            rows=(row, row + down * tile.rows),
            columns=columns,
            filters=(lane * each, (lane + across * tile.filters) * each),
            load=self._load(entry, index, tile) * times,
        )

    def _load(self, entry: _Entry, index: int, tile: Tile) -> Load:
        if entry.wide is None:
            return entry.cost.load(index)
        groups = tile.filters // (int(entry.some.p[index]) * entry.fold.um)
        count, more = linear_waves(int(entry.some.ce[index]), self.config.cols, groups)
        return entry.cost.load(index) * (count - more) + entry.wide.load(index) * more


def filter_counts(config: Config, shape: ConvShape, fold: Fold) -> list[int]:
    """Legal p of a fold; a depthwise fold has one."""
    most_steps = filter_limit(config, fold)
    if shape.multiplier:
        fits = ceil(shape.multiplier / config.macs_per_pe) <= most_steps
        return [fold.q * shape.multiplier] if fits else []
    most = min(config.psum_spad, most_steps * config.macs_per_pe, shape.M)
    unit = config.post_units
    odd = shape.M % unit
    counts = list(range(unit, most + 1, unit))
    return counts + (list(range(odd, most + 1, unit)) if odd else [])


def _grid(config: Config, kind: ConvShape, fold: Fold, cn: int) -> Candidates:
    """Every (p, ce, cm) of a fold that the array and the fields of the command allow."""
    chosen = list(_grid_sizes(config, kind, fold, cn))
    table = np.array(chosen, dtype=np.int64).reshape(-1, 3)
    return Candidates(table[:, 0], table[:, 1], table[:, 2], cn)


def _grid_sizes(
    config: Config, kind: ConvShape, fold: Fold, cn: int
) -> Iterator[tuple[int, int, int]]:
    unit = lane_unit(config, kind)
    filters = filter_counts(config, kind, fold)
    for ce in range(1, config.cols // cn + 1):
        span = tag_span(kind, fold, ce)
        if span * cn > _TAG_LIMIT or span > MOST_SLOT_ROWS:
            return
        wide = 1 if kind.multiplier else config.cols // (cn * ce)
        for cm, p in product(range(1, wide + 1), filters):
            odd = p // max(kind.multiplier, 1) % unit != 0
            if not odd or cm * fold.um == 1:
                yield p, ce, cm
