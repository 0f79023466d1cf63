"""What single input channels add to a convolution's sums."""

import numpy as np
from numpy.typing import NDArray

from compiler.ir.ops import Conv
from numerics.gemmlowp import wrap
from numerics.quantisation import WindowStage

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

_FILTERS_AT_ONCE = 64  # a large layer's weights do not fit memory as 64-bit numbers


def reads(node: Conv) -> Flags:
    """[M, C/G]: whether a filter has a weight other than its zero point for a channel.

    Weights that take no memory stand for a layer whose weights are not known
    (`compiler.workloads.layers`): every filter of it counts as reading every channel.
    """
    M, _, _, C = node.weights.shape
    if not any(node.weights.strides):
        return np.ones((M, C), dtype=bool)
    zeros = np.broadcast_to(node.weight_zero_point, M).reshape(-1, 1, 1, 1)
    parts = [
        (node.weights[part] != zeros[part]).any(axis=(1, 2))
        for part in _parts(np.arange(M, dtype=np.int64))
    ]
    return np.concatenate(parts)


def tap_sums(node: Conv, values: Ints, channels: Flags, filters: Flags) -> Ints:
    """[M, R, S]: what known channels add to a filter's sum at each tap; 0 for other filters.

    values : int64 [C], stored values of the layer's input
    channels : bool [C], which channels count
    filters : bool [M], which filters are wanted

    Every product loses the low bits that the layer's window takes, as in the array.
    """
    M, R, S, C = node.weights.shape
    sums = np.zeros((M, R, S), dtype=np.int64)
    centred = np.where(channels, values - node.input_zero_point, 0)
    if not centred.any():
        return sums
    inputs = centred.reshape(node.groups, 1, 1, C)
    zeros = np.broadcast_to(node.weight_zero_point, M).reshape(-1, 1, 1, 1)
    window = node.stage.window if isinstance(node.stage, WindowStage) else 0
    group = np.arange(M) // (M // node.groups)
    for part in _parts(np.flatnonzero(filters)):
        kernel = node.weights[part].astype(np.int64) - zeros[part]
        sums[part] = ((kernel * inputs[group[part]]) >> window).sum(axis=3)
    return sums


def borders(node: Conv) -> tuple[Flags, Flags]:
    """Which taps of a window lie within the input: every form along rows [a, R], columns [b, S]."""
    _, R, S, _ = node.weights.shape
    top, left, bottom, right = node.pad
    E, F, _ = node.output_image
    return _borders(node, 0, R, (top, bottom), E), _borders(node, 1, S, (left, right), F)


def _borders(node: Conv, axis: int, taps: int, pad: tuple[int, int], outputs: int) -> Flags:
    # Windows farther from the ends lie within the input altogether.
    near = max(pad) + 1
    places = np.arange(outputs) if outputs <= 2 * near else np.r_[:near, outputs - near : outputs]
    first = places * node.stride[axis] - pad[0]
    positions = first[:, None] + np.arange(taps) * node.dilation[axis]
    inside = (positions >= 0) & (positions < node.image[axis])
    return np.unique(inside, axis=0)


def needed_bias(node: Conv, sums: Ints, psum_width: int | None) -> Ints:
    """[M]: accumulators whose sums are these, bias included; before they wrap to 32 bits."""
    wrapped = sums if psum_width is None else wrap(sums, psum_width)
    return np.asarray(wrapped + node.bias)


def _parts(indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [
        indices[first : first + _FILTERS_AT_ONCE]
        for first in range(0, len(indices), _FILTERS_AT_ONCE)
    ]
