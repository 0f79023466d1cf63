"""Collects random nodes into a graph."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from compiler.ir.graph import Graph, Quantisation, Tensor
from compiler.ir.ops import Node
from compiler.ir.padding import stored_padding
from hw.arch.config import Config
from numerics.quantisation import RoundingRule
from tests.campaigns.fuzz.values import rounding_mode, zero_point

Shape = tuple[int, ...]


class GraphBuilder:
    """A graph under construction.

    Attributes
    ----------
    rng : source of all that is random in the graph
    config : the configuration that it is for
    dtype : type of all activations
    rounding : mode of all output stages
    wrap : psums are meant to wrap
    size : 0 to 1, how large layers may be
    overflowing : share of convolutions whose psums are not made to fit `array.psum_width`
    zeroed : 16-bit values have zero points and are scaled in fixed point, as those of ONNX
    idle : share of convolutions some of whose filters are all zero, or that leave inputs unread
    zeros : zero point of every tensor by key
    """

    def __init__(
        self,
        rng: np.random.Generator,
        config: Config,
        dtype: str,
        *,
        wrap: bool,
        size: float,
        zeroed: bool = False,
    ) -> None:
        self.rng, self.config, self.dtype = rng, config, dtype
        self.wrap, self.size, self.zeroed = wrap, size, zeroed
        self.overflowing = 0.06
        self.idle = 0.0
        drawn = rounding_mode(rng)
        self.rounding: RoundingRule = RoundingRule.ORT if zeroed else drawn
        self.tensors: dict[str, Tensor] = {}
        self.zeros: dict[str, int] = {}
        self.nodes: list[Node] = []
        self.inputs: list[str] = []

    def scaled(self, most: int) -> int:
        """The largest size of an axis that may have `most` in a layer of full size."""
        return max(1, round(most * self.size))

    def shape(self, key: str) -> Shape:
        """Shape of a tensor."""
        return self.tensors[key].shape

    def input(self, shape: Shape) -> str:
        """A new input."""
        key = f"x{len(self.inputs)}"
        self.inputs.append(key)
        return self._tensor(
            key, shape, self.dtype, zero_point(self.rng, self.dtype, wide=self.zeroed)
        )

    def name(self) -> str:
        """The name of the next node."""
        return f"n{len(self.nodes)}"

    def add(self, node: Node, shape: Shape, zero: int = 0, dtype: str | None = None) -> str:
        """Appends a node with an output of this shape; returns the output's key."""
        self.nodes.append(node)
        return self._tensor(node.output, shape, dtype or self.dtype, zero)

    def names(self, op: str, *inputs: str) -> dict[str, Any]:
        """Name, type, inputs and output of the next node."""
        number = len(self.nodes)
        return {"name": self.name(), "op": op, "inputs": inputs, "output": f"y{number}"}

    def _tensor(self, key: str, shape: Shape, dtype: str, zero: int) -> str:
        quantisation = Quantisation((0.05,), (zero,))
        self.tensors[key] = Tensor(
            name=key, key=key, shape=shape, dtype=dtype, quantisation=quantisation
        )
        self.zeros[key] = zero
        return key

    def graph(self, name: str, also: Iterable[str] = ()) -> Graph:
        """The graph; every tensor that nobody reads is an output, and those of `also` are.

        Padding with 16-bit zero points is an operator of its own, as front ends leave it.
        """
        read = {key for node in self.nodes for key in node.inputs} - set(also)
        outputs = tuple(node.output for node in self.nodes if node.output not in read)
        graph = Graph(
            name=name,
            tensors=self.tensors,
            nodes=tuple(self.nodes),
            inputs=tuple(self.inputs),
            outputs=outputs,
            rounding=self.rounding,
        )
        return stored_padding(graph)
