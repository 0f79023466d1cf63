"""Host steps that move blocks of an image between space, channels and items."""

from collections.abc import Sequence

import numpy as np

from numerics.registry import Array, host_step


@host_step
def depth_to_space(
    x: Array, *, block: Sequence[int], start: Sequence[int], size: Sequence[int]
) -> Array:
    """[N, H, W, by*bx*C] to the rows and columns of [N, H*by, W*bx, C] that are asked for.

    Channel (i*bx + j)*C + c of pixel (y, x) goes to row y*by + i, column x*bx + j, channel c. The
    result has `size` rows and columns from `start` on.
    """
    items, rows, columns, depth = x.shape
    by, bx = block
    parts = x.reshape(items, rows, columns, by, bx, depth // (by * bx))
    image = parts.transpose(0, 1, 3, 2, 4, 5).reshape(items, rows * by, columns * bx, -1)
    (top, left), (height, width) = start, size
    return np.ascontiguousarray(image[:, top : top + height, left : left + width])


@host_step
def space_to_depth(x: Array, *, block: Sequence[int]) -> Array:
    """[N, H*by, W*bx, C] to [N, H, W, by*bx*C], the inverse of `depth_to_space`."""
    items, rows, columns, depth = x.shape
    by, bx = block
    parts = x.reshape(items, rows // by, by, columns // bx, bx, depth)
    return np.ascontiguousarray(
        parts.transpose(0, 1, 3, 2, 4, 5).reshape(items, rows // by, columns // bx, -1)
    )


@host_step
def space_to_batch(
    x: Array, *, block: Sequence[int], pads: Sequence[Sequence[int]], value: int
) -> Array:
    """[N, ...] padded by (before, after) with `value`, its blocks spread over by*bx*N items.

    `block` and `pads` have an entry for each of the one or two axes after the first. Item
    (i*bx + j)*N + n has the rows i, i + by, ... and columns j, j + bx, ... of item n.
    """
    x, block, spread = _with_columns(x, block)
    around = [tuple(pair) for pair in pads] + [(0, 0)] * (2 - len(pads))
    padded = np.pad(x, [(0, 0), *around, (0, 0)], constant_values=value)
    items, rows, columns, depth = padded.shape
    by, bx = block
    parts = padded.reshape(items, rows // by, by, columns // bx, bx, depth)
    moved = parts.transpose(2, 4, 0, 1, 3, 5).reshape(-1, rows // by, columns // bx, depth)
    return np.ascontiguousarray(moved[:, :, 0] if spread else moved)


@host_step
def batch_to_space(x: Array, *, block: Sequence[int], crops: Sequence[Sequence[int]]) -> Array:
    """The inverse of `space_to_batch`; `crops` are what (before, after) is left out in the end."""
    x, block, spread = _with_columns(x, block)
    by, bx = block
    items, rows, columns, depth = x.shape
    parts = x.reshape(by, bx, items // (by * bx), rows, columns, depth)
    image = parts.transpose(2, 3, 0, 4, 1, 5).reshape(-1, rows * by, columns * bx, depth)
    (top, bottom), (left, right) = [tuple(pair) for pair in crops] + [(0, 0)] * (2 - len(crops))
    height, width = image.shape[1] - bottom, image.shape[2] - right
    cut = image[:, top:height, left:width]
    return np.ascontiguousarray(cut[:, :, 0] if spread else cut)


def _with_columns(x: Array, block: Sequence[int]) -> tuple[Array, tuple[int, int], bool]:
    """x and its block with an axis of columns; whether that was added."""
    if x.ndim == 3:
        return x[:, :, np.newaxis], (block[0], 1), True
    return x, (block[0], block[1]), False
