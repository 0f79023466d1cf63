"""Runs the tiles of an operator: parts come and results leave while other tiles are computed."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Operand, Operation, part_window, size_of
from compiler.schedule.clusters import ClusterPart, TileSharing
from compiler.schedule.filter_store import hold_filters
from compiler.schedule.goal import Goal
from compiler.schedule.parts.feed import Feed
from compiler.schedule.parts.places import Places, SlidingPlaces, TurnPlaces
from compiler.schedule.parts.slots import Slots
from compiler.schedule.space import Space
from compiler.schedule.tiling import Tiling, buffer_words, check_count, tiles
from compiler.stream.surface import Surface
from hw.arch.program import Box


class TilePipeline:
    """The tiles of an operator, one after another.

    With two buffers for an operand, its next part is loaded, piece by piece, after the tiles that
    use the present one; with two for the output, a tile is stored after the next one. So the
    decoder moves words while the array computes. What has one buffer waits. Bands may slide down a
    buffer instead, so that rows which two of them have in common come once; then the tiles of a
    strip of columns come from the top down.

    Parameters
    ----------
    sharing : emits the commands of a tile for the clusters
    kept : for each operand, then the output: the resident tensor, or None
    tensors : their host tensors
    space : what lies in the buffer besides
    goal : decides which filters the buffer holds beside the tiles
    """

    def __init__(
        self,
        sharing: TileSharing,
        operation: Operation,
        tiling: Tiling,
        kept: Sequence[Operand | None],
        tensors: Sequence[int],
        space: Space,
        goal: Goal,
    ) -> None:
        self.sharing, self.operation, self.kept = sharing, operation, kept
        self.stream, self.config = sharing.stream, sharing.config
        self.beats = space.psum_beats(tiling.groups)
        check_count(operation, tiling.size)
        order = {"down": tiling.sliding > 0, "by_filters": tiling.by_filters}
        self.tiles = list(tiles(operation, tiling.size, **order))
        words = buffer_words(self.config, operation, tiling)
        slots = _slots(space, words, tiling.slots)
        space.check_fits(slots[-1].end, tiling.groups)
        self.feeds = [
            None if part is not None else self._feed(index, tensors[index], slots[index], tiling)
            for index, part in enumerate(kept[:-1])
        ]
        self.target, self.places = tensors[-1], slots[-1]
        self.finished: list[ClusterPart] = []
        self.holding = (space, tiling, goal)

    def run(self) -> int:
        """Emits everything; returns the number of tiles."""
        sets = self._filter_sets()
        for number, tile in enumerate(self.tiles):
            if number in sets:
                self._hold_filters(range(number, sets[number]))
            parts = [self._operand(index, number) for index in range(len(self.feeds))]
            surface = self._surface(number, tile)
            stays = self.kept[-1] is not None
            results = self.sharing.emit(
                self.operation, tile, parts, surface, self.beats, stays=stays
            )
            self.stream.computing = True
            if not stays:
                self._finish(results)
            for feed in self.feeds:
                if feed is not None:
                    feed.prefetch(number)
        self.stream.computing = False
        self._store()
        return len(self.tiles)

    # ---- filters --------------------------------------------------------------------------------

    def _filter_sets(self) -> dict[int, int]:
        """First tiles that have filters in the buffer in common, and the tiles after the last."""
        _, tiling, _ = self.holding
        if not tiling.by_filters:
            return {0: len(self.tiles)}
        found: dict[int, int] = {}
        for _, tiles_ in groupby(enumerate(self.tiles), lambda each: each[1].channels):
            numbers = [number for number, _ in tiles_]
            found[numbers[0]] = numbers[-1] + 1
        return found

    def _hold_filters(self, numbers: range) -> None:
        """Filters that these tiles need again stay in what they leave of the buffer."""
        operation, (space, tiling, goal) = self.operation, self.holding
        if not isinstance(operation, ConvOperation):
            return
        jobs = []
        for number in numbers:
            parts = [self._operand(index, number, dry=True) for index in range(len(self.feeds))]
            jobs.append((self.tiles[number], parts, self._surface(number, self.tiles[number])))
        counts = Counter(size_of(tile) for tile, _, _ in jobs)
        computing = sum(n * operation.cycles(size, self.beats) for size, n in counts.items())
        begin = max(space.top, self.places.end)
        end = space.limit(0)
        moves = tiling.moves.share(len(numbers), len(self.tiles))
        hold_filters(self.stream, goal, operation, jobs, (begin, end), self.beats, moves, computing)

    # ---- operands -------------------------------------------------------------------------------

    def _operand(self, index: int, number: int, *, dry: bool = False) -> Operand:
        """The part of an operand that a tile needs; unless `dry`, it is there then."""
        resident, feed = self.kept[index], self.feeds[index]
        if feed is None:
            assert resident is not None
            return resident
        return feed.part_of(number) if dry else feed.part(number)

    def _feed(self, index: int, tensor: int, slots: Slots, tiling: Tiling) -> Feed:
        boxes: list[Box] = []
        first: list[int] = []
        for number, tile in enumerate(self.tiles):
            reach = self.operation.reach(tile, index)
            if not boxes or reach != boxes[-1]:
                boxes.append(reach)
                first.append(number)
        places: Places = TurnPlaces(slots, boxes)
        if tiling.sliding and index == 0:
            places = SlidingPlaces(self.config, slots.first, tiling.sliding, boxes)
        return Feed(self.stream, tensor, places, first)

    # ---- results --------------------------------------------------------------------------------

    def _surface(self, number: int, tile: Box) -> Surface:
        resident = self.kept[-1]
        if resident is not None:
            return part_window(self.config, resident, tile)
        return self.places.surface(number, size_of(tile), raw=self.operation.raw)

    def _finish(self, results: list[ClusterPart]) -> None:
        """Stores the tile before; with one buffer, this one at once."""
        self._store()
        self.finished = results
        if self.places.count == 1:
            self.stream.computing = False
            self._store()

    def _store(self) -> None:
        for each in self.finished:
            self.stream.store(self.target, each.box, each.surface, each.cluster)
        self.finished = []


def _slots(space: Space, words: Sequence[int], counts: Sequence[int]) -> list[Slots]:
    """The buffers of every operand and of the output, after everything that is resident."""
    found: list[Slots] = []
    start = space.top
    for size, count in zip(words, counts, strict=True):
        found.append(Slots(space.config, start, size, count))
        start = found[-1].end
    return found
