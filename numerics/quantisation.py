"""From real scales to the integers of the output stages: rounding modes, multipliers, clamps.

The graph keeps real scales (float64), so that the rounding mode can be chosen when a model is
compiled; everything a mode needs is derived here on demand.
"""

from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hw.arch.errors import RowforgeError

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

INTEGER_RANGES = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "uint16": (0, (1 << 16) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
}


AFFINE_SHIFT = 30
"""The largest left shift of an affine stage: its product is always shifted right by a bit."""


class RoundingRule(Enum):
    """How an output stage turns an accumulator into an output value.

    TFLM: gemmlowp's two roundings with a 31-bit multiplier, as TensorFlow Lite Micro.
    ORT: `rint(float32(acc) * float32(scale))`, ties to even, as ONNX Runtime; with an offset in
    fixed point, see `Requant`.
    SINGLE: the same multiplier as TFLM with one rounding, half up.
    REDUCED: a sum of up to 64 bits by a multiplier of 16 bits, rounded once, half up, as TensorFlow
    Lite Micro does in 16x8 models whose bias has 64 bits. Such sums never wrap, so that no other
    mode can take this one's place.
    RAW: the 32-bit accumulator itself; scales, zero point and clamp have no effect.
    """

    TFLM = "tflm"
    ORT = "ort"
    SINGLE = "single"
    REDUCED = "reduced"
    RAW = "raw"


FIXED_RULES = frozenset({RoundingRule.REDUCED, RoundingRule.RAW})
"""Modes that belong to a layer, whatever mode is chosen for a model."""

MOST_REDUCED_SHIFT = 7
"""The largest left shift that TensorFlow Lite allows for sums of 64 bits."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Requant:
    """Output stage of an integer layer: out = clamp(round(acc * scale) + zero_point, low, high).

    `scale` holds one float64 per output channel, or one for all: the accumulator's scale over the
    output's. A front end stores the exact number its oracle would round from (TensorFlow Lite
    Micro multiplies the two scales of a fully connected layer in float32, for instance; ONNX
    Runtime does so everywhere).

    `offset` (same shapes) is the fraction of one accumulator unit, 0 to less than 1, that a real
    bias leaves over after its floor, the integer bias. With any of them other than 0 the stage is
    affine: out = clamp(round((acc + offset) * scale) + zero_point, low, high), by the integers of
    `multipliers` and `addends` and with one rounding, ties to even (`scale_affine`), in all
    channels. Only mode ORT has it.

    `fixed` makes a stage affine without an offset, for outputs of 16 bits: they have more steps
    than float32 numbers of a sum could tell apart.
    """

    scale: Doubles
    offset: Doubles = field(default_factory=lambda: np.zeros(1))
    fixed: bool = False
    rounding: RoundingRule
    zero_point: int
    low: int
    high: int
    dtype: str

    def __post_init__(self) -> None:
        scale = self.scale
        if scale.ndim != 1 or scale.size == 0 or scale.dtype != np.float64:
            raise RowforgeError(f"Requant.scale must be float64 of shape [M], not {scale!r}")
        if not np.all(np.isfinite(scale)) or scale.min() < 0 or scale.max() >= 2.0**31:
            raise RowforgeError("output scales must be finite, at least 0 and below 2^31")
        low, high = integer_range(self.dtype)
        if not low <= self.low <= self.high <= high:
            raise RowforgeError(
                f"clamp must lie within {low} to {high} for {self.dtype}, "
                f"not {self.low} to {self.high}"
            )
        if self.wide and (scale.max() >= 2.0**MOST_REDUCED_SHIFT):
            raise RowforgeError(
                f"output scales of sums of 64 bits must be below 2^{MOST_REDUCED_SHIFT}, "
                f"not {float(scale.max())!r}"
            )
        self._check_offset()

    def _check_offset(self) -> None:
        offset = self.offset
        if offset.ndim != 1 or offset.size == 0 or offset.dtype != np.float64:
            raise RowforgeError(f"Requant.offset must be float64 of shape [M], not {offset!r}")
        if 1 not in (offset.size, self.scale.size) and offset.size != self.scale.size:
            raise RowforgeError(
                f"Requant.offset must hold 1 or {self.scale.size} values as scale does, "
                f"not {offset.size}"
            )
        if not np.all((offset >= 0) & (offset < 1)):
            raise RowforgeError("output offsets must be at least 0 and below 1")
        if not self.affine:
            return
        if self.rounding is not RoundingRule.ORT and not offset.any():
            raise RowforgeError(
                "its output has 16 bits of a QuantizeLinear, which only rounding 'ort' yields, "
                f"not {self.rounding.value!r}: choose rounding 'ort'"
            )
        if self.rounding is not RoundingRule.ORT:
            raise RowforgeError(
                "the bias is no multiple of the accumulator's unit, and only rounding 'ort' keeps "
                f"what is left over, not {self.rounding.value!r}: choose rounding 'ort'"
            )
        if quantise_multipliers(self.scale).shift.max() > AFFINE_SHIFT:
            raise RowforgeError(
                "output scales must be below 2^30 where the bias is no multiple of the "
                f"accumulator's unit or outputs have 16 bits, not {float(self.scale.max())!r}"
            )

    @property
    def wide(self) -> bool:
        """Whether sums keep all their bits; others wrap to 32."""
        return self.rounding is RoundingRule.REDUCED

    @property
    def affine(self) -> bool:
        """Whether the stage computes in fixed point: as it is told, or for an offset's sake."""
        return self.fixed or bool(self.offset.any())

    @property
    def channels(self) -> int:
        """Output channels that the stage tells apart; 1 if it is the same for all."""
        return max(self.scale.size, self.offset.size)

    @classmethod
    def raw(cls) -> "Requant":
        """The stage that passes 32-bit accumulators through."""
        low, high = INTEGER_RANGES["int32"]
        return cls(
            scale=np.ones(1),
            rounding=RoundingRule.RAW,
            zero_point=0,
            low=low,
            high=high,
            dtype="int32",
        )

    def with_rounding(self, rounding: RoundingRule) -> "Requant":
        """The same stage in another mode; `FIXED_RULES` stay, and an affine stage must stay ORT."""
        return self if self.rounding in FIXED_RULES else replace(self, rounding=rounding)


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowStage:
    """Output stage and product window of 16-bit layers (no zero points, no real scales).

    Each 32-bit product is shifted right by `window` (0 to 16, floor) before it is added; the
    output is clamp(saturate16((psum + bias + 2^(shift-1)) >> shift), low, high).
    """

    window: int
    shift: int
    low: int = -(1 << 15)
    high: int = (1 << 15) - 1
    dtype: str = "int16"

    def __post_init__(self) -> None:
        if not 0 <= self.window <= 16:
            raise RowforgeError(f"window must be 0 to 16, not {self.window!r}")
        if not 0 <= self.shift <= 47:
            raise RowforgeError(f"shift must be 0 to 47, not {self.shift!r}")
        if not -(1 << 15) <= self.low <= self.high < 1 << 15:
            raise RowforgeError(f"clamp must lie within int16, not {self.low} to {self.high}")


@dataclass(frozen=True, eq=False)
class Multipliers:
    """Per-channel integers of the TFLM and SINGLE modes and of affine stages, each of shape [M].

    scale is about multiplier * 2^(shift - 31); multiplier is 0 or 2^30 ... 2^31 - 1; shift is
    -31 ... 31, positive to the left.
    """

    multiplier: Ints
    shift: Ints


def integer_range(dtype: str) -> tuple[int, int]:
    """(lowest, highest) value of an integer type of the graph."""
    if dtype not in INTEGER_RANGES:
        raise RowforgeError(f"type must be one of {', '.join(INTEGER_RANGES)}, not {dtype!r}")
    return INTEGER_RANGES[dtype]


def quantise_multipliers(scale: Doubles) -> Multipliers:
    """frexp in double; the mantissa rounded to 31 bits, half away; shifts below -31 flush to 0."""
    mantissa, exponent = np.frexp(scale)
    multiplier = np.floor(mantissa * 2.0**31 + 0.5).astype(np.int64)
    shift = exponent.astype(np.int64)
    carried = multiplier == 1 << 31
    multiplier = np.where(carried, 1 << 30, multiplier)
    shift = np.where(carried, shift + 1, shift)
    flushed = (shift < -31) | (multiplier == 0)
    return Multipliers(np.where(flushed, 0, multiplier), np.where(flushed, 0, shift))


def short_multipliers(stage: Requant, channels: int) -> Multipliers:
    """The 16-bit multipliers and shifts of mode REDUCED: scale is about m * 2^(shift - 15).

    The upper half of the 31-bit multiplier, rounded half up and at most 2^15 - 1.
    """
    pair = multipliers(stage, channels)
    short = np.minimum((pair.multiplier + (1 << 15)) >> 16, (1 << 15) - 1)
    return Multipliers(short, pair.shift)


@lru_cache(maxsize=4096)  # networks have few scales, and each is asked for a dozen times
def quantise_multiplier(scale: float) -> tuple[int, int]:
    """(multiplier, shift) of one real scale, see `Multipliers`."""
    pair = quantise_multipliers(np.asarray([scale], dtype=np.float64))
    return int(pair.multiplier[0]), int(pair.shift[0])


def multipliers(stage: Requant, channels: int) -> Multipliers:
    """The stage's multipliers and shifts for `channels` output channels."""
    return quantise_multipliers(np.broadcast_to(stage.scale, (channels,)))


def addends(stage: Requant, channels: int) -> Ints:
    """What an affine stage adds to its products: each offset in units of 1 / multiplier.

    The nearest integer to offset * multiplier, hence 0 to the multiplier; 0 where that is 0.
    """
    offset = np.broadcast_to(stage.offset, (channels,))
    return np.rint(offset * multipliers(stage, channels).multiplier).astype(np.int64)


def float_scales(stage: Requant, channels: int) -> npt.NDArray[np.float32]:
    """The float32 scales of the ORT mode for `channels` output channels."""
    return np.broadcast_to(stage.scale.astype(np.float32), (channels,)).copy()


def float_parts(scales: npt.NDArray[np.float32]) -> tuple[Ints, Ints]:
    """(mantissa, exponent) with scale = mantissa * 2^exponent exactly.

    The mantissa is 0 or 2^23 ... 2^24 - 1, also for subnormal scales.
    """
    fraction, exponent = np.frexp(scales.astype(np.float64))
    mantissa = (fraction * 2.0**24).astype(np.int64)
    return mantissa, np.where(mantissa == 0, 0, exponent.astype(np.int64) - 24)


@dataclass(frozen=True)
class AddMultipliers:
    """TensorFlow Lite's ADD: both inputs shifted left by `left_shift`, scaled, added, scaled back.

    Each pair is (multiplier, shift) with shift <= 0, see `Multipliers`.
    """

    left_shift: int
    first: tuple[int, int]
    second: tuple[int, int]
    output: tuple[int, int]


def add_multipliers(first: float, second: float, output: float) -> AddMultipliers:
    """The integers of an int8 ADD from the three tensors' float32 scales."""
    left_shift = 20
    twice_maximum = 2.0 * max(first, second)
    real_output = twice_maximum / ((1 << left_shift) * output)
    if real_output >= 1.0:
        raise RowforgeError(
            f"an ADD's output scale must exceed 2^-19 of its larger input scale, not {output!r}"
        )
    return AddMultipliers(
        left_shift,
        quantise_multiplier(first / twice_maximum),
        quantise_multiplier(second / twice_maximum),
        quantise_multiplier(real_output),
    )
