"""Host steps in NumPy, bit for bit as ONNX Runtime computes them on a CPU, in float32.

The leading axis may hold any number of items. Integers of other types than float32 wrap as in C.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics import mlas
from numerics.quantisation import integer_range
from numerics.registry import Array, host_step

Floats = npt.NDArray[np.float32]


def _sliced(values: tuple[Any, ...], dtype: npt.DTypeLike, axis: int, rank: int) -> Array:
    """One value, or one per slice along an axis, shaped to broadcast."""
    array = np.asarray(values, dtype=dtype)
    if array.size == 1:
        return array.reshape(())
    shape = [array.size if index == axis else 1 for index in range(rank)]
    return np.asarray(array.reshape(shape))


@host_step
def quantise_ort(
    x: Floats,
    *,
    scale: tuple[float, ...],
    zero_point: tuple[int, ...],
    dtype: str,
    axis: int = 0,
    low: int | None = None,
    high: int | None = None,
) -> Array:
    """rint(x / scale) + zero_point, ties to even, clamped; NaN becomes the lowest value."""
    lowest, highest = integer_range(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = x / _sliced(scale, np.float32, axis, x.ndim)
    zero = _sliced(zero_point, np.float64, axis, x.ndim)
    rounded = np.rint(ratio.astype(np.float64)) + zero
    bounded = np.fmin(np.fmax(rounded, lowest if low is None else low), highest)
    if high is not None:
        bounded = np.minimum(bounded, high)
    return np.asarray(bounded, dtype=dtype)


@host_step
def dequantise_ort(
    x: Array, *, scale: tuple[float, ...], zero_point: tuple[int, ...], axis: int = 0
) -> Floats:
    """float32(x - zero_point) * scale."""
    centred = x.astype(np.int64) - _sliced(zero_point, np.int64, axis, x.ndim)
    with np.errstate(over="ignore"):
        return np.asarray(centred.astype(np.float32) * _sliced(scale, np.float32, axis, x.ndim))


@host_step
def requantise_ort(
    x: Array,
    *,
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    dtype: str,
    low: int,
    high: int,
) -> Array:
    """DequantizeLinear, then QuantizeLinear with a clamp: scales and zero points of both."""
    real = dequantise_ort(x, scale=scales[:1], zero_point=zero_points[:1])
    return quantise_ort(
        real, scale=scales[1:], zero_point=zero_points[1:], dtype=dtype, low=low, high=high
    )


@host_step
def scale_sums(x: Array, *, scale: tuple[float, ...]) -> Floats:
    """float32(x) * scale, one scale for all columns or one for each."""
    with np.errstate(over="ignore"):
        return np.asarray(x.astype(np.float32) * np.asarray(scale, dtype=np.float32))


@host_step
def rearrange(x: Array, *, sizes: tuple[int, ...], order: tuple[int, ...]) -> Array:
    """Items of axes `sizes`: axis i of the result is axis order[i] of the input."""
    items = x.reshape(-1, *sizes)
    return np.ascontiguousarray(items.transpose(0, *(axis + 1 for axis in order)))


@host_step
def arithmetic(a: Array, b: Array, *, operator: str) -> Array:
    """Sum, difference, product or quotient of two tensors of one type, which broadcast."""
    with np.errstate(all="ignore"):
        result: Array = np.asarray(_ARITHMETIC[operator](a, b), dtype=a.dtype)
    return result


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    quotient = np.abs(a.astype(np.int64)) // np.maximum(np.abs(b.astype(np.int64)), 1)
    return np.asarray(np.where((a < 0) == (b < 0), quotient, -quotient))


_ARITHMETIC: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
}


@host_step
def clip(x: Array, *, low: float | None = None, high: float | None = None) -> Array:
    """x between two bounds of its own type; NaN stays, and so does a zero of the other sign."""
    if low is not None:
        lowest = np.asarray(low, dtype=x.dtype)
        x = np.where(x < lowest, lowest, x)
    if high is not None:
        highest = np.asarray(high, dtype=x.dtype)
        x = np.where(x > highest, highest, x)
    return x


@host_step
def add_dequantised(
    a: Array,
    b: Array,
    *,
    operator: str,
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    scale: float,
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
) -> Array:
    """DequantizeLinear of both, sum or product in float32, QuantizeLinear with a clamp."""
    first, second = (
        dequantise_ort(x, scale=(real,), zero_point=(zero,))
        for x, real, zero in zip((a, b), scales, zero_points, strict=True)
    )
    real = arithmetic(first, second, operator=operator)  # overflows to infinity, which saturates
    return quantise_ort(
        real, scale=(scale,), zero_point=(zero_point,), dtype=dtype, low=low, high=high
    )


@host_step
def add_qlinear(
    a: Array,
    b: Array,
    *,
    operator: str,
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    scale: float,
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
    exchanged: bool,
) -> Array:
    """QLinearAdd and QLinearMul as ONNX Runtime's kernels for x86 compute them.

    The sum is a * ratio_a + (b * ratio_b + rest) with fused multiply-adds; the two operands have
    changed places in it if they are `exchanged`. The product is (a - za) * (b - zb) times the ratio
    plus the output's zero point, where each operation is rounded to float32.
    """
    compute = _qlinear_product if operator == "Mul" else _qlinear_sum
    if exchanged:
        a, b, scales, zero_points = b, a, scales[::-1], zero_points[::-1]
    with np.errstate(all="ignore"):
        real = compute(a, b, scales, zero_points, np.float32(scale), np.float32(zero_point))
    return round_on_x86(real, low=low, high=high, dtype=dtype)


def round_on_x86(real: Floats, *, low: int, high: int, dtype: str) -> Array:
    """rint(real) as a 32-bit integer, then clamped, in kernels that do not clamp first.

    What does not fit 32 bits, infinities and NaN among it, x86 converts to the lowest integer.
    """
    rounded = np.rint(real)
    return np.clip(np.where(rounded < 2.0**31, rounded, low), low, high).astype(dtype)


def _qlinear_product(
    a: Array,
    b: Array,
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    scale: np.float32,
    zero_point: np.float32,
) -> Floats:
    ratio = np.float32(scales[0]) * np.float32(scales[1]) / scale
    centred = [x.astype(np.int32) - zero for x, zero in zip((a, b), zero_points, strict=True)]
    return np.asarray((centred[0] * centred[1]).astype(np.float32) * ratio + zero_point)


def _qlinear_sum(
    a: Array,
    b: Array,
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    scale: np.float32,
    zero_point: np.float32,
) -> Floats:
    first, second = (np.float32(real) / scale for real in scales)
    zeros = [np.float32(zero) for zero in zero_points]
    rest = zero_point - mlas.fused(first, zeros[0], second * zeros[1])
    inner = mlas.fused(b.astype(np.float32), second, rest)
    return mlas.fused(a.astype(np.float32), first, inner)


def _dynamic(x: Floats) -> tuple[np.float32, int]:
    """Scale and zero point of DynamicQuantizeLinear: the range of x and 0 over 0 ... 255.

    A zero point that is NaN, as of a range from -infinity, is 255.
    """
    low, high = mlas.value_range(x)
    low, high = np.minimum(low, np.float32(0)), np.maximum(high, np.float32(0))
    with np.errstate(all="ignore"):
        scale = np.float32(1.0) if low == high else np.float32((high - low) / np.float32(255))
        zero = np.float32(0) - low / scale
    return scale, int(np.rint(np.fmax(np.fmin(zero, np.float32(255)), np.float32(0))))


@host_step
def dynamic_scale(x: Floats) -> Floats:
    """The scale that DynamicQuantizeLinear finds."""
    return np.asarray(_dynamic(x)[0], dtype=np.float32)


@host_step
def dynamic_zero_point(x: Floats) -> Array:
    """The zero point that DynamicQuantizeLinear finds."""
    return np.asarray(_dynamic(x)[1], dtype=np.uint8)


@host_step
def dynamic_values(x: Floats) -> Array:
    """The values that DynamicQuantizeLinear stores."""
    scale, zero = _dynamic(x)
    return quantise_ort(x, scale=(float(scale),), zero_point=(zero,), dtype="uint8")


@host_step
def pad_ort(x: Array, *, pads: tuple[tuple[int, int], ...], value: float) -> Array:
    """x with a constant around it: (before, after) for each axis."""
    return np.pad(x, pads, constant_values=np.asarray(value, dtype=x.dtype))


@host_step
def concat_ort(*arrays: Array, axes: tuple[int]) -> Array:
    """The arrays joined along the one axis named."""
    return np.concatenate(arrays, axis=axes[0])


@host_step
def softmax_ort(x: Floats, *, columns: int) -> Floats:
    """Softmax over rows of `columns` values."""
    return mlas.softmax(x.reshape(-1, columns)).reshape(x.shape)


@host_step
def softmax_qlinear(x: Array, *, columns: int, scale: float, steps: int, zero_point: int) -> Array:
    """QLinearSoftmax over rows of `columns` values: float32 quotients from a table of exponentials.

    The table holds exp(-d * scale) for distances d to a row's maximum, times a factor that sums of
    `columns` of them can bear; `steps` is the reciprocal of the output's scale.
    """
    limits = np.iinfo(x.dtype)
    table = np.exp((softmax_peak(columns) / scale - np.arange(256)) * scale).astype(np.float32)
    rows = x.reshape(-1, columns).astype(np.int64)
    exponentials = table[rows.max(axis=-1, keepdims=True) - rows]
    total = np.add.accumulate(exponentials, axis=-1, dtype=np.float32)[:, -1:]
    quotient = np.rint(exponentials * np.float32(steps) / total) + zero_point
    bounded: Array = np.clip(quotient, limits.min, limits.max).astype(x.dtype)
    return bounded.reshape(x.shape)


def softmax_peak(columns: int) -> float:
    """The logarithm of the largest number in QLinearSoftmax's table for rows of this length."""
    largest = np.finfo(np.float32).max / np.float32(columns)
    return max(0.0, float(np.log(largest)) - 5.0)


@host_step
def cast_ort(x: Array, *, dtype: str) -> Array:
    """Conversion of values to another type."""
    with np.errstate(invalid="ignore"):
        return x.astype(dtype)
