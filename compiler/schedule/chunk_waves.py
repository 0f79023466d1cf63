"""The waves of a block whose psums stay in the buffer, and where their results go."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from compiler.mapper.columns import ColumnWave, column_waves, filter_groups
from compiler.mapper.space import ConvShape, MappedBlock, Plan
from compiler.nest.patterns import wave_psums
from compiler.operators.operation import Shape4
from compiler.stream.hazards import Span
from compiler.stream.surface import surface_words
from hw.arch.config import Config


@dataclass(frozen=True)
class ResultPlaces:
    """Where the finished results of a tile go, within an area of their own.

    What a wave completes leaves while the next wave is computed. A grid's wave counts as one group.

    waves : for every wave of all blocks, the first word of each filter group that it touches
    total : words of the area
    """

    waves: tuple[tuple[int, ...], ...]
    total: int


def block_waves(shape: ConvShape, block: MappedBlock) -> Iterator[MappedBlock]:
    """The waves of a block as blocks, in the order of their psums."""
    for column in _spans(block.columns, block.mapping.windows):
        if block.mapping.linear:
            count = count_waves(shape, block)
            part = replace(block, columns=column, load=block.load.share(1, count))
            for wave in range(len(_linear(block))):
                yield replace(part, chosen=(wave, wave + 1))
        else:
            yield from _grid(shape, block, column)


def block_pieces(
    config: Config, shape: ConvShape, block: MappedBlock
) -> Iterator[tuple[MappedBlock, int]]:
    """A block as few commands: (piece, number of its first wave)."""
    if not block.mapping.linear:
        yield block, 0
        return
    each, count = len(_linear(block)), count_waves(shape, block)
    for index, column in enumerate(_spans(block.columns, block.mapping.windows)):
        for first in range(0, each, config.control.col_patterns):
            last = min(first + config.control.col_patterns, each)
            load = block.load.share(last - first, count)
            piece = replace(block, columns=column, chosen=(first, last), load=load)
            yield piece, index * each + first


def count_waves(shape: ConvShape, block: MappedBlock) -> int:
    """Waves of a block."""
    _, down, across, deep = block.waves(shape)
    if block.mapping.linear:
        return across * len(_linear(block))
    return down * across * deep


def plan_psums(config: Config, shape: ConvShape, plan: Plan) -> list[int]:
    """First psum beat of every block, and after them the beats of all."""
    starts = [0]
    for block in plan.blocks:
        waves = count_waves(shape, block)
        starts.append(starts[-1] + waves * wave_psums(config, block.mapping))
    return starts


def wave_shape(block: MappedBlock) -> Shape4:
    """Size of the results of a grid's wave; of a linear mapping, those of one filter group."""
    rows, columns, filters = (b - a for a, b in (block.rows, block.columns, block.filters))
    if block.mapping.linear:
        filters = _group_filters(block)
    return 1, rows, columns, filters


def result_places(config: Config, plan: Plan) -> ResultPlaces:
    """The first gap for every group beside what is open or has just been completed."""
    places: list[tuple[int, ...]] = []
    leaving: list[Span] = []
    total = 0
    for block in plan.blocks:
        open_: dict[int, Span] = {}
        for wave in block_waves(plan.shape, block):
            words = surface_words(config, wave_shape(wave))
            touched = touched_groups(wave)
            for group in touched:
                if group not in open_:
                    open_[group] = _gap(words, [*leaving, *open_.values()])
                    total = max(total, open_[group][1])
            places.append(tuple(open_[group][0] for group in touched))
            leaving = [open_.pop(group) for group in finished_groups(wave)]
    return ResultPlaces(tuple(places), total)


def _gap(words: int, taken: list[Span]) -> Span:
    """The first gap of so many words."""
    first = 0
    for begin, end in sorted(taken):
        if begin - first >= words:
            break
        first = max(first, end)
    return first, first + words


def touched_groups(block: MappedBlock) -> range:
    """The filter groups that a wave computes, from the block's first on."""
    if not block.mapping.linear:
        return range(1)
    wave = _chosen(block)
    return range(wave.first, wave.first + wave.groups)


def finished_groups(block: MappedBlock) -> range:
    """Those of them whose last row it computes."""
    if not block.mapping.linear:
        return range(1)
    wave = _chosen(block)
    group, row = wave.tasks[-1].group, wave.tasks[-1].row
    complete = row == block.mapping.ce - 1
    return range(wave.first, wave.first + group + complete)


def group_span(block: MappedBlock, group: int) -> tuple[int, int]:
    """Filters of a group; a grid's wave is one."""
    if not block.mapping.linear:
        return block.filters
    each = _group_filters(block)
    first = block.filters[0] + group * each
    return first, first + each


def _group_filters(block: MappedBlock) -> int:
    return block.mapping.p * block.mapping.fold.um


def _linear(block: MappedBlock) -> tuple[ColumnWave, ...]:
    return column_waves(block.mapping, filter_groups(block))


def _chosen(block: MappedBlock) -> ColumnWave:
    assert block.chosen is not None
    return _linear(block)[block.chosen[0]]


def _grid(shape: ConvShape, block: MappedBlock, column: tuple[int, int]) -> Iterator[MappedBlock]:
    mapping = block.mapping
    rows = mapping.fold.ue * mapping.ce
    filters = mapping.fold.um * mapping.cm * mapping.p
    load = block.load.share(1, count_waves(shape, block))
    for row in _spans(block.rows, rows):
        for lane in _spans(block.filters, filters):
            yield replace(block, rows=row, columns=column, filters=lane, load=load)


def _spans(span: tuple[int, int], step: int) -> list[tuple[int, int]]:
    begin, end = span
    return [(first, min(first + step, end)) for first in range(begin, end, step)]
