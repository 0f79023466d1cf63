"""Host steps that move values and compute nothing."""

from collections.abc import Sequence

import numpy as np

from hw.arch.errors import RowforgeError
from numerics.registry import Array, host_step


@host_step
def shift_values(x: Array, *, by: int, dtype: str) -> Array:
    """Integers that are larger by a constant, in another type that holds them."""
    return (x.astype(np.int64) + by).astype(dtype)


@host_step
def reshape(x: Array, *, shape: Sequence[int]) -> Array:
    """The same elements in another shape; one size may be -1."""
    return x.reshape(tuple(shape))


@host_step
def transpose(x: Array, *, permutation: Sequence[int]) -> Array:
    """Axis i of the result is axis permutation[i] of the input."""
    return np.ascontiguousarray(x.transpose(tuple(permutation)))


@host_step
def concat(*inputs: Array, axis: int) -> Array:
    """The inputs joined along an axis, in order."""
    return np.concatenate(inputs, axis=axis)


@host_step
def pad(x: Array, *, before: Sequence[int], after: Sequence[int], value: float = 0) -> Array:
    """Elements of `value` before and after each axis."""
    return np.pad(x, list(zip(before, after, strict=True)), constant_values=value)


@host_step
def slice_(
    x: Array,
    *,
    axes: Sequence[int],
    start: Sequence[int],
    stop: Sequence[int],
    step: Sequence[int],
) -> Array:
    """A slice of x along some axes; every stop lies within the axis."""
    ranges = [slice(None)] * x.ndim
    for axis, *limits in zip(axes, start, stop, step, strict=True):
        ranges[axis] = slice(*limits)
    return np.ascontiguousarray(x[tuple(ranges)])


@host_step
def pick(x: Array, *, axes: Sequence[int], positions: Sequence[Sequence[int]]) -> Array:
    """Slices of x along some axes: result i along axes[k] is what lies at positions[k][i] of x."""
    for axis, chosen in zip(axes, positions, strict=True):
        x = x.take(np.asarray(chosen, dtype=np.int64), axis=axis)
    return np.ascontiguousarray(x)


@host_step
def tile(x: Array, *, rank: int, axes: Sequence[int], counts: Sequence[int]) -> Array:
    """x repeated as a whole counts[k] times along axes[k], with axes of size 1 before its own.

    rank: axes of the result.
    """
    repeats = [1] * rank
    for axis, count in zip(axes, counts, strict=True):
        repeats[axis] = count
    return np.tile(x.reshape((1,) * (rank - x.ndim) + x.shape), repeats)


@host_step
def stack(*inputs: Array, axes: Sequence[int]) -> Array:
    """The inputs joined along a new axis, the one axis named."""
    return np.stack(inputs, axis=axes[0])


@host_step
def gather(x: Array, positions: Array, *, axes: Sequence[int], batch_axes: int) -> Array:
    """The slices of x along the one axis named that lie at the positions, an integer tensor.

    The first `batch_axes` axes of both are the same: there each item has positions of its own.
    Raises `RowforgeError` for a position that does not exist.
    """
    (axis,) = axes
    _check_positions(positions, x.shape[axis])
    leading = x.shape[:batch_axes]
    items = x.reshape((-1, *x.shape[batch_axes:]))
    chosen = positions.reshape((-1, *positions.shape[batch_axes:]))
    parts = [
        item.take(where, axis=axis - batch_axes) for item, where in zip(items, chosen, strict=True)
    ]
    return np.stack(parts).reshape(leading + parts[0].shape)


@host_step
def gather_nd(x: Array, positions: Array) -> Array:
    """What lies at positions along the first axes of x; the last axis of `positions` holds them.

    Raises `RowforgeError` for a position that does not exist.
    """
    for axis in range(positions.shape[-1]):
        _check_positions(positions[..., axis], x.shape[axis])
    return np.ascontiguousarray(x[tuple(np.moveaxis(positions, -1, 0))])


def _check_positions(positions: Array, extent: int) -> None:
    if positions.min() < 0 or positions.max() >= extent:
        wrong = positions.min() if positions.min() < 0 else positions.max()
        raise RowforgeError(f"a gathered position must be 0 to {extent - 1}, not {wrong}")


@host_step
def expand(x: Array, *, kept: Sequence[int], values: Sequence[int]) -> Array:
    """x with more channels, the last axis: x's own at the places `kept`, else a value for each."""
    whole = np.empty((*x.shape[:-1], len(values)), dtype=x.dtype)
    whole[...] = np.array(values, dtype=np.int64)
    whole[..., list(kept)] = x
    return whole
