"""Covers a rectangle with tiles: guillotine cuts, each piece with the tile that suits it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from math import inf
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_WIDTH = 10  # tiles tried for a rectangle, most promising first


@dataclass(frozen=True)
class Tile:
    """A mapping seen from outside: it covers `rows` x `filters` at `cost` a time.

    once : what is added for every set of filters that is sent; they serve `waves` waves of
        items, and stay in the PEs over up to `held` waves
    tail : usable only where its filters end with the layer's (an odd number of them)
    index : names the mapping for whoever made the tile
    """

    rows: int
    filters: int
    cost: float
    tail: bool
    index: int
    once: float = 0.0
    waves: int = 1
    held: int = 1


@dataclass(frozen=True)
class Tiles:
    """Many tiles: the fields of `Tile` as arrays."""

    rows: NDArray[np.int64]
    filters: NDArray[np.int64]
    cost: NDArray[np.float64]
    tail: NDArray[np.bool_]
    index: NDArray[np.int64]
    once: NDArray[np.float64]
    waves: NDArray[np.int64]
    held: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def tile(self, at: int) -> Tile:
        """One of them."""
        return Tile(
            rows=int(self.rows[at]),
            filters=int(self.filters[at]),
            cost=float(self.cost[at]),
            tail=bool(self.tail[at]),
            index=int(self.index[at]),
            once=float(self.once[at]),
            waves=int(self.waves[at]),
            held=int(self.held[at]),
        )

    def where(self, chosen: NDArray[Any]) -> "Tiles":
        """Some of them, by numbers or by a mask."""
        return Tiles(*(column[chosen] for column in vars(self).values()))

    def costs(self, down: NDArray[np.int64] | int = 1) -> NDArray[np.float64]:
        """Cost of each so many times below one another, with the sets of filters that it takes."""
        sets = -(-down * self.waves // np.maximum(self.held, 1))
        costs: NDArray[np.float64] = down * self.cost + sets * self.once
        return costs

    @staticmethod
    def by_size(rows: NDArray[np.int64], filters: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers of tiles by size; those of one size as they come."""
        sizes: NDArray[np.int64] = rows * (filters.max(initial=0) + 1) + filters
        return sizes.argsort(kind="stable")

    def cheapest(self, some: NDArray[np.int64]) -> "Tiles":
        """The cheapest of each size, in the order in which the sizes come.

        some : the tiles that count, `by_size`: sizes depend on nothing that costs do, and many
            choices of tiles are sorted once
        """
        if not len(some):
            return self.where(some)
        rows, filters = self.rows.take(some), self.filters.take(some)
        new = np.ones(len(some), dtype=bool)
        new[1:] = (rows[1:] != rows[:-1]) | (filters[1:] != filters[:-1])
        starts = new.nonzero()[0]
        costs = self.costs().take(some)
        size = new.cumsum()
        least = (costs == np.minimum.reduceat(costs, starts).take(size - 1)).nonzero()[0]
        # Of equally cheap ones of a size the first.
        least = least[np.diff(size[least], prepend=0) > 0]
        return self.where(some[least[some[starts].argsort()]])


Placed: TypeAlias = tuple[Tile, int, int, int, int]  # tile, first row, first filter, both counts
Found: TypeAlias = tuple[float, tuple[Placed, ...]]
_Repeats: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
"""See `Cover._repeats`."""

_Option: TypeAlias = tuple[float, float, Tile, int, int]  # bound, cost, tile, both counts


class Cover:
    """Cheapest guillotine cover of rectangles by repeated tiles, memoised.

    Parameters
    ----------
    tiles : tiles to choose from; tiles of equal sizes are all usable at the end only, or none
    penalty : cost of each repeated tile beyond its own
    unit : filters that a piece may be cut into; only the last piece may be odd
    fitted : tiles made to measure for a rectangle (rows, filters): all its rows, from its first
        filter on
    some : the tiles that count, see `Tiles.cheapest`; None: all
    """

    def __init__(
        self,
        tiles: Tiles,
        penalty: float,
        unit: int,
        fitted: Callable[[int, int], Sequence[Tile]] = lambda rows, filters: (),
        some: NDArray[np.int64] | None = None,
    ) -> None:
        if some is None:
            some = Tiles.by_size(tiles.rows, tiles.filters)
        self.tiles = tiles.cheapest(some)
        self.penalty, self.unit, self.fitted = penalty, unit, fitted
        rates = self.tiles.cost / (self.tiles.rows * self.tiles.filters)
        self.rate = float(rates.min(initial=np.inf)) if len(rates) else 0.0
        self._memo: dict[tuple[int, int], Found | None] = {}
        self._made: dict[int, Tile] = {}
        self._by_rows: dict[int, tuple[NDArray[Any], ...]] = {}
        self._by_filters: dict[int, tuple[NDArray[Any], ...]] = {}

    def best(self, rows: int, filters: int) -> Found | None:
        """(cost, placed tiles) for a rectangle from the origin; None if nothing covers it."""
        if rows == 0 or filters == 0:
            return 0.0, ()
        key = (rows, filters)
        if key not in self._memo:
            self._memo[key] = self._search(rows, filters)
        return self._memo[key]

    def _search(self, rows: int, filters: int) -> Found | None:
        # Bounds of covers with a rest take the best rate for it, and are often too hopeful: the
        # cheapest cover without one might not be among the first.
        repeats = self._repeats(rows, filters)
        best = self._whole(rows, filters, repeats)
        limit = inf if best is None else best[0]
        options = self._options(rows, filters, repeats, limit, _WIDTH)
        for tried in count():
            if tried == _WIDTH and best is None:  # there may be a cover yet
                options = self._options(rows, filters, repeats)
            if tried == len(options) or options[tried][0] >= limit:
                break
            if best is not None and tried >= _WIDTH:
                break
            found = self._with_rest(rows, filters, options[tried], limit)
            if found is not None:
                best, limit = found, found[0]
        return best

    def _whole(self, rows: int, filters: int, repeats: _Repeats) -> Found | None:
        """The cheapest cover by one repeated tile, if there is any."""
        down, across, main, covered = repeats
        whole = (covered == rows * filters).nonzero()[0]
        if not len(whole):
            return None
        i = int(whole[main[whole].argmin()])
        return float(main[i]), ((self._tile(i), 0, 0, int(down[i]), int(across[i])),)

    def _options(
        self,
        rows: int,
        filters: int,
        repeats: _Repeats,
        limit: float = inf,
        most: int | None = None,
    ) -> list[_Option]:
        """Tiles that fit, repeated as often as they do, least bound first.

        limit : bounds of repeated tiles are less; most : options in all, None for no limit
        """
        options = self._fitted(rows, filters)
        down, across, main, covered = repeats
        bound = main + (rows * filters - covered) * self.rate
        few = (bound < limit).nonzero()[0]
        few = few[bound[few].argsort(kind="stable")[:most]]
        columns = (values[few].tolist() for values in (bound, main, down, across))
        options += [
            (least, cost, self._tile(at), int(below), int(beside))
            for at, least, cost, below, beside in zip(few.tolist(), *columns, strict=True)
        ]
        # Of equal bounds those made to measure come first.
        return sorted(options, key=itemgetter(0))[:most]

    def _fitted(self, rows: int, filters: int) -> list[_Option]:
        options: list[_Option] = []
        for tile in self.fitted(rows, filters):
            rest = rows * (filters - tile.filters) * self.rate
            main = tile.cost + self.penalty
            options.append((main + rest, main, tile, 1, 1))
        return sorted(options, key=itemgetter(0))

    def _repeats(self, rows: int, filters: int) -> _Repeats:
        """Of every tile: times down and across, their cost, and what they cover.

        Tiles that do not fit cost infinitely much and cover nothing. What depends on the rows
        alone, or on the filters, is computed once for all rectangles that have them in common.
        """
        if rows not in self._by_rows:
            self._by_rows[rows] = self._repeats_down(rows)
        if filters not in self._by_filters:
            self._by_filters[filters] = self._repeats_across(filters)
        down, cost, height = self._by_rows[rows]
        across, penalty, width = self._by_filters[filters]
        return down, across, across * cost + penalty, height * width

    def _repeats_down(self, rows: int) -> tuple[NDArray[Any], ...]:
        """Times down, their cost, rows that they cover; of whole numbers none is rounded."""
        tiles = self.tiles
        down = rows // tiles.rows
        cost = np.where(down > 0, tiles.costs(down), inf)
        return down, cost, (down * tiles.rows).astype(np.float64)

    def _repeats_across(self, filters: int) -> tuple[NDArray[Any], ...]:
        """Times across, what they cost beyond the tiles, and the filters that they cover."""
        tiles = self.tiles
        fits = tiles.filters <= filters
        if filters % self.unit:
            fits &= ~tiles.tail | (tiles.filters == filters)
        else:
            fits &= ~tiles.tail
        across = np.where(fits, filters // tiles.filters, 1).astype(np.float64)
        penalty = np.where(fits, self.penalty, inf)
        return across, penalty, np.where(fits, across * tiles.filters, 0.0)

    def _tile(self, at: int) -> Tile:
        if at not in self._made:
            self._made[at] = self.tiles.tile(at)
        return self._made[at]

    def _least(self, rows: int, filters: int) -> float:
        """No more than the cost of the best cover: that of one if it is known."""
        if rows == 0 or filters == 0:
            return 0.0
        if (rows, filters) not in self._memo:
            return self.penalty  # of a tile at least
        known = self._memo[rows, filters]
        return inf if known is None else known[0]

    def _with_rest(self, rows: int, filters: int, option: _Option, limit: float) -> Found | None:
        """The tile repeated as often as it fits, and the better of the two cuts of the rest.

        None if it costs `limit` or more.
        """
        _, main, tile, down, across = option
        height, width = down * tile.rows, across * tile.filters
        here: Placed = (tile, 0, 0, down, across)
        beside_all = (rows - height, width), (rows, filters - width)
        below_all = (rows - height, filters), (height, filters - width)
        # Without a rest below or beside, both cuts are one. `width` is at most `filters`.
        one = height == rows or width == filters
        found = None
        for below, beside in (beside_all,) if one else (beside_all, below_all):
            least = self._least(*beside)
            if main + self._least(*below) + least >= limit:
                continue
            lower = self.best(*below)
            if lower is None or main + lower[0] + least >= limit:
                continue
            right = self.best(*beside)
            if right is None:
                continue
            cost = main + lower[0] + right[0]
            if cost < limit:
                moved = _moved(lower[1], height, 0) + _moved(right[1], 0, width)
                limit, found = cost, (cost, (here, *moved))
        return found


def _moved(placed: tuple[Placed, ...], rows: int, filters: int) -> tuple[Placed, ...]:
    return tuple((t, r + rows, f + filters, down, across) for t, r, f, down, across in placed)
