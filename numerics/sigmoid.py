"""LOGISTIC and TANH of 16-bit numbers by TensorFlow Lite's table with interpolation.

The table has the sigmoid of i / 24 in 16 fractional bits. Between its entries results lie on
chords, which run below the curve; each entry is therefore raised by half of what a chord misses
the curve by at most, an eighth of the second derivative over a step.
"""

import numpy as np
import numpy.typing as npt

from numerics.gemmlowp import Ints

_ENTRIES, _STEPS_OF_ONE = 256, 24
_FRACTION_BITS = 15  # of results


def _table() -> Ints:
    x = np.arange(_ENTRIES) / _STEPS_OF_ONE
    sigmoid = 1.0 / (1.0 + np.exp(-x))
    curvature = sigmoid * (1 - sigmoid) * np.abs(1 - 2 * sigmoid) / _STEPS_OF_ONE**2
    entries = np.floor((sigmoid + curvature / 16) * 65536 + 0.5).astype(np.int64)
    entries[-1] = 65535
    return entries


_TABLE = _table()


def _interpolated(steps: Ints, bits: int) -> Ints:
    """The sigmoid of |steps| / 2^bits table steps, in 16 + bits fractional bits."""
    whole = np.minimum(steps >> bits, _ENTRIES - 2)
    lower, upper = _TABLE[whole], _TABLE[whole + 1]
    return np.asarray((lower << bits) + (steps & ((1 << bits) - 1)) * (upper - lower))


def logistic_short(x: npt.NDArray[np.integer]) -> Ints:
    """1 / (1 + exp(-x)) of numbers with 12 fractional bits, within 16 bits, with 15 of them."""
    tripled = x.astype(np.int64) * 3
    steps = np.abs(tripled)
    curve = np.where(steps >> 9 >= _ENTRIES - 1, 0x7FFF << 10, _interpolated(steps, 9))
    positive = curve + (1 << 9)
    return np.where(tripled >= 0, positive, (1 << 25) - curve + (1 << 9) - 1) >> 10


def tanh_short(x: npt.NDArray[np.integer], power: int = -12) -> Ints:
    """tanh(x * 2^power) of 16-bit numbers, with 15 fractional bits; power at least -42, at most 2.

    tanh(x) is 2 sigmoid(2x) - 1.
    """
    shift = power + _FRACTION_BITS - 3
    scaled = x.astype(np.int64) * 3
    if shift >= 0:
        scaled <<= shift
    else:
        scaled = (scaled + (1 << (-shift - 1))) >> -shift
    steps = np.abs(scaled)
    curve = np.where(steps >> 8 >= _ENTRIES - 1, 0xFFFF << 8, _interpolated(steps, 8))
    half, nudge = 1 << 23, 1 << 7
    signed = np.where(scaled >= 0, curve - half + nudge, half - curve + nudge - 1)
    return signed >> 8
