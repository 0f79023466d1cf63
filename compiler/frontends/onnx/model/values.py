"""The kinds of value that a tensor of an ONNX model can be while the model is converted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.layout import Layout, Shape
from compiler.ir.ops import Array

QUANTISE_REMEDY = "quantise the model first, with `rowforge quantize`"
EXPORT_REMEDY = "export the model again with fixed shapes"
EIGHT_BITS = ("int8", "uint8")
STORED_TYPES = (*EIGHT_BITS, "int16")
"""Of stored values that operators work on; `model.wide` has uint16 as int16."""

KNOWN = "its value is known when the model is read"


@dataclass(frozen=True)
class Scale:
    """real = scale * (stored - zero_point); the scale is float32."""

    scale: np.float32
    zero_point: int
    dtype: str

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the host's QuantizeLinear and DequantizeLinear."""
        return {"scale": (float(self.scale),), "zero_point": (self.zero_point,)}


@dataclass(frozen=True, eq=False)
class Activation:
    """A tensor of the graph and how the model's tensor lies in it."""

    key: str
    layout: Layout
    dtype: str

    @property
    def shape(self) -> Shape:
        """The model's shape."""
        return self.layout.shape


@dataclass(frozen=True, eq=False)
class Stored:
    """A float tensor of the model that is the dequantised form of stored integers."""

    activation: Activation
    scale: Scale


class Constants(dict[str, Array]):
    """Values known when the model is read, by name; large float ones are computed when asked for.

    A dequantised weight is four times as large as its integers, and seldom looked at.
    """

    def __init__(self, values: Mapping[str, Array]) -> None:
        super().__init__(values)
        self._deferred: dict[str, tuple[Shape, Callable[[], Array]]] = {}

    def defer(self, name: str, shape: Shape, compute: Callable[[], Array]) -> None:
        """Enters a value of this shape that `compute` yields."""
        self._deferred[name] = shape, compute

    def shape(self, name: str) -> Shape:
        """The shape of a value, which is not computed for that."""
        if name in self._deferred:
            return self._deferred[name][0]
        return tuple(self[name].shape)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._deferred

    def __missing__(self, name: str) -> Array:
        return self._deferred[name][1]()


@dataclass(frozen=True, eq=False)
class QuantisedConstant:
    """A float constant that is the dequantised form of integers.

    scale and zero_point are per tensor (length 1) or per slice along `axis`.
    """

    values: Array
    scale: Array
    zero_point: Array
    axis: int
