"""The filters that the passes of one CONV command are sent: `CommandFilters`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from compiler.mapper.columns import ColumnWave
from compiler.mapper.folding import RowPass, fold_run
from compiler.mapper.space import ConvShape, FilterSpan, MappedBlock, Run
from compiler.nest.cells import cell_layout
from compiler.nest.filters import FilterBank, pass_filters
from compiler.nest.images import (
    FILTER_STEPS,
    FilterImage,
    FilterLayout,
    UnitLayout,
    UnitWalk,
    depends,
)
from compiler.nest.task import ConvTask
from compiler.stream.loops import Loop
from compiler.stream.resident import NOTHING, Filters
from hw.arch.config import Config
from hw.arch.program.layout import filter_words


@dataclass(frozen=True)
class PlacedFilters:
    """How a command takes its filters from the buffer.

    Attributes
    ----------
    image, layout, walk : what lies there, in which order, how row passes find theirs
    groups : `first_group` of the pattern of every wave
    start : words from the image to the filters of the first pass
    """

    image: FilterImage
    layout: FilterLayout
    walk: UnitWalk
    groups: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class CommandFilters:
    """How many filters a command is sent, and which.

    Attributes
    ----------
    waves : what the columns hold, see `WaveLoops`
    run, loops : of the command; moved : how far loops that are commands have come
    bank : makes the filters of the block, or of an image; a dry stream never asks for them
    """

    config: Config
    shape: ConvShape
    block: MappedBlock
    task: ConvTask
    waves: Sequence[ColumnWave]
    run: Run
    moved: Mapping[str, int]
    loops: Sequence[Loop]
    bank: Callable[[FilterSpan], FilterBank]

    def length(self, beats: int) -> int:
        """Link words of filters of all passes that are sent some; `beats`: of a PE in a pass."""
        if self.task.reuse:
            return 0
        return self._times(self._lengths(beats))

    def placed(self, beats: int, cycles: int) -> PlacedFilters | None:
        """How the command takes them from the buffer; None if they do not lie as passes walk.

        cycles : what the command takes
        """
        shape, block = self.shape, self.block
        config, filters = self.config, self.task.shared or block.filters
        unit_step, column_step = block.mapping.steps
        layout: FilterLayout | None = cell_layout(config, shape, block, filters)
        walk = layout.walk(self._passes(), unit_step) if layout is not None else None
        if layout is None or walk is None:
            filters = block.filters
            layout = UnitLayout.of(config, shape, block, beats)
            walk = layout.walk(self._passes(), unit_step)
        if walk is None:
            return None
        found = layout
        image = FilterImage(
            key=(self.task.key, filters, layout.key),
            words=layout.words,
            links=layout.links,
            sent=self.length(beats),
            taken=self._times(self._tags()) * layout.unit_links,
            cycles=cycles,
            filters=lambda: found.packed(config, self.bank(filters)),
        )
        start = {name: self.moved.get(name, 0) for name in FILTER_STEPS}
        start["group"] += self.run.first
        start["band"] += (block.filters[0] - filters[0]) // block.mapping.p
        bands = layout.strides["band"] * column_step
        return PlacedFilters(
            image=image,
            layout=layout,
            walk=walk,
            groups=tuple(wave.first * bands for wave in self.waves),
            start=layout.moved(start),
        )

    def _lengths(self, beats: int) -> list[int]:
        """Link words of every combination of row pattern and column pattern."""
        return [filter_words(self.config, tags * beats) for tags in self._tags()]

    def _times(self, each: Sequence[int]) -> int:
        """Sum over all passes that are sent some, from that of every combination of patterns."""
        times = prod(loop.count for loop in self.loops if not loop.held)
        return sum(each) * times // len(each)

    def _tags(self) -> list[int]:
        """PEs that are sent filters of their own, of every combination of patterns."""
        passes = self._passes()
        if self.task.portion is not None:
            passes = passes[slice(*self.task.portion.passes)]
        groups = [wave.groups for wave in self.waves]
        if not any("wave" in loop.steps for loop in self.loops):
            groups = [groups[self.moved.get("wave", 0)]]
        return [len(row_pass.filters) * count for row_pass in passes for count in groups]

    def _passes(self) -> tuple[RowPass, ...]:
        return fold_run(self.shape, self.block.mapping.fold, self.run, self.config.array.rows)

    def made(self) -> Filters:
        """Filters of all passes that are sent some; equal passes are packed once."""
        loops = self.loops
        counts = tuple(loop.count for loop in loops)
        if self.task.reuse:
            return Filters(counts, (False,) * len(counts), (NOTHING,))
        passes, bank = self._passes(), self.bank(self.block.filters)
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
