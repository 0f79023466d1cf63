"""Convolution on the host, for layers that an array cannot map.

The arithmetic is exact: products of centred operands are summed in float64, which holds every
integer below 2^53.
"""

import numpy as np

from numerics.gemmlowp import Ints, wrap
from numerics.quantisation import RoundingRule
from numerics.registry import Array, host_step
from numerics.rounding import scale_affine, scale_ort, scale_reduced, scale_single, scale_tflm
from numerics.windows import output_size

_ACCUMULATOR_BITS = 32
_EXACT = float(1 << 53)
_SHORT = np.iinfo(np.int16)

AFFINE = "affine"
"""The mode of a stage with an offset, beside those of `RoundingRule`."""


@host_step
def conv(
    x: Array,
    weights: Array,
    weight_zero_point: Ints,
    bias: Ints,
    factors: Array,
    *,
    image: tuple[int, int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int],
    dilation: tuple[int, int],
    groups: int,
    input_zero_point: int,
    psum_width: int,
    mode: str,
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
) -> Array:
    """See `compiler.ir.ops.Conv`; the result is [N, E, F, M].

    factors: multipliers and shifts [2, M] in mode tflm, single and reduced, scales [1, M] in mode
    ort, multipliers, shifts and addends [3, M] in mode affine (ort with a bias off the
    accumulator's grid), product window and output shift [2, 1] in mode window; of no meaning in
    mode raw.
    """
    top, left, bottom, right = pad
    centred = x.reshape(-1, *image).astype(np.int64) - input_zero_point
    padded = np.pad(centred, ((0, 0), (top, bottom), (left, right), (0, 0)))
    kernel = weights.astype(np.int64) - weight_zero_point.reshape(-1, 1, 1, 1)
    window = int(factors[0, 0]) if mode == "window" else 0
    psums = _sums(padded, kernel, tuple(stride), tuple(dilation), groups, window)
    if psum_width:
        psums = wrap(psums, psum_width)
    if mode == "window":
        values = _shifted(psums + bias, int(factors[1, 0]))
        return np.clip(values, low, high).astype(dtype)
    if mode == RoundingRule.REDUCED.value:
        scaled = scale_reduced(psums + bias, factors[0], factors[1])
        return np.clip(scaled + zero_point, low, high).astype(dtype)
    accumulators = wrap(psums + bias, _ACCUMULATOR_BITS)
    if mode == RoundingRule.RAW.value:
        return accumulators.astype(dtype)
    if mode == RoundingRule.ORT.value:
        scaled = scale_ort(accumulators, factors[0])
    elif mode == AFFINE:
        scaled = scale_affine(accumulators, *factors)
    else:
        scale = scale_tflm if mode == RoundingRule.TFLM.value else scale_single
        scaled = scale(accumulators, factors[0], factors[1])
    return np.clip(scaled + zero_point, low, high).astype(dtype)


def _sums(
    padded: Ints, kernel: Ints, stride: tuple[int, ...], dilation: tuple[int, ...], groups: int,
    window: int,
) -> Ints:  # fmt: skip
    """Sums of products, each shifted right by `window`: [N, E, F, M], tap by tap."""
    N, height, width, channels = padded.shape
    M, R, S, C = kernel.shape
    E = output_size(height, R, stride[0], dilation[0], 0)
    F = output_size(width, S, stride[1], dilation[1], 0)
    total = np.zeros((groups, N * E * F, M // groups), dtype=np.int64)
    for r in range(R):
        for s in range(S):
            rows = slice(r * dilation[0], r * dilation[0] + (E - 1) * stride[0] + 1, stride[0])
            columns = slice(s * dilation[1], s * dilation[1] + (F - 1) * stride[1] + 1, stride[1])
            seen = padded[:, rows, columns].reshape(N * E * F, groups, C).transpose(1, 0, 2)
            taps = kernel[:, r, s].reshape(groups, M // groups, C).transpose(0, 2, 1)
            total += _products(seen, taps, window)
    return total.transpose(1, 0, 2).reshape(N, E, F, M)


def _products(seen: Ints, taps: Ints, window: int) -> Ints:
    """[G, P, C] times [G, C, M/G], every product shifted before it is added."""
    if window:
        total = np.zeros((seen.shape[0], seen.shape[1], taps.shape[2]), dtype=np.int64)
        for c in range(seen.shape[2]):
            total += (seen[:, :, c, None] * taps[:, c, None, :]) >> window
        return total
    largest = float(np.abs(seen).max(initial=0)) * float(np.abs(taps).max(initial=0))
    if largest * seen.shape[2] < _EXACT:
        return (seen.astype(np.float64) @ taps.astype(np.float64)).astype(np.int64)
    return np.asarray(seen @ taps)


def _shifted(total: Ints, shift: int) -> Ints:
    """total / 2^shift rounded half up, saturated to 16 bits."""
    rounded = (total + (1 << shift >> 1)) >> shift
    return np.asarray(np.clip(rounded, _SHORT.min, _SHORT.max))
