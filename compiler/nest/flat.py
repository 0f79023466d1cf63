"""1 x 1 layers whose pixels are taken as one long row, which is cut to suit the array."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from compiler.mapper.search import search
from compiler.mapper.space import ConvShape, Plan
from compiler.nest.task import ConvTask
from hw.arch.config import Config
from hw.arch.errors import RowforgeError

_MOST_FLAT = 8  # shapes tried for the pixels of a layer


@lru_cache(maxsize=1024)
def flat_plans(
    config: Config, shape: ConvShape, psum_beats: int, objective: str
) -> list[tuple[Plan, int]]:
    """The best way to cut the E x F pixels of a 1 x 1 layer into rows, and a rest."""
    best: list[tuple[Plan, int]] = []
    for rows, columns in flat_shapes(config, shape.E, shape.F):
        rest = shape.E * shape.F - rows * columns
        if max(columns, rest) > config.most_map:
            continue
        found = []
        begin = 0
        for E, F in ((rows, columns), (1, rest)):
            if F == 0:
                continue
            part = replace(shape, E=E, F=F)
            try:
                found.append((search(config, part, psum_beats, objective), begin))
            except RowforgeError:
                found = []
                break
            begin += E * F
        if found and (not best or _cycles(found) < _cycles(best)):
            best = found
    return best or [(search(config, shape, psum_beats, objective), 0)]


def _cycles(plans: list[tuple[Plan, int]]) -> int:
    return sum(plan.cycles for plan, _ in plans)


def flat_shapes(config: Config, E: int, F: int) -> Iterator[tuple[int, int]]:
    """Rows x columns for the pixels: as they are, then multiples of the columns of the array."""
    pixels = E * F
    yield E, F
    shapes = {(1, pixels)}
    for rows in range(1, 4 * config.array.cols + 1):
        if rows <= pixels and (pixels % rows == 0 or rows % config.array.cols == 0):
            shapes.add((rows, pixels // rows))
    shapes.discard((E, F))
    # A rest costs a pass with few columns: even cuts first, then long rows.
    ordered = sorted(shapes, key=lambda s: (pixels - s[0] * s[1], abs(s[0] - config.array.cols)))
    yield from ordered[:_MOST_FLAT]


def flat_task(task: ConvTask, plan: Plan, pixel: int) -> ConvTask:
    """The same operands seen as rows of the plan's length, from `pixel` on."""
    E, F = plan.shape.E, plan.shape.F
    source = replace(
        task.source,
        address=task.source.address + task.y * task.source.row_stride + task.x + pixel,
        height=E,
        width=F,
        row_stride=F,
    )
    target = replace(
        task.target, address=task.target.address + pixel, height=E, width=F, row_stride=F
    )
    return replace(task, source=source, target=target, y=0, x=0)
