"""Host steps of one tensor, bit for bit as TensorFlow Lite Micro computes them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.arch.errors import RowforgeError
from numerics import float32
from numerics.gemmlowp import inverse_square_root, multiply_by_quantised_multiplier, wrap
from numerics.registry import Array, host_step

Floats = npt.NDArray[np.float32]

_UNIT_SHIFT = 7  # of the output of L2_NORMALIZATION, whose scale is 1/128
_LEAST_NORM = np.float32(1e-6)

_FLOAT: dict[str, Callable[[Floats], Any]] = {
    "ABS": np.abs,
    "NEG": np.negative,
    "SQUARE": lambda x: x * x,
    "SQRT": np.sqrt,
    "RSQRT": lambda x: np.float32(1) / np.sqrt(x),
    "EXP": float32.exponential,
}


@host_step
def unary_float(x: Floats, *, kind: str) -> Floats:
    """ABS, NEG, SQUARE, SQRT, RSQRT or EXP of float32 numbers."""
    if kind not in _FLOAT:
        raise RowforgeError(f"kind must be one of {', '.join(_FLOAT)}, not {kind!r}")
    with np.errstate(all="ignore"):
        return np.asarray(_FLOAT[kind](x), dtype=np.float32)


@host_step
def l2_normalise(x: Array, *, zero_point: int) -> Array:
    """Integers over the norm of their row, the last axis; the result has scale 1/128.

    The zero point of an int8 result is 0, of a uint8 one 128.
    """
    limits = np.iinfo(x.dtype)
    centred = x.astype(np.int64) - zero_point
    square = wrap((centred * centred).sum(axis=-1, keepdims=True), 32)
    root, shift = inverse_square_root(square)
    if x.dtype == np.uint8:
        scaled = multiply_by_quantised_multiplier(centred << _UNIT_SHIFT, root, shift) + 128
    else:
        scaled = multiply_by_quantised_multiplier(centred, root, shift + _UNIT_SHIFT)
    return np.asarray(np.clip(scaled, limits.min, limits.max), dtype=x.dtype)


@host_step
def l2_normalise_float(x: Floats) -> Floats:
    """float32 numbers over the norm of their row, which is at least 1e-6."""
    square = np.add.accumulate(x * x, axis=-1, dtype=np.float32)[..., -1:]
    return np.asarray(x / np.maximum(np.sqrt(square), _LEAST_NORM), dtype=np.float32)


@host_step
def extreme(x: Array, *, axes: Sequence[int], largest: bool) -> Array:
    """The largest, or smallest, value over `axes`, which vanish; NaN is passed over."""
    if x.dtype.kind == "f":
        empty = np.finfo(x.dtype).min if largest else np.finfo(x.dtype).max
        x = np.where(np.isnan(x), empty, x)
    return np.asarray(x.max(axis=tuple(axes)) if largest else x.min(axis=tuple(axes)))


@host_step
def sum_float(x: Floats, *, axes: Sequence[int]) -> Floats:
    """The sum of float32 numbers over `axes`, which vanish, in memory order from 0 on."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    shape = [x.shape[axis] for axis in kept]
    rows = x.transpose([*kept, *axes]).reshape(*shape, -1)
    total = np.add.accumulate(rows, axis=-1, dtype=np.float32)[..., -1]
    return np.asarray(total + np.float32(0), dtype=np.float32)
