"""Row and column patterns: what a mapping makes every PE row and column do in a pass."""

from dataclasses import dataclass
from functools import lru_cache

from compiler.mapper.columns import ColumnWave, column_psums
from compiler.mapper.folding import RowChain, RowPass, fold_run, slot_tags
from compiler.mapper.legal import tag_span
from compiler.mapper.space import ConvShape, Mapping, Run
from compiler.nest.task import ConvTask
from compiler.stream.stream import PatternWords
from hw.arch.commands import ADDRESS
from hw.arch.config import Config
from hw.arch.patterns import COLUMN, COLUMNS, PATTERN, ROW, SEGMENT, SLOT, pack_rows

_CACHED = 4096  # patterns kept for layers and tiles that need the same


@dataclass(frozen=True, kw_only=True)
class NestOperands:
    """Operands of a nest as its patterns see them.

    Strides of the surfaces in words, and the lane of the first channel. Places with equal strides
    share their patterns. `moves`: words by which the results of each of a wave's filter groups
    lie beyond where the target has them. `windows`: output columns of a wave whose psums lie side
    by side, those of the mapping or more.
    """

    source_row: int
    source_plane: int
    target_row: int
    target_item: int
    lane: int = 0
    windows: int
    moves: tuple[int, ...] = ()

    @classmethod
    def of(cls, task: ConvTask, mapping: Mapping, lane: int = 0) -> "NestOperands":
        """The placement of a task's surfaces and psums."""
        psums = task.psums
        return cls(
            source_row=task.source.row_stride,
            source_plane=task.source.plane_stride,
            target_row=task.target.row_stride,
            target_item=task.target.item_stride,
            lane=lane,
            windows=mapping.windows if psums is None else psums.windows,
        )


@lru_cache(maxsize=_CACHED)
def row_patterns(
    config: Config, shape: ConvShape, mapping: Mapping, run: Run, place: NestOperands
) -> tuple[PatternWords, ...]:
    """The patterns of the passes of one chunk of a run, in pass order.

    A depthwise wave that does not start at lane 0 of a plane passes the offset in `place.lane`.
    """
    passes = fold_run(shape, mapping.fold, run, config.array.rows)
    return tuple(_row_pattern(config, shape, mapping, run, place, p) for p in passes)


def _row_pattern(
    config: Config,
    shape: ConvShape,
    mapping: Mapping,
    run: Run,
    place: NestOperands,
    row_pass: RowPass,
) -> PatternWords:
    slots = {key: index for index, key in enumerate(row_pass.slots)}
    filters = {key: index for index, key in enumerate(row_pass.filters)}
    heads = {chain.head: chain for chain in row_pass.chains}
    tails = {chain.tail for chain in row_pass.chains}
    rows = []
    for row, item in enumerate(row_pass.items):
        offset = item.ue * mapping.ce * shape.stride[0] + item.row * shape.dilation[0]
        fields = {
            "active": 1,
            "head": row in heads,
            "tail": row in tails,
            "first": row in heads and heads[row].first,
            "fid": filters[item.um, item.group, item.tap, item.row],
            "iid": slots[row_pass.slot_of(item)],
            "ioff": offset,
        }
        rows.append(ROW.pack(fields))
    words = pack_rows(rows)
    for pair in row_pass.slots.items():
        words += _slot(config, shape, mapping, run, place, *pair)
    for chain in row_pass.chains:
        words += _segment(config, mapping, place, chain)
    header = {
        "words": PATTERN.words + len(words),
        "rows": len(rows),
        "slots": len(slots),
        "segments": len(row_pass.chains),
        "filters": len(filters),
    }
    return (*PATTERN.pack(header), *words)


def _slot(
    config: Config,
    shape: ConvShape,
    mapping: Mapping,
    run: Run,
    place: NestOperands,
    key: tuple[int, int],
    wanted: frozenset[tuple[int, int]],
) -> list[int]:
    group, tap = key
    fold = mapping.fold
    channel = place.lane + (run.first + group) * fold.q
    tags = slot_tags(shape, fold, mapping.ce, wanted)
    x = tap * fold.span * shape.dilation[1]
    row_stride = place.source_row
    plane = channel // config.lanes * place.source_plane
    return SLOT.pack(
        {
            "address": (plane + tags.tag * row_stride + x) % (1 << ADDRESS),
            "lane": channel % config.lanes,
            "x": x,
            "tag": tags.tag,
            "outer": tags.outer,
            "outer_step": tags.outer_step,
            "inner": tags.inner,
            "inner_step": tags.inner_step,
            "outer_words": tags.outer_step * row_stride,
            "inner_words": tags.inner_step * row_stride,
        }
    )


def _segment(config: Config, mapping: Mapping, place: NestOperands, chain: RowChain) -> list[int]:
    fold = mapping.fold
    unit = chain.um * fold.ue + chain.ue
    return SEGMENT.pack(
        {
            "head": chain.head,
            "first": chain.first,
            "last": chain.last,
            "psum": unit * column_psums(config, mapping, place.windows) * mapping.columns,
            "channel": chain.um * mapping.steps[0] * mapping.p,
            "output": chain.ue * mapping.ce * place.target_row,
        }
    )


@lru_cache(maxsize=_CACHED)
def column_pattern(
    config: Config, shape: ConvShape, mapping: Mapping, wave: ColumnWave, place: NestOperands
) -> PatternWords:
    """The pattern of a wave; filter groups count from the first of the wave loop it is in."""
    count = len(wave.tasks)
    words = COLUMNS.pack(
        {
            "words": COLUMNS.words + count * COLUMN.words,
            "columns": count,
            "groups": wave.groups,
            "psum": column_psums(config, mapping, place.windows),
        }
    )
    tags = tag_span(shape, mapping.fold, mapping.ce)
    _, step = mapping.steps
    for task in wave.tasks:
        output = task.row * place.target_row + task.item * place.target_item
        output += place.moves[task.group] if place.moves else 0
        words += COLUMN.pack(
            {
                "active": 1,
                "tid": task.group,
                "base": task.row * shape.stride[0] + task.item * tags,
                "channel": (wave.first + task.group) * step * mapping.p,
                "output": output % (1 << ADDRESS),
            }
        )
    return tuple(words)
