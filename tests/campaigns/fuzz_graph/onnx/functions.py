"""Random ONNX operators that run as tables or as steps of the host, and ConvTranspose."""

from typing import Any

import numpy as np

from numerics.host.ort.functions import FUNCTIONS, function_ort
from tests.campaigns.fuzz_graph.case import Array
from tests.campaigns.fuzz_graph.onnx.layers import OnnxLayers, Quantisation, Value

_KINDS: dict[str, dict[str, float]] = {
    "Sigmoid": {},
    "HardSigmoid": {"alpha": 0.25, "beta": 0.4},
    "LeakyRelu": {"alpha": 0.1},
    "Tanh": {},
    "Exp": {},
    "Erf": {},
    "Sqrt": {},
    "Neg": {},
    "Abs": {},
    "Floor": {},
    "Reciprocal": {},
}
_MOST_VALUES = 6000  # of a result that repeats values
_LEAST, _MOST = 1e-4, 100.0  # scales after a function


def _all_values(x: Value) -> Array:
    info = np.iinfo(x.dtype)
    stored = np.arange(info.min, info.max + 1) - x.q[1]
    return (stored * np.float32(x.q[0])).astype(np.float32)


def _after(layers: OnnxLayers, x: Value, real: Array) -> Quantisation:
    """A quantisation for a function's results."""
    finite = np.abs(real[np.isfinite(real)])
    near = float(np.median(finite)) / 40 if finite.size else 0.05
    return layers.quantisation(min(max(near, _LEAST), _MOST) / layers.finer, x.dtype)


def function(layers: OnnxLayers, x: Value) -> Value | None:
    """A function of every value, between DequantizeLinear and QuantizeLinear or carried."""
    kind = layers.one(*_KINDS, "LeakyRelu", "Sigmoid")
    numbers = _KINDS[kind]
    real = function_ort(_all_values(x), kind=kind, **numbers)
    q = _after(layers, x, real)
    if kind in ("Sigmoid", "LeakyRelu") and layers.carries():
        layers.note("operator", f"QLinear{kind}")
        inputs = (layers.stored(x), *layers.m.scale(*x.q), *layers.m.scale(*q))
        y = layers.m.op(f"QLinear{kind}", *inputs, domain="com.microsoft", **numbers)
        return Value(shape=x.shape, q=q, stored=y)
    layers.note("operator", kind)
    y = layers.m.op(kind, layers.real(x), **numbers)
    return layers.rounded(layers.activated(y) if kind != "Sqrt" else y, x.shape, q)


def expression(layers: OnnxLayers, x: Value) -> Value | None:
    """HardSwish whole or in parts, x Sigmoid(x), or PRelu with slopes by channel."""
    kind = layers.one("HardSwish", "HardSwish", "HardSwish", "in parts", "SiLU", "PRelu")
    m = layers.m
    if kind == "HardSwish" and m.opset < 14:
        return None
    real = layers.real(x)
    if kind == "PRelu":
        layers.note("operator", "PRelu")
        shape = (x.shape[1], *(1,) * (len(x.shape) - 2)) if layers.chance(0.7) else (1,)
        slopes = m.constant((0.25 * layers.random.integers(-2, 4, shape)).astype(np.float32))
        y = m.op("PRelu", real, slopes)
        return layers.rounded(y, x.shape, layers.quantisation(x.q[0], x.dtype))
    if kind == "SiLU":
        layers.note("operator", "Sigmoid", "Mul")
        y = m.op("Mul", real, m.op("Sigmoid", real))
    elif kind == "in parts":
        layers.note("operator", "Add", "Clip", "Mul")
        three, six = (m.constant(np.float32(n)) for n in (3, 6))
        bounded = m.op("Clip", m.op("Add", real, three), m.constant(np.float32(0)), six)
        y = m.op("Mul", m.op("Mul", real, bounded), m.constant(np.float32(1 / 6)))
    else:
        layers.note("operator", "HardSwish")
        y = m.op("HardSwish", real)
    values = FUNCTIONS["HardSwish"](_all_values(x))
    return layers.rounded(y, x.shape, _after(layers, x, values))


# ---- values that are chosen ---------------------------------------------------------------------


def _moved(layers: OnnxLayers, x: Value, kind: str, shape: Any, *rest: str, **given: Any) -> Value:
    """An operator that chooses values, on integers or floats."""
    layers.note("operator", kind)
    shape = tuple(int(n) for n in shape)
    if layers.carries():
        y = layers.m.op(kind, layers.stored(x), *rest, **given)
        return Value(shape=shape, q=x.q, stored=y)
    return layers.kept(layers.m.op(kind, layers.real(x), *rest, **given), shape, x.q)


def _listed(layers: OnnxLayers, *numbers: Any) -> list[str]:
    return [layers.m.constant(np.asarray(part, dtype=np.int64)) for part in numbers]


def selection(layers: OnnxLayers, x: Value) -> Value | None:
    """Slice, Gather, Tile, Expand or one part of a Split, along an axis that is not the batch."""
    kind = layers.one("Slice", "Gather", "Tile", "Expand", "Expand", "Split")
    axis = int(layers.random.integers(1, len(x.shape)))
    single = [a for a, n in enumerate(x.shape) if n == 1 and a > 0]
    if kind == "Expand" and single:
        axis = layers.one(*single)
    size, shape = x.shape[axis], list(x.shape)
    if kind == "Slice":
        start = int(layers.random.integers(0, size))
        step = layers.one(1, 1, 2, -1)
        end = size if step > 0 else -size - 1
        shape[axis] = len(range(start, size, step)) if step > 0 else start + 1
        rest = _listed(layers, [start], [end], [axis], [step])
        return _moved(layers, x, kind, shape, *rest)
    if kind == "Gather":
        indices = layers.random.integers(-size, size, int(layers.random.integers(1, 6)))
        shape[axis] = len(indices)
        return _moved(layers, x, kind, shape, *_listed(layers, indices), axis=axis)
    if kind in ("Tile", "Expand"):
        times = layers.one(2, 3)
        if np.prod(shape) * times > _MOST_VALUES or (kind == "Expand" and size > 1):
            return None
        repeats = [times if a == axis else 1 for a in range(len(shape))]
        shape[axis] *= times
        (given,) = _listed(layers, repeats if kind == "Tile" else shape)
        return _moved(layers, x, kind, shape, given)
    if size < 2:
        return None
    cut = int(layers.random.integers(1, size))
    layers.note("operator", kind)
    carried = layers.carries()
    source = layers.stored(x) if carried else layers.real(x)
    (sizes,) = _listed(layers, [cut, size - cut])
    layers.m.op("Split", source, sizes, outputs=2, axis=axis)
    part = int(layers.random.integers(2))
    name = layers.m.nodes[-1].output[part]
    shape[axis] = (cut, size - cut)[part]
    if carried:
        return Value(shape=tuple(shape), q=x.q, stored=name)
    return layers.kept(name, tuple(shape), x.q)


def blocks(layers: OnnxLayers, x: Value) -> Value | None:
    """DepthToSpace or SpaceToDepth."""
    if len(x.shape) != 4:
        return None
    N, C, H, W = x.shape
    squares = [n for n in (2, 3) if H % n == W % n == 0]
    if squares and (C % 4 or layers.chance(0.6)):
        n = layers.one(*squares)
        shape = (N, n * n * C, H // n, W // n)
        return _moved(layers, x, "SpaceToDepth", shape, blocksize=n)
    if C % 4:
        return None
    mode, shape = layers.one("DCR", "CRD"), (N, C // 4, 2 * H, 2 * W)
    return _moved(layers, x, "DepthToSpace", shape, blocksize=2, mode=mode)


def resize(layers: OnnxLayers, x: Value) -> Value | None:
    """Resize of images to nearest values, or linear and rounded."""
    if len(x.shape) != 4:
        return None
    sizes = (*x.shape[:2], *layers.below(1, 16, 2))
    if layers.chance(0.4):
        sizes = (*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    if np.prod(sizes) > _MOST_VALUES:
        return None
    how = layers.one("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    given = {"coordinate_transformation_mode": how}
    rest = ("", "", *_listed(layers, sizes))
    if layers.chance(0.6):
        nearest = layers.one("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        layers.note("attribute", "nearest values")
        return _moved(layers, x, "Resize", sizes, *rest, nearest_mode=nearest, **given)
    layers.note("operator", "Resize")
    layers.note("attribute", "linear interpolation")
    y = layers.m.op("Resize", layers.real(x), *rest, mode="linear", **given)
    return layers.rounded(y, sizes, layers.quantisation(x.q[0], x.dtype))


# ---- several values -----------------------------------------------------------------------------


def gate(layers: OnnxLayers, x: Value) -> Value | None:
    """An image times, over, or at most one value for each channel, made from it by a maximum."""
    if len(x.shape) < 3:
        return None
    axes = list(range(2, len(x.shape)))
    layers.note("operator", "ReduceMax")
    largest = layers.rounded(_reduced(layers, "ReduceMax", layers.real(x), axes), _one(x), x.q)
    if layers.chance(0.7):
        real = function_ort(_all_values(x), kind="Sigmoid")
        layers.note("operator", "Sigmoid")
        y = layers.m.op("Sigmoid", layers.real(largest))
        largest = layers.rounded(y, _one(x), _after(layers, x, real))
    kind = layers.one("Mul", "Div", "Min", "Max", "Add")
    layers.note("operator", kind)
    layers.note("attribute", "a gate")
    sides = (layers.real(x), layers.real(largest))
    y = layers.m.op(kind, *(sides if layers.chance(0.7) else sides[::-1]))
    near = x.q[0]
    if kind == "Div":
        near = min(max(1 / (x.q[0] * layers.finer), _LEAST), _MOST) / layers.finer
    return layers.rounded(y, x.shape, layers.quantisation(near, x.dtype))


def _one(x: Value) -> tuple[int, ...]:
    return (*x.shape[:2], *(1,) * (len(x.shape) - 2))


def _reduced(
    layers: OnnxLayers, kind: str, name: str, axes: list[int], *, keepdims: int = 1
) -> str:
    if layers.m.opset >= 18 or kind == "ReduceSum":
        return str(layers.m.op(kind, name, *_listed(layers, axes), keepdims=keepdims))
    return str(layers.m.op(kind, name, axes=axes, keepdims=keepdims))


def reduction(layers: OnnxLayers, x: Value) -> Value | None:
    """A sum, a mean or an extreme over some axes that are not the batch."""
    kind = layers.one("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin")
    rank = len(x.shape)
    count = int(layers.random.integers(1, rank))
    axes = sorted(int(a) for a in layers.random.permutation(np.arange(1, rank))[:count])
    keepdims = layers.one(0, 1) if rank - count > 1 else 1
    layers.note("operator", kind)
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes)
    y = _reduced(layers, kind, layers.real(x), axes, keepdims=keepdims)
    many = int(np.prod([x.shape[a] for a in axes])) if kind == "ReduceSum" else 1
    near = x.q[0] * np.sqrt(many)
    return layers.rounded(y, shape, layers.quantisation(float(near), x.dtype))


def places(layers: OnnxLayers, x: Value) -> Value | None:
    """Where the largest or the least value lies, which ends there."""
    kind = layers.one("ArgMax", "ArgMin")
    layers.note("operator", kind)
    given = {"axis": int(layers.random.integers(1, len(x.shape))), "keepdims": layers.one(0, 1)}
    name = layers.stored(x) if layers.carries() else layers.real(x)
    layers.leaves.append(layers.m.op(kind, name, select_last_index=layers.one(0, 1), **given))
    return None


# ---- products -----------------------------------------------------------------------------------


def conv_transpose(layers: OnnxLayers, x: Value) -> Value | None:
    """ConvTranspose of images, where float32 adds up its products without rounding."""
    if len(x.shape) != 4 or not layers.exact:
        return None
    C, M = x.shape[1], int(layers.random.integers(1, 5))
    taps, strides = layers.below(1, 4, 2), layers.below(1, 3, 2)
    if C * int(np.prod(taps)) > layers.most_taps:
        return None
    dilations = [layers.one(1, 1, 2)] * 2
    pads = [int(layers.random.integers(0, n)) for n in (*taps, *taps)]
    sizes = [
        (n - 1) * s + (t - 1) * d + 1 - pads[i] - pads[i + 2]
        for i, (n, s, t, d) in enumerate(zip(x.shape[2:], strides, taps, dilations, strict=True))
    ]
    if min(sizes) < 1 or M * int(np.prod(sizes)) > _MOST_VALUES:
        return None
    layers.note("operator", "ConvTranspose")
    w = layers.weights((C, M, *taps), 1, x, single=False)
    inputs = [layers.real(x), layers.dequantised_weights(w)]
    if layers.chance(0.6):
        inputs.append(layers.dequantised_bias(*layers.bias(x, w, M)))
    given = {"strides": strides, "pads": pads, "dilations": dilations}
    y = layers.m.op("ConvTranspose", *inputs, **given)
    q = layers.after(x, w, C * int(np.prod(taps)))
    return layers.product(y, (x.shape[0], M, *sizes), q)


STEPS = {
    "function": (11, function),
    "expression": (6, expression),
    "selection": (8, selection),
    "blocks": (7, blocks),
    "resize": (3, resize),
    "gate": (7, gate),
    "reduction": (3, reduction),
    "places": (2, places),
    "conv_transpose": (5, conv_transpose),
}
"""Relative frequency and maker of every kind of operator."""
