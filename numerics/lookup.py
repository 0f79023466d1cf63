"""Functions of one 8-bit value as tables of 256, entry by entry as TensorFlow Lite Micro computes.

The reference kernels compute each element by itself in fixed point; doing so once for every
possible input is the same arithmetic. All tables are for int8 in and out.
"""

from math import floor, sqrt

import numpy as np
import numpy.typing as npt

from hw.arch.errors import RowforgeError
from numerics.float32 import exponential
from numerics.gemmlowp import (
    Ints,
    inverse_square_root,
    logistic,
    multiply_by_quantised_multiplier,
    rounding_divide_by_power,
    saturate,
    tanh,
)
from numerics.quantisation import quantise_multiplier

Bools = npt.NDArray[np.bool_]

_LOW, _HIGH = -128, 127
_INTEGER_BITS = 4  # of the argument of the exponential functions, Q4.27
_LEAST_SCALE = 2.0**-26  # below it the kernel's shift is none of its int32
_LARGEST = 2.0**30  # of a table's entries before they are clamped
_ROOT_SHIFT = 20  # keeps fractions of a reciprocal square root
_MOST_SHIFT = 15  # of a 16-bit number


def _array(value: int) -> Ints:
    return np.asarray(value, dtype=np.int64)


def _centred(zero_point: int) -> Ints:
    return np.arange(_LOW, _HIGH + 1, dtype=np.int64) - zero_point


def _finished(values: Ints) -> tuple[int, ...]:
    return tuple(int(value) for value in np.clip(values, _LOW, _HIGH))


def logistic_table(scale: float, zero_point: int) -> tuple[int, ...]:
    """LOGISTIC; the output's scale is 1/256 and its zero point -128."""
    scaled, low, high = _exponential_argument(scale, zero_point)
    result = rounding_divide_by_power(logistic(scaled), _array(31 - 8)) + _LOW
    return _finished(np.where(low, _LOW, np.where(high, _HIGH, result)))


def tanh_table(scale: float, zero_point: int) -> tuple[int, ...]:
    """TANH; the output's scale is 1/128 and its zero point 0."""
    scaled, low, high = _exponential_argument(scale, zero_point)
    result = rounding_divide_by_power(tanh(scaled), _array(31 - 7))
    return _finished(np.where(low, _LOW, np.where(high, _HIGH, result)))


def _exponential_argument(scale: float, zero_point: int) -> tuple[Ints, Bools, Bools]:
    """Arguments in Q4.27, and which lie beyond the range at its lower and upper end."""
    if scale < _LEAST_SCALE:
        raise RowforgeError(f"its input scale must be at least 2^-26, not {scale!r}")
    values = _centred(zero_point)
    real = scale * 2.0 ** (31 - _INTEGER_BITS)
    multiplier, shift = quantise_multiplier(real)
    largest = ((1 << _INTEGER_BITS) - 1) * 2.0 ** (31 - _INTEGER_BITS)
    radius = floor(largest / 2.0**shift)
    low, high = values <= -radius, values >= radius
    inside = np.where(low | high, 0, values)
    scaled = multiply_by_quantised_multiplier(inside, _array(multiplier), _array(shift))
    return scaled, low, high


def leaky_relu_table(
    scale: float, zero_point: int, output_scale: float, output_zero_point: int, alpha: float
) -> tuple[int, ...]:
    """LEAKY_RELU: one multiplier for each sign."""
    slope = scale * float(np.float32(alpha)) / output_scale
    identity = scale / output_scale
    values = _centred(zero_point)
    negative, positive = (_scaled(values, real) for real in (slope, identity))
    return _finished(np.where(values >= 0, positive, negative) + output_zero_point)


def abs_table(
    scale: float, zero_point: int, output_scale: float, output_zero_point: int
) -> tuple[int, ...]:
    """ABS, scaled where the scales differ."""
    values = np.abs(_centred(zero_point))
    if scale != output_scale:
        values = _scaled(values, scale / output_scale)
    return _finished(values + output_zero_point)


def rsqrt_table(
    scale: float, zero_point: int, output_scale: float, output_zero_point: int
) -> tuple[int, ...]:
    """RSQRT of values from the zero point on, which itself yields the largest; 0 for others."""
    multiplier, shift = quantise_multiplier(1.0 / (sqrt(scale) * output_scale))
    if multiplier == 0 or not _ROOT_SHIFT - 31 <= shift <= 31:
        raise RowforgeError(
            f"its scales {scale!r} and {output_scale!r} are beyond the kernel's 32-bit arithmetic"
        )
    values = _centred(zero_point)
    root, root_shift = inverse_square_root(np.maximum(values, 0))
    one = np.ones_like(values)
    fine = multiply_by_quantised_multiplier(one, root, root_shift + _ROOT_SHIFT)
    back = _array(shift - _ROOT_SHIFT)
    result = multiply_by_quantised_multiplier(fine, _array(multiplier), back) + output_zero_point
    return _finished(np.where(values > 0, result, np.where(values == 0, _HIGH, 0)))


def elu_table(
    scale: float, zero_point: int, output_scale: float, output_zero_point: int
) -> tuple[int, ...]:
    """ELU: x or exp(x) - 1 in float32, times the reciprocal of the output's scale."""
    real = np.float32(scale) * _centred(zero_point).astype(np.float32)
    one = np.float32(1)
    with np.errstate(over="ignore"):
        curved = np.where(real < 0, exponential(real) - one, real)
        steps = (curved * (one / np.float32(output_scale))).astype(np.float64)
    if not np.all(np.abs(steps) < _LARGEST):
        raise RowforgeError("its input scale must be below 2^23 times its output scale")
    return _finished(np.trunc(steps + np.copysign(0.5, steps)).astype(np.int64) + output_zero_point)


def rescaled_table(
    scale: float, zero_point: int, output_scale: float, output_zero_point: int
) -> tuple[int, ...]:
    """uint8 values in another quantisation, in float32, as CONCATENATION in TensorFlow Lite."""
    with np.errstate(over="ignore", invalid="ignore"):
        factor = np.float32(scale) * (np.float32(1) / np.float32(output_scale))
        offset = np.float32(-zero_point) * factor
        steps = (np.arange(256).astype(np.float32) * factor + offset).astype(np.float64)
    if not np.all(np.abs(steps) < _LARGEST):
        raise RowforgeError("its input scale must be below 2^22 times its output scale")
    rounded = np.trunc(steps + np.copysign(0.5, steps)).astype(np.int64) + output_zero_point
    return tuple(int(value) for value in np.clip(rounded, 0, 255))


def _scaled(values: Ints, real: float) -> Ints:
    if not abs(real) < 2.0**23:
        raise RowforgeError("its input scale must be below 2^23 times its output scale")
    multiplier, shift = quantise_multiplier(abs(real))
    multiplier = -multiplier if real < 0 else multiplier
    return multiply_by_quantised_multiplier(values, _array(multiplier), _array(shift))


def hard_swish_table(
    scale: float, zero_point: int, output_scale: float, output_zero_point: int
) -> tuple[int, ...]:
    """HARD_SWISH: x * relu6(x + 3) / 6 in 16-bit fixed point."""
    with np.errstate(over="ignore", under="ignore"):
        fine = np.float32(1.0 / 128.0) * np.float32(scale)
        to_output = float(fine / np.float32(output_scale))
        to_reluish = float(fine / (np.float32(3.0) / np.float32(32768.0)))
    output_multiplier, output_shift = _short_multiplier(to_output)
    reluish_multiplier, reluish_shift = _short_multiplier(to_reluish)
    if not (-_MOST_SHIFT <= output_shift <= 0 and abs(reluish_shift) <= _MOST_SHIFT):
        raise RowforgeError(
            f"its scales {scale!r} and {output_scale!r} are beyond the kernel's 16-bit arithmetic"
        )
    values = _centred(zero_point) << 7
    product = _short_high_multiply(values, output_multiplier)
    reluish = values
    if reluish_shift > 0:
        reluish = _short(reluish << (reluish_shift - 1))
    reluish = _short_high_multiply(reluish, reluish_multiplier)
    if reluish_shift > 0:
        reluish = _short(reluish << 1)
    if reluish_shift < 0:
        reluish = rounding_divide_by_power(reluish, _array(-reluish_shift))
    reluish = (reluish + (1 << 15)) >> 1
    # This product truncates towards zero.
    exact = reluish * product
    result = np.where(exact >= 0, exact >> 15, -((-exact) >> 15))
    result = rounding_divide_by_power(_short(result), _array(-output_shift))
    return _finished(result + output_zero_point)


def _short_multiplier(real: float) -> tuple[int, int]:
    """(16-bit multiplier, shift) of a real number below 2^31."""
    if not real < 2.0**31:
        raise RowforgeError("its input scale must be below 2^31 times its output scale")
    multiplier, shift = quantise_multiplier(real)
    rounded = int(saturate(_array(multiplier + (1 << 15)))) >> 16
    return min(rounded, (1 << 15) - 1), shift


def _short_high_multiply(a: Ints, b: int) -> Ints:
    """(a * b) / 2^15 rounded half up, 16 bits."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return _short(np.where(nudged >= 0, nudged >> 15, -((-nudged) >> 15)))


def _short(values: Ints) -> Ints:
    return np.clip(values, -(1 << 15), (1 << 15) - 1)
