"""Covers a rectangle with tiles: guillotine cuts, each piece with the tile that suits it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

_WIDTH = 10  # tiles tried for a rectangle, most promising first


@dataclass(frozen=True)
class Tile:
    """A mapping seen from outside: it covers `rows` x `filters` at `cost` a time.

    tail : usable only where its filters end with the layer's (an odd number of them)
    index : names the mapping for whoever made the tile
    """

    rows: int
    filters: int
    cost: float
    tail: bool
    index: int


Placed: TypeAlias = tuple[Tile, int, int, int, int]  # tile, first row, first filter, both counts
Found: TypeAlias = tuple[float, tuple[Placed, ...]]
_Option: TypeAlias = tuple[float, float, Tile, int, int]  # bound, cost, tile, both counts


class Cover:
    """Cheapest guillotine cover of rectangles by repeated tiles, memoised.

    Parameters
    ----------
    tiles : tiles to choose from
    penalty : cost of each repeated tile beyond its own
    unit : filters that a piece may be cut into; only the last piece may be odd
    fitted : tiles made to measure for a rectangle (rows, filters): all its rows, from its first
        filter on
    """

    def __init__(
        self,
        tiles: Sequence[Tile],
        penalty: float,
        unit: int,
        fitted: Callable[[int, int], Sequence[Tile]] = lambda rows, filters: (),
    ) -> None:
        self.tiles = _useful(tiles)
        self.penalty, self.unit, self.fitted = penalty, unit, fitted
        self._rows = np.array([tile.rows for tile in self.tiles], dtype=np.int64)
        self._filters = np.array([tile.filters for tile in self.tiles], dtype=np.int64)
        self._cost = np.array([tile.cost for tile in self.tiles])
        self._tail = np.array([tile.tail for tile in self.tiles], dtype=bool)
        areas = self._rows * self._filters
        self.rate = float((self._cost / areas).min()) if self.tiles else 0.0
        self._memo: dict[tuple[int, int], Found | None] = {}

    def best(self, rows: int, filters: int) -> Found | None:
        """(cost, placed tiles) for a rectangle from the origin; None if nothing covers it."""
        if rows == 0 or filters == 0:
            return 0.0, ()
        key = (rows, filters)
        if key not in self._memo:
            self._memo[key] = self._search(rows, filters)
        return self._memo[key]

    def _search(self, rows: int, filters: int) -> Found | None:
        best: Found | None = None
        for tried, option in enumerate(self._options(rows, filters)):
            if best is not None and (option[0] >= best[0] or tried >= _WIDTH):
                break
            found = self._with_rest(rows, filters, option)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        return best

    def _options(self, rows: int, filters: int) -> list[_Option]:
        """Tiles that fit, repeated as often as they do, least bound first."""
        options: list[_Option] = []
        for tile in self.fitted(rows, filters):
            rest = rows * (filters - tile.filters) * self.rate
            main = tile.cost + self.penalty
            options.append((main + rest, main, tile, 1, 1))
        fits = (self._rows <= rows) & (self._filters <= filters)
        if filters % self.unit:
            fits &= ~self._tail | (self._filters == filters)
        else:
            fits &= ~self._tail
        at = np.flatnonzero(fits)
        down, across = rows // self._rows[at], filters // self._filters[at]
        main_ = down * across * self._cost[at] + self.penalty
        covered = down * across * self._rows[at] * self._filters[at]
        bound = main_ + (rows * filters - covered) * self.rate
        for i in np.argsort(bound, kind="stable"):
            tile = self.tiles[at[i]]
            options.append((float(bound[i]), float(main_[i]), tile, int(down[i]), int(across[i])))
        return sorted(options, key=lambda option: option[0])

    def _with_rest(self, rows: int, filters: int, option: _Option) -> Found | None:
        """The tile repeated as often as it fits, and the better of the two cuts of the rest."""
        _, main, tile, down, across = option
        height, width = down * tile.rows, across * tile.filters
        here: Placed = (tile, 0, 0, down, across)
        cuts = {
            ((rows - height, filters), (height, filters - width)),
            ((rows - height, width), (rows, filters - width)),
        }
        best = None
        for below, beside in sorted(cuts):
            lower, right = self.best(*below), self.best(*beside)
            if lower is None or right is None:
                continue
            cost = main + lower[0] + right[0]
            if best is None or cost < best[0]:
                moved = _moved(lower[1], height, 0) + _moved(right[1], 0, width)
                best = (cost, (here, *moved))
        return best


def _moved(placed: tuple[Placed, ...], rows: int, filters: int) -> tuple[Placed, ...]:
    return tuple((t, r + rows, f + filters, down, across) for t, r, f, down, across in placed)


def _useful(tiles: Sequence[Tile]) -> list[Tile]:
    """The cheapest tile of each size."""
    cheapest: dict[tuple[int, int, bool], Tile] = {}
    for tile in tiles:
        key = (tile.rows, tile.filters, tile.tail)
        if key not in cheapest or tile.cost < cheapest[key].cost:
            cheapest[key] = tile
    return list(cheapest.values())
