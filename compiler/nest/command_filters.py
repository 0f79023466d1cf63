"""The filters that the passes of one CONV command are sent: `CommandFilters`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from compiler.mapper.columns import ColumnWave
from compiler.mapper.folding import RowPass, fold_run
from compiler.mapper.space import ConvShape, MappedBlock, Run
from compiler.nest.filters import FilterBank, pass_filters
from compiler.nest.images import FILTER_STEPS, FilterImage, depends, filter_image, image_unit
from compiler.nest.task import ConvTask
from compiler.stream.loops import Loop
from compiler.stream.resident import NOTHING, Filters
from hw.arch.config import Config
from hw.arch.program.layout import filter_words


@dataclass(frozen=True)
class CommandFilters:
    """How many filters a command is sent, and which.

    Attributes
    ----------
    waves : what the columns hold, see `WaveLoops`
    run, loops : of the command; moved : how far loops that are commands have come
    bank : makes the filters of the block; a dry stream never asks for them
    """

    config: Config
    shape: ConvShape
    block: MappedBlock
    task: ConvTask
    waves: Sequence[ColumnWave]
    run: Run
    moved: Mapping[str, int]
    loops: Sequence[Loop]
    bank: Callable[[], FilterBank]

    def length(self, beats: int) -> int:
        """Link words of filters of all passes that are sent some; `beats`: of a PE in a pass."""
        if self.task.reuse:
            return 0
        return self._total(self._lengths(beats))

    def _total(self, lengths: Sequence[int]) -> int:
        """The sum over all passes that are sent filters."""
        times = prod(loop.count for loop in self.loops if not loop.held)
        return sum(lengths) * times // len(lengths)

    def image(self, beats: int) -> FilterImage:
        """The filters as the buffer holds them; the command is sent some."""
        shape, mapping = self.shape, self.block.mapping
        lengths, unit = self._lengths(beats), image_unit(self.config)
        weights = self.task.key, self.task.portion, self.block.filters, self.run
        order = shape.C, shape.R, shape.S, shape.multiplier, mapping.p, mapping.fold, mapping.steps
        return filter_image(
            self.config,
            (weights, order, tuple(self.waves)),
            self.loops,
            self.moved,
            max(lengths),
            self._total(lengths),
            self._total([-(-length // unit) * unit for length in lengths]),
            self.made,
        )

    def _lengths(self, beats: int) -> list[int]:
        """Link words of every combination of row pattern and column pattern."""
        passes = self._passes()
        if self.task.portion is not None:
            passes = passes[slice(*self.task.portion.passes)]
        groups = [wave.groups for wave in self.waves]
        if not any("wave" in loop.steps for loop in self.loops):
            groups = [groups[self.moved.get("wave", 0)]]
        return [
            filter_words(self.config, len(row_pass.filters) * count * beats)
            for row_pass in passes
            for count in groups
        ]

    def _passes(self) -> tuple[RowPass, ...]:
        return fold_run(self.shape, self.block.mapping.fold, self.run, self.config.array.rows)

    def made(self) -> Filters:
        """Filters of all passes that are sent some; equal passes are packed once."""
        loops = self.loops
        counts = tuple(loop.count for loop in loops)
        if self.task.reuse:
            return Filters(counts, (False,) * len(counts), (NOTHING,))
        passes, bank = self._passes(), self.bank()
        start = {name: self.moved.get(name, 0) for name in FILTER_STEPS}
        start["group"] += self.run.first
        inner = [loop for loop in loops if depends(loop)]
        blocks = []
        for indices in product(*(range(loop.count) for loop in inner)):
            at = dict(start)
            for loop, index in zip(inner, indices, strict=True):
                for name in FILTER_STEPS:
                    at[name] += index * loop.steps.get(name, 0)
            blocks.append(
                pass_filters(
                    self.config,
                    bank,
                    self.block.mapping,
                    passes[at["pass"]],
                    self.waves[at["wave"]],
                    at["band"],
                    (at["group"], at["tap"], at["row"]),
                )
            )
        held = sum(loop.held for loop in loops)
        return Filters(counts, tuple(map(depends, loops)), tuple(blocks), held)
