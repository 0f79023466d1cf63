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
from hw.arch.program.layout import cell_filters

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
    for windows in window_choices(shape.F):
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
    return best if quick else _shared(config, best, psum_beats, aim)


def _shared(config: Config, plan: Plan, psum_beats: int, aim: str) -> Plan:
    """A plan all of whose blocks can take their filters from one image, if it is no worse.

    Blocks that hold other numbers of filters in a PE can do so if these are whole cells. The search
    for covers is no exhaustive one: a plan found so may even be better.
    """
    shape, buffer = plan.shape, config.buffer
    held = {(b.mapping.p, b.mapping.fold.q, b.mapping.fold.span) for b in plan.blocks}
    each = cell_filters(config)
    if not buffer.filters or buffer.weight_memory or shape.multiplier or len(held) == 1:
        return plan
    if all(p % each == 0 for p, _, _ in held):
        return plan
    windows = max(block.mapping.windows for block in plan.blocks)
    other, _ = _plan(config, shape, psum_beats, aim, windows, each)
    if other is None or plan_objective(aim, config, other) > plan_objective(aim, config, plan):
        return plan
    return other


@lru_cache(maxsize=8192)
def least_cycles(config: Config, shape: ConvShape, aim: str = "cycles") -> int:
    """Cycles below which hardly any plan for a nest is."""
    table = table_of(config, kind_of(config, shape), shape.F, aim)
    return int(shape.N * shape.E * shape.lanes * table.least(shape.E, shape.lanes))


def window_choices(F: int) -> list[int]:
    """F tiles to try: the whole row, then halves, thirds, quarters, eighths ... of it."""
    parts = [1, 2, 3, 4, *(1 << n for n in range(3, 16))]
    return list(dict.fromkeys(ceil(F / n) for n in parts if n < 2 * F))


def _plan(
    config: Config, shape: ConvShape, psum_beats: int, aim: str, windows: int, each: int = 1
) -> tuple[Plan | None, bool]:
    """The best plan with this F tile, and whether a lack of psum space ruled some mapping out.

    each : PEs hold a multiple of so many filters
    """
    blocks: list[MappedBlock] = []
    kind = kind_of(config, shape)
    crowded, begin = False, 0
    for size in dict.fromkeys((windows, shape.F % windows)):
        if size == 0:
            continue
        end = begin + (shape.F - begin) // size * size
        table = table_of(config, kind, size, aim)
        crowded = crowded or table.crowded(shape.E, shape.lanes, psum_beats)
        cover = table.cover(psum_beats, each)
        found = cover.best(shape.E, shape.lanes) if cover is not None else None
        if found is None:
            return None, crowded
        made = (table.block(*placed, (begin, end)) for placed in found[1])
        for block in made:
            blocks += hold(config, shape, block, psum_beats)
        begin = end
    return Plan(shape=shape, blocks=tuple(blocks)), crowded
