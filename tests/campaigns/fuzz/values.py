"""Random stored values, zero points, scales and biases, with the extremes well represented."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.quantisation import INTEGER_RANGES, Requant, RoundingRule, WindowStage

Array = NDArray[Any]

FIELD = 1 << 9
"""A command has a field for zero points from the negative of this to one less."""

LEAST_SCALE = 2.0**-16
"""Of an output whose zero point the bias holds."""

ZERO_POINT_ROOM = 1 << 29
"""Accumulator units that such a zero point takes of a bias, in nearly all layers."""

_ROOMY = 0.96
_BIAS_LIMIT = 1 << 30
_MOST_REDUCED_SCALE = 127.0
_MODES = (RoundingRule.TFLM, RoundingRule.ORT, RoundingRule.SINGLE)


def one_of(rng: np.random.Generator, *choices: Any) -> Any:
    """One of the choices."""
    return choices[int(rng.integers(len(choices)))]


def zero_point(rng: np.random.Generator, dtype: str, *, wide: bool = False) -> int:
    """A zero point of a type: either end, the middle, or anything.

    Of 16 bits only `wide` values have one. Half of theirs fit the field of a command, and others
    are next to it.
    """
    low, high = INTEGER_RANGES[dtype]
    if dtype == "int16" and not wide:
        return 0
    if dtype == "int16":
        kind = rng.choice(3, p=(0.5, 0.1, 0.4))
        if kind == 1:
            return int(one_of(rng, -(FIELD + 1), FIELD))
        low, high = (-FIELD, FIELD - 1) if kind == 0 else (low, high)
    middle = (low + high + 1) // 2
    return int(one_of(rng, low, high, middle, int(rng.integers(low, high, endpoint=True))))


def stored(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, zero: int = 0) -> Array:
    """Stored values: of the whole range, only its ends, mostly the zero point, or all equal."""
    low, high = INTEGER_RANGES[dtype]
    kind = rng.choice(4, p=(0.6, 0.15, 0.2, 0.05))
    values = rng.integers(low, high, shape, endpoint=True)
    if kind == 1:
        values = np.where(rng.random(shape) < 0.5, low, high)
    elif kind == 2:
        values = np.where(rng.random(shape) < 0.7, min(max(zero, low), high), values)
    elif kind == 3:
        values = np.full(shape, one_of(rng, low, high))
    return values.astype(dtype)


def weights(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Weights, drawn like any values but never all at the zero point."""
    return stored(rng, shape, dtype)


def bias(rng: np.random.Generator, filters: int) -> NDArray[np.int64]:
    """Biases: none, small, or with some at the ends of their range."""
    kind = int(rng.integers(3))
    if kind == 0:
        return np.zeros(filters, dtype=np.int64)
    values = rng.integers(-(1 << 14), 1 << 14, filters)
    if kind == 2:
        ends = rng.choice([-_BIAS_LIMIT, _BIAS_LIMIT, 1 - _BIAS_LIMIT, 1 << 20], filters)
        values = np.where(rng.random(filters) < 0.4, ends, values)
    return values.astype(np.int64)


def scales(rng: np.random.Generator, count: int, spread: float) -> NDArray[np.float64]:
    """Output scales for accumulators of magnitude `spread`.

    Most bring them to the range of the output; some saturate it, some need a left shift, some
    flush every value to 0, some lie at the edge between two shifts.
    """
    usual = rng.uniform(20, 200, count) / max(spread, 1.0)
    kind = rng.choice(6, count, p=(0.6, 0.12, 0.08, 0.08, 0.06, 0.06))
    left = 2.0 ** rng.uniform(0, 20, count)
    flushed = 2.0 ** rng.uniform(-60, -32, count)
    edge = 2.0 ** rng.integers(-33, 3, count) * rng.choice([1.0, 1 - 2.0**-33, 1 + 2.0**-31], count)
    tiny = 2.0 ** rng.uniform(-34, -28, count)
    return np.choose(kind, [usual, 30 * usual, left, flushed, edge, tiny])


def clamp(rng: np.random.Generator, dtype: str, zero: int) -> tuple[int, int]:
    """(low, high) of an output: no clamp, ReLU, ReLU6, a clip, a single value."""
    low, high = INTEGER_RANGES[dtype]
    zero = min(max(zero, low), high)
    kind = rng.choice(5, p=(0.45, 0.2, 0.15, 0.15, 0.05))
    if kind == 1:
        return zero, high
    if kind == 2:
        return zero, min(zero + int(rng.integers(1, 1 + (high - low) // 2)), high)
    if kind == 3:
        first, second = rng.integers(low, high, 2, endpoint=True).tolist()
        return min(first, second), max(first, second)
    if kind == 4:
        return zero, zero
    return low, high


def offsets(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Fractions of an accumulator unit: none, a half, next to 0 and to 1, and any."""
    values = rng.random(count)
    kind = rng.choice(5, count, p=(0.15, 0.15, 0.15, 0.15, 0.4))
    return np.choose(kind, [np.zeros(count), 0.5, values * 2.0**-30, 1 - 2.0**-40, values])


def requant(
    rng: np.random.Generator,
    dtype: str,
    channels: int,
    spread: float,
    rounding: RoundingRule,
    *,
    biased: bool = False,
    fixed: bool = False,
) -> Requant:
    """An output stage; one scale for all channels or one each.

    `biased`: the layer has a bias, which in mode ORT need not be a multiple of its unit.
    `fixed`: the output has 16 bits and a zero point.
    """
    zero = zero_point(rng, dtype, wide=fixed)
    low, high = clamp(rng, dtype, zero)
    count = int(one_of(rng, 1, channels))
    off_grid = biased and rounding is RoundingRule.ORT and rng.random() < 0.5
    scale = scales(rng, count, spread)
    if fixed and not -FIELD <= zero < FIELD and rng.random() < _ROOMY:
        scale = np.maximum(scale, max(LEAST_SCALE, abs(zero) / ZERO_POINT_ROOM))
    return Requant(
        scale=scale,
        offset=offsets(rng, int(one_of(rng, 1, channels))) if off_grid else np.zeros(1),
        fixed=fixed,
        rounding=rounding,
        zero_point=zero,
        low=low,
        high=high,
        dtype=dtype,
    )


def whole_sum_stage(
    rng: np.random.Generator, channels: int, spread: float, rounding: RoundingRule
) -> Requant:
    """A 16-bit output stage that scales sums of 64 bits, or in `rounding` those of 32."""
    usual = requant(rng, "int16", channels, spread / 256, rounding, biased=True)
    if rng.random() < 0.4:
        return usual
    least = 2.0**-31  # smaller ones flush to 0
    scale = np.clip(usual.scale, least if rng.random() < 0.7 else 0, _MOST_REDUCED_SCALE)
    return Requant(
        scale=scale,
        rounding=RoundingRule.REDUCED,
        zero_point=0,
        low=usual.low,
        high=usual.high,
        dtype="int16",
    )


def wide_bias(rng: np.random.Generator, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Biases of which some have up to 40 bits."""
    far = rng.integers(-(1 << 39), 1 << 39, len(values))
    ends = np.where(
        rng.random(len(values)) < 0.3, np.where(far < 0, -(1 << 39), (1 << 39) - 1), far
    )
    return np.where(rng.random(len(values)) < 0.15, ends >> int(rng.integers(0, 8)), values)


def window_stage(rng: np.random.Generator, spread: float) -> WindowStage:
    """A 16-bit output stage for accumulators of magnitude `spread` before the product window."""
    window = int(one_of(rng, 0, 16, int(rng.integers(1, 16)), int(rng.integers(1, 16))))
    bits = max(int(np.log2(max(spread, 1.0))) - window - 14, 0)
    shift = int(np.clip(bits + rng.integers(-2, 3), 0, 31))
    if rng.random() < 0.3:
        shift = int(one_of(rng, 0, 1, 31, 31))
    low, high = clamp(rng, "int16", 0)
    return WindowStage(window=window, shift=shift, low=low, high=high)


def rounding_mode(rng: np.random.Generator) -> RoundingRule:
    """One of the three modes."""
    return _MODES[int(rng.integers(3))]
