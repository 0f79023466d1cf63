"""Resize and Upsample: which input coordinate each output value is taken from, in float32."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Shape
from compiler.frontends.onnx.model.node import RawNode
from compiler.ir.ops import Array
from numerics.quantisation import INTEGER_RANGES, integer_range

_LAST_WITHOUT_MODES = 10  # operator sets up to this one know one way to find coordinates
_HALF = np.float32(0.5)
_HALFWAY = np.float32(1e-6)  # measured on ONNX Runtime 1.32; earlier versions had no such bound


@dataclass(frozen=True, kw_only=True)
class Resized:
    """The shape of the output, and the input coordinates of its values, float32, along each axis.

    `places` holds None for an axis that stays as it is. `outside` is the value beyond the input,
    None where its edge is repeated.
    """

    shape: Shape
    scales: tuple[np.float32, ...]
    places: tuple[Array | None, ...]
    mode: str
    outside: float | None

    def nearest(self, node: RawNode, before: Shape, opset: int) -> dict[int, tuple[int, ...]]:
        """Indices of the nearest values along each axis that changes; -1 lies outside."""
        kind = node.text("nearest_mode", "round_prefer_floor")
        if opset <= _LAST_WITHOUT_MODES:
            kind = "truncate"
        found = {}
        for axis, coordinates in enumerate(self.places):
            if coordinates is None:
                continue
            rounding = kind
            if opset <= _LAST_WITHOUT_MODES and self.scales[axis] < 1:
                rounding = "ceil"
            chosen = np.clip(_ROUNDINGS[rounding](coordinates), 0, before[axis] - 1)
            if self.outside is not None:
                beyond = (coordinates < 0) | (coordinates > np.float32(before[axis] - 1))
                chosen = np.where(beyond, -1, chosen)
            found[axis] = tuple(int(index) for index in chosen)
        return found


def _prefer_floor(x: Array) -> Array:
    return np.where(_halfway(x), np.floor(x), _away(x))


def _prefer_ceil(x: Array) -> Array:
    return np.where(_halfway(x), np.ceil(x), _away(x))


def _halfway(x: Array) -> Array:
    """Which coordinates ONNX Runtime takes as halves: a scale in float32 moves them a little."""
    return np.asarray(np.abs(x - (np.floor(x) + _HALF)) < _HALFWAY)


def _away(x: Array) -> Array:
    """The nearest whole number, halves away from zero."""
    wide = x.astype(np.float64)
    return np.asarray(np.trunc(wide + np.copysign(0.5, wide)))


_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": _prefer_floor,
    "round_prefer_ceil": _prefer_ceil,
    "floor": np.floor,
    "ceil": np.ceil,
    "truncate": np.trunc,
}


def read_resize(builder: OnnxBuilder, node: RawNode, before: Shape) -> Resized:
    """The geometry of a Resize or Upsample of a tensor of this shape."""
    mode = node.text("mode", "nearest")
    how = node.text("coordinate_transformation_mode", "half_pixel")
    kind = node.text("nearest_mode", "round_prefer_floor")
    opset = builder.raw.opset
    if opset <= _LAST_WITHOUT_MODES:
        how = "asymmetric"
    if mode not in ("nearest", "linear") or node.integer("antialias", 0):
        what = "antialias" if node.integer("antialias", 0) else f"mode {mode!r}"
        builder.refuse(node, f"its {what} is not supported", "resize by nearest or linear")
    if how not in _COORDINATES or kind not in _ROUNDINGS:
        unknown = how if how not in _COORDINATES else kind
        builder.refuse(node, f"its mode {unknown!r} is unknown", "correct the model")
    shape, scales = _sizes(builder, node, before)
    builder.check_elements(node, shape)
    roi = _region(builder, node, len(before)) if how == "tf_crop_and_resize" else None
    places: list[Array | None] = []
    for axis, (size, count, scale) in enumerate(zip(before, shape, scales, strict=True)):
        if scale == 1 and (size == count or mode == "linear"):
            places.append(None if size == count else np.arange(count, dtype=np.float32))
            continue
        ends = (np.float32(0), np.float32(1))
        if roi is not None:
            ends = roi[axis], roi[len(before) + axis]
        with np.errstate(all="ignore"):
            found = _COORDINATES[how](np.arange(count, dtype=np.float32), scale, count, size, *ends)
        places.append(np.asarray(found, dtype=np.float32))
    if shape == before:
        places = [None] * len(before)
    outside = node.number("extrapolation_value", 0.0) if roi is not None else None
    return Resized(shape=shape, scales=scales, places=tuple(places), mode=mode, outside=outside)


def check_outside(builder: OnnxBuilder, node: RawNode, dtype: str, outside: float | None) -> None:
    """Refuses a value beyond the input that its type does not hold."""
    if outside is None or dtype not in INTEGER_RANGES:
        return
    low, high = integer_range(dtype)
    if not low <= outside <= high:
        builder.refuse(
            node, f"its extrapolation_value {outside} is none of {dtype}", "give one of its type"
        )


def linear_axes(
    builder: OnnxBuilder, node: RawNode, before: Shape, resized: Resized
) -> tuple[tuple[int, ...], list[Array]]:
    """The axes along which a linear resize interpolates, outermost first, and the coordinates.

    ONNX Runtime does so along two or three axes, also where one of them keeps its size.
    """
    rank = len(before)
    changed = {axis for axis, scale in enumerate(resized.scales) if scale != 1}
    axes = {2: (0, 1), 3: (0, 1, 2), 4: (2, 3), 5: (2, 3, 4)}.get(rank, ())
    if rank == 4 and 1 in changed:
        axes = (1, 2)
    if not axes or not changed <= set(axes):
        builder.refuse(
            node,
            f"it interpolates along axes {sorted(changed)} of {list(before)}",
            "resize height and width alone",
        )
    places = [resized.places[axis] for axis in axes]
    return axes, [
        np.arange(before[axis], dtype=np.float32) if place is None else place
        for axis, place in zip(axes, places, strict=True)
    ]


def _sizes(
    builder: OnnxBuilder, node: RawNode, before: Shape
) -> tuple[Shape, tuple[np.float32, ...]]:
    """The output's shape and the float32 scale of each axis."""
    rank = len(before)
    axes = _axes(builder, node, rank)
    at = 1 if builder.raw.opset <= _LAST_WITHOUT_MODES else 2
    scales: Any = None
    if "scales" in node.attributes:
        scales = np.asarray(node.attributes["scales"], dtype=np.float32)
    elif builder.has(node, at):
        scales = builder.constant(node, at, "scales").reshape(-1)
    if scales is not None and scales.size:
        if scales.size != len(axes) or scales.dtype != np.float32 or not _positive(scales):
            builder.refuse(
                node, f"its scales {scales.tolist()[:8]} do not fit", "correct the model"
            )
        whole = [np.float32(1)] * rank
        for axis, scale in zip(axes, scales, strict=True):
            whole[axis] = scale
        shape = tuple(int(scale * np.float32(n)) for scale, n in zip(whole, before, strict=True))
        return shape, tuple(whole)
    if not builder.has(node, 3):
        builder.refuse(node, "it has neither scales nor sizes", "export the model again")
    sizes = builder.integers(node, 3, "sizes")
    if len(sizes) != len(axes) or min(sizes, default=0) < 1:
        builder.refuse(node, f"its sizes {list(sizes)[:8]} do not fit", "correct the model")
    wanted = list(before)
    for axis, size in zip(axes, sizes, strict=True):
        wanted[axis] = size
    builder.check_elements(node, tuple(wanted))
    whole = [np.float32(new) / np.float32(old) for new, old in zip(wanted, before, strict=True)]
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    if policy not in ("stretch", "not_larger", "not_smaller"):
        builder.refuse(node, f"its policy {policy!r} is unknown", "correct the model")
    if policy != "stretch":
        choose = min if policy == "not_larger" else max
        one = choose(whole[axis] for axis in axes)
        for axis in range(rank):
            whole[axis] = one if axis in axes else np.float32(1)
            if axis in axes:
                wanted[axis] = int(_away(np.asarray(one * np.float32(before[axis]))))
    return tuple(wanted), tuple(whole)


def _positive(scales: Array) -> bool:
    return bool(np.all(np.isfinite(scales)) and scales.min() > 0)


def _axes(builder: OnnxBuilder, node: RawNode, rank: int) -> tuple[int, ...]:
    """The axes that sizes, scales and region are about."""
    axes = node.integers("axes") or tuple(range(rank))
    if any(not -rank <= axis < rank for axis in axes) or len({a % rank for a in axes}) < len(axes):
        builder.refuse(node, f"its axes {list(axes)[:8]} do not fit", "correct the model")
    return tuple(axis % rank for axis in axes)


def _region(builder: OnnxBuilder, node: RawNode, rank: int) -> list[np.float32]:
    """The first and the last part of each axis that is kept: all starts, then all ends."""
    axes = _axes(builder, node, rank)
    values = builder.constant(node, 1, "region").reshape(-1).astype(np.float32)
    if values.size != 2 * len(axes) or not np.all(np.isfinite(values)):
        builder.refuse(node, "its region does not fit its axes", "correct the model")
    region = [np.float32(0)] * rank + [np.float32(1)] * rank
    for place, axis in enumerate(axes):
        region[axis], region[rank + axis] = values[place], values[len(axes) + place]
    return region


# ---- coordinates --------------------------------------------------------------------------------

_Ends = np.float32


def _half_pixel(x: Array, scale: np.float32, count: int, size: int, a: _Ends, b: _Ends) -> Array:
    return np.asarray((x + _HALF) / scale - _HALF)


def _symmetric(x: Array, scale: np.float32, count: int, size: int, a: _Ends, b: _Ends) -> Array:
    adjustment = np.float32(count) / (scale * np.float32(size))
    offset = np.float32(size) / np.float32(2) * (np.float32(1) - adjustment)
    return np.asarray(float(offset) + (x.astype(np.float64) + 0.5) / float(scale) - 0.5)


def _pytorch(x: Array, scale: np.float32, count: int, size: int, a: _Ends, b: _Ends) -> Array:
    return _half_pixel(x, scale, count, size, a, b) if count > 1 else np.zeros_like(x)


def _for_nearest(x: Array, scale: np.float32, count: int, size: int, a: _Ends, b: _Ends) -> Array:
    return np.asarray((x + _HALF) / scale)


def _asymmetric(x: Array, scale: np.float32, count: int, size: int, a: _Ends, b: _Ends) -> Array:
    return np.asarray(x / scale)


def _corners(x: Array, scale: np.float32, count: int, size: int, a: _Ends, b: _Ends) -> Array:
    if count == 1:
        return np.zeros_like(x)
    return np.asarray(x * np.float32(size - 1) / np.float32(count - 1))


def _cropped(x: Array, scale: np.float32, count: int, size: int, a: _Ends, b: _Ends) -> Array:
    last = np.float32(size - 1)
    if count == 1:
        return np.asarray([0.5 * float(a + b) * float(last)])
    return np.asarray(a * last + (x * (b - a) * last) / np.float32(count - 1))


_COORDINATES: dict[str, Callable[..., Array]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": _pytorch,
    "tf_half_pixel_for_nn": _for_nearest,
    "asymmetric": _asymmetric,
    "align_corners": _corners,
    "tf_crop_and_resize": _cropped,
}
