"""Output stages of the graph as parameter entries and `OUTPUT` fields."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.lower.stream import Stream
from hw.arch.commands import Rounding as Mode
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, Rounding, WindowStage, float_scales, multipliers

Ints: TypeAlias = NDArray[np.int64]
Columns: TypeAlias = tuple[Ints, Ints, Ints]  # bias, multiplier, shift

_MODES = {
    Rounding.TFLM: Mode.TFLM,
    Rounding.ORT: Mode.ORT,
    Rounding.SINGLE: Mode.SINGLE,
    Rounding.RAW: Mode.RAW,
}
_MOST_WIDE_SHIFT = 31


def stage_params(stage: Requant | WindowStage, bias: Ints, name: str) -> Columns:
    """Parameter columns of an output stage, one entry a channel of `bias`."""
    channels = len(bias)
    if isinstance(stage, WindowStage):
        if stage.shift > _MOST_WIDE_SHIFT:
            raise RowforgeError(
                f"{name}: output shift must be at most {_MOST_WIDE_SHIFT}, not {stage.shift}"
            )
        return bias, np.zeros(channels, np.int64), np.full(channels, -stage.shift)
    if stage.rounding is Rounding.RAW:
        return bias, np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    if stage.rounding is Rounding.ORT:
        bits = float_scales(stage, channels).view(np.uint32).astype(np.int64)
        return bias, bits, np.zeros(channels, np.int64)
    pair = multipliers(stage, channels)
    if stage.rounding is Rounding.SINGLE and pair.shift.max() > 30:
        raise RowforgeError(f"{name}: output scales must be below 2^30 with rounding single")
    return bias, pair.multiplier, pair.shift


def stage_output(stage: Requant | WindowStage) -> dict[str, int]:
    """`OUTPUT` fields of a stage but for `param` and `plane`."""
    if isinstance(stage, WindowStage):
        return _output(Mode.WIDE16, 0, stage.low, stage.high)
    if stage.rounding is Rounding.RAW:
        return _output(Mode.RAW, 0, 0, 0)
    return _output(_MODES[stage.rounding], stage.zero_point, stage.low, stage.high)


def identity_params(config: Config) -> tuple[int, int]:
    """Multiplier and shift that leave a value as it is, see `identity_output`."""
    return (0, 0) if config.data_width == 16 else (1 << 30, 1)


def identity_output(config: Config, low: int, high: int) -> dict[str, int]:
    """`OUTPUT` fields that clamp a value and leave it as it is otherwise."""
    return _output(Mode.WIDE16 if config.data_width == 16 else Mode.SINGLE, 0, low, high)


def same_params(stream: Stream, bias: int, multiplier: int, shift: int) -> int:
    """A parameter row whose lanes are all the same."""
    units = stream.config.post_units
    return stream.params([bias] * units, [multiplier] * units, [shift] * units)


def divide_output(zero_point: int, low: int, high: int) -> dict[str, int]:
    """`OUTPUT` fields of an average."""
    return _output(Mode.DIVIDE, zero_point, low, high)


def _output(mode: Mode, zero_point: int, low: int, high: int) -> dict[str, Any]:
    return {"mode": int(mode), "zero_point": zero_point, "low": low, "high": high}
