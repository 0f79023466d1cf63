"""Maximum pools in NumPy, bit for bit as ONNX Runtime computes them on a CPU.

The maximum of floats depends on the order of comparisons only where it meets NaN, zeros of both
signs or infinities: x86's vector instruction keeps the later of two values that do not compare as
greater, scalar code the earlier.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics.host.ort.windows import window_taps
from numerics.registry import Array, host_step

Floats = npt.NDArray[np.float32]

_LANES = 4
_LEAST = float(np.finfo(np.float32).min)


@host_step
def max_pool(x: Array, *, order: str, **geometry: Any) -> Array:
    """Maximum over the windows of channels-last images; padding never wins.

    `order` is that of comparisons of floats: "values" goes through a window row by row from its
    first value on, "rows" from the least finite number on; "columns" goes down each column, then
    over the columns; "lanes" keeps four maxima of every fourth tap.
    """
    if x.dtype.kind == "f":
        return _ORDERS[order](x, geometry)
    taps = window_taps(x, fill=np.iinfo(x.dtype).min, **geometry)
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
    rows = np.arange(H)[:, None] * (1 if by_columns else W)
    columns = np.arange(W) * (H if by_columns else 1)
    place = np.broadcast_to((rows + columns)[None, :, :, None], (1, H, W, 1))
    places = window_taps(place, fill=-1, **{**geometry, "image": (H, W, 1)})
    _, best = _scanned(window_taps(x, fill=0, **geometry), [tap >= 0 for tap in places])
    chosen = np.zeros(best.shape, dtype=np.int64)
    for number, tap in enumerate(places):
        chosen = np.where(best == number, tap, chosen)
    items = np.arange(best.shape[0])[:, None, None, None] % batch
    return np.asarray(chosen + (items * C + np.arange(C)) * (H * W), dtype=np.int64)


def _scanned(taps: list[Array], inside: list[Array]) -> tuple[Array, Array]:
    """Row by row, the first value that no later one exceeds, and the number of its tap."""
    result, begun = taps[0], inside[0]
    best = np.zeros(result.shape, dtype=np.int64)
    for number, (tap, present) in enumerate(zip(taps[1:], inside[1:], strict=True), start=1):
        taken = present & (~begun | (tap > result))
        result, best = np.where(taken, tap, result), np.where(taken, number, best)
        begun = begun | present
    return result, best


def _inside(geometry: dict[str, Any]) -> list[Array]:
    """For every tap, which windows find the image below it."""
    H, W, _ = geometry["image"]
    image = np.ones((1, H, W, 1), dtype=bool)
    return window_taps(image, fill=False, **{**geometry, "image": (H, W, 1)})


def _by_values(x: Floats, geometry: dict[str, Any]) -> Floats:
    return _scanned(window_taps(x, fill=0, **geometry), _inside(geometry))[0]


def _earlier(a: Floats, b: Floats) -> Floats:
    """The greater one, else the first."""
    return np.where(b > a, b, a)


def _later(a: Floats, b: Floats) -> Floats:
    """The greater one, else the second."""
    return np.where(a > b, a, b)


def _by_rows(x: Floats, geometry: dict[str, Any]) -> Floats:
    taps = window_taps(x, fill=_LEAST, **geometry)
    result = np.full_like(taps[0], _LEAST)
    for tap in taps:
        result = _earlier(result, tap)
    return result


def _in_lanes(x: Floats, geometry: dict[str, Any]) -> Floats:
    taps = window_taps(x, fill=_LEAST, **geometry)
    whole = len(taps) // _LANES * _LANES
    lanes = [np.full_like(taps[0], _LEAST) for _ in range(_LANES)]
    for place, tap in enumerate(taps[:whole]):
        lanes[place % _LANES] = _later(lanes[place % _LANES], tap)
    result = _later(_later(lanes[0], lanes[2]), _later(lanes[1], lanes[3]))
    for tap in taps[whole:]:
        result = _earlier(result, tap)
    return result


def _by_columns(x: Floats, geometry: dict[str, Any]) -> Floats:
    """Rows of padding are left out, columns of it count as the least finite number."""
    W = geometry["image"][1]
    rows, columns = geometry["window"]
    taps, inside = window_taps(x, fill=_LEAST, **geometry), _inside(geometry)
    places = np.arange(taps[0].shape[2]) * geometry["stride"][1] - geometry["pad"][1]
    result = None
    for s in range(columns):
        # Four columns of the input at a time are compared as a vector, what remains one by one.
        vector = (places + s < W // _LANES * _LANES)[:, None]
        column = np.full_like(taps[0], _LEAST)
        begun = np.zeros_like(inside[0])
        for r in range(rows):
            tap, present = taps[r * columns + s], inside[r * columns + s]
            greater = np.where(vector, _later(column, tap), _earlier(column, tap))
            column = np.where(present, np.where(begun, greater, tap), column)
            begun = begun | present
        result = column if result is None else _later(result, column)
    assert result is not None
    return result


_ORDERS: dict[str, Callable[[Floats, dict[str, Any]], Floats]] = {
    "values": _by_values,
    "rows": _by_rows,
    "columns": _by_columns,
    "lanes": _in_lanes,
}
