"""Values that move to other places of a map: VECTOR commands that only copy."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product

from compiler.moves.pieces import Along, Moved, Piece, blocks
from compiler.moves.stretches import Steps, Stretch, stretches
from compiler.operators.cuts import Span
from compiler.operators.operation import (
    Operand,
    Operation,
    OperationReport,
    Shape4,
    size_of,
    spans_of,
    vector_accesses,
    whole,
)
from compiler.operators.params import identity_output, identity_params, same_params
from compiler.operators.vector import COMMAND_CYCLES
from compiler.stream.counts import check_counts
from compiler.stream.hazards import BufferAccess
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface, surface_words
from hw.arch.commands import VECTOR, VectorOp
from hw.arch.config import Config
from hw.arch.program import Box
from numerics.quantisation import integer_range

_MOST_BLOCKS = (1 << 12) - 1  # that a command counts
_MOST_STEP = (1 << 12) - 1  # words from column to column of what it reads


@dataclass(frozen=True)
class Copy:
    """One command: a word of the input for each word of the output, by three loops.

    source, target : words from the begin of the surfaces
    blocks, rows, columns : outermost first; along columns the output goes on word by word
    """

    source: int
    target: int
    blocks: Steps
    rows: Steps
    columns: Steps

    @property
    def words(self) -> int:
        """Words that it writes."""
        return self.blocks.count * self.rows.count * self.columns.count


class MoveOperation(Operation):
    """An output made of pieces of its operand, and of a constant elsewhere.

    The pieces' last axis counts channel blocks (`movable_blocks`).
    """

    def __init__(
        self, config: Config, name: str, source: Shape4, target: Shape4, moves: Moved, dtype: str
    ) -> None:
        self.config, self.name, self.sources, self.target = config, name, (source,), target
        self.moves, self.dtype = moves, dtype
        self.channel_step = config.lanes
        self.most_channels = target[3]
        self.follows_channels = all(
            piece.axes[3] == _identity(len(piece.axes[3].source)) for piece in moves.pieces
        )
        self.spent = self.moved = self.written = 0

    def reach_along(self, axis: int, span: Span, operand: int) -> Span:
        """From the first to the last position that is read, one position if none is."""
        step = self.config.lanes if axis == 3 else 1
        inner = (span[0] // step, -(-span[1] // step))
        found = [piece.axes[axis].within(*inner).source for piece in self.moves.pieces]
        ends = [(min(source), max(source)) for source in found if source]
        first = min((a for a, _ in ends), default=0)
        last = max((b for _, b in ends), default=0)
        return first * step, min((last + 1) * step, self.sources[0][axis])

    def extent(self, size: Shape4) -> tuple[int, int]:
        return size[1], size[2]

    def cycles(self, size: Shape4, psum_beats: int, *, rough: bool = False) -> int:
        """As if the tile were the first one."""
        tile = whole(size)
        lanes = self.config.lanes // self.config.post.units
        source = Surface.dense(self.config, 0, self.sources[0])
        target = Surface.dense(self.config, 0, size)
        found = list(self._copies(tile, Operand(whole(self.sources[0]), source), target))
        words = sum(copy.words for copy in found)
        if self.moves.fill is not None:
            words += surface_words(self.config, size)
        return words * lanes + len(found) * COMMAND_CYCLES

    def report(self) -> OperationReport:
        accesses = vector_accesses(self.config, self.moved, self.written)
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
        (part,) = parts
        access = BufferAccess((part.surface.extent(self.config),), (target.extent(self.config),))
        if self.moves.fill is not None:
            for copy in _filled(self.config, target):
                clamp = (self.moves.fill, self.moves.fill)
                self._vector(stream, copy, part.surface, target, clamp, access)
        for copy in self._copies(tile, part, target):
            clamp = integer_range(self.dtype)
            self._vector(stream, copy, part.surface, target, clamp, access)

    def _copies(self, tile: Box, part: Operand, target: Surface) -> Iterator[Copy]:
        """The commands for a tile."""
        lanes = self.config.lanes
        spans = [*spans_of(tile)[:3], _in_blocks(tile.channels, lanes)]
        begins = [span[0] for span in spans_of(part.box)[:3]] + [part.box.channels[0] // lanes]
        strides = [
            (surface.item_stride, surface.row_stride, 1, surface.plane_stride)
            for surface in (part.surface, target)
        ]
        for piece in self.moves.pieces:
            axes = [along.within(*span) for along, span in zip(piece.axes, spans, strict=True)]
            for found in product(*(list(stretches(along)) for along in axes)):
                yield from _commands(found, begins, strides, self.config.most_map)

    def _vector(
        self,
        stream: StreamBuilder,
        copy: Copy,
        source: Surface,
        target: Surface,
        clamp: Span,
        access: BufferAccess,
    ) -> None:
        self.moved, self.written = self.moved + copy.words, self.written + copy.words
        fields = {
            "op": int(VectorOp.MAX),
            "signed": self.dtype.startswith("int"),
            "blocks": copy.blocks.count,
            "rows": copy.rows.count,
            "columns": copy.columns.count,
            "window_rows": 1,
            "window_columns": 1,
            "stride_y": 1,
            "stride_x": copy.columns.source,
            "height": copy.rows.count,
            "width": (copy.columns.count - 1) * copy.columns.source + 1,
            "left": source.address + copy.source,
            "row_stride": copy.rows.source,
            "plane_stride": copy.blocks.source,
            "output": target.address + copy.target,
            "output_row_stride": copy.rows.target,
            "plane": copy.blocks.target,
            "param": same_params(stream, 0, *identity_params(self.config)),
            **identity_output(self.config, *clamp),
        }
        check_counts(self.config, VECTOR, fields)
        stream.vector(fields, access)


def movable_blocks(config: Config, moves: Moved, target: Shape4) -> Moved | None:
    """The same with channel blocks as the last axis; None if channels do not move in blocks."""
    pieces = []
    for piece in moves.pieces:
        items, rows, columns, channels = piece.axes
        whole_blocks = blocks(channels, config.lanes, target[3])
        if whole_blocks is None:
            return None
        pieces.append(Piece((items, rows, columns, whole_blocks)))
    return replace(moves, pieces=tuple(pieces))


def _commands(
    found: tuple[Stretch, ...],
    begins: Sequence[int],
    strides: Sequence[Sequence[int]],
    most: int,
) -> Iterator[Copy]:
    """A stretch of each axis as commands: the longest loops in them, the others around them.

    A command reads one item, as those of all operators do.
    """
    sources, targets = strides
    placed = list(zip(found, sources, targets, strict=True))
    source = sum(
        (part.source - begin) * n for (part, n, _), begin in zip(placed, begins, strict=True)
    )
    target = sum(part.target * n for part, _, n in placed)
    items, *loops = (
        [loop.in_words(from_, into) for loop in part.loops if loop.count > 1]
        for part, from_, into in placed
    )
    inside = sorted(chain(*loops), key=lambda loop: loop.count, reverse=True)
    columns = _taken(inside, lambda loop: _suits_columns(loop, most))
    rows = _taken(inside, lambda loop: loop.count <= most)
    planes = _taken(inside, lambda loop: loop.count <= _MOST_BLOCKS)
    outside = items + inside
    for places in product(*(range(loop.count) for loop in outside)):
        around = list(zip(places, outside, strict=True))
        yield Copy(
            source + sum(place * loop.source for place, loop in around),
            target + sum(place * loop.target for place, loop in around),
            planes,
            rows,
            columns,
        )


def _suits_columns(loop: Steps, most: int) -> bool:
    """The output goes on word by word, and the input's steps and their sum can be counted."""
    reach = (loop.count - 1) * loop.source
    return loop.target == 1 and loop.source <= _MOST_STEP and reach < most


def _taken(loops: list[Steps], suits: Callable[[Steps], bool]) -> Steps:
    """The first loop that suits, taken from the list; a single step if none does."""
    loop = next(filter(suits, loops), None)
    if loop is None:
        return Steps(1, 0, 0)
    loops.remove(loop)
    return loop


def _filled(config: Config, target: Surface) -> Iterator[Copy]:
    """Commands that write every word of a surface."""
    for item in range(target.items):
        yield Copy(
            0,
            item * target.item_stride,
            Steps(target.blocks(config), 0, target.plane_stride),
            Steps(target.height, 0, target.row_stride),
            Steps(target.width, 0, 1),
        )


def _identity(size: int) -> Along:
    return Along(0, 1, tuple(range(size)))


def _in_blocks(span: Span, lanes: int) -> Span:
    return span[0] // lanes, -(-span[1] // lanes)
