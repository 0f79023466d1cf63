"""Maximum and average pooling of stored values."""

from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.ir.ops import Pads, Pair, Pool, PoolKind
from numerics.gemmlowp import Ints
from numerics.windows import output_size

Array = npt.NDArray[Any]


def max_pool(
    x: Array, window: Pair, stride: Pair, pad: Pads = (0, 0, 0, 0), dilation: Pair = (1, 1)
) -> Ints:
    """Maximum of the window's values of x [N, H, W, C]; padding never wins. int64 [N, E, F, C]."""
    lowest = np.iinfo(np.int64).min
    result = None
    for view in _taps(x.astype(np.int64), window, stride, pad, dilation, lowest):
        result = view.copy() if result is None else np.maximum(result, view, out=result)
    assert result is not None
    return result


def average_pool(
    x: Array,
    window: Pair,
    stride: Pair,
    pad: Pads = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    *,
    count_include_pad: bool = False,
    pad_value: int = 0,
) -> Ints:
    """Sum of raw values over their count, rounded half away from zero. int64 [N, E, F, C].

    Padding is left out, or counted as `pad_value` with `count_include_pad`.
    """
    inside = np.ones((1, *x.shape[1:3], 1), dtype=np.int64)
    fill = pad_value if count_include_pad else 0
    total = sum(_taps(x.astype(np.int64), window, stride, pad, dilation, fill))
    count = sum(_taps(inside, window, stride, pad, dilation, int(count_include_pad)))
    return divide_half_away(np.asarray(total), np.asarray(count))


def divide_half_away(total: Ints, count: Ints) -> Ints:
    """total / count, rounded to nearest, ties away from zero; count > 0."""
    magnitude = (np.abs(total) + count // 2) // count
    return np.where(total >= 0, magnitude, -magnitude)


def pool(node: Pool, x: Array) -> Array:
    """A whole `Pool` node: x holds any number of images, the result is [N, E, F, C]."""
    images = x.reshape(-1, *node.image)
    geometry = (node.window, node.stride, node.pad, node.dilation)
    if node.kind is PoolKind.MAX:
        values = max_pool(images, *geometry)
    else:
        values = average_pool(
            images,
            *geometry,
            count_include_pad=node.count_include_pad,
            pad_value=node.pad_value,
        )
    return np.clip(values, node.low, node.high).astype(node.dtype)


def _taps(x: Ints, window: Pair, stride: Pair, pad: Pads, dilation: Pair, fill: int) -> list[Ints]:
    """For each tap of the window, the padded input under it: views [N, E, F, C]."""
    top, left, bottom, right = pad
    padded = np.pad(
        x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=np.int64(fill)
    )
    E = output_size(x.shape[1], window[0], stride[0], dilation[0], top + bottom)
    F = output_size(x.shape[2], window[1], stride[1], dilation[1], left + right)
    views = []
    for r in range(window[0]):
        for s in range(window[1]):
            y0, x0 = r * dilation[0], s * dilation[1]
            y1, x1 = y0 + (E - 1) * stride[0] + 1, x0 + (F - 1) * stride[1] + 1
            views.append(padded[:, y0 : y1 : stride[0], x0 : x1 : stride[1]])
    return views
