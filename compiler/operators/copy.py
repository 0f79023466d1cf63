"""Padding and concatenation: values move unchanged to another place, by VECTOR commands."""

from collections.abc import Sequence

from compiler.operators.cuts import Span
from compiler.operators.operation import (
    Operand,
    Operation,
    OperationReport,
    Shape4,
    part_window,
    size_of,
    spans_of,
    vector_accesses,
)
from compiler.operators.params import identity_output, identity_params, same_params
from compiler.stream.counts import check_counts
from compiler.stream.hazards import BufferAccess
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface, surface_words
from hw.arch.commands import VECTOR, VectorOp
from hw.arch.config import Config
from hw.arch.program import Box
from numerics.quantisation import integer_range


class CopyOperation(Operation):
    """An output made of its operands, each placed at an offset, and a constant elsewhere.

    `places` are the offsets (items, rows, columns, channels) of the operands in the output; channel
    offsets are multiples of the channel block. `fill` is the stored value where no operand is, None
    if operands cover everything.
    """

    follows_channels = True

    def __init__(
        self,
        config: Config,
        name: str,
        sources: tuple[Shape4, ...],
        target: Shape4,
        places: tuple[Shape4, ...],
        fill: int | None,
        dtype: str,
    ) -> None:
        self.config, self.name, self.sources, self.target = config, name, sources, target
        self.places, self.fill, self.dtype = places, fill, dtype
        self.channel_step = config.lanes
        self.most_channels = target[3]
        self.spent = self.moved = 0

    def bends(self, axis: int, operand: int) -> Sequence[int]:
        offset = self.places[operand][axis]
        return offset, offset + self.sources[operand][axis]

    def reach_along(self, axis: int, span: Span, operand: int) -> Span:
        """The operand's share of the span; one position of it if it has none."""
        return _at_least_one(self._share(axis, span, operand), self.sources[operand][axis])

    def _share(self, axis: int, span: Span, operand: int) -> Span:
        """Positions of an operand that lie in a span of the output; none where begin >= end."""
        offset = self.places[operand][axis]
        return max(span[0] - offset, 0), min(span[1] - offset, self.sources[operand][axis])

    def extent(self, size: Shape4) -> tuple[int, int]:
        return size[1], size[2]

    def cycles(self, size: Shape4, psum_beats: int, *, rough: bool = False) -> int:
        words = surface_words(self.config, size)
        lanes = self.config.lanes // self.config.post.units
        return words * lanes * (1 if self.fill is None else 2)

    def report(self) -> OperationReport:
        accesses = vector_accesses(self.config, self.moved, self.moved)
        return OperationReport(self.spent, accesses, "vector")

    def emit(
        self,
        stream: StreamBuilder,
        tile: Box,
        parts: Sequence[Operand],
        target: Surface,
        psum_beats: int,
    ) -> None:
        self.spent += self.cycles(size_of(tile), psum_beats)
        self.moved += surface_words(self.config, size_of(tile))
        if self.fill is not None:
            source = part_window(self.config, parts[0], parts[0].box)
            self._vector(stream, source, target, (self.fill, self.fill), stride=0)
        whole = Operand(tile, target)
        for index, part in enumerate(parts):
            shares = [self._share(axis, span, index) for axis, span in enumerate(spans_of(tile))]
            if any(begin >= end for begin, end in shares):
                continue
            placed = Box(
                *(
                    (begin + offset, end + offset)
                    for (begin, end), offset in zip(shares, self.places[index], strict=True)
                )
            )
            source = part_window(self.config, part, Box(*shares))
            self._vector(
                stream,
                source,
                part_window(self.config, whole, placed),
                integer_range(self.dtype),
                stride=1,
            )

    def _vector(
        self, stream: StreamBuilder, source: Surface, target: Surface, clamp: Span, *, stride: int
    ) -> None:
        """Moves whole words; with stride 0 every word comes from the source's first pixel."""
        param = same_params(stream, 0, *identity_params(self.config))
        access = BufferAccess((source.extent(self.config),), (target.extent(self.config),))
        blocks = target.blocks(self.config)
        for item in range(target.items):
            fields = {
                "op": int(VectorOp.MAX),
                "signed": self.dtype.startswith("int"),
                "blocks": blocks,
                "rows": target.height,
                "columns": target.width,
                "window_rows": 1,
                "window_columns": 1,
                "stride_y": stride,
                "stride_x": stride,
                "height": source.height,
                "width": source.width,
                "left": source.address + item * stride * source.item_stride,
                "row_stride": source.row_stride,
                "plane_stride": source.plane_stride if stride else 0,
                "output": target.address + item * target.item_stride,
                "output_row_stride": target.row_stride,
                "plane": target.plane_stride,
                "param": param,
                **identity_output(self.config, *clamp),
            }
            check_counts(self.config, VECTOR, fields)
            stream.vector(fields, access)


def _at_least_one(span: Span, size: int) -> Span:
    """The span, or a single position within `size` near it if it is empty."""
    if span[0] < span[1]:
        return span
    begin = min(max(span[0], 0), size - 1)
    return begin, begin + 1


def placeable(config: Config, places: tuple[Shape4, ...]) -> bool:
    """Whether operands can be placed so: at whole channel blocks."""
    return all(place[3] % config.lanes == 0 for place in places)
