"""Host steps of int16 tensors that TensorFlow Lite Micro computes by tables with interpolation.

Their zero points are 0. The tables depend on nothing but the functions, so that they are made once.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from numerics import float32
from numerics.gemmlowp import Ints, leading_zeros, multiply_by_quantised_multiplier
from numerics.registry import Array, host_step

Floats = npt.NDArray[np.float32]

_LIMITS = np.iinfo(np.int16)
_STEPS = 512  # of a table over all int16 values, which has one more entry for the end
_SIGMOID_ENTRIES = 256  # sigmoid(k / 24) as 16-bit fractions, for arguments that are not negative
_EXP_REACH = 10.0  # exp of what lies further below 0 counts as exp(-10)


def _half_away(x: Floats) -> Floats:
    return np.trunc(x + np.copysign(np.float32(0.5), x))


def _table(transform: Callable[[Floats], Floats], scale: float, zero_point: int) -> Ints:
    """A function of a scaled int16 value in steps of 2 / 65535, at every 128th value and the end.

    In float32. An entry gives way by half of what interpolation would err in the middle.
    """
    one = np.float32
    span, unit = one(scale), one(2.0) / one(65535)
    least, most = (span * one(end - zero_point) for end in (_LIMITS.min, _LIMITS.max))
    step = (most - least) / one(_STEPS)
    inverse = one(65536) / (unit * one(_LIMITS.max) - unit * one(_LIMITS.min))
    index = np.arange(_STEPS, dtype=np.float32)
    at, middle, after = (
        transform(point) * inverse
        for point in (
            least + index * step,
            least + index * step + step / one(2),
            least + (index + one(1)) * step,
        )
    )
    entry = _half_away(at)
    error = _half_away((after + entry) / one(2)) - _half_away(middle)
    last = _half_away(transform(np.asarray([most], dtype=np.float32)) * inverse)
    entries = np.concatenate([entry - _half_away(error / one(2)), last])
    return np.asarray(np.clip(entries, _LIMITS.min, _LIMITS.max), dtype=np.int64)


@lru_cache(maxsize=1)
def _exponential_table() -> Ints:
    """exp of -10 to 0."""
    return _table(
        float32.exponential, float(np.float32(_EXP_REACH) / np.float32(65535)), _LIMITS.max
    )


@lru_cache(maxsize=1)
def _reciprocal_table() -> Ints:
    """1 / (1 + x) of 0 to 1."""
    one = np.float32(1)
    return _table(lambda x: one / (one + x), float(one / np.float32(65535)), _LIMITS.min)


def _look_up(values: Ints, table: Ints) -> Ints:
    """The table between its entries, of int16 values."""
    index = 256 + (values >> 7)
    slope = table[index + 1] - table[index]
    return np.asarray(table[index] + ((slope * (values & 0x7F) + 64) >> 7))


@host_step
def softmax16(x: npt.NDArray[np.int16], *, multiplier: int, shift: int) -> npt.NDArray[np.int16]:
    """Softmax over the last axis of int16 values; the output has scale 1/32768.

    `multiplier` and `shift` bring differences to the row's maximum to steps of 10 / 65535.
    """
    values = x.astype(np.int64)
    difference = values - values.max(axis=-1, keepdims=True)
    scaled = multiply_by_quantised_multiplier(
        difference, np.asarray(multiplier, dtype=np.int64), np.asarray(shift, dtype=np.int64)
    )
    centred = np.clip(scaled + _LIMITS.max, _LIMITS.min, _LIMITS.max)
    exponentials = _look_up(centred, _exponential_table())
    total = exponentials.sum(axis=-1, keepdims=True)
    headroom = leading_zeros(total)
    # The sum as 1 + x with 16 bits of x, then centred as the table wants it.
    fraction = ((total << (headroom - 1)) + (1 << 13)) >> 14
    centred = np.clip(fraction - (1 << 15) - (1 << 16), _LIMITS.min, _LIMITS.max)
    reciprocal = _look_up(centred, _reciprocal_table())
    right = 31 - headroom
    result = (exponentials * reciprocal + (np.int64(1) << (right - 1))) >> right
    return np.asarray(np.clip(result, 0, _LIMITS.max), dtype=np.int16)


@lru_cache(maxsize=1)
def _sigmoid_table() -> Ints:
    """As `_table` has its entries: half of what a chord lacks in its middle is added."""
    step = 1 / 24
    at, middle, after = (
        65536 / (1 + np.exp(-(np.arange(_SIGMOID_ENTRIES) + part) * step)) for part in (0, 0.5, 1)
    )
    table = np.rint(at + (middle - (at + after) / 2) / 2)
    table[-1] = 65535
    return np.asarray(table, dtype=np.int64)


def _argument(x: Array, multiplier: int, shift: int) -> Ints:
    """x in steps of 1 / (3 * 4096); these never exceed 32 bits."""
    half = 1 << shift >> 1
    return np.asarray((x.astype(np.int64) * multiplier + half) >> shift)


def _sigmoid(magnitude: Ints, fraction_bits: int, most: int) -> Ints:
    """The table between its entries, with so many bits more; `most` beyond its end."""
    table = _sigmoid_table()
    index = np.minimum(magnitude >> fraction_bits, _SIGMOID_ENTRIES - 2)
    part = magnitude & ((1 << fraction_bits) - 1)
    inside = (table[index] << fraction_bits) + part * (table[index + 1] - table[index])
    beyond = magnitude >> fraction_bits >= _SIGMOID_ENTRIES - 1
    return np.where(beyond, most, inside)


@host_step
def logistic16(x: Array, *, multiplier: int, shift: int) -> Array:
    """LOGISTIC of int16 values; the output has scale 1/32768."""
    argument = _argument(x, multiplier, shift)
    value = _sigmoid(np.abs(argument), 9, 0x7FFF << 10)
    value = np.where(argument >= 0, value + (1 << 9), (1 << 25) - value + (1 << 9) - 1)
    return (value >> 10).astype(np.int16)


@host_step
def tanh16(x: Array, *, multiplier: int, shift: int) -> Array:
    """TANH of int16 values, 2 sigmoid(2x) - 1; the output has scale 1/32768."""
    argument = _argument(x, multiplier, shift)
    value = _sigmoid(np.abs(argument), 8, 0xFFFF << 8) - (1 << 23)
    value = np.where(argument >= 0, value + (1 << 7), -value + (1 << 7) - 1)
    return (value >> 8).astype(np.int16)


@host_step
def leaky_relu16(
    x: Array, *, positive: tuple[int, int], negative: tuple[int, int], sign: int
) -> Array:
    """LEAKY_RELU of int16 values: a multiplier and shift for each sign.

    `sign` is that of the slope of negative values, whose multiplier is its magnitude.
    """
    values = x.astype(np.int64)
    above, below = (
        multiply_by_quantised_multiplier(
            values, np.asarray(multiplier, dtype=np.int64), np.asarray(shift, dtype=np.int64)
        )
        for multiplier, shift in (positive, negative)
    )
    result = np.where(values >= 0, above, sign * below)
    return np.clip(result, _LIMITS.min, _LIMITS.max).astype(np.int16)
