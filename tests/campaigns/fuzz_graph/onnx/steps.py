"""Random ONNX operators: each takes a value and returns its output, or None where it does not fit
or where nothing may follow."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tests.campaigns.fuzz_graph.onnx.layers import TYPES, OnnxLayers, Value
from tests.campaigns.fuzz_graph.onnx.products import conv, product

Step = Callable[[OnnxLayers, Value], Value | None]

_MOST_CLASSES = 200
_MOST_AVERAGED = 200  # values of a mean


# ---- pools --------------------------------------------------------------------------------------


def _pool_geometry(layers: OnnxLayers, x: Value, kind: str) -> dict[str, Any]:
    """What ONNX Runtime's integer and float pools take alike."""
    rank = len(x.shape) - 2
    taps = [
        min(int(n), size) for n, size in zip(layers.below(1, 5, rank), x.shape[2:], strict=True)
    ]
    given: dict[str, Any] = {"kernel_shape": taps}
    mode = layers.one("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    if mode == "NOTSET":
        given["strides"] = layers.below(1, 4, rank)
        given["pads"] = [int(layers.random.integers(0, n)) for n in taps] * 2
    else:
        given["strides"] = [int(layers.random.integers(1, n + 1)) for n in taps]
        given["auto_pad"] = mode
    if kind == "AveragePool":
        given["count_include_pad"] = layers.one(0, 1)
        layers.note("attribute", *["count_include_pad"] * given["count_include_pad"])
    elif mode == "NOTSET" and layers.chance(0.7):
        padded = [n + 2 * p for n, p in zip(x.shape[2:], given["pads"][:rank], strict=True)]
        if all(2 * n - 1 <= size for n, size in zip(taps, padded, strict=True)):
            given["dilations"] = [2] * rank
            layers.note("attribute", "pool dilation")
    if mode == "NOTSET" and layers.chance(0.5) and _rounds_up(given, x.shape[2:]):
        given["ceil_mode"] = 1
        layers.note("attribute", "ceil_mode")
    layers.note("attribute", f"pool auto_pad {mode}")
    return given


def _rounds_up(given: dict[str, Any], sizes: Sequence[int]) -> bool:
    """Whether the last window of a size rounded up begins inside the image on every axis.

    Where it does not, ONNX Runtime's shape inference and its kernel contradict each other.
    """
    counts = _pooled({**given, "ceil_mode": 1}, sizes)
    rank = len(sizes)
    return all(
        (count - 1) * stride < size + before
        for count, stride, size, before in zip(
            counts, given["strides"], sizes, given["pads"][:rank], strict=True
        )
    )


def _pooled(given: dict[str, Any], sizes: Sequence[int]) -> tuple[int, ...]:
    rank, found = len(sizes), []
    for i, size in enumerate(sizes):
        stride = given["strides"][i]
        if given.get("auto_pad", "").startswith("SAME"):
            found.append(-(-size // stride))
            continue
        pads = given.get("pads", [0] * 2 * rank)
        reach = (given["kernel_shape"][i] - 1) * given.get("dilations", [1] * rank)[i] + 1
        room = size + pads[i] + pads[rank + i] - reach
        found.append((-(-room // stride) if given.get("ceil_mode") else room // stride) + 1)
    return tuple(found)


def max_pool(layers: OnnxLayers, x: Value) -> Value | None:
    """MaxPool of integers or floats, GlobalMaxPool of floats."""
    if len(x.shape) not in (3, 4):
        return None
    if layers.chance(0.2):
        layers.note("operator", "GlobalMaxPool")
        shape = (*x.shape[:2], *[1] * (len(x.shape) - 2))
        return layers.kept(layers.m.op("GlobalMaxPool", layers.real(x)), shape, x.q)
    given = _pool_geometry(layers, x, "MaxPool")
    layers.note("operator", "MaxPool")
    shape = (*x.shape[:2], *_pooled(given, x.shape[2:]))
    if layers.carries():
        return replace(
            x, shape=shape, stored=layers.m.op("MaxPool", layers.stored(x), **given), real=""
        )
    return layers.kept(layers.m.op("MaxPool", layers.real(x), **given), shape, x.q)


def average_pool(layers: OnnxLayers, x: Value) -> Value | None:
    """AveragePool, GlobalAveragePool and their QLinear kin, ReduceMean over an image."""
    if len(x.shape) not in (3, 4):
        return None
    q = x.q if layers.chance(0.5) else layers.quantisation(x.q[0], x.dtype)
    ones = (1,) * (len(x.shape) - 2)
    kind = layers.one("AveragePool", "GlobalAveragePool")
    size = int(np.prod(x.shape[2:]))
    if len(x.shape) == 4 and size <= _MOST_AVERAGED and layers.chance(0.4):
        return _reduce_mean(layers, x)
    given: Any = {} if kind == "GlobalAveragePool" else _pool_geometry(layers, x, kind)
    sizes = _pooled(given, x.shape[2:]) if given else ones
    shape = (*x.shape[:2], *sizes)
    if layers.carries():
        layers.note("operator", f"QLinear{kind}")
        inputs = (layers.stored(x), *layers.m.scale(*x.q), *layers.m.scale(*q))
        y = layers.m.op(f"QLinear{kind}", *inputs, domain="com.microsoft", **given)
        return Value(shape=shape, q=q, stored=y)
    layers.note("operator", kind)
    y = layers.activated(layers.m.op(kind, layers.real(x), **given))
    return layers.rounded(y, shape, q)


def _reduce_mean(layers: OnnxLayers, x: Value) -> Value | None:
    """Over the image; means of an even number of values are ties now and then."""
    layers.note("operator", "ReduceMean")
    keep = layers.one(0, 1)
    layers.note("attribute", "keepdims" if keep else "no keepdims")
    axes = layers.one([2, 3], [-1, -2], [-1, 2])
    given = {"keepdims": keep}
    if layers.m.opset >= 18:
        y = layers.m.op("ReduceMean", layers.real(x), layers.m.constant(np.asarray(axes)), **given)
    else:
        y = layers.m.op("ReduceMean", layers.real(x), axes=axes, **given)
    return layers.rounded(y, (*x.shape[:2], *(1, 1) * keep), x.q)


# ---- sums, products, clamps, scales -------------------------------------------------------------


def with_constant(layers: OnnxLayers, x: Value) -> Value | None:
    """Add, Mul or Sub of a constant of some shape, or of the value itself."""
    if layers.chance(0.25):
        layers.note("attribute", "one tensor twice")
        return combined(layers, x, x)
    rank = len(x.shape)
    channel = tuple(n if axis == 1 else 1 for axis, n in enumerate(x.shape))
    shape = layers.one((1, *x.shape[1:]), channel, (1,) * rank, channel[1:], x.shape[-1:])
    layers.note("attribute", "constant operand", *["broadcast constant"] * (shape != x.shape))
    q = layers.quantisation(x.q[0], x.dtype)
    info = np.iinfo(x.dtype)
    values = layers.random.integers(info.min, info.max + 1, shape).astype(x.dtype)
    constant = Value(shape=shape, q=q, stored=layers.m.constant(values))
    return combined(layers, x, constant, shape=x.shape)


def combined(
    layers: OnnxLayers, first: Value, second: Value, *, shape: tuple[int, ...] = ()
) -> Value:
    """The sum, difference or product of two values."""
    shape = shape or first.shape
    kind = layers.one("Add", "Add", "Mul", "Sub")
    if layers.chance(0.3):
        first, second = second, first
        layers.note("attribute", "operands turned")
    unit = max(first.q[0], second.q[0])
    near = 64 * layers.finer * first.q[0] * second.q[0] if kind == "Mul" else 1.5 * unit
    q = layers.quantisation(near, first.dtype)
    if layers.carries() and kind != "Sub" and first.dtype == second.dtype:
        layers.note("operator", f"QLinear{kind}")
        sides = [(layers.stored(side), *layers.m.scale(*side.q)) for side in (first, second)]
        inputs = (*sides[0], *sides[1], *layers.m.scale(*q))
        y = layers.m.op(f"QLinear{kind}", *inputs, domain="com.microsoft")
        return Value(shape=shape, q=q, stored=y)
    layers.note("operator", kind)
    y = layers.activated(layers.m.op(kind, layers.real(first), layers.real(second)))
    return layers.rounded(y, shape, q)


def clamp(layers: OnnxLayers, x: Value) -> Value | None:
    """Relu or Clip between two scales, or Relu that leaves the scale."""
    if layers.chance(0.3):
        layers.note("operator", "Relu")
        return layers.kept(layers.m.op("Relu", layers.real(x)), x.shape, x.q)
    kind = layers.one("Relu", "Clip")
    layers.note("operator", kind)
    bounds = [layers.m.constant(np.float32(n)) for n in (-0.7, 3.1)] if kind == "Clip" else []
    y = layers.m.op(kind, layers.real(x), *bounds)
    return layers.rounded(y, x.shape, layers.quantisation(x.q[0], x.dtype))


def requantise(layers: OnnxLayers, x: Value) -> Value | None:
    """Another scale, now and then of the other type."""
    dtype = layers.one(*TYPES[layers.wide])
    layers.note("operator", "QuantizeLinear")
    layers.note("quantisation", *["change of type"] * (dtype != x.dtype))
    layers.dtype = dtype
    return layers.rounded(layers.real(x), x.shape, layers.quantisation(x.q[0], dtype))


# ---- moving -------------------------------------------------------------------------------------


def _moved(layers: OnnxLayers, x: Value, shape: Sequence[int], kind: str, *rest: str, **given: Any):
    """An operator that only moves values, on integers or floats."""
    layers.note("operator", kind)
    shape = tuple(int(n) for n in shape)
    if layers.carries():
        y = layers.m.op(kind, layers.stored(x), *rest, **given)
        return Value(shape=shape, q=x.q, stored=y)
    return layers.kept(layers.m.op(kind, layers.real(x), *rest, **given), shape, x.q)


def pad(layers: OnnxLayers, x: Value) -> Value | None:
    """Pad with the value that stands for 0, or integers with any value."""
    rank = len(x.shape)
    before, after = ([0, *layers.below(0, 3, rank - 1)] for _ in range(2))
    if layers.chance(0.5):
        before[1] = after[1] = 0
    shape = [n + a + b for n, a, b in zip(x.shape, before, after, strict=True)]
    pads = layers.m.constant(np.asarray(before + after))
    layers.note("operator", "Pad")
    if layers.carries():
        value = layers.m.constant(np.asarray(layers.one(x.q[1], 5), x.dtype))
        layers.note("attribute", "integer pad")
        y = layers.m.op("Pad", layers.stored(x), pads, value)
        return Value(shape=tuple(shape), q=x.q, stored=y)
    return layers.kept(layers.m.op("Pad", layers.real(x), pads), tuple(shape), x.q)


def concat(layers: OnnxLayers, x: Value) -> Value | None:
    """Concat or QLinearConcat with itself, transposed where that keeps its shape, or rescaled."""
    rank = len(x.shape)
    axis = int(layers.random.integers(1, rank))
    shape = tuple(2 * n if a == axis else n for a, n in enumerate(x.shape))
    layers.note("attribute", f"axis {axis - rank}")
    other = x
    swapped = [(a, b) for b in range(rank) for a in range(1, b) if x.shape[a] == x.shape[b] > 1]
    if swapped and layers.chance(0.7):
        first, second = swapped[int(layers.random.integers(len(swapped)))]
        order = list(range(rank))
        order[first], order[second] = second, first
        layers.note("attribute", "a transposed form")
        other = _moved(layers, x, x.shape, "Transpose", perm=order)
    elif layers.chance(0.6):
        other = requantise(layers, x)
        assert other is not None
        if other.dtype != x.dtype:
            return other
    given = {"axis": layers.one(axis, axis - rank)}
    if layers.carries() and other.q == x.q:
        layers.note("operator", "Concat")
        y = layers.m.op("Concat", layers.stored(x), layers.stored(other), **given)
        return Value(shape=shape, q=x.q, stored=y)
    q = x.q if layers.chance(0.5) else layers.quantisation(x.q[0], x.dtype)
    if layers.carries():
        layers.note("operator", "QLinearConcat")
        parts = [(layers.stored(side), *layers.m.scale(*side.q)) for side in (x, other)]
        inputs = (*layers.m.scale(*q), *parts[0], *parts[1])
        y = layers.m.op("QLinearConcat", *inputs, domain="com.microsoft", **given)
        return Value(shape=shape, q=q, stored=y)
    layers.note("operator", "Concat")
    y = layers.m.op("Concat", layers.real(x), layers.real(other), **given)
    return layers.rounded(y, shape, q)


def reshape(layers: OnnxLayers, x: Value) -> Value | None:
    """Reshape or Flatten to rows, to an image or a sequence."""
    size = int(np.prod(x.shape[1:]))
    if layers.chance(0.3):
        return _moved(layers, x, (x.shape[0], size), "Flatten", axis=1)
    divisor = int(layers.random.choice([n for n in range(1, size + 1) if size % n == 0]))
    target = layers.one(
        (size,), (divisor, size // divisor), (divisor, 1, size // divisor), (size, 1, 1)
    )
    asked = list(target)
    layers.note("attribute", "sizes given")
    if layers.chance(0.5):
        asked[int(layers.random.integers(len(asked)))] = -1
        layers.note("attribute", "size -1")
    asked = [layers.one(0, x.shape[0]), *asked]
    name = layers.m.constant(np.asarray(asked))
    return _moved(layers, x, (x.shape[0], *target), "Reshape", name)


def transpose(layers: OnnxLayers, x: Value) -> Value | None:
    """Transpose of all axes but the first, often to channels-last and back."""
    rank = len(x.shape)
    order = [0, *(1 + layers.random.permutation(rank - 1)).tolist()]
    if rank == 4 and layers.chance(0.6):
        order = layers.one([0, 2, 3, 1], [0, 3, 1, 2])
    layers.note("attribute", *["channels-last"] * (order == [0, 2, 3, 1]))
    return _moved(layers, x, [x.shape[a] for a in order], "Transpose", perm=order)


def squeeze(layers: OnnxLayers, x: Value) -> Value | None:
    """Squeeze of axes of size 1, Unsqueeze, Identity or Dropout."""
    kind = layers.one("Squeeze", "Unsqueeze", "Identity", "Dropout")
    if kind == "Squeeze":
        axes = [axis for axis, n in enumerate(x.shape) if n == 1 and axis > 0]
        if not axes or len(x.shape) - len(axes) < 2:
            return None
        shape = [n for axis, n in enumerate(x.shape) if axis not in axes]
        return _moved(layers, x, shape, kind, layers.m.constant(np.asarray(axes)))
    if kind == "Unsqueeze":
        axis = int(layers.random.integers(1, len(x.shape) + 1))
        if len(x.shape) > 3:
            return None
        shape = [*x.shape[:axis], 1, *x.shape[axis:]]
        return _moved(layers, x, shape, kind, layers.m.constant(np.asarray([axis])))
    if kind == "Dropout":  # floats only
        layers.note("operator", kind)
        return layers.kept(layers.m.op(kind, layers.real(x)), x.shape, x.q)
    return _moved(layers, x, x.shape, kind)


# ---- ends ---------------------------------------------------------------------------------------


def softmax(layers: OnnxLayers, x: Value) -> Value | None:
    """Softmax of floats, which ends there or is quantised, or QLinearSoftmax."""
    if x.shape[-1] > _MOST_CLASSES or x.q[0] * layers.finer > 10:
        return None
    info = np.iinfo(x.dtype)
    q = (1 / 256 / layers.finer, int(info.min), x.dtype)
    if layers.carries() and x.shape[-1] > 1:
        layers.note("operator", "QLinearSoftmax")
        inputs = (layers.stored(x), *layers.m.scale(*x.q), *layers.m.scale(*q))
        given = {"axis": -1, "opset": 13, "domain": "com.microsoft"}
        return Value(shape=x.shape, q=q, stored=layers.m.op("QLinearSoftmax", *inputs, **given))
    layers.note("operator", "Softmax")
    y = layers.m.op("Softmax", layers.real(x), axis=layers.one(-1, len(x.shape) - 1))
    if layers.chance(0.5):
        layers.leaves.append(y)
        return None
    return layers.rounded(y, x.shape, q)


STEPS: dict[str, tuple[int, Step]] = {
    "conv": (10, conv),
    "product": (5, product),
    "max_pool": (6, max_pool),
    "average_pool": (9, average_pool),
    "with_constant": (3, with_constant),
    "clamp": (2, clamp),
    "requantise": (1, requantise),
    "pad": (2, pad),
    "concat": (6, concat),
    "reshape": (2, reshape),
    "transpose": (4, transpose),
    "squeeze": (4, squeeze),
    "softmax": (3, softmax),
}
"""Relative frequency and maker of every kind of operator."""
