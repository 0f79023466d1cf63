"""The waves of a block whose psums stay in the buffer, and where their results go."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import ceil

from compiler.mapper.columns import (
    ColumnWave,
    column_psums,
    column_waves,
    filter_groups,
    wave_psums,
)
from compiler.mapper.space import ConvShape, MappedBlock, Plan
from compiler.operators.operation import Shape4
from compiler.schedule.chunk_endings import Ending, ending
from compiler.stream.hazards import Span
from compiler.stream.surface import surface_words
from hw.arch.config import Config


@dataclass(frozen=True)
class ResultPlaces:
    """Where the finished results of a tile go, within an area of their own.

    What a wave completes leaves while the next wave is computed. A grid's wave counts as one group.

    waves : for every wave of all blocks, or slice of one, the first word of each filter group that
        it touches
    total : words of the area
    """

    waves: tuple[tuple[int, ...], ...]
    total: int


@dataclass(frozen=True)
class Wave:
    """One wave, or some columns of one.

    item : its first one, in the nest; psum : beats after those of its block's first wave
    """

    item: int
    block: MappedBlock
    psum: int = 0


def filter_waves(shape: ConvShape, block: MappedBlock) -> Iterator[MappedBlock]:
    """The block in parts whose waves have their filters in common."""
    mapping = block.mapping
    if mapping.linear:
        waves = len(_linear(block))
        for wave in range(waves):
            yield replace(block, chosen=(wave, wave + 1), load=block.load.share(1, waves))
        return
    lanes = _spans(block.filters, mapping.fold.um * mapping.cm * mapping.p)
    for lane in lanes:
        yield replace(block, filters=lane, load=block.load.share(1, len(lanes)))


def single_waves(
    config: Config, shape: ConvShape, block: MappedBlock, slices: int = 1
) -> list[Wave]:
    """The waves of such a part, in the order of their psums: items, rows, columns.

    slices : parts in which a grid's wave comes, some of its columns after others
    """
    mapping = block.mapping
    places = list(
        product(
            range(0, shape.N, mapping.cn),
            _spans(block.rows, mapping.fold.ue * mapping.ce),
            _spans(block.columns, mapping.windows),
        )
    )
    alone = (False, False, False)
    beats, each = wave_psums(config, mapping), column_psums(config, mapping, 1)
    waves = []
    for number, (item, rows, (first, last)) in enumerate(places):
        step = mapping.windows if mapping.linear else ceil(mapping.windows / slices)
        for columns in _spans((first, last), step):
            windows = columns[1] - columns[0]
            part = replace(
                block,
                mapping=replace(mapping, windows=windows),
                rows=rows,
                columns=columns,
                held=alone,
                load=block.load.share(windows, len(places) * mapping.windows),
            )
            waves.append(Wave(item, part, number * beats + (columns[0] - first) * each))
    return waves


def count_waves(shape: ConvShape, block: MappedBlock) -> int:
    """Waves of a block."""
    items, down, across, deep = block.waves(shape)
    if block.mapping.linear:
        return items * across * len(_linear(block))
    return items * down * across * deep


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
    return block.mapping.cn, rows, columns, filters


def finishing_waves(
    config: Config, shape: ConvShape, part: MappedBlock, cut: Ending, slices: int
) -> list[Wave]:
    """The waves of a part as they finish sums; whole ones where they do not share filters."""
    return single_waves(config, shape, cut.share(part, cut.last), slices if cut.shared else 1)


def result_places(config: Config, plan: Plan, slices: int) -> ResultPlaces:
    """The first gap for every group beside what is open or has just been completed."""
    places: list[tuple[int, ...]] = []
    leaving: list[Span] = []
    total = 0
    for block in plan.blocks:
        open_: dict[tuple[int, Span, Span, int], Span] = {}
        for part in filter_waves(plan.shape, block):
            cut = ending(config, plan.shape, part)
            for wave in finishing_waves(config, plan.shape, part, cut, slices):
                where = wave.item, wave.block.rows, wave.block.columns
                words = surface_words(config, wave_shape(wave.block))
                touched = touched_groups(wave.block)
                for group in touched:
                    if (*where, group) not in open_:
                        open_[*where, group] = _gap(words, [*leaving, *open_.values()])
                        total = max(total, open_[*where, group][1])
                places.append(tuple(open_[*where, group][0] for group in touched))
                leaving = [open_.pop((*where, group)) for group in finished_groups(wave.block)]
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


def _spans(span: tuple[int, int], step: int) -> list[tuple[int, int]]:
    begin, end = span
    return [(first, min(first + step, end)) for first in range(begin, end, step)]
