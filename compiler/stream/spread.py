"""Commands that clusters execute side by side, each its own: `Spread`."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple, TypeAlias, TypeVar

from compiler.stream.conv import ConvCommand
from compiler.stream.hazards import BufferAccess, HazardTracker, Span, Wait
from compiler.stream.routes import Router
from hw.arch.accesses import DataType
from hw.arch.program import Words
from hw.arch.routes import Rectangle

Command: TypeAlias = ConvCommand | Words

_SLICE = 32
"""Words of filters that a cluster is sent before the next one's turn comes: a part of what the
least prefetch FIFO of a preset holds."""


@dataclass(frozen=True, eq=False)
class Fill:
    """A command that fills a table.

    words : all of it; head : of them, header and descriptor; hidden : the array computes meanwhile
    """

    words: Words
    head: int
    data: DataType
    layer: int
    hidden: bool


@dataclass(frozen=True)
class Segment:
    """Commands of a cluster, and what fills tables for all of them before the first one."""

    fills: list[Fill] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


@dataclass
class Spread:
    """Commands by cluster, in the order in which each cluster executes them.

    segments : for each cluster
    share : names the filters that a cluster is sent: clusters of one share have equal ones
    """

    segments: list[list[Segment]]
    share: list[Hashable] = field(default_factory=list)

    @classmethod
    def empty(cls, clusters: int, share: Sequence[Hashable] = ()) -> "Spread":
        """Without commands."""
        return cls([[Segment()] for _ in range(clusters)], list(share) or list(range(clusters)))

    def append(self, cluster: int, command: Command) -> None:
        """A command of a cluster comes last."""
        self.segments[cluster][-1].commands.append(command)

    def fill(self, cluster: int, fill: Fill) -> None:
        """A table of a cluster is filled for the commands that come, and before those of now."""
        self.segments[cluster][-1].fills.append(fill)

    def cut(self, cluster: int) -> None:
        """Tables that come to be filled are in use by the cluster's commands of now."""
        self.segments[cluster].append(Segment())

    @property
    def turns(self) -> Iterator[tuple[list[dict[int, Fill]], list[dict[int, Command]]]]:
        """Of the first segments of all clusters, then of the second ones: fills and commands.

        Both are the first ones of all clusters, by cluster, then the second ones, and so on.
        """
        for segments in zip_longest(*self.segments, fillvalue=Segment()):
            fills = [segment.fills for segment in segments]
            commands = [segment.commands for segment in segments]
            yield _by_cluster(fills), _by_cluster(commands)


T = TypeVar("T")


def _by_cluster(each: Sequence[Sequence[T]]) -> list[dict[int, T]]:
    """The first things of all clusters, by cluster, the second ones, and so on."""
    return [
        {number: thing for number, thing in enumerate(turn) if thing is not None}
        for turn in zip_longest(*each)
    ]


class Stream(NamedTuple):
    """Filters for the clusters of a rectangle; `length` are their words, present or not."""

    target: Rectangle
    words: Words
    length: int


def filter_streams(router: Router, spread: Spread, convs: dict[int, ConvCommand]) -> list[Stream]:
    """What CONV commands that are executed side by side are sent.

    Clusters with equal filters are sent them together, as far as they form rectangles.
    """
    together: dict[Hashable, list[int]] = {}
    for number, conv in convs.items():
        if conv.length:
            # Zero weights of other channels, as estimates have them, count as other filters.
            key = spread.share[number], conv.payload.tobytes(), conv.length
            together.setdefault(key, []).append(number)
    return [
        Stream(target, convs[numbers[0]].payload, convs[numbers[0]].length)
        for numbers in together.values()
        for target in router.rectangles(numbers)
    ]


def interleaved(router: Router, streams: Sequence[Stream]) -> list[Words]:
    """The filters of several clusters, a slice of each in turn, so that all of them can compute.

    Of filters that are not there, as in a dry stream, the routes alone.
    """
    if len(streams) == 1:
        target, words, length = streams[0]
        return [router.words(target, words, length - len(words))]
    parts = []
    for first in range(0, max((each.length for each in streams), default=0), _SLICE):
        for target, words, length in streams:
            if first < length:
                part = words[first : first + _SLICE]
                size = min(_SLICE, length - first)
                parts.append(router.words(target, part, size - len(part)))
    return parts


class ClusterHazards:
    """What commands have to wait for, in the clusters that they are for.

    Each cluster has commands of its own under way; one header for several of them waits for what
    any of them must wait for.

    Attributes
    ----------
    target : the clusters that the next commands are for
    """

    def __init__(self, clusters: int) -> None:
        self.everyone: Sequence[int] = range(clusters)
        self.target: Sequence[int] = self.everyone
        self._each = [HazardTracker() for _ in range(clusters)]

    def _trackers(self) -> list[HazardTracker]:
        return [self._each[number] for number in self.target]

    def used(self) -> dict[Wait, tuple[Span, ...]]:
        """See `HazardTracker.used`; of the first cluster."""
        return self._each[0].used()

    def wait(self, access: BufferAccess) -> Wait:
        """See `HazardTracker.wait`."""
        return _strongest([tracker.wait(access) for tracker in self._trackers()])

    def wait_conv(self, access: BufferAccess) -> tuple[Wait, bool]:
        """See `HazardTracker.wait_conv`."""
        found = [tracker.wait_conv(access) for tracker in self._trackers()]
        return _strongest([wait for wait, _ in found]), any(sync for _, sync in found)

    def waited(self, wait: Wait) -> None:
        """A command with these flags has been emitted."""
        for tracker in self._trackers():
            tracker.waited(wait)

    def computed(self) -> None:
        """Every CONV of the target is done."""
        for tracker in self._trackers():
            tracker.computed()

    def conv(self, access: BufferAccess, *, synced: bool) -> None:
        """Records a CONV."""
        for tracker in self._trackers():
            tracker.conv(access, synced=synced)

    def store(self, access: BufferAccess) -> None:
        """Records a STORE."""
        for tracker in self._trackers():
            tracker.store(access)


def _strongest(waits: Sequence[Wait]) -> Wait:
    """The wait that holds for all of them."""
    if any(wait.fence for wait in waits):
        return Wait(fence=True)
    older = [wait.older for wait in waits if wait.older]
    return Wait(older=min(older, default=0), stored=any(wait.stored for wait in waits))
