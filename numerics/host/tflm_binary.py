"""Host steps of two tensors, bit for bit as TensorFlow Lite Micro computes them.

The operands are broadcast to each other as in NumPy. Stored values are centred (less their zero
points) in 64-bit integers; a pair (multiplier, shift) is a number of `numerics.quantisation`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hw.arch.errors import RowforgeError
from numerics.gemmlowp import Ints, multiply_by_quantised_multiplier
from numerics.host.registry import Array, host_step

Factor = Sequence[int]  # multiplier, shift


def _scaled(values: Ints, factor: Factor) -> Ints:
    multiplier, shift = (np.asarray(number, dtype=np.int64) for number in factor)
    return multiply_by_quantised_multiplier(values, multiplier, shift)


def _centred(x: Array, zero_point: int) -> Ints:
    return x.astype(np.int64) - zero_point


@host_step
def subtract_tflm(
    a: Array,
    b: Array,
    *,
    zero_points: Sequence[int],
    left_shift: int,
    factors: Sequence[Factor],
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
) -> Array:
    """a - b: shifted left and scaled, subtracted, scaled back; factors of a, b and the result."""
    first, second, back = factors
    left = _scaled(_centred(a, zero_points[0]) << left_shift, first)
    right = _scaled(_centred(b, zero_points[1]) << left_shift, second)
    return np.clip(_scaled(left - right, back) + zero_point, low, high).astype(dtype)


@host_step
def squared_difference_tflm(
    a: Array,
    b: Array,
    *,
    zero_points: Sequence[int],
    left_shift: int,
    factors: Sequence[Factor],
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
) -> Array:
    """(a - b)^2, otherwise as `subtract_tflm`; the square wraps to 32 bits."""
    first, second, back = factors
    left = _scaled(_centred(a, zero_points[0]) << left_shift, first)
    right = _scaled(_centred(b, zero_points[1]) << left_shift, second)
    square = (left - right) ** 2
    return np.clip(_scaled(square, back) + zero_point, low, high).astype(dtype)


@host_step
def prelu_tflm(
    x: Array,
    alpha: Array,
    *,
    zero_points: Sequence[int],
    factors: Sequence[Factor],
    zero_point: int,
    dtype: str,
) -> Array:
    """x where it is not negative, else x * alpha; a factor for each of the two."""
    limits = np.iinfo(dtype)
    value = _centred(x, zero_points[0])
    product = value * _centred(alpha, zero_points[1])
    result = np.where(value >= 0, _scaled(value, factors[0]), _scaled(product, factors[1]))
    return np.asarray(np.clip(result + zero_point, limits.min, limits.max), dtype=dtype)


@host_step
def prelu_float(x: Array, alpha: Array) -> Array:
    """The same of float32 numbers."""
    return np.asarray(np.where(x >= 0, x, x * alpha), dtype=np.float32)


@host_step
def maximum_tflm(a: Array, b: Array) -> Array:
    """The larger of two stored values, b if neither is larger."""
    return np.where(a > b, a, b)


@host_step
def minimum_tflm(a: Array, b: Array) -> Array:
    """The smaller of two stored values, b if neither is smaller."""
    return np.where(a < b, a, b)


_FLOAT: dict[str, Callable[[Array, Array], Any]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "DIV": np.divide,
    "SQUARED_DIFFERENCE": lambda a, b: (a - b) * (a - b),
}


@host_step
def arithmetic_tflm(a: Array, b: Array, *, kind: str, low: float, high: float) -> Array:
    """ADD, SUB, MUL, DIV or SQUARED_DIFFERENCE of float32 numbers, then clamped."""
    if kind not in _FLOAT:
        raise RowforgeError(f"kind must be one of {', '.join(_FLOAT)}, not {kind!r}")
    with np.errstate(all="ignore"):
        result = np.asarray(_FLOAT[kind](a, b), dtype=np.float32)
    # The kernel's order of comparisons decides what becomes of NaN and of zeros of both signs.
    result = np.where(result < np.float32(low), np.float32(low), result)
    return np.where(np.float32(high) < result, np.float32(high), result)
