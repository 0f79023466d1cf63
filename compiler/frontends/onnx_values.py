"""The kinds of value that a tensor of an ONNX model can be while the model is converted."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.frontends.onnx_layout import Layout, Shape
from compiler.ops import Array

QUANTIZE_REMEDY = "quantise the model first, with `rowforge quantize`"
EXPORT_REMEDY = "export the model again with fixed shapes"
KNOWN = "its value is known when the model is read"
RELABELLED = "the same values under another shape"


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


@dataclass(frozen=True, eq=False)
class QuantisedConstant:
    """A float constant that is the dequantised form of integers.

    scale and zero_point are per tensor (length 1) or per slice along `axis`.
    """

    values: Array
    scale: Array
    zero_point: Array
    axis: int
