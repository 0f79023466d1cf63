"""How the last chunk of a wave's channels is cut: what still accumulates, and what finishes."""

from dataclasses import dataclass, replace

from compiler.mapper.folding import fold_run
from compiler.mapper.space import ConvShape, MappedBlock
from compiler.nest.task import Portion
from hw.arch.config import Config


@dataclass(frozen=True)
class Ending:
    """The last chunk of the waves of a filter wave.

    before : portions in which no sum is finished; all waves take them together
    last : the rest, wave by wave; None: all of the chunk
    shared : the rest is one pass, whose filters stay in the PEs from wave to wave
    steps : of the whole chunk
    """

    before: tuple[Portion, ...]
    last: Portion | None
    shared: bool
    steps: int

    def share(self, block: MappedBlock, portion: Portion | None) -> MappedBlock:
        """The block with the load of a portion."""
        if portion is None:
            return block
        return replace(block, load=block.load.share(portion.count, self.steps))


def ending(config: Config, shape: ConvShape, block: MappedBlock) -> Ending:
    """Cuts off the passes in which sums are finished.

    Everything that comes before them is a box of the loops, cut off loop by loop from outside: all
    but the last iteration of a loop, within the last one of the loops around it.
    """
    fold = block.mapping.fold
    if len(fold.runs) > 1:
        return Ending((), None, False, 1)
    passes = fold_run(shape, fold, fold.runs[0], config.array.rows)
    finishing = next(i for i, each in enumerate(passes) if any(c.last for c in each.chains))
    whole = Portion.whole(shape, fold, fold.runs[0], len(passes))
    *loops, (_, end) = whole.loops
    before = []
    for level, (_, last) in enumerate(loops):
        if last > 1:
            outer = [(count - 1, count) for _, count in loops[:level]]
            before.append(Portion.of([*outer, (0, last - 1), *loops[level + 1 :], (0, end)]))
    at_last = [(count - 1, count) for _, count in loops]
    if finishing:
        before.append(Portion.of([*at_last, (0, finishing)]))
    shared = end - finishing == 1
    return Ending(tuple(before), Portion.of([*at_last, (finishing, end)]), shared, whole.count)
