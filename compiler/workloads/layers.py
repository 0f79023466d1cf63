"""Graphs of convolutions that are given by their shapes, with zero or with random weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from compiler.ir.graph import Graph, Quantisation, Tensor
from compiler.ir.ops import Conv
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, RoundingRule, WindowStage
from numerics.windows import output_size

_SCALE = Quantisation((1.0,), (0,))
_WINDOW = 8  # low bits that each 32-bit product of 16-bit layers loses
_INT8_SPREAD = 74.0  # standard deviation of a random int8
_OUTPUT_SPREAD = 40.0  # of random layers' int8 outputs: few saturate, all bits of psums count
_BIAS = 256  # random biases lie below this magnitude


@dataclass(frozen=True)
class LayerShape:
    """A convolution: H x W x C (W 0: as wide as high) to M channels by R x R windows."""

    name: str
    H: int
    C: int
    M: int
    R: int
    stride: int = 1
    pad: int = 0
    groups: int = 1
    W: int = 0

    @property
    def width(self) -> int:
        """Columns of the input."""
        return self.W or self.H

    @property
    def output(self) -> tuple[int, int]:
        """(E, F): output rows and columns."""
        E = output_size(self.H, self.R, self.stride, 1, 2 * self.pad)
        F = output_size(self.width, self.R, self.stride, 1, 2 * self.pad)
        return E, F

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one item, padding taps included."""
        E, F = self.output
        return E * F * self.M * self.R * self.R * self.C // self.groups


def layer_graph(
    name: str,
    layers: Sequence[LayerShape],
    *,
    data_width: int = 8,
    batch: int = 1,
    seed: int | None = None,
) -> Graph:
    """Layers one after another; one that does not fit its predecessor reads an input of its own.

    Parameters
    ----------
    name : of the graph
    layers : at least one
    data_width : 8 (int8 tensors) or 16
    batch : items of every tensor
    seed : None: weights are zeros that take no memory, for estimates only; a number: weights over
        the whole range of their type and biases, the same for the same layer name and seed
    """
    if batch < 1:
        raise RowforgeError(f"batch must be at least 1, not {batch}")
    dtype = "int8" if data_width == 8 else "int16"
    tensors: dict[str, Tensor] = {}
    nodes: list[Conv] = []
    inputs: list[str] = []
    before: tuple[int, ...] = ()
    for layer in layers:
        shape = (batch, layer.H, layer.width, layer.C)
        source = nodes[-1].output if shape == before else f"{layer.name}_in"
        if shape != before:
            inputs.append(source)
            tensors[source] = _tensor(source, shape, dtype)
        node = _node(layer, source, batch, data_width, seed)
        before = (batch, *node.output_image)
        tensors[node.output] = _tensor(node.output, before, dtype)
        nodes.append(node)
    read = {node.inputs[0] for node in nodes}
    return Graph(
        name=name,
        tensors=tensors,
        nodes=tuple(nodes),
        inputs=tuple(inputs),
        outputs=tuple(node.output for node in nodes if node.output not in read),
    )


def _tensor(key: str, shape: tuple[int, ...], dtype: str) -> Tensor:
    return Tensor(name=key, key=key, shape=shape, dtype=dtype, quantisation=_SCALE)


def _node(layer: LayerShape, source: str, batch: int, data_width: int, seed: int | None) -> Conv:
    weights, bias = _parameters(layer, data_width, seed)
    return Conv(
        name=layer.name,
        op="CONV",
        inputs=(source,),
        output=f"{layer.name}_out",
        image=(layer.H, layer.width, layer.C),
        batch=batch,
        weights=weights,
        weight_zero_point=np.zeros(1, dtype=np.int64),
        bias=bias,
        input_zero_point=0,
        stride=(layer.stride, layer.stride),
        pad=(layer.pad,) * 4,
        groups=layer.groups,
        stage=_stage(layer, data_width),
    )


def _parameters(layer: LayerShape, data_width: int, seed: int | None) -> tuple[Any, Any]:
    """(weights [M, R, S, C/G], bias [M])."""
    dtype: type[np.signedinteger[Any]] = np.int8 if data_width == 8 else np.int16
    shape = (layer.M, layer.R, layer.R, layer.C // layer.groups)
    if seed is None:
        return np.broadcast_to(np.zeros(1, dtype), shape), np.zeros(layer.M, dtype=np.int64)
    rng = np.random.default_rng([seed, *layer.name.encode()])
    limits = np.iinfo(dtype)
    weights = rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    return weights, rng.integers(-_BIAS, _BIAS, layer.M, endpoint=True)


def _stage(layer: LayerShape, data_width: int) -> Requant | WindowStage:
    """16 bits: every bit of a psum counts; 8 bits: random psums fill the range of outputs."""
    if data_width == 16:
        return WindowStage(window=_WINDOW, shift=0)
    products = layer.R * layer.R * layer.C // layer.groups
    scale = _OUTPUT_SPREAD / (_INT8_SPREAD**2 * sqrt(products))
    return Requant(
        scale=np.full(1, scale),
        rounding=RoundingRule.SINGLE,
        zero_point=0,
        low=-128,
        high=127,
        dtype="int8",
    )
