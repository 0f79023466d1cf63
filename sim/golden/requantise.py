"""Output stages: accumulators to stored values."""

from typing import Any

import numpy as np
import numpy.typing as npt

from numerics.gemmlowp import INT32_MAX, INT32_MIN, Ints, wrap
from numerics.quantisation import (
    Requant,
    RoundingRule,
    WindowStage,
    addends,
    float_scales,
    multipliers,
    short_multipliers,
)
from numerics.rounding import scale_ort, scale_single, scale_tflm

INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1


def requantise(acc: Ints, stage: Requant) -> npt.NDArray[Any]:
    """clamp(round(acc * scale) + zero_point) in the stage's mode; channels are the last axis.

    `acc` holds 32-bit values, of a wide stage any up to 47 bits, bias included. A RAW stage yields
    them as int32.
    """
    if stage.rounding is RoundingRule.RAW:
        return acc.astype(np.int32)
    channels = acc.shape[-1] if acc.ndim else 1
    if stage.channels == 1:
        channels = 1
    if stage.affine:
        scaled = _affine(acc, stage, channels)
    elif stage.wide:
        scaled = _reduced(acc, stage, channels)
    elif stage.rounding is RoundingRule.ORT:
        scaled = scale_ort(acc, float_scales(stage, channels))
    else:
        pair = multipliers(stage, channels)
        scale = scale_tflm if stage.rounding is RoundingRule.TFLM else scale_single
        scaled = scale(acc, pair.multiplier, pair.shift)
    # TensorFlow Lite Micro adds the zero point in int32; a sum that wraps is out of its contract.
    total = np.clip(scaled + stage.zero_point, INT32_MIN, INT32_MAX)
    return np.clip(total, stage.low, stage.high).astype(stage.dtype)


def _affine(acc: Ints, stage: Requant, channels: int) -> Ints:
    """The multiple of 1 nearest to (acc * multiplier + addend) / 2^right, the even one of two.

    Half a unit is added before the division is floored; a division without remainder then was a
    tie, which went up. Every term is below 2^62, so 64 bits hold the sum.
    """
    pair = multipliers(stage, channels)
    unit = np.int64(1) << (31 - pair.shift)
    nearest, left = np.divmod(acc * pair.multiplier + addends(stage, channels) + unit // 2, unit)
    return np.asarray(np.where(left == 0, nearest - nearest % 2, nearest))


def _reduced(acc: Ints, stage: Requant, channels: int) -> Ints:
    """The multiple of 1 nearest to acc * multiplier / 2^right, the upper one of two.

    Split at the multiplier's binary point, so that no term is longer than the sum itself.
    """
    pair = short_multipliers(stage, channels)
    unit = np.int64(1) << (15 - pair.shift)
    whole, rest = np.divmod(acc, unit)
    quotient, left = np.divmod(rest * pair.multiplier, unit)
    return np.asarray(whole * pair.multiplier + quotient + (2 * left >= unit))


def add_bias(psum: Ints, bias: Ints, stage: Requant) -> Ints:
    """psum [..., M] + bias [M]; in 32 bits, wrapping like the accumulator, unless it is wide."""
    return psum + bias if stage.wide else wrap(psum + bias, 32)


def finish_window(psum: Ints, bias: Ints, stage: WindowStage) -> npt.NDArray[np.int16]:
    """16-bit output: psum [..., M] + bias [M] exactly, shift rounded half up, saturate, clamp."""
    total = psum + bias
    if stage.shift:
        total = (total + (1 << (stage.shift - 1))) >> stage.shift
    saturated = np.clip(total, INT16_MIN, INT16_MAX)
    return np.asarray(np.clip(saturated, stage.low, stage.high), dtype=np.int16)
