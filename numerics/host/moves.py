"""Host steps that move values and compute nothing."""

from collections.abc import Sequence

import numpy as np

from numerics.host.registry import Array, host_step


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
