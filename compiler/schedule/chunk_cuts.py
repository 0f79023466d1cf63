"""Chunks cut by items, whose buffers are free for the next chunk one after another: `shares`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from compiler.mapper.columns import wave_psums
from compiler.mapper.folding import fold_run
from compiler.mapper.hold import accumulating
from compiler.mapper.space import ConvShape, MappedBlock
from compiler.nest.task import Portion
from hw.arch.commands import LOOPS
from hw.arch.config import Config

_MOST_PASSES = 8  # of a chunk that is cut: each is a command for every cut


@dataclass(frozen=True)
class Share:
    """A command of a chunk that is cut: one pass of some items' waves.

    cut : whose items they are; item : the first one, of the nest
    block, portion : see `ConvTask`; psum : beats after those of the first item
    reuse, keep : the filters stay in the PEs from cut to cut
    """

    cut: int
    item: int
    block: MappedBlock
    portion: Portion
    psum: int
    reuse: bool
    keep: bool


def can_be_cut(config: Config, shape: ConvShape, block: MappedBlock, cuts: int) -> bool:
    """Whether each cut has waves of its own, of a few passes that each keep their filters."""
    mapping = block.mapping
    if mapping.linear or len(mapping.fold.runs) > 1 or shape.N // cuts % mapping.cn:
        return False
    held = sum(count > 1 for count in _waves(shape, block, cuts))
    loops = held + accumulating(shape, block)
    return loops < LOOPS and passes_of(config, shape, block) <= _MOST_PASSES


def passes_of(config: Config, shape: ConvShape, block: MappedBlock) -> int:
    """Passes of a wave of a block that has one run."""
    return _whole(config, shape, block).count


def shares(
    config: Config, shape: ConvShape, block: MappedBlock, portion: Portion | None, cuts: int
) -> Iterator[Share]:
    """The commands of a filter wave, pass by pass, and in each pass cut by cut."""
    portion = portion or _whole(config, shape, block)
    counts = _waves(shape, block, cuts)
    items = shape.N // cuts
    beats = prod(counts) * wave_psums(config, block.mapping)
    part = replace(
        block,
        held=(counts[0] > 1, counts[1] > 1, counts[2] > 1),
        load=block.load.share(1, portion.count * cuts),
    )
    for step in product(*(range(*span) for span in portion.loops)):
        alone = Portion.of([(index, index + 1) for index in step])
        for cut in range(cuts):
            ends = cut > 0, cut < cuts - 1
            yield Share(cut, cut * items, part, alone, cut * beats, *ends)


def _whole(config: Config, shape: ConvShape, block: MappedBlock) -> Portion:
    fold = block.mapping.fold
    passes = fold_run(shape, fold, fold.runs[0], config.array.rows)
    return Portion.whole(shape, fold, fold.runs[0], len(passes))


def _waves(shape: ConvShape, block: MappedBlock, cuts: int) -> tuple[int, int, int]:
    """Waves of a cut over items, rows and columns."""
    return block.waves(replace(shape, N=shape.N // cuts))[:3]
