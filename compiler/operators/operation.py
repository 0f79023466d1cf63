"""What the scheduler must know of an operator on the array: geometry, cost, commands."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as data_field
from functools import cached_property
from math import ceil
from typing import Any, TypeAlias

from compiler.mapper.cost import Cost
from compiler.mapper.table import LINEAR_GAIN
from compiler.operators.cuts import AxisCuts, Span
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program import Box

Shape4: TypeAlias = tuple[int, int, int, int]  # items, height, width, channels


@dataclass(frozen=True)
class Operand:
    """A box of a tensor and the surface that holds it."""

    box: Box
    surface: Surface


@dataclass(frozen=True)
class OperationReport:
    """What the emitted commands cost.

    cycles : without what is moved on the link; accesses : on the chip
    bound : the busiest resource; mapping : see `compiler.mapper.explain.summary`
    reads : cycles in which the buffer is read, see `Transfers`
    """

    cycles: int
    accesses: Accesses
    bound: str = ""
    mapping: dict[str, Any] = data_field(default_factory=dict)
    reads: int = 0


@dataclass(frozen=True)
class Fetched:
    """What computing takes besides cycles.

    filters : link words; reads : cycles in which the buffer is read; accesses : on the chip
    """

    filters: int = 0
    reads: int = 0
    accesses: Accesses = Accesses()

    def __add__(self, other: "Fetched") -> "Fetched":
        return Fetched(
            self.filters + other.filters,
            self.reads + other.reads,
            self.accesses + other.accesses,
        )

    def __mul__(self, times: int) -> "Fetched":
        return Fetched(self.filters * times, self.reads * times, self.accesses * times)


def fetched_by(config: Config, load: Cost) -> Fetched:
    """What a load takes besides cycles."""
    accesses = load.accesses
    filters = accesses.words(Level.NETWORK, DataType.FILTER)
    ifmaps = accesses.words(Level.BUFFER, DataType.IFMAP, Direction.READ)
    return Fetched(
        filters=filters * config.array.data_width // LINK_WORD_BITS,
        reads=ceil(ifmaps / config.noc.ifmap),
        accesses=accesses,
    )


class Operation(ABC):
    """An operator with one output that is computed tile by tile.

    Attributes
    ----------
    config : Config
    name : str
        Of the layer, for messages.
    sources : shapes (items, height, width, channels) of the operands
    target : shape of the output
    raw : the output holds 32-bit elements
    follows_channels : an output tile needs just its own channels of the operands
    channel_step : output channels at which tiles may begin
    channel_parts : numbers of channels into which such a step may be cut, where its tiles share
        their operand
    nest_channels : output channels that share their input channels: a tile of fewer lies within
        them; 0: all do
    most_channels : output channels that one tile may have
    least_cycles : cycles that all of the output takes at the very least
    stored_filters : buffer words of all filters in cells, where the buffer may hold them; 0: never
    signature : equal for operators that cost the same in every tiling; None: it is not known
    """

    config: Config
    name: str
    sources: tuple[Shape4, ...]
    target: Shape4
    raw: bool = False
    follows_channels: bool = False
    channel_step: int
    channel_parts: tuple[int, ...] = ()
    nest_channels: int = 0
    most_channels: int
    least_cycles: int = 0
    stored_filters: int = 0
    signature: Hashable = None

    @abstractmethod
    def reach_along(self, axis: int, span: Span, operand: int) -> Span:
        """Positions of an operand along an axis (items, rows, columns, channels) that outputs need.

        They depend on the outputs' span along that axis alone, so that the largest part of an
        operand is the product of the largest spans, see `longest_reach`.
        """

    def reach(self, tile: Box, operand: int) -> Box:
        """The box of an operand that an output tile needs."""
        return Box(
            *(self.reach_along(axis, span, operand) for axis, span in enumerate(spans_of(tile)))
        )

    def cuts(self, axis: int, part: int) -> AxisCuts:
        """The spans along an axis of which tiles of `part` outputs have one each."""
        key = axis, part
        if key not in self._cuts:  # schedules ask for the same ones by the thousand
            size = self.target[axis]
            nest = self.nest_channels or size if axis == 3 else size
            self._cuts[key] = AxisCuts(size, nest, part)
        return self._cuts[key]

    def reaches(self, axis: int, part: int, operand: int) -> tuple[Span, ...]:
        """The positions of an operand along an axis that each span of `part` outputs needs."""
        key = axis, part, operand
        if key not in self._reaches:
            spans = self.cuts(axis, part)
            self._reaches[key] = tuple(self.reach_along(axis, span, operand) for span in spans)
        return self._reaches[key]

    def longest_reach(self, axis: int, part: int, operand: int) -> int:
        """The most positions of an operand that any span of `part` outputs along an axis needs.

        It is exact for every span at which a tile can begin: which one needs most follows no simple
        rule, for the operands of a concatenation begin anywhere, and borders are clipped.
        """
        key = axis, part, operand
        if key not in self._longest:
            spans = self.cuts(axis, part)
            lengths = []
            for index in self._telling_tiles(axis, part, operand):
                begin, end = self.reach_along(axis, spans[index], operand)
                lengths.append(end - begin)
            self._longest[key] = max(lengths)
        return self._longest[key]

    def bends(self, axis: int, operand: int) -> Sequence[int] | None:
        """Outputs along an axis at which the operand's border begins or ceases to clip a reach.

        Between two of them the ends of a reach move by equal steps with an output. None if the
        reach has another form.
        """
        return None

    def _telling_tiles(self, axis: int, part: int, operand: int) -> Iterable[int]:
        """Numbers of tiles along an axis, among them one that reaches farthest.

        From tile to tile the length of a reach is linear between bends, so that it is largest in
        the first or the last tile, or where the begin or the end of a tile passes a bend.
        """
        count = len(self.cuts(axis, part))
        bends = self.bends(axis, operand)
        if bends is None:
            return range(count)
        near = {max(count - 2, 0), count - 1, 0}  # the last one may be smaller than the others
        for bend in bends:
            near.update(range(bend // part - 2, bend // part + 3))
        return (index for index in near if 0 <= index < count)

    @cached_property
    def _cuts(self) -> dict[tuple[int, int], AxisCuts]:
        return {}

    @cached_property
    def _reaches(self) -> dict[tuple[int, int, int], tuple[Span, ...]]:
        return {}

    @cached_property
    def _longest(self) -> dict[tuple[int, int, int], int]:
        return {}

    @abstractmethod
    def extent(self, size: Shape4) -> tuple[int, int]:
        """Rows and columns of the maps of a tile of this size, padding included."""

    def countable(self, size: Shape4) -> bool:
        """Whether the hardware can count the rows and columns of a tile of this size."""
        return max(self.extent(size)) <= self.config.most_map

    @abstractmethod
    def cycles(self, size: Shape4, psum_beats: int, *, rough: bool = False) -> int:
        """Estimated cycles of a tile of this size; `RowforgeError` if no mapping is legal.

        `rough` may be faster and too high: good enough to compare tile sizes.
        """

    def check(self, size: Shape4, psum_beats: int) -> None:
        """Raises `RowforgeError` if no mapping of a tile of this size is legal."""
        self.cycles(size, psum_beats, rough=True)

    def least_tile_cycles(self, size: Shape4) -> int:
        """Below what `cycles` hardly ever is for a tile of this size, found much faster."""
        return 0

    def ideal_cycles(self, nests: int) -> int:
        """At most what `least_tile_cycles` adds up to, found at once: no multiplier is ever idle.

        nests : into how many the output is cut at most; a cycle of each may be rounded off
        """
        return max(int(LINEAR_GAIN * self.least_cycles) - nests, 0)

    def fetched(self, size: Shape4, psum_beats: int) -> Fetched:
        """What a tile takes for which `cycles` found a mapping."""
        return Fetched()

    def image_words(self, sizes: Iterable[Shape4], psum_beats: int) -> int | None:
        """Buffer words of the filters of tiles of these sizes, whose channels are the same.

        None if they cannot all be in cells, see `CellLayout`.
        """
        return None

    @abstractmethod
    def emit(
        self,
        stream: StreamBuilder,
        tile: Box,
        parts: Sequence[Operand],
        target: Surface,
        psum_beats: int,
    ) -> None:
        """Emits the commands that compute a tile from operand parts that hold their `reach`."""

    @abstractmethod
    def report(self) -> OperationReport:
        """What everything emitted so far costs."""


def vector_accesses(config: Config, read: int, written: int) -> Accesses:
    """Accesses of the vector engine, which reads and writes so many whole buffer words."""
    return Accesses.of(
        {
            Access(Level.BUFFER, DataType.IFMAP, Direction.READ): read * config.lanes,
            Access(Level.BUFFER, DataType.OFMAP, Direction.WRITE): written * config.lanes,
        }
    )


def whole(shape: Shape4) -> Box:
    """All of a tensor."""
    return Box(*((0, size) for size in shape))


def spans_of(box: Box) -> tuple[Span, Span, Span, Span]:
    """The spans of a box along its axes, in their order."""
    return box.items, box.rows, box.columns, box.channels


def size_of(box: Box) -> Shape4:
    """Sizes of a box."""
    items, rows, columns, channels = (b - a for a, b in spans_of(box))
    return items, rows, columns, channels


def window_bends(size: int, *, stride: int, pad: int, taps: int, dilation: int) -> Span:
    """The outputs around which `window_reach` begins and ceases to be clipped."""
    return pad // stride, (size - 1 + pad - (taps - 1) * dilation) // stride


def window_reach(span: Span, size: int, *, stride: int, pad: int, taps: int, dilation: int) -> Span:
    """Input positions that outputs `span` see, clipped to the input of `size`.

    A span of outputs that sees only padding keeps one position, so that a part is never empty.
    """
    first = span[0] * stride - pad
    last = (span[1] - 1) * stride - pad + (taps - 1) * dilation
    begin = min(max(first, 0), size - 1)
    return begin, max(min(last + 1, size), begin + 1)


def map_extent(size: Shape4, stride: Span, window: Span) -> tuple[int, int]:
    """Rows and columns of the larger of an output and what its windows see."""
    rows, columns = (
        max(n, (n - 1) * step + taps)
        for n, step, taps in zip(size[1:3], stride, window, strict=True)
    )
    return rows, columns


def part_window(config: Config, part: Operand, box: Box) -> Surface:
    """The surface of `box`, which lies within the part and begins at a whole channel block."""
    rows, columns, channels = (
        (inner[0] - outer[0], inner[1] - outer[0])
        for inner, outer in (
            (box.rows, part.box.rows),
            (box.columns, part.box.columns),
            (box.channels, part.box.channels),
        )
    )
    offset = (box.items[0] - part.box.items[0]) * part.surface.item_stride
    window = part.surface.window(config, rows, columns, channels)
    return Surface(
        address=window.address + offset,
        items=box.items[1] - box.items[0],
        height=window.height,
        width=window.width,
        channels=window.channels,
        row_stride=window.row_stride,
        plane_stride=window.plane_stride,
        item_stride=window.item_stride,
        raw=window.raw,
    )
