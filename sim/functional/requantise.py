"""Accumulators to stored values, from the entries of the parameter memory."""

from collections.abc import Mapping

import numpy as np

from hw.arch.commands import Rounding
from hw.arch.program.layout import Ints
from numerics.gemmlowp import wrap
from numerics.rounding import scale_affine, scale_ort, scale_reduced, scale_single, scale_tflm
from sim.functional.errors import require

_FRACTION = 31
_SHORT_FRACTION = 15
_HIGH = 8  # bits of a bias above its 32, in mode SCALE16


def requantise(
    acc: Ints,
    bias: Ints,
    multiplier: Ints,
    addend: Ints,
    shift: Ints,
    output: Mapping[str, int],
) -> Ints:
    """Stored values of accumulators, or 32-bit ones in mode RAW.

    Parameters
    ----------
    acc : signed accumulators of any shape
    bias, multiplier, addend, shift : `PARAM` fields that broadcast to it
        `multiplier` is unsigned as stored, with the bits of a float32 scale in mode ORT; `addend`
        is 0 but in mode AFFINE, where it is at most the multiplier, and in mode SCALE16, where its
        low 8 bits count 2^32 each in the bias, which has 40 bits.
    output : mapping
        `OUTPUT` fields: mode, zero_point, low, high.

    Formulas: TFLM, ORT, SINGLE and AFFINE as in `numerics.rounding`; DIVIDE as in
    `hw.arch.reciprocal`; WIDE16 (acc + bias) / 2^-shift rounded half up; SCALE16
    (acc + bias) * multiplier / 2^(15 - shift) rounded half up, as in `numerics.rounding`.
    """
    mode = Rounding(output["mode"])
    if mode is Rounding.RAW:
        return wrap(acc + bias, 32)
    if mode is Rounding.AFFINE:
        _check_shift(shift, -31, 30)
        _check_addend(addend, multiplier)
        rounded = scale_affine(wrap(acc + bias, 32), multiplier, shift, addend)
    elif mode is Rounding.SCALE16:
        rounded = _scale16(acc, bias, multiplier, addend, shift)
    else:
        rounded = _scale(mode, acc, bias, multiplier, shift)
    result: Ints = np.clip(rounded + output["zero_point"], output["low"], output["high"])
    return result


def _scale16(acc: Ints, bias: Ints, multiplier: Ints, addend: Ints, shift: Ints) -> Ints:
    _check_shift(shift, -31, _SHORT_FRACTION)
    highest = int(multiplier.max(initial=0))
    require(highest < 1 << 16, f"a multiplier must be below 2^16 in mode SCALE16, not {highest}")
    whole = wrap(bias + (wrap(addend, _HIGH) << 32), 32 + _HIGH)
    return scale_reduced(acc + whole, multiplier, shift)


def _scale(mode: Rounding, acc: Ints, bias: Ints, multiplier: Ints, shift: Ints) -> Ints:
    if mode is Rounding.WIDE16:
        _check_shift(shift, -31, 0)
        half = np.where(shift < 0, np.int64(1) << np.maximum(-shift - 1, 0), 0)
        return (acc + bias + half) >> -shift
    if mode is Rounding.DIVIDE:
        _check_shift(shift, -31, 30)
        quotient = ((np.abs(acc) + bias) * multiplier) >> (_FRACTION - shift)
        signed: Ints = np.sign(acc) * quotient
        return signed
    total = wrap(acc + bias, 32)
    if mode is Rounding.ORT:
        return scale_ort(total, multiplier.astype(np.uint32).view(np.float32))
    if mode is Rounding.SINGLE:
        _check_shift(shift, -31, 30)
        return scale_single(total, multiplier, shift)
    _check_shift(shift, -31, 31)
    return scale_tflm(total, multiplier, shift)


def _check_addend(addend: Ints, multiplier: Ints) -> None:
    """The lane has a multiplier of 31 bits, and counts on an addend that does not exceed it."""
    highest = int(multiplier.max(initial=0))
    require(highest < 1 << 31, f"a multiplier must be below 2^31 in mode AFFINE, not {highest}")
    beyond = addend > multiplier
    bad = int(addend[beyond].max(initial=0))
    require(not beyond.any(), f"an addend must be at most its multiplier, not {bad}")


def _check_shift(shift: Ints, low: int, high: int) -> None:
    if shift.size and not low <= int(shift.min()) <= int(shift.max()) <= high:
        bad = int(shift.min()) if int(shift.min()) < low else int(shift.max())
        require(False, f"the shift of a parameter must be {low} to {high}, not {bad}")
