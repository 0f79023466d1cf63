"""Reductions in NumPy, bit for bit as ONNX Runtime computes them on a CPU."""

from collections.abc import Sequence
from itertools import groupby
from math import prod

import numpy as np
import numpy.typing as npt

from numerics.registry import Array, host_step

Floats = npt.NDArray[np.float32]

_LANES = 4


@host_step
def reduce_sum(x: Floats, *, axes: Sequence[int], shape: Sequence[int], mean: bool) -> Floats:
    """Sums over some axes of tensors of this shape, in float32, or their means; axes are kept.

    The order of a sum decides its last bits. ONNX Runtime joins axes that lie side by side, and
    what remains chooses the order: trailing axes are added up in four lanes from the first aligned
    address on, leading ones one value after another, and one in the middle four values at a time.
    """
    items = x.reshape(-1, *shape)
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    count = np.float32(prod(shape[axis] for axis in axes))
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.stack([_summed(item, axes).reshape(kept) for item in items])
        result = sums / count if mean else sums
    return np.asarray(result, dtype=np.float32).reshape(-1, *kept[1:])


def _summed(x: Floats, axes: Sequence[int]) -> Floats:
    """The sums of one tensor, flat."""
    runs = [
        (reduced, prod(x.shape[axis] for axis in group))
        for reduced, group in groupby(range(x.ndim), key=lambda axis: axis in axes)
    ]
    form = "".join("R" if reduced else "K" for reduced, _ in runs)
    values = x.reshape([size for _, size in runs])
    if form == "KRK" and values.shape[0] == 1:
        form, values = "RK", values[0]
    match form:
        case "" | "K":
            return x.reshape(-1)
        case "R":
            return _by_rows(values.reshape(1, -1))
        case "KR":
            return _by_rows(values)
        case "KRK":
            return _by_fours(values)
        case "RKR" if values.shape[1] > 1:
            sums = _by_rows(values.reshape(-1, values.shape[-1]))
            return _sequence(sums.reshape(1, *values.shape[:2])).reshape(-1)
    places = [place for place, letter in enumerate(form) if letter == "R"]
    moved = np.moveaxis(values, places, range(len(places)))
    return _sequence(moved.reshape(1, prod(moved.shape[: len(places)]), -1)).reshape(-1)


def _by_rows(x: Floats) -> Floats:
    """Sums of rows that lie one after another; vectors of four start at aligned addresses."""
    count = x.shape[1]
    early = -(np.arange(len(x)) * count) % _LANES
    sums = [_in_lanes(x, min(start, count)) for start in range(_LANES)]
    return np.asarray(np.choose(early, sums))


def _in_lanes(x: Floats, early: int) -> Floats:
    """The sums whose vectors start after `early` values; two vectors are added up at a time."""
    vectors = (x.shape[1] - early) // _LANES
    if not vectors:
        return np.asarray(np.add.accumulate(x, axis=1, dtype=np.float32)[:, -1])
    end = early + vectors * _LANES
    lanes = x[:, early:end].reshape(len(x), vectors, _LANES)
    total = lanes[:, 0]
    if vectors > 1:
        paired = vectors // 2 * 2
        sides = [_sequence(lanes[:, side:paired:2]) for side in (0, 1)]
        total = sides[0] + sides[1]
        if paired < vectors:
            total = total + lanes[:, -1]
    one = (total[:, 0] + total[:, 2]) + (total[:, 1] + total[:, 3])
    for place in (*range(early), *range(end, x.shape[1])):
        one = one + x[:, place]
    return one


def _sequence(x: Floats) -> Floats:
    """Sums along axis 1, one value after another."""
    return np.asarray(np.add.accumulate(x, axis=1, dtype=np.float32)[:, -1])


def _by_fours(x: Floats) -> Floats:
    """Sums along the middle axis, flat: of four values each, then of two, added up in turn."""
    total: Floats | None = None
    place, count = 0, x.shape[1]
    while place < count:
        taken = 4 if place + 4 <= count else 2 if place + 2 <= count else 1
        part = _sequence(x[:, place : place + taken])
        total = part if total is None else total + part
        place += taken
    assert total is not None
    return total.reshape(-1)


@host_step
def reduce_extreme(x: Array, *, axes: Sequence[int], largest: bool) -> Array:
    """The largest or the least value over some axes, which are kept."""
    choose = np.max if largest else np.min
    return np.asarray(choose(x, axis=tuple(axes), keepdims=True))


@host_step
def arg_extreme(x: Array, *, axes: Sequence[int], largest: bool, last: bool) -> Array:
    """Where the largest or the least value lies along the one axis named: the first, or the last.

    The axis is kept, with size 1; the result is int64.
    """
    axis = axes[0]
    seen = np.flip(x, axis) if last else x
    found = (np.argmax if largest else np.argmin)(seen, axis=axis)
    places = x.shape[axis] - 1 - found if last else found
    return np.expand_dims(places, axis).astype(np.int64)


@host_step
def extreme_ort(a: Array, b: Array, *, largest: bool) -> Array:
    """The larger or the smaller of two values that broadcast; NaN if one of them is."""
    return np.asarray((np.maximum if largest else np.minimum)(a, b))


@host_step
def where_ort(condition: Array, a: Array, b: Array) -> Array:
    """a where the condition holds, else b; all three broadcast."""
    return np.where(condition.astype(bool), a, b)
