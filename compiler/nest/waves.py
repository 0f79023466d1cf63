"""How the waves of a block become loops of the nest and commands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import gcd

from compiler.mapper.columns import (
    ColumnWave,
    column_waves,
    filter_groups,
    linear_period,
    linear_waves,
)
from compiler.mapper.folding import fold_run
from compiler.mapper.hold import accumulating
from compiler.mapper.space import ConvShape, MappedBlock, Mapping
from hw.arch.commands import LOOPS
from hw.arch.config import Config


@dataclass(frozen=True)
class LoopOrder:
    """The order of a block's wave loops, by their places in `WaveLoops.counts`.

    commands : become commands of their own, outermost first
    outside : loops of the nest around those that accumulate
    held : loops inside the passes, over which filters stay in the PEs
    """

    commands: tuple[int, ...]
    outside: tuple[int, ...]
    held: tuple[int, ...]


def loop_order(shape: ConvShape, block: MappedBlock, counts: Sequence[int]) -> LoopOrder:
    """The order of the wave loops of `counts` iterations; one of one iteration does not matter."""
    fold = block.mapping.fold
    held = tuple(index for index, chosen in enumerate(block.held) if chosen and counts[index] > 1)
    rest = [index for index in range(len(counts)) if index not in held]
    if len(fold.runs) > 1:
        return LoopOrder(tuple(rest), (), held)
    keep = LOOPS - 1 - accumulating(shape, block) - len(held)  # one loop is for the passes
    real = [place for place, index in enumerate(rest) if counts[index] > 1]
    cut = 0 if len(real) <= keep else real[-keep] if keep else len(rest)
    return LoopOrder(tuple(rest[:cut]), tuple(rest[cut:]), held)


@dataclass(frozen=True)
class WaveLoops:
    """The loops over the waves of a block, outermost first.

    items, rows, columns : as in a grid; outer : repetitions of the inner loop
    inner : waves with patterns of their own: column patterns of a linear mapping, or row patterns
        for every lane at which the waves of a depthwise block start
    waves : what the columns hold, one entry or an entry for each inner wave
    """

    items: int
    rows: int
    columns: int
    outer: int
    inner: int
    waves: tuple[ColumnWave, ...]

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """Iterations of every loop."""
        return self.items, self.rows, self.columns, self.outer, self.inner


def wave_loops(config: Config, shape: ConvShape, block: MappedBlock) -> WaveLoops:
    """The loops of a block that `wave_parts` yielded."""
    items, rows, columns, filters = block.waves(shape)
    mapping = block.mapping
    if not mapping.linear:
        inner = min(_lane_phases(config, shape, mapping), filters)
        waves = column_waves(mapping, mapping.cm)
        return WaveLoops(items, rows, columns, filters // inner, inner, waves)
    groups = filter_groups(block)
    if block.chosen is not None:
        chosen = column_waves(mapping, groups)[slice(*block.chosen)]
        return WaveLoops(items, 1, columns, 1, len(chosen), chosen)
    total, _ = linear_waves(mapping.ce, mapping.width, groups)
    inner, outer = total, 1
    if total > config.control.col_patterns:
        inner, groups_each = linear_period(mapping.ce, mapping.width)
        outer = groups // groups_each
        groups = groups_each
    return WaveLoops(items, 1, columns, outer, inner, column_waves(mapping, groups))


def wave_parts(config: Config, shape: ConvShape, block: MappedBlock) -> Iterator[MappedBlock]:
    """A block cut along its filters so that the patterns of each part repeat evenly."""
    first, last = block.filters
    if block.chosen is not None or not (block.mapping.linear or shape.multiplier):
        yield block
        return
    cuts = _linear_cuts(config, block) if block.mapping.linear else _lane_cuts(config, shape, block)
    ends = [first, *cuts, last]
    for begin, end in zip(ends, ends[1:], strict=False):
        load = block.load.share(end - begin, last - first)
        yield replace(block, filters=(begin, end), load=load)


def _linear_cuts(config: Config, block: MappedBlock) -> list[int]:
    """After the last whole period, if the waves outnumber the column patterns."""
    mapping = block.mapping
    groups = filter_groups(block)
    total, _ = linear_waves(mapping.ce, mapping.width, groups)
    if total <= config.control.col_patterns:
        return []
    _, each = linear_period(mapping.ce, mapping.width)
    if groups % each == 0:
        return []
    return [block.filters[0] + groups // each * each * mapping.fold.um * mapping.p]


def _lane_cuts(config: Config, shape: ConvShape, block: MappedBlock) -> list[int]:
    """Of a depthwise block: after the last wave at which all lanes have had their turn.

    If the row patterns of all those lanes outnumber the table, every wave is a part.
    """
    mapping = block.mapping
    phases = _lane_phases(config, shape, mapping)
    first, last = block.filters
    wave = mapping.fold.um * mapping.cm * mapping.p
    passes = len(fold_run(shape, mapping.fold, mapping.fold.runs[0], config.array.rows))
    if phases > 1 and phases * passes > config.control.row_patterns:
        return list(range(first + wave, last, wave))
    whole = (last - first) // wave // phases * phases * wave
    return [first + whole] if 0 < whole < last - first else []


def _lane_phases(config: Config, shape: ConvShape, mapping: Mapping) -> int:
    """Waves after which a depthwise nest is at the same lane again."""
    if not shape.multiplier:
        return 1
    step = mapping.fold.um * mapping.fold.q
    return config.lanes // gcd(config.lanes, step)
