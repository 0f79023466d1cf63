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
def expand(x: Array, *, kept: Sequence[int], values: Sequence[int]) -> Array:
    """x with more channels, the last axis: x's own at the places `kept`, else a value for each."""
    whole = np.empty((*x.shape[:-1], len(values)), dtype=x.dtype)
    whole[...] = np.array(values, dtype=np.int64)
    whole[..., list(kept)] = x
    return whole
