"""Runs the tiles of an operator: parts come and results leave while other tiles are computed."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import ceil

from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Operand, Operation, part_window, size_of
from compiler.schedule.filter_store import hold_filters
from compiler.schedule.goal import Goal
from compiler.schedule.pieces import pieces
from compiler.schedule.slots import Slots
from compiler.schedule.space import Space
from compiler.schedule.tiling import Tiling, check_count, part_words, tiles
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface
from hw.arch.program import Box


@dataclass
class _Feed:
    """The parts of an operand that is not resident, in the order in which tiles need them.

    tensor : index of the host tensor
    slots : the buffers that the parts take in turn
    boxes : the parts; first : number of the first tile that needs each
    loaded : parts that are in the buffer; pieces : what is left of the next one
    """

    tensor: int
    slots: Slots
    boxes: list[Box] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    loaded: int = 0
    pieces: list[Operand] = field(default_factory=list)


class TilePipeline:
    """The tiles of an operator, one after another.

    With two buffers for an operand, its next part is loaded, piece by piece, after the tiles that
    use the present one; with two for the output, a tile is stored after the next one. So the
    decoder moves words while the array computes. What has one buffer waits.

    Parameters
    ----------
    kept : for each operand, then the output: the resident tensor, or None
    tensors : their host tensors
    space : what lies in the buffer besides
    goal : decides which filters the buffer holds beside the tiles
    """

    def __init__(
        self,
        stream: StreamBuilder,
        operation: Operation,
        tiling: Tiling,
        kept: Sequence[Operand | None],
        tensors: Sequence[int],
        space: Space,
        goal: Goal,
    ) -> None:
        self.stream, self.operation, self.kept = stream, operation, kept
        self.config = stream.config
        self.beats = space.psum_beats(tiling.groups)
        check_count(operation, tiling.size)
        self.tiles = list(tiles(operation, tiling.size))
        words = part_words(self.config, operation, tiling.resident, tiling.size)
        slots = _slots(space, words, tiling.slots)
        space.check_fits(slots[-1].end, tiling.groups)
        self.feeds = [
            None if part is not None else self._feed(index, tensors[index], slots[index])
            for index, part in enumerate(kept[:-1])
        ]
        self.target, self.places = tensors[-1], slots[-1]
        self.finished: tuple[Box, Surface] | None = None
        self._hold_filters(space, tiling, goal)

    def run(self) -> int:
        """Emits everything; returns the number of tiles."""
        for number, tile in enumerate(self.tiles):
            parts = [self._part(index, number) for index in range(len(self.feeds))]
            surface = self._surface(number, tile)
            self.operation.emit(self.stream, tile, parts, surface, self.beats)
            self.stream.computing = True
            if self.kept[-1] is None:
                self._finish(tile, surface)
            for feed in self.feeds:
                if feed is not None and feed.slots.count > 1:
                    self._prefetch(feed, number)
        self.stream.computing = False
        self._store()
        return len(self.tiles)

    # ---- filters --------------------------------------------------------------------------------

    def _hold_filters(self, space: Space, tiling: Tiling, goal: Goal) -> None:
        """Filters that tiles need again stay in what the tiles leave of the buffer."""
        operation = self.operation
        if not isinstance(operation, ConvOperation):
            return
        jobs = []
        for number, tile in enumerate(self.tiles):
            parts = [self._part_of(index, number) for index in range(len(self.feeds))]
            jobs.append((tile, parts, self._surface(number, tile)))
        counts = Counter(size_of(tile) for tile in self.tiles)
        computing = sum(n * operation.cycles(size, self.beats) for size, n in counts.items())
        begin = max(space.top, self.places.end)
        end = space.limit(0)
        hold_filters(
            self.stream, goal, operation, jobs, (begin, end), self.beats, tiling.moves, computing
        )

    def _part_of(self, index: int, number: int) -> Operand:
        """Where the part of an operand that a tile needs will be."""
        resident, feed = self.kept[index], self.feeds[index]
        if feed is None:
            assert resident is not None
            return resident
        return self._place(feed, bisect_right(feed.first, number) - 1)

    # ---- operands -------------------------------------------------------------------------------

    def _feed(self, index: int, tensor: int, slots: Slots) -> _Feed:
        feed = _Feed(tensor, slots)
        for number, tile in enumerate(self.tiles):
            reach = self.operation.reach(tile, index)
            if not feed.boxes or reach != feed.boxes[-1]:
                feed.boxes.append(reach)
                feed.first.append(number)
        return feed

    def _part(self, index: int, number: int) -> Operand:
        """The part of an operand that a tile needs; what is not there yet is loaded now."""
        resident, feed = self.kept[index], self.feeds[index]
        if feed is None:
            assert resident is not None
            return resident
        if feed.loaded < len(feed.first) and feed.first[feed.loaded] == number:
            computing, self.stream.computing = self.stream.computing, False
            self._load(feed, None)
            self.stream.computing = computing
        ahead = self._ahead(feed, number)
        if ahead + bool(feed.pieces) >= feed.slots.count:
            raise AssertionError(f"a later part has overwritten the one that tile {number} reads")
        return self._place(feed, feed.loaded - 1 - ahead)

    def _ahead(self, feed: _Feed, number: int) -> int:
        """Parts that are loaded before a tile needs them."""
        return sum(1 for first in feed.first[: feed.loaded] if first > number)

    def _place(self, feed: _Feed, part: int) -> Operand:
        box = feed.boxes[part]
        return Operand(box, feed.slots.surface(part, size_of(box)))

    def _prefetch(self, feed: _Feed, number: int) -> None:
        """Some pieces of the next part, so that it is there when its first tile comes."""
        if feed.loaded == len(feed.boxes) or self._ahead(feed, number):
            return
        left = feed.first[feed.loaded] - number  # tiles until then, this one included
        if not feed.pieces:
            feed.pieces = list(pieces(self.config, self._place(feed, feed.loaded), left))
        self._load(feed, ceil(len(feed.pieces) / left))

    def _load(self, feed: _Feed, count: int | None) -> None:
        """So many pieces of the next part; None: all that is missing of it."""
        parts = feed.pieces or [self._place(feed, feed.loaded)]
        for piece in islice(parts, count):
            self.stream.load(feed.tensor, piece.box, piece.surface)
        feed.pieces = [] if count is None else parts[count:]
        if not feed.pieces:
            feed.loaded += 1

    # ---- results --------------------------------------------------------------------------------

    def _surface(self, number: int, tile: Box) -> Surface:
        resident = self.kept[-1]
        if resident is not None:
            return part_window(self.config, resident, tile)
        return self.places.surface(number, size_of(tile), raw=self.operation.raw)

    def _finish(self, tile: Box, surface: Surface) -> None:
        """Stores the tile before; with one buffer, this one at once."""
        self._store()
        self.finished = (tile, surface)
        if self.places.count == 1:
            self.stream.computing = False
            self._store()

    def _store(self) -> None:
        if self.finished is not None:
            self.stream.store(self.target, *self.finished)
            self.finished = None


def _slots(space: Space, words: Sequence[int], counts: Sequence[int]) -> list[Slots]:
    """The buffers of every operand and of the output, after everything that is resident."""
    found: list[Slots] = []
    start = space.top
    for size, count in zip(words, counts, strict=True):
        found.append(Slots(space.config, start, size, count))
        start = found[-1].end
    return found
