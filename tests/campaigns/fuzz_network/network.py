"""A random graph under construction: which tensors there are, and how large they may become."""

from collections.abc import Sequence
from math import ceil, prod

import numpy as np

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv
from tests.campaigns.fuzz.builder import GraphBuilder, Shape
from tests.campaigns.fuzz.convolutions import channel_count

_NEWEST = 0.55  # share of operators that read the tensor that came last
_LEAST, _USUAL, _MOST = 0.1, 4.0, 20.0  # sizes of tensors, as multiples of the buffer's words
_LARGE_SHARE = 0.25  # of graphs that begin with a tensor of more than `_USUAL` buffers


class Network:
    """The tensors and limits of a graph that grows operator by operator.

    Attributes
    ----------
    b : the graph under construction
    rng : its source of all that is random
    buffer : words that activations have in the global buffer
    live : tensors that may be read, the newest last
    also : tensors that are outputs although they are read
    """

    def __init__(self, b: GraphBuilder, *, work: int, most: float = _MOST) -> None:
        self.b, self.rng = b, b.rng
        self.buffer = b.config.act_banks * b.config.buffer.depth
        self.live: list[str] = []
        self.also: set[str] = set()
        self._most = most
        self._work = work
        self._usual = min(_USUAL, most)
        large = self.rng.random() < _LARGE_SHARE
        low, high = (self._usual, most) if large else (_LEAST, self._usual)
        self.scale = self.buffer * float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    # ---- tensors ------------------------------------------------------------------------------

    def shape(self, key: str) -> Shape:
        """Shape of a tensor."""
        return self.b.shape(key)

    def words(self, shape: Shape) -> int:
        """Buffer words of a tensor of this shape."""
        return prod(shape[:-1]) * ceil(shape[-1] / self.b.config.lanes)

    def fits(self, shape: Shape) -> bool:
        """Whether a tensor is no larger than tensors of this graph may be."""
        return self.words(shape) <= self._most * self.buffer

    def new_image(self) -> str:
        """A new input of about the graph's size."""
        channels = channel_count(self.b, 3 * self.b.config.lanes)
        batch = int(self.rng.choice([1, 1, 1, 2, 3]))
        blocks = ceil(channels / self.b.config.lanes)
        pixels = max(self.scale / (blocks * batch), 1.0)
        aspect = float(np.exp(self.rng.uniform(-1.2, 1.2)))
        height = max(round((pixels * aspect) ** 0.5), 1)
        width = max(round(pixels / height), 1)
        return self.add(self.b.input((batch, height, width, channels)))

    def new_input(self, shape: Shape) -> str:
        """A new input of a given shape."""
        return self.add(self.b.input(shape))

    def add(self, key: str, *, leaf: bool = False) -> str:
        """Takes a tensor among those that may be read, unless it is a leaf."""
        if not leaf and key not in self.live:
            self.live.append(key)
        return key

    def any(self, rank: int | None = None) -> str | None:
        """A tensor to read, often the newest; None if there is none of this rank."""
        found = [key for key in self.live if rank is None or len(self.shape(key)) == rank]
        if not found:
            return None
        if self.rng.random() < _NEWEST:
            return found[-1]
        return found[int(self.rng.integers(len(found)))]

    def like(self, shape: Sequence[int], *, but: int | None = None) -> list[str]:
        """Tensors of a shape, whatever their size along axis `but`."""
        return [
            key
            for key in self.live
            if len(self.shape(key)) == len(shape)
            and all(
                axis == but or mine == size
                for axis, (mine, size) in enumerate(zip(self.shape(key), shape, strict=True))
            )
        ]

    # ---- work ---------------------------------------------------------------------------------

    @property
    def spent(self) -> int:
        """Multiply-accumulates so far; groups are counted as if they were none."""
        return sum(
            node.macs * (node.groups if node.weights.shape[3] > 1 else 1)
            for node in self.b.nodes
            if isinstance(node, Conv)
        )

    @property
    def affordable(self) -> bool:
        """Whether the graph is no more work than it may be."""
        return self.spent <= self._work

    def graph(self, name: str) -> Graph:
        """The graph; tensors that nobody reads are outputs, and those that are meant to be."""
        return self.b.graph(name, also=sorted(self.also))
