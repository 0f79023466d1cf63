"""Average pools in NumPy, bit for bit as ONNX Runtime computes them on a CPU."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics.host.ort.arithmetic import dequantise_ort, quantise_ort, round_on_x86
from numerics.host.ort.windows import window_taps
from numerics.registry import Array, host_step

Floats = npt.NDArray[np.float32]

_LANES = 4


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
