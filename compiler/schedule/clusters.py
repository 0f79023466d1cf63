"""How the clusters share a tile: `Cut`, and the commands of a tile with its cut."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, lcm

from compiler.operators.operation import (
    Operand,
    Operation,
    OperationReport,
    Shape4,
    part_window,
    size_of,
    spans_of,
)
from compiler.schedule.parts.scattered import Scattered, sharing_cycles
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Box
from hw.arch.program.layout import channels_per_word

_AXES = (0, 1, 3)
"""Along which a tile is cut: items, output rows, output channels."""
_LETTERS = {0: "N", 1: "E", 3: "M"}
_CHANNELS = 3

_NEEDED = 0.5
"""Share of results that other clusters will need: it is known when later layers are cut."""


@dataclass(frozen=True)
class ClusterPart:
    """What a cluster computes of a tile."""

    cluster: int
    box: Box
    surface: Surface


@dataclass(frozen=True)
class Cut:
    """Along which axis of a tile the clusters of each axis of the mesh share it; None: not at all.

    Clusters of an axis that shares nothing stay idle, but for the first ones.
    """

    y: int | None
    x: int | None

    def text(self, config: Config) -> str:
        """How the report writes it, as in E2×M2."""
        if self.y == self.x and self.y is not None:
            return f"{_LETTERS[self.y]}{config.clusters.count}"
        counts = ((self.y, config.clusters.y), (self.x, config.clusters.x))
        return "×".join(f"{_LETTERS[axis]}{n}" for axis, n in counts if axis is not None)

    def boxes(self, config: Config, operation: Operation, tile: Box) -> dict[int, Box]:
        """The parts of a tile by cluster; clusters without one are left out."""
        clusters = config.clusters
        found = {}
        for y, x in product(range(clusters.y), range(clusters.x)):
            spans = list(spans_of(tile))
            for axis, number, count in self._shares(config, y, x):
                step = channel_grid(config, operation) if axis == _CHANNELS else 1
                begin, end = spans[axis]
                part = ceil(ceil((end - begin) / step) / count) * step
                spans[axis] = (begin + number * part, min(begin + (number + 1) * part, end))
            idle = (self.y is None and y > 0) or (self.x is None and x > 0)
            if not idle and all(begin < end for begin, end in spans):
                found[y * clusters.x + x] = Box(*spans)
        return found

    def _shares(self, config: Config, y: int, x: int) -> Iterator[tuple[int, int, int]]:
        """(axis of the tile, number of the cluster along it, clusters along it)."""
        clusters = config.clusters
        if self.y is not None and self.y == self.x:
            yield self.y, y * clusters.x + x, clusters.count
            return
        if self.y is not None:
            yield self.y, y, clusters.y
        if self.x is not None:
            yield self.x, x, clusters.x


@dataclass
class ClusterAccount:
    """What the clusters do for a layer beside what its operation reports.

    text : how the tiles are cut, "" where each cluster computes all of them
    cycles : what the layer takes less for it, with what it takes to share results out
    tiles, alone : of the layer; those that every cluster computes
    """

    text: str = ""
    cycles: int = 0
    tiles: int = 0
    alone: int = 0


def channel_grid(config: Config, operation: Operation) -> int:
    """Output channels at which the part of a cluster may begin: whole words of its own."""
    return lcm(operation.channel_step, channels_per_word(config, raw=operation.raw))


class TileSharing:
    """Emits the commands of tiles, each cluster its part of them.

    A tile that is not cut is computed by every cluster, so that all have its results. Of one that
    is cut, each cluster holds its own results, until others need them.

    Attributes
    ----------
    accounts : by layer
    scattered : who holds which results
    """

    def __init__(self, stream: StreamBuilder) -> None:
        self.stream, self.config = stream, stream.config
        self.accounts: dict[int, ClusterAccount] = {}
        self.scattered = Scattered(stream)
        # An operation is kept beside its cut: its id would else serve for a later one.
        self._cuts: dict[object, tuple[Operation, Cut | None]] = {}

    def emit(
        self,
        operation: Operation,
        tile: Box,
        parts: Sequence[Operand],
        target: Surface,
        psum_beats: int,
        *,
        stays: bool,
    ) -> list[ClusterPart]:
        """The commands of a tile; where its results are, if nobody needs all of them (`stays`)."""
        whole = [ClusterPart(0, tile, target)]
        if not self.config.clusters.several:
            operation.emit(self.stream, tile, parts, target, psum_beats)
            return whole
        account = self.accounts.setdefault(self.stream.layer, ClusterAccount())
        account.tiles += 1
        cut = self._cut(operation, tile, parts, psum_beats, stays)
        boxes = self._boxes(operation, tile, cut)
        account.cycles += self.scattered.bring(operation, parts, boxes)
        if cut is None:
            operation.emit(self.stream, tile, parts, target, psum_beats)
            account.alone += 1
            if stays:
                self.scattered.computed(tile, target)
            return whole
        account.text = cut.text(self.config)
        whole_ = Operand(tile, target)
        portions = [
            ClusterPart(cluster, box, part_window(self.config, whole_, box))
            for cluster, box in boxes.items()
        ]
        self._emit_cut(operation, parts, psum_beats, portions, account)
        if stays:
            for portion in portions:
                self.scattered.computed(portion.box, portion.surface, portion.cluster)
        return portions

    def _boxes(self, operation: Operation, tile: Box, cut: Cut | None) -> dict[int, Box]:
        """What each cluster computes of a tile."""
        if cut is None:
            return dict.fromkeys(range(self.config.clusters.count), tile)
        return cut.boxes(self.config, operation, tile)

    def _emit_cut(
        self,
        operation: Operation,
        parts: Sequence[Operand],
        psum_beats: int,
        portions: Sequence[ClusterPart],
        account: ClusterAccount,
    ) -> None:
        channels = {portion.cluster: portion.box.channels for portion in portions}
        share = [channels.get(n, ()) for n in range(self.config.clusters.count)]
        taken = []
        with self.stream.spread(share):
            for portion in portions:
                with self.stream.at(portion.cluster):
                    operation.emit(self.stream, portion.box, parts, portion.surface, psum_beats)
                taken.append(operation.cycles(size_of(portion.box), psum_beats))
        account.cycles += max(taken) - sum(taken)

    def shared(self, layer: int, report: OperationReport) -> OperationReport:
        """What the clusters take for a layer together, for which `report` counts every part once.

        Accesses are those of all clusters; of tiles of equal size that all compute, each counts.
        """
        account = self.accounts.get(layer)
        if account is None:
            return report
        whole = report.accesses
        more = whole.share((self.config.clusters.count - 1) * account.alone, account.tiles)
        mapping = {**report.mapping, "clusters": account.text or "all alike"}
        return replace(
            report,
            cycles=report.cycles + account.cycles,
            accesses=whole + more,
            mapping=mapping,
            reads=report.reads // self.config.clusters.count if account.text else report.reads,
        )

    def _cut(
        self, operation: Operation, tile: Box, parts: Sequence[Operand], beats: int, stays: bool
    ) -> Cut | None:
        """The best cut for a tile, None if it is best that all compute all."""
        state = self.scattered.state(parts)
        key = (id(operation), size_of(tile), beats, stays, state, tile if state else None)
        if key not in self._cuts:
            cut = best_cut(
                self.config,
                operation,
                tile,
                beats,
                stays=stays,
                bring=lambda boxes: self.scattered.bring(operation, parts, boxes, dry=True),
            )
            self._cuts[key] = (operation, cut)
        return self._cuts[key][1]


def best_cut(
    config: Config,
    operation: Operation,
    tile: Box,
    psum_beats: int,
    *,
    stays: bool,
    bring: Callable[[Mapping[int, Box]], int] = lambda boxes: 0,
) -> Cut | None:
    """The cut with which a tile takes the fewest cycles; None: no cut.

    stays : its results stay in the buffers
    bring : cycles to bring what clusters need for the boxes that they compute

    Raises `RowforgeError` if the tile has no legal mapping.
    """
    streamed = int(not config.buffer.weight_memory)  # else filters are taken to stay there
    everywhere = dict.fromkeys(range(config.clusters.count), tile)
    least: float = _cycles(operation, [size_of(tile)], streamed, psum_beats) + bring(everywhere)
    best = None
    seen = set()
    for y, x in product((None, *_AXES), repeat=2):
        cut = Cut(y, x)
        boxes = cut.boxes(config, operation, tile)
        shares = len({box.channels for box in boxes.values()})
        layout = tuple(boxes.items())
        if len(boxes) < 2 or layout in seen:
            continue
        seen.add(layout)
        try:
            sizes = [size_of(box) for box in boxes.values()]
            cycles = _cycles(operation, sizes, streamed * shares, psum_beats) + bring(boxes)
        except RowforgeError:
            continue  # another cut, or none, is legal
        needed = _NEEDED * sharing_cycles(config, boxes.values()) if stays else 0
        if cycles + needed < least:
            best, least = cut, cycles + needed
    return best


def _cycles(operation: Operation, parts: Sequence[Shape4], shares: int, psum_beats: int) -> int:
    """Of parts that are computed side by side; `shares` of them are sent filters of their own."""
    sizes = sorted(set(parts))
    computing = max(operation.cycles(size, psum_beats, rough=True) for size in sizes)
    sent = shares * max(operation.fetched(size, psum_beats).filters for size in sizes)
    return max(computing, sent)
