"""Convolution accumulators in exact integers.

Windows are gathered into a matrix and multiplied in float64 wherever every partial sum provably
stays below 2^53, which makes the product exact; otherwise in int64.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.ir.ops import Conv, Pads, Pair
from numerics.gemmlowp import Ints, wrap
from numerics.quantisation import Requant, WindowStage
from numerics.windows import output_size
from sim.golden.requantise import add_bias, finish_window, requantise

Array = npt.NDArray[Any]

_EXACT = float(1 << 53)
_CHUNK = 1 << 22  # values of a gathered matrix held at a time
_BLOCK = 1 << 15  # products of one tap held at a time, so that they stay in the cache


def conv_accumulate(
    x: Array,
    weights: Array,
    *,
    input_zero_point: int = 0,
    weight_zero_point: Array | int = 0,
    stride: Pair = (1, 1),
    pad: Pads = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    window: int = 0,
    psum_width: int | None = None,
) -> Ints:
    """Sums of ((x - zx) * (w - zw)) >> window over the windows of x, without bias.

    x: [N, H, W, C]; weights: [M, R, S, C/G]; weight_zero_point: scalar or [M]. Padding contributes
    0. Returns int64 [N, E, F, M], reduced to `psum_width` bits if given.
    """
    centred = _padded(x.astype(np.int64) - input_zero_point, pad)
    zero = np.asarray(weight_zero_point, dtype=np.int64).reshape(-1, 1, 1, 1)
    kernel = weights.astype(np.int64) - zero
    M = kernel.shape[0]
    C, per_group = kernel.shape[3], M // groups
    if groups > 1 and C == 1 and window == 0:
        psums = _depthwise(centred, kernel, stride, dilation)
    else:
        parts = [
            _group(
                centred[..., g * C : (g + 1) * C],
                kernel[g * per_group : (g + 1) * per_group],
                stride,
                dilation,
                window,
            )
            for g in range(groups)
        ]
        psums = parts[0] if groups == 1 else np.concatenate(parts, axis=-1)
    return psums if psum_width is None else wrap(psums, psum_width)


def convolve(node: Conv, x: Array, psum_width: int | None = None) -> Array:
    """A whole `Conv` node: x holds any number of images, the result is [N, E, F, M]."""
    return finish(node, accumulate(node, x, psum_width))


def accumulate(node: Conv, x: Array, psum_width: int | None = None) -> Ints:
    """The sums of a `Conv` node without bias, [N, E, F, M]."""
    stage = node.stage
    return conv_accumulate(
        x.reshape(-1, *node.image),
        node.weights,
        input_zero_point=node.input_zero_point,
        weight_zero_point=node.weight_zero_point,
        stride=node.stride,
        pad=node.pad,
        dilation=node.dilation,
        groups=node.groups,
        window=stage.window if isinstance(stage, WindowStage) else 0,
        psum_width=psum_width,
    )


def finish(node: Conv, psums: Ints) -> Array:
    """The outputs of a `Conv` node from its sums."""
    if isinstance(node.stage, Requant):
        return requantise(add_bias(psums, node.bias, node.stage), node.stage)
    return finish_window(psums, node.bias, node.stage)


def _padded(x: Ints, pad: Pads) -> Ints:
    top, left, bottom, right = pad
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


def _tap(x: Array, r: int, s: int, outputs: Pair, stride: Pair, dilation: Pair) -> Array:
    """The input under tap (r, s) for every output position: a view [N, E, F, C]."""
    y0, x0 = r * dilation[0], s * dilation[1]
    y1, x1 = y0 + (outputs[0] - 1) * stride[0] + 1, x0 + (outputs[1] - 1) * stride[1] + 1
    return x[:, y0 : y1 : stride[0], x0 : x1 : stride[1]]


def _outputs(x: Ints, R: int, S: int, stride: Pair, dilation: Pair) -> Pair:
    E = output_size(x.shape[1], R, stride[0], dilation[0], 0)
    F = output_size(x.shape[2], S, stride[1], dilation[1], 0)
    return E, F


def _bound(x: Ints, kernel: Ints, products: int) -> float:
    """No partial sum of `products` products exceeds this magnitude."""
    return float(np.abs(x).max(initial=0)) * float(np.abs(kernel).max(initial=0)) * products


def _depthwise(x: Ints, kernel: Ints, stride: Pair, dilation: Pair) -> Ints:
    """One channel a group: multiply-add tap by tap, `multiplier` filters to a channel."""
    M, R, S, _ = kernel.shape
    N, C = x.shape[0], x.shape[3]
    E, F = _outputs(x, R, S, stride, dilation)
    dtype: npt.DTypeLike = np.int32 if _bound(x, kernel, R * S) < 1 << 31 else np.int64
    image: Array = x.astype(dtype)
    taps: Array = kernel.reshape(C, M // C, R, S).astype(dtype)
    total: Array = np.zeros((N, E, F, C, M // C), dtype=dtype)
    for r in range(R):
        for s in range(S):
            view = _tap(image, r, s, (E, F), stride, dilation)
            total += view[..., None] * taps[:, :, r, s]
    return total.reshape(N, E, F, M).astype(np.int64)


def _group(x: Ints, kernel: Ints, stride: Pair, dilation: Pair, window: int) -> Ints:
    """All filters of one group: x [N, H, W, C], kernel [M, R, S, C]."""
    M, R, S, C = kernel.shape
    E, F = _outputs(x, R, S, stride, dilation)
    K = R * S * C
    flat = kernel.reshape(M, K)
    dtype = _factor_type(_bound(x, flat, 1), K, window)
    matrix = flat.T.astype(dtype)
    result = np.empty((x.shape[0], E, F, M), dtype=np.int64)
    items = max(1, _CHUNK // (E * F * K))
    for first in range(0, x.shape[0], items):
        part = x[first : first + items]
        columns = np.empty((part.shape[0], E, F, R, S, C), dtype=dtype)
        for r in range(R):
            for s in range(S):
                columns[:, :, :, r, s] = _tap(part, r, s, (E, F), stride, dilation)
        rows = columns.reshape(-1, K)
        sums = rows @ matrix if window == 0 else _windowed_product(rows, matrix, window)
        result[first : first + items] = sums.reshape(-1, E, F, M)
    return result


def _factor_type(largest_product: float, K: int, window: int) -> type[np.generic]:
    """The fastest type in which factors, products and (window 0) sums of K products are exact."""
    if window == 0:
        return np.float64 if largest_product * K < _EXACT else np.int64
    return np.int32 if largest_product < 1 << 31 else np.int64


def _windowed_product(rows: Array, matrix: Array, window: int) -> Ints:
    """Sum over k of (rows[:, k] * matrix[k]) >> window: each product loses its low bits first."""
    total = np.zeros((rows.shape[0], matrix.shape[1]), dtype=np.int64)
    block = max(1, _BLOCK // matrix.shape[1])
    for first in range(0, rows.shape[0], block):
        part = np.ascontiguousarray(rows[first : first + block].T)
        products = np.empty((part.shape[1], matrix.shape[1]), dtype=rows.dtype)
        sums = total[first : first + block]
        for column, taps in zip(part, matrix, strict=True):
            np.multiply(column[:, None], taps, out=products)
            products >>= window
            sums += products
    return total
