"""Host steps of ONNX models that choose values, and interpolation between them."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from numerics.registry import Array, host_step

Floats = npt.NDArray[np.float32]
_Side = tuple[npt.NDArray[np.int64], Floats]


@host_step
def take_ort(
    x: Array, *, axes: Sequence[int], indices: Sequence[Sequence[int]], fill: float = 0
) -> Array:
    """The values at these indices along each of some axes; `fill` where an index is -1."""
    beyond = np.zeros((1,) * x.ndim, dtype=bool)
    for axis, chosen in zip(axes, indices, strict=True):
        places = np.asarray(chosen, dtype=np.int64)
        x = np.take(x, np.maximum(places, 0), axis=axis)
        if (places < 0).any():
            shape = [places.size if index == axis else 1 for index in range(x.ndim)]
            beyond = beyond | (places < 0).reshape(shape)
    if beyond.any():
        x = np.where(beyond, np.asarray(fill, dtype=x.dtype), x)
    return np.ascontiguousarray(x)


@host_step
def spread_ort(
    x: Array,
    *,
    image: tuple[int, int, int],
    stride: tuple[int, int],
    cut: tuple[int, int, int, int],
    value: int,
) -> Array:
    """Images with `value` between their values, so that these lie `stride` apart.

    `cut` rows and columns are left out at the top, left, bottom and right.
    """
    images = x.reshape(-1, *image)
    height, width = ((n - 1) * step + 1 for n, step in zip(image, stride, strict=False))
    wide = np.full((len(images), height, width, image[2]), value, dtype=x.dtype)
    wide[:, :: stride[0], :: stride[1]] = images
    top, left, bottom, right = cut
    return np.ascontiguousarray(wide[:, top : height - bottom, left : width - right])


@host_step
def resize_linear(
    x: Array,
    *,
    axes: Sequence[int],
    places: Sequence[Sequence[float]],
    outside: float | None = None,
) -> Array:
    """Linear interpolation along some axes, `places` being the coordinates in the input.

    Floats are float32, and so are the weights of 8-bit values, whose sums are truncated. The last
    axis named counts as the innermost: of the two, four or eight neighbours it changes first. A
    weight is the product of those along all axes, from the innermost on. With `outside` that value
    stands wherever a coordinate lies beyond the input.
    """
    sides = [
        _neighbours(np.asarray(coordinates, dtype=np.float32), x.shape[axis])
        for axis, coordinates in zip(axes, places, strict=True)
    ]
    total: Array | None = None
    for corner in product((0, 1), repeat=len(axes)):
        weight: Array | None = None
        part = x
        for number in reversed(range(len(axes))):
            chosen, factor = sides[number][corner[number]]
            part = np.take(part, chosen, axis=axes[number])
            shape = [-1 if index == axes[number] else 1 for index in range(x.ndim)]
            factor = factor.reshape(shape)
            weight = factor if weight is None else weight * factor
        assert weight is not None
        with np.errstate(over="ignore", invalid="ignore"):
            term = weight * part.astype(np.float32)
            total = term if total is None else total + term
    assert total is not None
    result = total.astype(x.dtype) if x.dtype.kind == "f" else np.trunc(total).astype(x.dtype)
    if outside is None:
        return result
    return np.where(_beyond(x.shape, axes, places), np.asarray(outside, dtype=x.dtype), result)


def _neighbours(coordinates: Floats, size: int) -> tuple[_Side, _Side]:
    """Index and weight of the neighbour before each coordinate and of the one after it."""
    inside = np.maximum(np.float32(0), np.minimum(coordinates, np.float32(size - 1)))
    before = np.minimum(inside.astype(np.int64), size - 1)
    after = np.minimum(before + 1, size - 1)
    half = before == after  # both are the last value
    weights = [
        np.where(half, np.float32(0.5), np.abs(inside - side.astype(np.float32)))
        for side in (after, before)
    ]
    return (before, weights[0]), (after, weights[1])


def _beyond(
    shape: tuple[int, ...], axes: Sequence[int], places: Sequence[Sequence[float]]
) -> npt.NDArray[np.bool_]:
    result = np.zeros((1,) * len(shape), dtype=bool)
    for axis, coordinates in zip(axes, places, strict=True):
        given = np.asarray(coordinates, dtype=np.float32)
        outer = (given < 0) | (given > np.float32(shape[axis] - 1))
        result = result | outer.reshape([-1 if n == axis else 1 for n in range(len(shape))])
    return result
