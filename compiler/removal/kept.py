"""Which channels stay: the least set that every operator can do with."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from compiler.ir.graph import Graph
from compiler.ir.ops import Concat, Conv, Node
from compiler.removal.channels import by_channel, channels_of
from compiler.removal.known import Known, unpadded
from compiler.removal.products import reads, tap_sums
from compiler.removal.readers import demands
from numerics.gemmlowp import INT32_MAX, INT32_MIN
from numerics.quantisation import WindowStage

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
_ACCUMULATOR_BITS = 32


class Kept:
    """The channels of a graph's tensors that stay.

    Begins with those that must stay whatever their readers do, and adds what operators need for
    what stays after them, until nothing is added. Operators that tie channels of several tensors
    together (sums, pools, depthwise convolutions, ...) keep all of them or none.

    Parameters
    ----------
    graph : Graph
    known : what is known of its channels
    lanes : channels of a buffer word: what stays of a tensor is whole words, as far as it has them
    psum_width : bits to which psums wrap, None where they do not
    keep_all : the host reads every tensor
    """

    def __init__(
        self,
        graph: Graph,
        known: dict[str, Known],
        *,
        lanes: int,
        psum_width: int | None,
        keep_all: bool,
    ) -> None:
        self.graph, self.known = graph, known
        self.flags: dict[str, Flags] = {}
        self._lanes, self._psum_width = lanes, psum_width
        self._reads = {n.output: reads(n) for n in graph.nodes if isinstance(n, Conv)}
        self._stuck: set[str] = set()  # outputs of layers that cannot take a sum into their bias
        asked = demands(graph, keep_all=keep_all)
        made = {node.output for node in graph.nodes if by_channel(graph, node)}
        for key, tensor in graph.tensors.items():
            free = key in made or (tensor.data is not None and channels_of(tensor))
            whole = key in asked.whole or not free
            flags = np.full(channels_of(tensor), whole)
            if key in asked.host:
                flags |= ~known[key].flags
            self.flags[key] = flags
        self._settle()

    def __getitem__(self, key: str) -> Flags:
        return self.flags[key]

    def _settle(self) -> None:
        self._spread()
        while self._overflow() or self._restore():
            self._spread()

    def _spread(self) -> None:
        """Adds until nothing is missing."""
        nodes = [node for node in self.graph.nodes if by_channel(self.graph, node)]
        count = -1
        while count != (count := self._count()):
            for node in reversed(nodes):
                self._need(node)

    def _need(self, node: Node) -> None:
        ours = self.flags[node.output]
        sources = [self.flags[key] for key in node.inputs]
        if isinstance(node, Conv) and node.groups == 1:
            sources[0] |= self._needed_by(node, ours)
            if ours.any() and not sources[0].any():
                sources[0][0] = True  # a layer has a channel to read
        elif isinstance(node, Conv):
            self._tie_groups(node, sources[0], ours)
        elif self._joins_channels(node):
            ends = np.cumsum([0, *(len(flags) for flags in sources)])
            for flags, (first, end) in zip(sources, pairwise(ends), strict=True):
                _tie([flags, ours[first:end]])
        else:
            _tie([*sources, ours])

    def _needed_by(self, node: Conv, filters: Flags) -> Flags:
        """Input channels that these filters read and that are not part of the bias."""
        read = self._reads[node.output][filters].any(axis=0)
        return read & ~self.foldable(node)

    def foldable(self, node: Conv) -> Flags:
        """Input channels [C] whose part of the sums may be part of the bias."""
        source = self.known[node.inputs[0]]
        zero = source.flags & (source.values == node.input_zero_point)
        return zero if self._must_sum(node) else unpadded(node, source)

    def _must_sum(self, node: Conv) -> bool:
        """Whether psums must be all of the sum: since they wrap, or the bias cannot hold more."""
        if node.output in self._stuck:
            return True
        narrow = self._psum_width is not None and self._psum_width < _ACCUMULATOR_BITS
        wraps = self._psum_width is not None and isinstance(node.stage, WindowStage)
        return narrow or wraps

    def _tie_groups(self, node: Conv, source: Flags, ours: Flags) -> None:
        """A depthwise channel stays with its filters; larger groups all stay or none does."""
        groups = node.groups if node.weights.shape[3] == 1 else 1
        stay = source.reshape(groups, -1).any(axis=1) | ours.reshape(groups, -1).any(axis=1)
        source |= stay.repeat(len(source) // groups)
        ours |= stay.repeat(len(ours) // groups)

    # ---- exceptions -----------------------------------------------------------------------------

    def _overflow(self) -> bool:
        """Notes layers whose bias leaves 32 bits with what is folded into it; whether there are."""
        found = {
            node.output
            for node in self.graph.nodes
            if isinstance(node, Conv) and by_channel(self.graph, node) and node.groups == 1
            if node.output not in self._stuck and not _within_bias(self.bias(node))
        }
        self._stuck |= found
        return bool(found)

    def bias(self, node: Conv) -> Ints:
        """[M]: the bias with the sums of the channels that go, for filters that stay."""
        known, flags = self.known[node.inputs[0]], self.flags[node.inputs[0]]
        gone = ~flags & known.flags
        sums = tap_sums(node, known.values, gone, self.flags[node.output])
        return np.asarray(node.bias + sums.sum(axis=(1, 2)))

    def _restore(self) -> bool:
        """Takes channels back that would only leave lanes empty; whether there were any.

        Operands of a concatenation then also begin at whole words, if they did so before.
        """
        before = self._count()
        for key, flags in self.flags.items():
            if not self._joins_channels(self.graph.producer(key)):
                missing = -int(flags.sum()) % self._lanes
                flags[np.flatnonzero(~flags)[:missing]] = True
        return before != self._count()

    def _joins_channels(self, node: Node | None) -> bool:
        return isinstance(node, Concat) and node.axis == len(self._shape(node.output)) - 1

    def _count(self) -> int:
        return sum(int(flags.sum()) for flags in self.flags.values())

    def _shape(self, key: str) -> tuple[int, ...]:
        return self.graph.tensors[key].shape


def _tie(flags: list[Flags]) -> None:
    together = np.logical_or.reduce(flags)
    for each in flags:
        each |= together


def _within_bias(bias: Ints) -> bool:
    return bool(bias.min() >= INT32_MIN and bias.max() <= INT32_MAX)
