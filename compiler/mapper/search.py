"""Finds the cheapest cover of a convolution nest by mappings."""

from functools import lru_cache
from math import ceil

from compiler.mapper.hold import hold
from compiler.mapper.legal import refusal
from compiler.mapper.objective import SPARING, plan_objective
from compiler.mapper.space import ConvShape, MappedBlock, Plan
from compiler.mapper.table import kind_of, table_of
from hw.arch.config import Config
from hw.arch.errors import RowforgeError

OBJECTIVES = ("cycles", "traffic", "energy")


@lru_cache(maxsize=4096)
def search(
    config: Config, shape: ConvShape, psum_beats: int, aim: str = "cycles", *, quick: bool = False
) -> Plan:
    """The best plan for a nest whose psums may take `psum_beats` beats of the buffer.

    `quick` takes the widest F tile that is legal.

    Raises `RowforgeError` naming a field and a value that would work if no mapping is legal.
    """
    if aim not in (*OBJECTIVES, SPARING):
        raise RowforgeError(f"objective must be one of {', '.join(OBJECTIVES)}, not {aim!r}")
    best: Plan | None = None
    least = 0.0
    for windows in _window_choices(shape.F):
        plan, crowded = _plan(config, shape, psum_beats, aim, windows)
        if plan is None:
            continue
        figure = plan_objective(aim, config, plan)
        if best is None or figure < least:
            best, least = plan, figure
        if quick or not crowded or plan is not best:
            break
    if best is None:
        raise RowforgeError(refusal(config, shape))
    return best


@lru_cache(maxsize=8192)
def least_cycles(config: Config, shape: ConvShape, aim: str = "cycles") -> int:
    """Cycles below which hardly any plan for a nest is."""
    table = table_of(config, kind_of(config, shape), shape.F, aim)
    return int(shape.N * shape.E * shape.lanes * table.least(shape.E, shape.lanes))


def _window_choices(F: int) -> list[int]:
    """F tiles to try: the whole row, then halves, thirds, quarters, eighths ... of it."""
    parts = [1, 2, 3, 4, *(1 << n for n in range(3, 16))]
    return list(dict.fromkeys(ceil(F / n) for n in parts if n < 2 * F))


def _plan(
    config: Config, shape: ConvShape, psum_beats: int, aim: str, windows: int
) -> tuple[Plan | None, bool]:
    """(the best plan with this F tile, some mapping was left out for want of psum space)."""
    blocks: list[MappedBlock] = []
    kind = kind_of(config, shape)
    crowded, begin = False, 0
    for size in dict.fromkeys((windows, shape.F % windows)):
        if size == 0:
            continue
        end = begin + (shape.F - begin) // size * size
        table = table_of(config, kind, size, aim)
        crowded = crowded or table.crowded(shape.E, shape.lanes, psum_beats)
        cover = table.cover(psum_beats)
        found = cover.best(shape.E, shape.lanes) if cover is not None else None
        if found is None:
            return None, crowded
        made = (table.block(*placed, (begin, end)) for placed in found[1])
        for block in made:
            blocks += hold(config, shape, block, psum_beats)
        begin = end
    return Plan(shape=shape, blocks=tuple(blocks)), crowded
