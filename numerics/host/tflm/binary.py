"""Host steps of two tensors, bit for bit as TensorFlow Lite Micro computes them.

The operands are broadcast to each other as in NumPy. Stored values are centred (less their zero
points) in 64-bit integers; a pair (multiplier, shift) is a number of `numerics.quantisation`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hw.arch.errors import RowforgeError
from numerics.gemmlowp import (
    Ints,
    doubling_high_multiply,
    leading_zeros,
    multiply_by_quantised_multiplier,
    reciprocal,
    rounding_divide_by_power,
    wrap,
)
from numerics.registry import Array, host_step

Factor = Sequence[int]  # multiplier, shift


def _scaled(values: Ints, factor: Factor) -> Ints:
    multiplier, shift = (np.asarray(number, dtype=np.int64) for number in factor)
    return multiply_by_quantised_multiplier(values, multiplier, shift)


def _centred(x: Array, zero_point: int) -> Ints:
    return x.astype(np.int64) - zero_point


def _terms(
    a: Array,
    b: Array,
    zero_points: Sequence[int],
    left_shift: int,
    factors: Sequence[Factor],
) -> list[Ints]:
    """a and b, less their zero points, shifted left and scaled by the first two factors."""
    return [
        _scaled(_centred(x, zero) << left_shift, factor)
        for x, zero, factor in zip((a, b), zero_points, factors, strict=False)
    ]


def _difference(
    a: Array,
    b: Array,
    zero_points: Sequence[int],
    left_shift: int,
    factors: Sequence[Factor],
) -> Ints:
    """a - b of what `_terms` makes of them."""
    left, right = _terms(a, b, zero_points, left_shift, factors)
    return left - right


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
    difference = _difference(a, b, zero_points, left_shift, factors)
    return np.clip(_scaled(difference, factors[2]) + zero_point, low, high).astype(dtype)


@host_step
def add_tflm(
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
    """a + b, otherwise as `subtract_tflm`."""
    left, right = _terms(a, b, zero_points, left_shift, factors)
    return np.clip(_scaled(left + right, factors[2]) + zero_point, low, high).astype(dtype)


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
    square = _difference(a, b, zero_points, left_shift, factors) ** 2
    return np.clip(_scaled(square, factors[2]) + zero_point, low, high).astype(dtype)


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


@host_step
def divide_tflm(
    a: Array,
    b: Array,
    *,
    zero_points: Sequence[int],
    factor: Factor,
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
) -> Array:
    """a / b by a reciprocal in fixed point, scaled by the factor.

    A quotient so small that the kernel shifts by more than 31 bits, which C does not define (x86
    yields the ends of the range), rounds to 0. Raises `RowforgeError` for a divisor of 0.
    """
    left, right = _centred(a, zero_points[0]), _centred(b, zero_points[1])
    if not right.all():
        raise RowforgeError(f"DIV must not divide by 0 (stored {zero_points[1]})")
    left, right = left * np.sign(right), np.abs(right)
    inverse, over_unit = reciprocal(right, 31)
    headroom = np.where(left == 0, 31, leading_zeros(np.where(left < 0, ~left, left) | 1) - 1)
    headroom = np.where(np.isin(left, (0, -1)), 31, headroom)
    quotient = doubling_high_multiply(left << headroom, inverse)
    multiplier, shift = factor
    product = doubling_high_multiply(quotient, np.asarray(multiplier, dtype=np.int64))
    exponent = np.minimum(over_unit + headroom - shift, 62)
    result = rounding_divide_by_power(product, exponent)
    return np.asarray(np.clip(result + zero_point, low, high), dtype=dtype)


_INTEGER: dict[str, Callable[[Array, Array], Any]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "FLOOR_DIV": np.floor_divide,
}


@host_step
def arithmetic_integer(a: Array, b: Array, *, kind: str) -> Array:
    """ADD, SUB, MUL or FLOOR_DIV of bare integers, which wrap to their type.

    Raises `RowforgeError` for a divisor of 0.
    """
    if kind not in _INTEGER:
        raise RowforgeError(f"kind must be one of {', '.join(_INTEGER)}, not {kind!r}")
    if kind == "FLOOR_DIV" and not b.all():
        raise RowforgeError("FLOOR_DIV must not divide by 0")
    with np.errstate(over="ignore"):
        return np.asarray(_INTEGER[kind](a, b), dtype=a.dtype)


_COMPARE: dict[str, Callable[[Array, Array], Any]] = {
    "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "LOGICAL_AND": np.logical_and,
    "LOGICAL_OR": np.logical_or,
}
_COMPARE_SHIFT = 8


@host_step
def compare_tflm(a: Array, b: Array, *, kind: str) -> Array:
    """EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, LOGICAL_AND or LOGICAL_OR."""
    if kind not in _COMPARE:
        raise RowforgeError(f"kind must be one of {', '.join(_COMPARE)}, not {kind!r}")
    return np.asarray(_COMPARE[kind](a, b))


@host_step
def compare_scaled(
    a: Array, b: Array, *, kind: str, zero_points: Sequence[int], factors: Sequence[Factor]
) -> Array:
    """The same of quantised numbers, shifted left by 8 and scaled by a factor each."""
    left, right = (
        _scaled(_centred(x, zero) << _COMPARE_SHIFT, factor)
        for x, zero, factor in zip((a, b), zero_points, factors, strict=True)
    )
    return compare_tflm(left, right, kind=kind)


@host_step
def select_tflm(condition: Array, a: Array, b: Array) -> Array:
    """a where the condition holds, else b."""
    return np.where(condition, a, b)


@host_step
def matmul_tflm(
    a: Array,
    b: Array,
    *,
    adjoint: Sequence[bool],
    zero_points: Sequence[int],
    factor: Factor,
    zero_point: int,
    dtype: str,
) -> Array:
    """Products of the matrices in the last two axes, of which `adjoint` ones are transposed."""
    limits = np.iinfo(dtype)
    left, right = (
        (x.swapaxes(-1, -2) if turned else x).astype(np.float64) - zero
        for x, turned, zero in zip((a, b), adjoint, zero_points, strict=True)
    )
    # Products of 9-bit numbers: float64 holds their sums exactly.
    sums = wrap((left @ right).astype(np.int64), 32)
    result = _scaled(sums, factor) + zero_point
    return np.asarray(np.clip(result, limits.min, limits.max), dtype=dtype)
