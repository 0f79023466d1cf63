"""Filters of CONV commands that lie in the global buffer: `UnitLayout`, `FilterImage`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

import numpy as np

from compiler.mapper.folding import RowPass
from compiler.mapper.space import ConvShape, MappedBlock, channel_groups, tap_ranges
from compiler.nest.filters import FilterBank
from compiler.stream.loops import Loop
from hw.arch.commands import ADDRESS, BASES
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.patterns import PATTERN
from hw.arch.program import Words
from hw.arch.program.layout import filter_words, to_link_words

FILTER_STEPS = ("band", "wave", "group", "tap", "row", "pass")
"""What of a loop's steps changes the filters of a pass."""


@dataclass(frozen=True)
class UnitWalk:
    """How the row passes of a command find their filters.

    Attributes
    ----------
    passes : fields of the header of every row pattern
    jump : `unit_jump` of the command
    """

    passes: tuple[Mapping[str, int], ...]
    jump: int


class FilterLayout(ABC):
    """How the filters of a block lie in the buffer, whatever passes take them.

    A *unit* is what a PE holds in a pass.
    """

    @property
    @abstractmethod
    def key(self) -> Hashable:
        """Equal for layouts in which the same filters lie in the same way."""

    @property
    @abstractmethod
    def words(self) -> int:
        """Buffer words of the image."""

    @property
    @abstractmethod
    def links(self) -> int:
        """Words of the link that bring it."""

    @property
    @abstractmethod
    def unit_links(self) -> int:
        """Words of the link that a PE takes for a pass."""

    @property
    @abstractmethod
    def step(self) -> int:
        """Buffer words from a unit to the next."""

    @property
    @abstractmethod
    def strides(self) -> dict[str, int]:
        """Buffer words from filter group to filter group, and so on, by `FILTER_STEPS`."""

    @property
    @abstractmethod
    def fields(self) -> dict[str, int]:
        """`CONSTANTS` of commands that take their filters from here, but for those of a walk."""

    @abstractmethod
    def packed(self, config: Config, bank: FilterBank) -> Words:
        """Link words of the image."""

    def moved(self, steps: Mapping[str, int]) -> int:
        """Buffer words that a pass's filters lie further for steps of these names."""
        return sum(steps.get(name, 0) * stride for name, stride in self.strides.items())

    def stepped(self, loop: Loop) -> Loop:
        """The loop of a command that takes its filters from here."""
        weights = self.moved(loop.steps)
        steps = {name: step for name, step in loop.steps.items() if name in BASES.offsets}
        return Loop(
            count=loop.count,
            steps={**steps, "weights": weights},
            accumulate=loop.accumulate,
            held=loop.held,
        )

    def walk(self, passes: Sequence[RowPass], unit_step: int) -> UnitWalk | None:
        """How row passes find their units; None if it is in no way that the hardware can walk.

        unit_step : filter groups from unit to unit of a column
        """
        jump: int | None = None
        found = []
        for row_pass in passes:
            places = [
                self.moved({"band": um * unit_step, "group": group, "tap": tap, "row": row})
                for um, group, tap, row in row_pass.filters
            ]
            steps = np.diff(places) - self.step
            turns = (np.flatnonzero(steps) + 1).tolist()
            periods = set(np.diff(turns).tolist())
            jumps = {int(step) for step in steps if step} | ({jump} if jump is not None else set())
            if len(jumps) > 1 or len(periods) > 1:
                return None
            jump = next(iter(jumps), None)
            fields = {
                "first_unit": places[0],
                "turn": turns[0] if turns else 0,
                "period": next(iter(periods), 0),
            }
            if any(not 0 <= fields[f.name] <= f.high for f in PATTERN.fields if f.name in fields):
                return None
            found.append(fields)
        return UnitWalk(tuple(found), (jump or 0) % (1 << ADDRESS))


@dataclass(frozen=True)
class UnitLayout(FilterLayout):
    """Filters as units, each of which begins with a new buffer word.

    They lie in the order in which passes walk the pairs: the filter rows and tap ranges that loops
    walk are outside the channel groups, and those that patterns walk are inside.

    Attributes
    ----------
    each : buffer words of a unit; brought : words of the link that bring it
    held : what a PE holds, (filters, channels, taps)
    across : filter groups from column tag to column tag
    bands, groups, ranges, rows : filter groups of the block, channel groups, tap ranges, filter
        rows
    tap_loop, row_loop : as of the fold
    """

    each: int
    brought: int
    held: tuple[int, int, int]
    across: int
    bands: int
    groups: int
    ranges: int
    rows: int
    tap_loop: bool
    row_loop: bool

    @classmethod
    def of(cls, config: Config, shape: ConvShape, block: MappedBlock, beats: int) -> "UnitLayout":
        """Of a block whose PEs are sent so many beats in a pass."""
        mapping, (first, last) = block.mapping, block.filters
        fold = mapping.fold
        whole = max(config.buffer.width // LINK_WORD_BITS, 1)
        links = ceil(filter_words(config, beats) / whole) * whole
        return cls(
            each=links * LINK_WORD_BITS // config.buffer.width,
            brought=links,
            held=(mapping.p, fold.q, fold.span),
            across=mapping.steps[1],
            bands=ceil((last - first) / mapping.p),
            groups=channel_groups(shape, fold.q),
            ranges=tap_ranges(shape, fold.span),
            rows=shape.R,
            tap_loop=fold.tap_loop,
            row_loop=fold.row_loop,
        )

    @property
    def key(self) -> Hashable:
        order = self.bands, self.groups, self.ranges, self.rows, self.tap_loop, self.row_loop
        return "units", self.held, self.unit_links, order

    @property
    def words(self) -> int:
        return self.units * self.each

    @property
    def links(self) -> int:
        return self.units * self.brought

    @property
    def unit_links(self) -> int:
        return self.brought

    @property
    def step(self) -> int:
        return self.each

    @property
    def fields(self) -> dict[str, int]:
        return {"group_stride": self.strides["band"] * self.across % (1 << ADDRESS)}

    @property
    def units(self) -> int:
        """Units of the block."""
        return self.bands * self.groups * self.ranges * self.rows

    @property
    def strides(self) -> dict[str, int]:
        sizes = {"group": self.groups, "tap": self.ranges, "row": self.rows}
        order = ["band"]
        order += ["row"] * self.row_loop + ["tap"] * self.tap_loop + ["group"]
        order += ["tap"] * (not self.tap_loop) + ["row"] * (not self.row_loop)
        strides, inner = {}, self.step
        for name in reversed(order):
            strides[name] = inner
            inner *= sizes.get(name, 1)
        return strides

    def packed(self, config: Config, bank: FilterBank) -> Words:
        blocks = bank.words  # [band, group, row, range, word]
        outer = [2] * self.row_loop + [3] * self.tap_loop
        inner = [axis for axis in (3, 2) if axis not in outer]
        ordered = blocks.transpose(0, *outer, 1, *inner, 4).reshape(self.units, -1)
        padded = np.zeros(
            (self.units, self.unit_links * LINK_WORD_BITS // config.array.data_width), ordered.dtype
        )
        padded[:, : ordered.shape[1]] = ordered
        return to_link_words(padded)


@dataclass(frozen=True)
class FilterImage:
    """The filters of a block as the buffer holds them, for one of the commands that take them.

    Attributes
    ----------
    key : equal for commands that find their filters in equal images
    words : buffer words that it takes; links : words of the link that bring it
    sent : words of the link that the command takes if its filters are streamed
    taken : what it reads of the buffer otherwise, in words of the link
    cycles : what the command takes
    filters : makes the words of the link; a dry stream never does
    """

    key: Hashable
    words: int
    links: int
    sent: int
    taken: int
    cycles: int
    filters: Callable[[], Words]


class FilterPlaces(Protocol):
    """Where the filters of commands lie in the buffer."""

    def __call__(self, image: FilterImage) -> int | None:
        """The buffer word where a command's image begins, or None: its filters are streamed.

        It is asked before the command is emitted, and may load the image then.
        """

    def waits(self, image: FilterImage) -> bool:
        """Whether an image is loaded when it is asked for; loads nothing."""


def depends(loop: Loop) -> bool:
    """Whether the filters change when the loop steps."""
    return any(name in loop.steps for name in FILTER_STEPS)
