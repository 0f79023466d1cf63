"""Host steps in NumPy, bit for bit as TensorFlow Lite Micro computes them; those of ONNX Runtime
are in `numerics.host.ort.arithmetic` and `numerics.host.ort.pool`.

The driver runs them between accelerator layers, the golden model runs the same ones. All derived
integers come with the step (`compiler.ir.host_steps` makes them), so that this module needs
nothing but arithmetic. The leading axis may hold any number of items.
"""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from hw.arch.errors import RowforgeError
from numerics import float32, gemmlowp, rounding
from numerics.gemmlowp import Ints
from numerics.registry import Array, host_step

Floats = npt.NDArray[np.float32]
Bytes: TypeAlias = npt.NDArray[np.int8] | npt.NDArray[np.uint8]
ByteType: TypeAlias = Literal["int8", "uint8"]

SUM_INTEGER_BITS = 12  # of the sum of exponentials, Q12.19
LOG_SOFTMAX_SHIFT = 31 - 5 - 4  # from Q5.26 to the output's 4 integer bits


def _int(value: int) -> Ints:
    return np.asarray(value, dtype=np.int64)


def _clamped(values: Ints, dtype: str) -> Array:
    limits = np.iinfo(dtype)
    return np.clip(values, limits.min, limits.max).astype(dtype)


@host_step
def quantise(x: Floats, *, scale: float, zero_point: int, dtype: str) -> Array:
    """float32 to integers: round(x / float32(scale)), half away, + zero_point, saturated."""
    ratio = (x / np.float32(scale)).astype(np.float64)
    bounded = np.clip(np.nan_to_num(ratio, nan=0.0), -(2.0**31), 2.0**31)
    rounded = np.trunc(bounded + np.copysign(0.5, bounded)).astype(np.int64)
    return _clamped(rounded + zero_point, dtype)


@host_step
def dequantise(x: Array, *, scale: float, zero_point: int) -> Floats:
    """Integers to float32: scale * (x - zero_point), the product in double."""
    return (scale * (x.astype(np.float64) - zero_point)).astype(np.float32)


@host_step
def rescale(
    x: Array,
    *,
    input_zero_point: int,
    rounding_mode: str,
    scale: float,
    multiplier: int,
    shift: int,
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
) -> Array:
    """Integers to integers of another quantisation, see `compiler.ir.ops.Rescale`.

    `scale` serves rounding mode ort, `multiplier` and `shift` serve tflm and single.
    """
    centred = x.astype(np.int64) - input_zero_point
    if rounding_mode == "tflm":
        scaled = rounding.scale_tflm(centred, _int(multiplier), _int(shift))
    elif rounding_mode == "single":
        scaled = rounding.scale_single(centred, _int(multiplier), _int(shift))
    elif rounding_mode == "ort":
        scaled = rounding.scale_ort(centred, np.asarray(scale, dtype=np.float32))
    else:
        raise RowforgeError(f"rounding must be tflm, ort or single, not {rounding_mode!r}")
    return np.clip(scaled + zero_point, low, high).astype(dtype)


@host_step
def mean(
    x: Array,
    *,
    axes: tuple[int, ...],
    offset: int,
    multiplier: int,
    shift: int,
    zero_point: int,
    dtype: str,
) -> Array:
    """Mean over `axes`, which vanish: the sum less `offset`, scaled with gemmlowp's roundings.

    The division by the number of values is part of the multiplier.
    """
    total = gemmlowp.wrap(x.astype(np.int64).sum(axis=tuple(axes)) - offset, 32)
    scaled = rounding.scale_tflm(total, _int(multiplier), _int(shift))
    return _clamped(scaled + zero_point, dtype)


@host_step
def mean_float(x: Floats, *, axes: tuple[int, ...]) -> Floats:
    """Mean of float32 values over `axes`, which vanish; the sum runs in float32 in memory order."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    shape = [x.shape[axis] for axis in kept]
    rows = x.transpose([*kept, *axes]).reshape(*shape, -1)
    return _row_sum(rows)[..., 0] / np.float32(rows.shape[-1])


def _scaled_differences(
    x: Array, multiplier: int, shift: int, least: int
) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Differences to the row's maximum, raw and in Q5.26, and which of them count."""
    values = x.astype(np.int64)
    difference = values - values.max(axis=-1, keepdims=True)
    scaled = gemmlowp.multiply_by_quantised_multiplier(
        np.maximum(difference, least), _int(multiplier), _int(shift)
    )
    return difference, scaled, difference >= least


def _sum_of_exponentials(exponentials: Ints, counts: npt.NDArray[np.bool_]) -> Ints:
    """Row sums in Q12.19 of Q0.31 numbers, over the entries that count."""
    rescaled = gemmlowp.rounding_divide_by_power(exponentials, _int(SUM_INTEGER_BITS))
    return np.asarray(np.where(counts, rescaled, 0).sum(axis=-1, keepdims=True))


@host_step
def softmax(x: Bytes, *, multiplier: int, shift: int, least: int, dtype: ByteType) -> Bytes:
    """Integer softmax over the last axis; the output's scale is 1/256, its zero point the lowest.

    `multiplier` and `shift` bring differences to Q5.26; differences below `least` yield 0.
    (TensorFlow Lite Micro aborts where a row's exponentials add up to 512 times the largest or
    more; here they go on to 4096.)
    """
    _, scaled, counts = _scaled_differences(x, multiplier, shift, least)
    exponentials = gemmlowp.exp_on_negative_values(scaled)
    inverse, over_unit = gemmlowp.reciprocal(
        _sum_of_exponentials(exponentials, counts), SUM_INTEGER_BITS
    )
    product = gemmlowp.doubling_high_multiply(inverse, exponentials)
    exponent = np.broadcast_to(over_unit + 31 - 8, product.shape)
    quotient = gemmlowp.rounding_divide_by_power(product, exponent)
    return _clamped(np.where(counts, quotient, 0) + np.iinfo(dtype).min, dtype)


@host_step
def log_softmax(
    x: Bytes,
    *,
    multiplier: int,
    shift: int,
    least: int,
    back_multiplier: int,
    back_shift: int,
    dtype: ByteType,
) -> Bytes:
    """Integer log-softmax over the last axis; the output's scale is 1/16, its zero point 127.

    `back_multiplier` and `back_shift` bring Q5.26 back to differences of stored values.
    """
    difference, scaled, counts = _scaled_differences(x, multiplier, shift, least)
    exponentials = gemmlowp.exp_on_negative_values(scaled)
    log_sum = gemmlowp.log_of_at_least_one(_sum_of_exponentials(exponentials, counts))
    smallest = gemmlowp.multiply_by_quantised_multiplier(
        log_sum + gemmlowp.INT32_MIN, _int(back_multiplier), _int(back_shift)
    )
    threshold = np.maximum(least - 1, smallest)
    limits = np.iinfo(dtype)
    rounded = gemmlowp.rounding_divide_by_power(scaled - log_sum, _int(LOG_SOFTMAX_SHIFT))
    return _clamped(np.where(difference > threshold, rounded + limits.max, limits.min), dtype)


def _row_sum(x: Floats) -> Floats:
    """Row sums accumulated in float32 from the first entry on, like a C loop."""
    return np.add.accumulate(x, axis=-1, dtype=np.float32)[..., -1:]


@host_step
def softmax_float(x: Floats, *, beta: float) -> Floats:
    """Softmax of float32 values over the last axis."""
    centred = (x - x.max(axis=-1, keepdims=True)) * np.float32(beta)
    exponentials = float32.exponential(centred)
    return exponentials / _row_sum(exponentials)


@host_step
def log_softmax_float(x: Floats) -> Floats:
    """Log-softmax of float32 values over the last axis."""
    centred = x - x.max(axis=-1, keepdims=True)
    total = _row_sum(float32.exponential(centred))
    return np.asarray(centred - float32.logarithm(total), dtype=np.float32)


@host_step
def lookup(x: Array, *, table: tuple[int, ...], dtype: str, least: int | None = None) -> Array:
    """The table's entry for every value; entry 0 belongs to the lowest value of the type.

    Raises `RowforgeError` if a value lies below `least`, for which the function is not defined.
    """
    if least is not None and x.min() < least:
        raise RowforgeError(f"RSQRT must get values of at least 0 (stored {least}), not {x.min()}")
    values = np.asarray(table, dtype=dtype)
    return values[x.astype(np.int64) - np.iinfo(x.dtype).min]


@host_step
def cast(x: Array, *, dtype: str) -> Array:
    """Conversion of values to another type."""
    return x.astype(dtype)


@host_step
def arg_tflm(x: Array, *, axes: tuple[int], largest: bool, dtype: str) -> Array:
    """Where the largest, or smallest, value lies along the one axis named, which vanishes.

    The first of several equal ones counts. A NaN at the start is never passed, others never count.
    """
    values = np.moveaxis(x if largest else -x.astype(np.float64), axes[0], -1)
    if values.dtype.kind == "f":
        stuck = np.isnan(values[..., :1])
        values = np.where(np.isnan(values), -np.inf, values)
        values = np.where(stuck, np.arange(values.shape[-1]) == 0, values)
    return np.asarray(values.argmax(axis=-1), dtype=dtype)
