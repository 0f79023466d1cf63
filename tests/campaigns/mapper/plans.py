"""The plans of a nest that the mapper finds cheapest, many instead of one."""

from collections.abc import Iterator
from dataclasses import replace
from heapq import nsmallest
from itertools import islice
from math import inf

from compiler.mapper.hold import hold
from compiler.mapper.search import search, window_choices
from compiler.mapper.space import ConvShape, MappedBlock, Plan
from compiler.mapper.table import Table, kind_of, table_of
from compiler.mapper.tiles import Cover, Found
from compiler.nest.flat import flat_shapes
from hw.arch.config import Config
from hw.arch.errors import RowforgeError

Choice = tuple[tuple[Plan, int], ...]
"""Plans of the pixels of a layer, each with its first pixel."""

AIM = "cycles"


def cheapest(
    config: Config, shape: ConvShape, psum_beats: int, count: int, *, flat: bool
) -> list[Choice]:
    """Choices of least cycles by the mapper's cost, no two alike, cheapest first.

    For every F tile, each mapping covers as much as it can, and the best cover of the rest follows
    it. With `flat` also for every way to cut the pixels into rows.
    """
    found: dict[object, Choice] = {}
    for choice in _choices(config, shape, psum_beats, count, flat=flat):
        key = tuple(
            (pixel, plan.shape, *((b.mapping, b.rows, b.columns, b.filters) for b in plan.blocks))
            for plan, pixel in choice
        )
        found.setdefault(key, choice)
    return nsmallest(count, found.values(), key=cycles)


def cycles(choice: Choice) -> int:
    """Cycles by the mapper's cost."""
    return sum(plan.cycles for plan, _ in choice)


def _choices(
    config: Config, shape: ConvShape, psum_beats: int, count: int, *, flat: bool
) -> Iterator[Choice]:
    pixels = shape.E * shape.F
    for rows, columns in flat_shapes(config, shape.E, shape.F) if flat else [(shape.E, shape.F)]:
        part, left = replace(shape, E=rows, F=columns), pixels - rows * columns
        if max(columns, left) > config.most_map:
            continue
        rest: Choice = ()
        if left:
            try:
                plan = search(config, replace(shape, E=1, F=left), psum_beats, AIM)
            except RowforgeError:
                continue
            rest = ((plan, rows * columns),)
        for plan in _plans(config, part, psum_beats, count):
            yield ((plan, 0), *rest)


def _plans(config: Config, shape: ConvShape, psum_beats: int, count: int) -> Iterator[Plan]:
    for windows in window_choices(shape.F):
        whole = shape.F // windows * windows
        last: tuple[MappedBlock, ...] = ()
        if whole < shape.F:
            table = table_of(config, kind_of(config, shape), shape.F - whole, AIM)
            cover = table.cover(psum_beats)
            found = cover.best(shape.E, shape.lanes) if cover is not None else None
            if found is None:
                continue
            span = (whole, shape.F)
            last = tuple(
                block
                for placed in found[1]
                for block in hold(config, shape, table.block(*placed, span), psum_beats)
            )
        table = table_of(config, kind_of(config, shape), windows, AIM)
        for blocks in islice(_covers(config, table, shape, psum_beats, whole), 2 * count):
            yield Plan(shape=shape, blocks=(*blocks, *last))


def _covers(
    config: Config, table: Table, shape: ConvShape, psum_beats: int, whole: int
) -> Iterator[tuple[MappedBlock, ...]]:
    """Covers that begin with each mapping in turn, those first that may be cheap."""
    usual = table.cover(psum_beats)
    if usual is None:
        return
    for _, placed in _Every(table, usual, psum_beats).covers(shape.E, shape.lanes):
        yield tuple(
            block
            for each in placed
            for block in hold(config, shape, table.block(*each, (0, whole)), psum_beats)
        )


class _Every(Cover):
    """A cover whose first mapping is any, also where another one of its size seems cheaper."""

    def __init__(self, table: Table, usual: Cover, psum_beats: int) -> None:
        super().__init__(usual.tiles, usual.penalty, usual.unit, usual.fitted)
        self._usual = usual
        self.tiles = table._held(psum_beats).where(table._cost.psum_beats <= psum_beats)

    def best(self, rows: int, filters: int) -> Found | None:
        return self._usual.best(rows, filters)

    def covers(self, rows: int, filters: int) -> Iterator[Found]:
        """Covers that begin with each mapping in turn, those first that may be cheap."""
        for option in self._options(rows, filters, self._repeats(rows, filters)):
            found = self._with_rest(rows, filters, option, inf)
            if found is not None:
                yield found
