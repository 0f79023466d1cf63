"""The output stage of a product: its scales, its integer bias and what that leaves over.

A bias that is a whole number of accumulator units in every channel stays an integer and the stage
computes as ONNX Runtime's integer operators do. Any other bias is split: its floor is the integer
bias, the rest the stage's offset, and the scale is the real one.
"""

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.values import Scale
from compiler.frontends.onnx.operators.chain import clamped
from compiler.frontends.onnx.products.product import Mac
from compiler.ir.ops import Array
from numerics.quantisation import Requant, RoundingRule, integer_range, quantise_multipliers

INT32 = integer_range("int32")
_UNIT = 2.0**-24  # the relative error of one float32 rounding
_MOST_SHIFT = 30
_LARGEST_PRODUCT = {8: 1 << 17, 16: 1 << 25}  # with a centred 8-bit weight, generously
_FAR = 2.0**20  # far beyond any clamp


@dataclass(frozen=True, eq=False)
class Stage:
    """An output stage and the integer bias of every channel, int64 [M].

    The sums of the channels `constant` must be 0: their bias is their result, less zero point.
    `magnitude`, float64 [M], adds up the absolute values of all that is added to a float32 sum.
    """

    requant: Requant
    bias: Array
    constant: Array
    magnitude: Array | None = None

    def silenced(self, filters: Array, zero_point: Array) -> Array:
        """Filters [M, ...] with the weights of constant channels at their zero points."""
        if not self.constant.any():
            return filters
        zero = zero_point.astype(filters.dtype).reshape(-1, *(1,) * (filters.ndim - 1))
        dead = self.constant.reshape(-1, *(1,) * (filters.ndim - 1))
        return np.where(dead, zero, filters)


def output_stage(
    builder: OnnxBuilder, mac: Mac, target: Scale | None, clamp: tuple[int, int] | None
) -> Stage:
    """The stage of a product whose output has this scale; without one, raw sums and their bias."""
    M = mac.channels
    with np.errstate(all="ignore"):
        total = _in_units(builder, mac, M)
        whole = np.floor(total)
        offset = total - whole
    wide = mac.scale.dtype == "int16"
    if target is None:
        if wide and _beyond(mac, whole, 0.0).any():
            _refuse_sums(builder, mac)
        if not np.array_equal(whole, total) or not _fits(whole).all():
            _refuse_bias(builder, mac)
        return Stage(Requant.raw(), whole.astype(np.int64), np.zeros(M, dtype=bool))
    clamp = clamp or integer_range(target.dtype)
    fixed = wide or target.dtype == "int16"
    beyond = _beyond(mac, whole, _room(mac, target) if fixed else 0.0)
    constants = _constants(builder, mac, whole, beyond, target, clamp) if beyond.any() else whole
    whole, offset = np.where(beyond, constants, whole), np.where(beyond, 0.0, offset)
    exact = fixed or offset.any()
    scale = _real_scale(mac, target) if exact else _float32_scale(mac, target)
    if beyond.any():
        scale = np.where(beyond, 1.0, np.broadcast_to(scale, (M,)))
    if not np.all(np.isfinite(scale)) or scale.max() >= 2.0**31 or scale.min() < 0:
        builder.refuse(
            mac.raw,
            "its input scales exceed 2^31 times its output scale",
            "calibrate the model again",
        )
    if offset.any():
        _check_offset(builder, mac, np.broadcast_to(scale, (M,)), whole, offset)
    requant = Requant(
        scale=scale,
        offset=offset if offset.any() else np.zeros(1),
        fixed=fixed,
        rounding=RoundingRule.ORT,
        zero_point=target.zero_point,
        low=clamp[0],
        high=clamp[1],
        dtype=target.dtype,
    )
    magnitude = None
    if mac.magnitude is not None:
        bias = np.zeros(1) if mac.bias is None else np.abs(mac.bias)
        with np.errstate(all="ignore"):
            magnitude = np.where(
                beyond, 0.0, bias + mac.magnitude / np.broadcast_to(mac.unit, (M,))
            )
    return Stage(requant, whole.astype(np.int64), beyond, magnitude)


def sums_fit(
    builder: OnnxBuilder, mac: Mac, target: Scale | None, clamp: tuple[int, int] | None
) -> bool:
    """Whether 32 bits hold every sum of a product that the array finishes, with all that is added.

    Without a target the sums alone count, and no bias. A channel that no input can change needs no
    sum.
    """
    if mac.scale.dtype != "int16" or not mac.float_sums:
        return True
    if target is None:
        return not _beyond(mac, np.zeros(mac.channels), 0.0).any()
    with np.errstate(all="ignore"):
        whole = np.floor(_in_units(builder, mac, mac.channels))
    beyond = _beyond(mac, whole, _room(mac, target))
    if not beyond.any():
        return True
    lowest, highest = _ends(mac, target, clamp or integer_range(target.dtype))
    return not np.any((lowest != highest) & beyond)


def _room(mac: Mac, target: Scale) -> Array:
    """What the output's zero point takes of an accumulator [1] or [M] where it is part of it."""
    with np.errstate(all="ignore"):
        return np.asarray(np.abs(target.zero_point) / _real_scale(mac, target))


def _in_units(builder: OnnxBuilder, mac: Mac, M: int) -> Array:
    """All that is added to the sums in units of the accumulator; float64 [M], infinite if so."""
    parts = []
    for part in (mac.bias, mac.addend):
        part = np.zeros(1) if part is None else part.reshape(-1)
        if part.size not in (1, M):
            builder.refuse(mac.raw, f"its bias has {part.size} values for {M} filters", "broadcast")
        if not np.all(np.isfinite(part)):
            builder.refuse(mac.raw, "its bias is not finite", "correct its constants")
        parts.append(np.broadcast_to(part, (M,)))
    unit = np.broadcast_to(mac.unit, (M,))
    # A channel without a unit, its factor being 0, is constant: no integer can be its bias.
    return np.where(unit > 0, parts[0] + parts[1] / unit, np.inf)


def _float32_scale(mac: Mac, target: Scale) -> Array:
    """Accumulator to output in ONNX Runtime's float32 arithmetic."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray((mac.accumulator_scale / target.scale).astype(np.float64))


def _real_scale(mac: Mac, target: Scale) -> Array:
    """Accumulator to output in float64: products of two float32 numbers are exact there."""
    return np.asarray(mac.unit / float(target.scale))


def _fits(whole: Array) -> Array:
    return np.isfinite(whole) & (whole >= INT32[0]) & (whole <= INT32[1])


def _beyond(mac: Mac, whole: Array, room: Array | float) -> Array:
    """Channels whose bias, or sum with it and with `room` on either side, leaves 32 bits.

    Operators on integers are defined to wrap there; sums of floats do not.
    """
    beyond: Array = ~_fits(whole)
    most = np.abs(whole[~beyond]).max(initial=0) + np.max(room)
    largest = _LARGEST_PRODUCT[16 if mac.scale.dtype == "int16" else 8]
    if not mac.float_sums or most + mac.terms * largest <= INT32[1]:
        return beyond
    low, high = mac.extremes()
    return np.asarray(beyond | ~_fits(whole + low - room) | ~_fits(whole + high + room))


def _constants(
    builder: OnnxBuilder,
    mac: Mac,
    whole: Array,
    beyond: Array,
    target: Scale,
    clamp: tuple[int, int],
) -> Array:
    """What the channels `beyond` 32 bits yield, less the zero point, if no input can change it."""
    lowest, highest = _ends(mac, target, clamp)
    if np.any((lowest != highest) & beyond):
        if mac.scale.dtype == "int16" and _fits(whole).all():
            _refuse_sums(builder, mac)
        _refuse_bias(builder, mac)
    return np.asarray(lowest - target.zero_point, dtype=np.float64)


def _ends(mac: Mac, target: Scale, clamp: tuple[int, int]) -> tuple[Array, Array]:
    """The lowest and the highest stored value [M] that each channel can have."""
    M = mac.channels
    low, high = mac.extremes() if mac.float_sums else (np.full(M, -np.inf), np.full(M, np.inf))
    bias = np.zeros(1) if mac.bias is None else mac.bias
    addend = np.zeros(1) if mac.addend is None else mac.addend
    unit, scale = np.broadcast_to(mac.unit, (M,)), float(target.scale)
    with np.errstate(all="ignore"):
        dead = (low == high) | (unit == 0)
        # ONNX Runtime divides this float32 number by its scale, and nothing else is rounded.
        alone = (addend + unit * bias).astype(np.float32) / target.scale
        ends = [
            (addend + np.where(dead, unit * bias, unit * (bias + sums))) / scale + slack
            for sums, slack in (
                (low, -_slack(mac, scale)),
                (high, _slack(mac, scale)),
            )
        ]
        ends = [np.where(dead, alone, end) for end in ends]
    lowest, highest = (
        np.asarray([clamped(int(v), clamp) for v in np.rint(_bounded(end)) + target.zero_point])
        for end in ends
    )
    return lowest, highest


def _bounded(values: Array) -> Array:
    return np.asarray(np.nan_to_num(np.clip(values, -_FAR, _FAR)))


def _slack(mac: Mac, scale: float) -> Array:
    """How far ONNX Runtime's quotient can lie from the real one, near a clamp."""
    return mac.float_error() / scale + 2.0**11 * _UNIT


def _refuse_bias(builder: OnnxBuilder, mac: Mac) -> NoReturn:
    builder.refuse(
        mac.raw,
        "its bias does not fit 32 bits at the scale of its accumulator",
        "calibrate the model again, or scale its weights per tensor",
    )


def _refuse_sums(builder: OnnxBuilder, mac: Mac) -> NoReturn:
    low, high = mac.extremes()
    most = max(float(np.abs(low).max()), float(np.abs(high).max()))
    builder.refuse(
        mac.raw,
        f"its sums of products with 16-bit values could reach {most:.3g}, more than 32 bits",
        "quantise its input to 8 bits, or split it along its input channels",
    )


def _check_offset(
    builder: OnnxBuilder, mac: Mac, scale: Array, whole: Array, offset: Array
) -> None:
    """Refuses what fixed point cannot tell apart as finely as float32 does.

    The offset is rounded to a unit of 2^(shift-31) output steps. ONNX Runtime's own sum is sure to
    at least 2^-24 of a step, and to more where the bias is large.
    """
    shift = quantise_multipliers(scale).shift
    if shift.max() > _MOST_SHIFT:
        builder.refuse(
            mac.raw,
            "its input scales exceed 2^30 times its output scale, and its bias is no multiple of "
            "the accumulator's unit",
            "calibrate the model again",
        )
    sure = _UNIT * (1.0 + (mac.terms + 8) * np.abs(whole + offset) * scale)
    if np.any((offset > 0) & (2.0 ** (shift - 32.0) > sure)):
        builder.refuse(
            mac.raw,
            "its input scales exceed 2^8 times its output scale, and its bias is a small part "
            "of the accumulator's unit, which fixed point cannot hold as finely as float32",
            "calibrate the model again, or quantise the bias to int32",
        )
    unit = np.broadcast_to(mac.unit, scale.shape)
    if np.any((offset > 0) & (unit < np.finfo(np.float32).tiny)):
        builder.refuse(
            mac.raw,
            "the product of its input and weight scales is below float32's normal numbers",
            "calibrate the model again",
        )
