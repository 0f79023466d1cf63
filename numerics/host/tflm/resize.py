"""Host steps of RESIZE_BILINEAR, bit for bit as TensorFlow Lite's reference kernels compute them.

The kernels for int8 work in fixed point, those for uint8 and float32 in float32. Where each row
and column of the output lies comes with the step, as its two neighbours and the share of the upper.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from numerics.registry import Array, host_step

FRACTION_BITS = 10
"""Of a position between two rows or columns, in the kernel for int8."""

Neighbours = Sequence[Sequence[Any]]


def _along(x: Array, axis: int, neighbours: Neighbours) -> tuple[Array, Array, Array]:
    """Lower and upper slices along an axis, and the share of the upper ones, to broadcast."""
    lower, upper, share = neighbours
    sizes = [1] * x.ndim
    sizes[axis] = len(share)
    shares = np.asarray(share).reshape(sizes)
    return x.take(np.asarray(lower), axis=axis), x.take(np.asarray(upper), axis=axis), shares


@host_step
def resize_bilinear_fixed(x: Array, *, rows: Neighbours, columns: Neighbours) -> Array:
    """x [N, H, W, C] of int8 at other positions, in fixed point, rounded half away from zero.

    rows, columns: for each of the output, its lower and its upper neighbour in x and the share of
    the upper one in units of 2^-10.
    """
    one = np.int32(1 << FRACTION_BITS)
    total = x.astype(np.int32)
    for axis, neighbours in ((1, rows), (2, columns)):
        lower, upper, share = _along(total, axis, neighbours)
        share = share.astype(np.int32)
        total = lower * (one - share) + upper * share
    half = np.int32(1 << (2 * FRACTION_BITS - 1))
    nudged = (np.abs(total) + half) >> (2 * FRACTION_BITS)
    return np.asarray(np.sign(total) * nudged, dtype=x.dtype)


@host_step
def resize_bilinear_float(x: Array, *, rows: Neighbours, columns: Neighbours) -> Array:
    """x [N, H, W, C] at other positions, in float32; integers get 0.5 added and are truncated.

    rows, columns: as for `resize_bilinear_fixed`, with shares that are float32 numbers.
    """
    one = np.float32(1)
    below, above, share_y = _along(x.astype(np.float32), 1, rows)
    share_y = share_y.astype(np.float32)
    left, right = [], []
    for image, weight in ((below, one - share_y), (above, share_y)):
        before, after, share_x = _along(image, 2, columns)
        share_x = share_x.astype(np.float32)
        left.append(before * weight * (one - share_x))
        right.append(after * weight * share_x)
    # The kernel adds the left column, then the right one.
    total = left[0] + left[1] + right[0] + right[1]
    if x.dtype != np.float32:
        total = np.trunc(total + np.float32(0.5))
    return np.asarray(total, dtype=x.dtype)
