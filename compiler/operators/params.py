"""Output stages of the graph as parameter entries and `OUTPUT` fields."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.stream.stream import StreamBuilder
from hw.arch.commands import Rounding as Mode
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from numerics.gemmlowp import wrap
from numerics.quantisation import (
    Requant,
    RoundingRule,
    WindowStage,
    addends,
    float_scales,
    multipliers,
    short_multipliers,
)

Ints: TypeAlias = NDArray[np.int64]
Columns: TypeAlias = tuple[Ints, Ints, Ints, Ints]  # bias, multiplier, shift, addend

_MODES = {
    RoundingRule.TFLM: Mode.TFLM,
    RoundingRule.ORT: Mode.ORT,
    RoundingRule.SINGLE: Mode.SINGLE,
    RoundingRule.REDUCED: Mode.SCALE16,
    RoundingRule.RAW: Mode.RAW,
}
_MOST_WIDE_SHIFT = 31
_WIDE_BIAS = 40
_FRACTION = 31
_LEAST_SHIFT = -15  # below it an output step has more accumulator units than 32 bits hold
_FIELD = 1 << 9  # zero points below it, or from its negative on, fit the `OUTPUT` field


def stage_params(stage: Requant | WindowStage, bias: Ints, name: str) -> Columns:
    """Parameter columns of an output stage, one entry a channel of `bias`."""
    channels = len(bias)
    zeros = np.zeros(channels, np.int64)
    if isinstance(stage, WindowStage):
        if stage.shift > _MOST_WIDE_SHIFT:
            raise RowforgeError(
                f"{name}: output shift must be at most {_MOST_WIDE_SHIFT}, not {stage.shift}"
            )
        return bias, zeros, np.full(channels, -stage.shift), zeros
    if stage.rounding is RoundingRule.RAW:
        return bias, zeros, zeros, zeros
    if stage.wide:
        return _wide_params(stage, bias, name)
    pair = multipliers(stage, channels)
    if stage.affine:
        units, added = zero_point_units(stage, channels, name)
        return wrap(bias + units, 32), pair.multiplier, pair.shift, added
    if stage.rounding is RoundingRule.ORT:
        bits = float_scales(stage, channels).view(np.uint32).astype(np.int64)
        return bias, bits, zeros, zeros
    if stage.rounding is RoundingRule.SINGLE and pair.shift.max() > 30:
        raise RowforgeError(f"{name}: output scales must be below 2^30 with rounding single")
    return bias, pair.multiplier, pair.shift, zeros


def zero_point_units(stage: Requant, channels: int, name: str) -> tuple[Ints, Ints]:
    """What bias and addend of an affine stage hold of its zero point, each of shape [channels].

    (whole accumulator units for the bias, the addend with the rest); no units where the command's
    field holds the zero point. The part that it cannot hold is an even number of output steps, so
    that ties fall as before. It is a whole number of the units that the addend counts, hence bias
    and addend together hold it exactly.

    Raises `RowforgeError` if a step has more accumulator units than the bias could hold.
    """
    pair, added = multipliers(stage, channels), addends(stage, channels)
    steps = stage.zero_point - _field_zero_point(stage)
    if steps == 0:
        return np.zeros(channels, np.int64), added
    if not pair.multiplier.all() or pair.shift.min() < _LEAST_SHIFT:
        raise RowforgeError(
            f"{name}: output scales must be at least 2^-16 beside a zero point of "
            f"{stage.zero_point}, not {float(stage.scale.min())!r}"
        )
    total = np.int64(steps) * (np.int64(1) << (_FRACTION - pair.shift)) + added
    units, rest = np.divmod(total, pair.multiplier)
    return units, rest


def _field_zero_point(stage: Requant) -> int:
    """What the output stage adds after its rounding, the rest being part of the bias."""
    if -_FIELD <= stage.zero_point < _FIELD:
        return stage.zero_point
    return stage.zero_point & 1


def _wide_params(stage: Requant, bias: Ints, name: str) -> Columns:
    """Mode SCALE16: the addend has the bits of a bias above its lower 32."""
    largest = int(bias[np.argmax(np.abs(bias))])
    if not -(1 << (_WIDE_BIAS - 1)) <= largest < 1 << (_WIDE_BIAS - 1):
        raise RowforgeError(
            f"{name}: its bias must have at most {_WIDE_BIAS} bits, not be {largest}; "
            f"calibrate the model again"
        )
    low = wrap(bias, 32)
    pair = short_multipliers(stage, len(bias))
    return low, pair.multiplier, pair.shift, ((bias - low) >> 32) & 0xFF


def stage_output(stage: Requant | WindowStage) -> dict[str, int]:
    """`OUTPUT` fields of a stage but for `param` and `plane`."""
    if isinstance(stage, WindowStage):
        return _output(Mode.WIDE16, 0, stage.low, stage.high)
    if stage.rounding is RoundingRule.RAW:
        return _output(Mode.RAW, 0, 0, 0)
    mode = Mode.AFFINE if stage.affine else _MODES[stage.rounding]
    zero_point = _field_zero_point(stage) if stage.affine else stage.zero_point
    return _output(mode, zero_point, stage.low, stage.high)


def identity_params(config: Config) -> tuple[int, int]:
    """Multiplier and shift that leave a value as it is, see `identity_output`."""
    return (0, 0) if config.array.data_width == 16 else (1 << 30, 1)


def identity_output(config: Config, low: int, high: int) -> dict[str, int]:
    """`OUTPUT` fields that clamp a value and leave it as it is otherwise."""
    return _output(Mode.WIDE16 if config.array.data_width == 16 else Mode.SINGLE, 0, low, high)


def same_params(stream: StreamBuilder, *entry: int) -> int:
    """A parameter row whose lanes all have this bias, multiplier, shift and, if given, addend."""
    units = stream.config.post.units
    return stream.params(*([value] * units for value in entry))


def divide_output(zero_point: int, low: int, high: int) -> dict[str, int]:
    """`OUTPUT` fields of an average."""
    return _output(Mode.DIVIDE, zero_point, low, high)


def _output(mode: Mode, zero_point: int, low: int, high: int) -> dict[str, Any]:
    return {"mode": int(mode), "zero_point": zero_point, "low": low, "high": high}
