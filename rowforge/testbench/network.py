"""A small network of random weights, as large as a configuration takes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.compile import compile_graph
from compiler.ir.graph import Graph, Quantisation, Tensor
from compiler.ir.ops import Conv, Node, Pool, PoolKind
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from numerics.quantisation import Requant, RoundingRule, WindowStage

SEED = 1


class NoNetworkError(RowforgeError):
    """A configuration that takes not even the smallest network."""


# Height and width, channels, filters, taps along each side; the largest that compiles is taken.
_SIZES = ((6, 4, 8, 3), (5, 3, 4, 3), (4, 2, 2, 2), (3, 1, 2, 1), (2, 1, 1, 1))
_SIZES_OF_FIRMWARE = _SIZES[2:]  # which moves every word by itself: minutes on Icarus


def small_network(config: Config) -> tuple[Graph, Program]:
    """The network and its program, which brings every layer's output to the host.

    Raises `NoNetworkError`, with the reason for the smallest, if the configuration takes none.
    """
    for graph in _candidates(config):
        try:
            return graph, compile_graph(graph, config, CompileOptions(wrap=True, dump=True))
        except RowforgeError as error:
            reason = error
    raise NoNetworkError(f"no small network fits this configuration: {reason}") from None


def one_convolution(config: Config, side: int, channels: int, filters: int, taps: int) -> Graph:
    """A convolution of random weights, of a square input by square filters."""
    return _network(config, side, channels, filters, taps, depth=1)


def random_input(graph: Graph) -> NDArray[np.integer]:
    """Values of the whole range for the network's input."""
    spec = graph.tensors[graph.inputs[0]]
    limits = np.iinfo(spec.dtype)
    random = np.random.default_rng(SEED)
    return random.integers(limits.min, limits.max, spec.shape, dtype=spec.dtype, endpoint=True)


def _candidates(config: Config) -> Iterator[Graph]:
    sizes = _SIZES_OF_FIRMWARE if config.control.microcontroller else _SIZES
    for side, channels, filters, taps in sizes:
        for depth in (3, 2, 1):
            yield _network(config, side, channels, filters, taps, depth)


def _network(
    config: Config, side: int, channels: int, filters: int, taps: int, depth: int
) -> Graph:
    """Convolution; depthwise convolution; pooling (8 bits) and a pointwise convolution."""
    net = _Network(config)
    net.input(side, channels)
    net.conv("conv", filters, taps)
    if depth > 1:
        net.conv("depthwise", filters, taps, groups=filters)
    if depth > 2:
        if config.array.data_width == 8:
            net.pool("pool")
        net.conv("pointwise", filters, 1)
    return net.graph()


@dataclass
class _Network:
    """A chain of layers under construction."""

    config: Config
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(SEED)
        self._wide = self.config.array.data_width == 16
        self._dtype = "int16" if self._wide else "int8"
        self._limits = np.iinfo(self._dtype)
        self._last = "x"

    def input(self, side: int, channels: int) -> None:
        self._tensor("x", (1, side, side, channels))

    def conv(self, name: str, filters: int, taps: int, groups: int = 1) -> None:
        _, H, W, C = self.tensors[self._last].shape
        low, high = int(self._limits.min), int(self._limits.max)
        stage: Requant | WindowStage = WindowStage(window=8, shift=8)
        if not self._wide:
            scale = self._random.uniform(1e-3, 4e-3, filters)
            stage = Requant(
                scale=scale,
                rounding=RoundingRule.TFLM,
                zero_point=self._zero,
                low=low,
                high=high,
                dtype=self._dtype,
            )
        shape = (filters, taps, taps, C // groups)
        pad = (taps // 2, taps // 2, (taps - 1) // 2, (taps - 1) // 2)
        self._node(
            Conv(
                name=name,
                op="DEPTHWISE_CONV_2D" if groups > 1 else "CONV_2D",
                inputs=(self._last,),
                output=name,
                image=(H, W, C),
                weights=self._random.integers(low, high, shape, dtype=self._dtype, endpoint=True),
                weight_zero_point=np.zeros(1, dtype=np.int64),
                bias=self._random.integers(-1000, 1000, filters),
                input_zero_point=self._zero,
                pad=pad,
                groups=groups,
                stage=stage,
            ),
            (1, H, W, filters),
        )

    def pool(self, name: str) -> None:
        _, H, W, C = self.tensors[self._last].shape
        node = Pool(
            name=name,
            op="MAX_POOL_2D",
            inputs=(self._last,),
            output=name,
            image=(H, W, C),
            kind=PoolKind.MAX,
            window=(2, 2),
            stride=(2, 2),
            low=int(self._limits.min),
            high=int(self._limits.max),
            dtype=self._dtype,
        )
        self._node(node, (1, H // 2, W // 2, C))

    def graph(self) -> Graph:
        return Graph(
            name="testbench",
            tensors=self.tensors,
            nodes=tuple(self.nodes),
            inputs=("x",),
            outputs=(self._last,),
        )

    @property
    def _zero(self) -> int:
        return 0 if self._wide else -5

    def _node(self, node: Node, shape: tuple[int, int, int, int]) -> None:
        self.nodes.append(node)
        self._tensor(node.output, shape)
        self._last = node.output

    def _tensor(self, key: str, shape: tuple[int, int, int, int]) -> None:
        quantisation = Quantisation((1.0,), (self._zero,))
        self.tensors[key] = Tensor(
            name=key, key=key, shape=shape, dtype=self._dtype, quantisation=quantisation
        )
