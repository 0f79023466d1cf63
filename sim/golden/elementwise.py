"""Additions, products, rescaling, padding and concatenation of stored values."""

from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.ir.ops import Add, Concat, Mul, Pad, Rescale
from numerics.quantisation import add_multipliers
from numerics.rounding import add_fixed
from sim.golden.requantise import requantise

Array = npt.NDArray[Any]


def add(node: Add, a: Array, b: Array) -> Array:
    """TensorFlow Lite's ADD: inputs shifted left by 20 and scaled, added, scaled back, clamped."""
    integers = add_multipliers(*node.scales, node.output_scale)
    first, second = (
        x.astype(np.int64) - zero_point
        for x, zero_point in zip((a, b), node.zero_points, strict=True)
    )
    result = add_fixed(first, second, integers) + node.output_zero_point
    return np.clip(result, node.low, node.high).astype(node.dtype)


def mul(node: Mul, a: Array, b: Array) -> Array:
    """stage((a - za) * (b - zb))."""
    za, zb = node.zero_points
    return requantise((a.astype(np.int64) - za) * (b.astype(np.int64) - zb), node.stage)


def rescale(node: Rescale, x: Array) -> Array:
    """stage(x - input_zero_point)."""
    return requantise(x.astype(np.int64) - node.input_zero_point, node.stage)


def concat(node: Concat, arrays: list[Array]) -> Array:
    """The arrays joined along the node's axis."""
    return np.concatenate(arrays, axis=node.axis)


def pad(node: Pad, x: Array) -> Array:
    """x with the node's constant around it."""
    return np.pad(x, node.pads, constant_values=node.value)
