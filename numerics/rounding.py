"""The ways from an accumulator to a scaled integer, before zero point and clamp.

All take int64 arrays whose last axis is the channel, values within int32 unless said otherwise, and
broadcast the per-channel parameters along it. They are the definition that gateware is compared
with; so is `add_fixed`, the addition of two tensors of different scales.
"""

import numpy as np
import numpy.typing as npt

from numerics.gemmlowp import Ints, multiply_by_quantised_multiplier
from numerics.quantisation import AddMultipliers


def scale_tflm(acc: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """gemmlowp's double rounding: see `multiply_by_quantised_multiplier`."""
    return multiply_by_quantised_multiplier(acc, multiplier, shift)


def scale_single(acc: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """One rounding, half up: floor(acc * multiplier / 2^(31 - shift) + 1/2), 31 - shift > 0."""
    total = np.maximum(31 - shift, 1).astype(np.int64)
    half = np.int64(1) << (total - 1)
    return (acc * multiplier + half) >> total


def scale_affine(acc: Ints, multiplier: Ints, shift: Ints, addend: Ints) -> Ints:
    """(acc * multiplier + addend) / 2^(31 - shift), ties to even, for 0 <= addend <= multiplier.

    The sum stays within 63 bits, since acc has 32, the multiplier 31, and 31 - shift is 1 to 62.
    """
    total = acc * multiplier + addend
    right = 31 - shift
    quotient = total >> right
    twice = (total - (quotient << right)) * 2 - (np.int64(1) << right)
    return np.asarray(quotient + ((twice > 0) | ((twice == 0) & (quotient & 1 == 1))))


def scale_reduced(acc: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """One rounding, half up, of a wide sum: floor(acc * multiplier / 2^(15 - shift) + 1/2).

    What TensorFlow Lite does to sums of 64 bits. `acc` may have 47 bits; the multiplier has 16 (see
    `quantisation.short_multipliers`), and 15 - shift is 0 to 46, so that 64 bits hold every term.
    """
    right = 15 - shift
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    return np.asarray((acc * multiplier + half) >> right)


def scale_ort(acc: Ints, scale: npt.NDArray[np.float32]) -> Ints:
    """rint(float32(acc) * float32(scale)), ties to even; saturated to +-2^40, far above a clamp."""
    product = acc.astype(np.float32) * scale
    bounded = np.clip(product.astype(np.float64), -(2.0**40), 2.0**40)
    return np.asarray(np.rint(bounded), dtype=np.int64)


def add_fixed(a: Ints, b: Ints, integers: AddMultipliers) -> Ints:
    """TensorFlow Lite's ADD of centred values: shifted left and scaled, added, scaled back."""

    def scaled(values: Ints, pair: tuple[int, int]) -> Ints:
        multiplier, shift = (np.asarray(number, dtype=np.int64) for number in pair)
        return multiply_by_quantised_multiplier(values, multiplier, shift)

    total = scaled(a << integers.left_shift, integers.first)
    total = total + scaled(b << integers.left_shift, integers.second)
    return scaled(total, integers.output)
