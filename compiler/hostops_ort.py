"""Host steps in NumPy, bit for bit as ONNX Runtime computes them on a CPU, in float32.

Like `compiler.hostops`: functions of arrays and plain parameters, found by name in `FUNCTIONS`. The
leading axis may hold any number of items. Integers of other types than float32 wrap as in C.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler import mlas
from compiler.quantisation import integer_range

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


def _sliced(values: tuple[Any, ...], dtype: npt.DTypeLike, axis: int, rank: int) -> Array:
    """One value, or one per slice along an axis, shaped to broadcast."""
    array = np.asarray(values, dtype=dtype)
    if array.size == 1:
        return array.reshape(())
    shape = [array.size if index == axis else 1 for index in range(rank)]
    return np.asarray(array.reshape(shape))


def quantise_ort(
    x: Floats,
    *,
    scale: tuple[float, ...],
    zero_point: tuple[int, ...],
    dtype: str,
    axis: int = 0,
    low: int | None = None,
    high: int | None = None,
) -> Array:
    """rint(x / scale) + zero_point, ties to even, clamped; NaN becomes the lowest value."""
    lowest, highest = integer_range(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = x / _sliced(scale, np.float32, axis, x.ndim)
    zero = _sliced(zero_point, np.float64, axis, x.ndim)
    rounded = np.rint(ratio.astype(np.float64)) + zero
    bounded = np.fmin(np.fmax(rounded, lowest if low is None else low), highest)
    if high is not None:
        bounded = np.minimum(bounded, high)
    return np.asarray(bounded, dtype=dtype)


def dequantise_ort(
    x: Array, *, scale: tuple[float, ...], zero_point: tuple[int, ...], axis: int = 0
) -> Floats:
    """float32(x - zero_point) * scale."""
    centred = x.astype(np.int64) - _sliced(zero_point, np.int64, axis, x.ndim)
    return np.asarray(centred.astype(np.float32) * _sliced(scale, np.float32, axis, x.ndim))


def rearrange(x: Array, *, sizes: tuple[int, ...], order: tuple[int, ...]) -> Array:
    """Items of axes `sizes`: axis i of the result is axis order[i] of the input."""
    items = x.reshape(-1, *sizes)
    return np.ascontiguousarray(items.transpose(0, *(axis + 1 for axis in order)))


def arithmetic(a: Array, b: Array, *, operator: str) -> Array:
    """Sum, difference, product or quotient of two tensors of one type, which broadcast."""
    with np.errstate(all="ignore"):
        result: Array = np.asarray(_ARITHMETIC[operator](a, b), dtype=a.dtype)
    return result


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    quotient = np.abs(a.astype(np.int64)) // np.maximum(np.abs(b.astype(np.int64)), 1)
    return np.asarray(np.where((a < 0) == (b < 0), quotient, -quotient))


_ARITHMETIC: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
}


def clip(x: Array, *, low: float | None = None, high: float | None = None) -> Array:
    """x between two bounds of its own type; NaN stays."""
    if low is not None:
        x = np.maximum(x, np.asarray(low, dtype=x.dtype))
    if high is not None:
        x = np.minimum(x, np.asarray(high, dtype=x.dtype))
    return x


def lookup(x: Array, *, table: tuple[int, ...], dtype: str) -> Array:
    """The table's entry for every 8-bit value, the table beginning with the lowest one."""
    index = x.astype(np.int64) - np.iinfo(x.dtype).min
    return np.asarray(table, dtype=dtype)[index]


def add_dequantised(
    a: Array,
    b: Array,
    *,
    operator: str,
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    scale: float,
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
) -> Array:
    """DequantizeLinear of both, sum or product in float32, QuantizeLinear with a clamp."""
    first, second = (
        dequantise_ort(x, scale=(real,), zero_point=(zero,))
        for x, real, zero in zip((a, b), scales, zero_points, strict=True)
    )
    real = arithmetic(first, second, operator=operator)  # overflows to infinity, which saturates
    return quantise_ort(
        real, scale=(scale,), zero_point=(zero_point,), dtype=dtype, low=low, high=high
    )


def add_qlinear(
    a: Array,
    b: Array,
    *,
    operator: str,
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    scale: float,
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
) -> Array:
    """QLinearAdd and QLinearMul as ONNX Runtime's kernels for x86 and Arm compute them.

    The sum runs over a * ratio_a + (b * ratio_b + rest) with fused multiply-adds, the product over
    float32((a - za) * (b - zb)) * ratio.
    """
    first, second, output = (np.float32(value) for value in (*scales, scale))
    x, y = a.astype(np.float64), b.astype(np.float64)
    if operator == "Mul":
        product = ((x - zero_points[0]) * (y - zero_points[1])).astype(np.float32)
        real = (product * (first * second / output)).astype(np.float64) + zero_point
    else:
        ratios = first / output, second / output
        offset = float(ratios[0]) * zero_points[0] + float(ratios[1] * np.float32(zero_points[1]))
        rest = np.float32(zero_point) - np.float32(offset)
        inner = (y * float(ratios[1]) + float(rest)).astype(np.float32)
        real = (x * float(ratios[0]) + inner.astype(np.float64)).astype(np.float32)
    return np.clip(np.rint(real), low, high).astype(dtype)


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


def max_pool(x: Array, **geometry: Any) -> Array:
    """Maximum over the windows of channels-last images; padding never wins."""
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    taps = window_taps(x, fill=lowest, **geometry)
    result = taps[0].copy()
    for tap in taps[1:]:
        np.maximum(result, tap, out=result)
    return result


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


def _dynamic(x: Floats) -> tuple[np.float32, int]:
    """Scale and zero point of DynamicQuantizeLinear: the range of x and 0 over 0 ... 255."""
    low, high = np.minimum(x.min(), np.float32(0)), np.maximum(x.max(), np.float32(0))
    scale = np.float32(1.0) if low == high else np.float32((high - low) / np.float32(255))
    zero = np.rint(np.clip(np.float32(0) - low / scale, np.float32(0), np.float32(255)))
    return scale, int(zero)


def dynamic_scale(x: Floats) -> Floats:
    """The scale that DynamicQuantizeLinear finds."""
    return np.asarray(_dynamic(x)[0], dtype=np.float32)


def dynamic_zero_point(x: Floats) -> Array:
    """The zero point that DynamicQuantizeLinear finds."""
    return np.asarray(_dynamic(x)[1], dtype=np.uint8)


def dynamic_values(x: Floats) -> Array:
    """The values that DynamicQuantizeLinear stores."""
    scale, zero = _dynamic(x)
    return quantise_ort(x, scale=(float(scale),), zero_point=(zero,), dtype="uint8")


def average_pool(
    x: Floats, *, sums: str, beyond: tuple[int, int], include_pad: bool, **geometry: Any
) -> Floats:
    """Mean over the windows of channels-last images; the sums run in float32.

    The order of a sum decides its last bits. `sums`: "rows" adds tap after tap, row by row;
    "columns" adds up each column, then the columns; "lanes" keeps four sums of every fourth tap.
    Padding is left out of sum and count unless `include_pad`; the last `beyond` rows and columns
    of padding, which only rounding up the output size has made, never count.
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
    whole = len(taps) // 4 * 4
    zero = np.zeros_like(taps[0])
    lanes = [_in_sequence([zero, *taps[lane:whole:4]], 1) for lane in range(4)]
    total = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    return _in_sequence([total, *taps[whole:]], 1)


_SUMS: dict[str, Callable[[list[Floats], int], Floats]] = {
    "rows": _in_sequence,
    "columns": _by_columns,
    "lanes": _in_lanes,
}


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
    to even results then, not to even differences.
    """
    real = dequantise_ort(x, scale=(input_scale,), zero_point=(input_zero_point,))
    mean = average_pool(real, **parameters)
    if zero_first:
        rounded = np.rint(mean / np.float32(scale) + np.float32(zero_point))
        return np.asarray(np.clip(rounded, low, high), dtype=dtype)
    return quantise_ort(
        mean, scale=(scale,), zero_point=(zero_point,), dtype=dtype, low=low, high=high
    )


def pad_ort(x: Array, *, pads: tuple[tuple[int, int], ...], value: float) -> Array:
    """x with a constant around it: (before, after) for each axis."""
    return np.pad(x, pads, constant_values=np.asarray(value, dtype=x.dtype))


def concat_ort(*arrays: Array, axes: tuple[int]) -> Array:
    """The arrays joined along the one axis named."""
    return np.concatenate(arrays, axis=axes[0])


def softmax_ort(x: Floats, *, columns: int) -> Floats:
    """Softmax over rows of `columns` values."""
    return mlas.softmax(x.reshape(-1, columns)).reshape(x.shape)


def cast_ort(x: Array, *, dtype: str) -> Array:
    """Conversion of values to another type."""
    with np.errstate(invalid="ignore"):
        return x.astype(dtype)


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "quantise_ort": quantise_ort,
    "dequantise_ort": dequantise_ort,
    "rearrange": rearrange,
    "arithmetic": arithmetic,
    "clip": clip,
    "lookup": lookup,
    "add_dequantised": add_dequantised,
    "add_qlinear": add_qlinear,
    "max_pool": max_pool,
    "max_pool_indices": max_pool_indices,
    "dynamic_scale": dynamic_scale,
    "dynamic_zero_point": dynamic_zero_point,
    "dynamic_values": dynamic_values,
    "average_pool": average_pool,
    "average_dequantised": average_dequantised,
    "pad_ort": pad_ort,
    "concat_ort": concat_ort,
    "softmax_ort": softmax_ort,
    "cast_ort": cast_ort,
}
