"""Pools in NumPy, bit for bit as ONNX Runtime computes them on a CPU: steps for the host."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics.host.ort import dequantise_ort, quantise_ort, round_on_x86
from numerics.host.registry import Array, host_step

Floats = npt.NDArray[np.float32]

_LANES = 4


def window_taps(
    x: Array,
    *,
    image: tuple[int, int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int],
    dilation: tuple[int, int],
    fill: float,
) -> list[Array]:
    """For every tap of the window, row by row, the padded input below it: [N, E, F, C]."""
    top, left, bottom, right = pad
    images = x.reshape(-1, *image)
    padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    counts = [
        (padded.shape[axis + 1] - ((window[axis] - 1) * dilation[axis] + 1)) // stride[axis] + 1
        for axis in (0, 1)
    ]
    taps = []
    for r in range(window[0]):
        for s in range(window[1]):
            y, z = r * dilation[0], s * dilation[1]
            taps.append(
                padded[
                    :,
                    y : y + (counts[0] - 1) * stride[0] + 1 : stride[0],
                    z : z + (counts[1] - 1) * stride[1] + 1 : stride[1],
                ]
            )
    return taps


@host_step
def max_pool(x: Array, **geometry: Any) -> Array:
    """Maximum over the windows of channels-last images; padding never wins."""
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    taps = window_taps(x, fill=lowest, **geometry)
    result = taps[0].copy()
    for tap in taps[1:]:
        np.maximum(result, tap, out=result)
    return result


@host_step
def max_pool_indices(x: Array, *, batch: int, by_columns: bool, **geometry: Any) -> Array:
    """Where the first maximum of each window lies among the values of a channels-first tensor.

    Row by row, or column by column of each image.
    """
    H, W, C = geometry["image"]
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    rows = np.arange(H)[:, None] * (1 if by_columns else W)
    columns = np.arange(W) * (H if by_columns else 1)
    place = np.broadcast_to((rows + columns)[None, :, :, None], (1, H, W, 1))
    taps = np.stack(window_taps(x, fill=lowest, **geometry))
    places = np.stack(window_taps(place, fill=-1, **{**geometry, "image": (H, W, 1)}))
    inside = np.broadcast_to(places >= 0, taps.shape)
    best = np.where(inside & (taps == taps.max(axis=0)), 0, 1).argmin(axis=0)
    chosen = np.take_along_axis(np.broadcast_to(places, taps.shape), best[None], axis=0)[0]
    items = np.arange(taps.shape[1])[:, None, None, None] % batch
    return np.asarray(chosen + (items * C + np.arange(C)) * (H * W), dtype=np.int64)


@host_step
def average_pool(
    x: Floats,
    *,
    sums: str,
    beyond: tuple[int, int],
    include_pad: bool,
    batch: int,
    **geometry: Any,
) -> Floats:
    """Mean over the windows of channels-last images; the sums run in float32.

    The order of a sum decides its last bits. `sums`: "rows" adds tap after tap, row by row;
    "columns" adds up each column, then the columns; "lanes" keeps four sums of every fourth tap;
    "aligned" does so from the first tap whose place in a tensor [`batch`, C, H, W] is a multiple of
    four. Padding is left out of sum and count unless `include_pad`; the last `beyond` rows and
    columns of padding, which only rounding up the output size has made, never count.
    """
    image, pad = geometry["image"], list(geometry["pad"])
    inside = np.ones((1, *image), dtype=np.float32)
    if include_pad:
        top, left, bottom, right = pad
        edges = ((0, 0), (top, bottom - beyond[0]), (left, right - beyond[1]), (0, 0))
        inside = np.pad(inside, edges, constant_values=1)
        geometry_of_counts = {**geometry, "image": inside.shape[1:], "pad": (0, 0, *beyond)}
    else:
        geometry_of_counts = geometry
    count = np.sum(window_taps(inside, fill=0, **geometry_of_counts), axis=0)
    taps = window_taps(x, fill=0, **geometry)
    with np.errstate(over="ignore", invalid="ignore"):
        if sums == "aligned":
            total = _aligned(taps, batch)
        else:
            total = _SUMS[sums](taps, geometry["window"][1])
    return np.asarray(total / count.astype(np.float32))


def _in_sequence(taps: list[Floats], columns: int) -> Floats:
    total = taps[0]
    for tap in taps[1:]:
        total = total + tap
    return total


def _by_columns(taps: list[Floats], columns: int) -> Floats:
    return _in_sequence([_in_sequence(taps[s::columns], 1) for s in range(columns)], 1)


def _in_lanes(taps: list[Floats], columns: int) -> Floats:
    whole = len(taps) // _LANES * _LANES
    zero = np.zeros_like(taps[0])
    lanes = [_in_sequence([zero, *taps[lane:whole:_LANES]], 1) for lane in range(_LANES)]
    total = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    return _in_sequence([total, *taps[whole:]], 1)


def _aligned(taps: list[Floats], batch: int) -> Floats:
    """ReduceMean's sums: vectors of four start at addresses that are multiples of their size."""
    items = np.arange(taps[0].shape[0])[:, None, None, None] % batch
    C = taps[0].shape[-1]
    early = -(items * C + np.arange(C)) * len(taps) % _LANES
    sums = [_pairs_of_lanes(taps, min(count, len(taps))) for count in range(_LANES)]
    return np.asarray(np.choose(np.broadcast_to(early, taps[0].shape), sums))


def _pairs_of_lanes(taps: list[Floats], early: int) -> Floats:
    """The sum whose vectors start after `early` taps; two of them are added up at a time."""
    vectors = (len(taps) - early) // _LANES
    if not vectors:
        return _in_sequence(taps, 1)
    place = [early + _LANES * vector for vector in range(vectors + 1)]
    paired = vectors // 2 * 2
    lanes = []
    for lane in range(_LANES):
        column = [taps[start + lane] for start in place[:vectors]]
        if vectors == 1:
            lanes.append(column[0])
            continue
        total = _in_sequence(column[:paired:2], 1) + _in_sequence(column[1:paired:2], 1)
        lanes.append(_in_sequence([total, *column[paired:]], 1))
    total = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    return _in_sequence([total, *taps[:early], *taps[place[-1] :]], 1)


def _by_rows(taps: list[Floats], columns: int) -> Floats:
    return _in_sequence([np.zeros_like(taps[0]), *taps], columns)  # so that -0 alone becomes 0


_SUMS: dict[str, Callable[[list[Floats], int], Floats]] = {
    "rows": _by_rows,
    "columns": _by_columns,
    "lanes": _in_lanes,
}


@host_step
def average_dequantised(
    x: Array,
    *,
    input_scale: float,
    input_zero_point: int,
    scale: float,
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
    zero_first: bool,
    **parameters: Any,
) -> Array:
    """DequantizeLinear, `average_pool`, QuantizeLinear with a clamp.

    With `zero_first` the zero point is added before rounding, as QLinearAveragePool does: ties go
    to even results then, not to even differences, and `round_on_x86` follows.
    """
    real = dequantise_ort(x, scale=(input_scale,), zero_point=(input_zero_point,))
    mean = average_pool(real, **parameters)
    if zero_first:
        with np.errstate(all="ignore"):
            offset = mean / np.float32(scale) + np.float32(zero_point)
        return round_on_x86(offset, low=low, high=high, dtype=dtype)
    return quantise_ort(
        mean, scale=(scale,), zero_point=(zero_point,), dtype=dtype, low=low, high=high
    )
