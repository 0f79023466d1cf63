"""Random ONNX graphs in which QuantizeLinear stands where other exporters put it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tests.campaigns.fuzz_graph.onnx.biases import Product, made, plan
from tests.campaigns.fuzz_graph.onnx.layers import OnnxLayers, Value
from tests.campaigns.fuzz_graph.onnx.steps import combined

Tail = Callable[[OnnxLayers, Product], Product | None]


def _renamed(product: Product, name: Any, shape: Any = None) -> Product:
    shape = product.shape if shape is None else tuple(int(n) for n in shape)
    return replace(product, name=str(name), shape=shape)


def _same(kind: str) -> Tail:
    def tail(layers: OnnxLayers, y: Product) -> Product | None:
        return _renamed(y, layers.m.op(kind, y.name))

    return tail


def _clip(layers: OnnxLayers, y: Product) -> Product | None:
    low, high = layers.one((-0.5, 2.0), (0.0, 1.0), (-1.0, 1.0))
    edges = [layers.m.constant(np.float32(n * 40 * y.near)) for n in (low, high)]
    return _renamed(y, layers.m.op("Clip", y.name, *edges))


def _reshape(layers: OnnxLayers, y: Product) -> Product | None:
    size = int(np.prod(y.shape[1:]))
    divisor = int(layers.random.choice([n for n in range(1, size + 1) if size % n == 0]))
    target = layers.one((size,), (divisor, size // divisor), (divisor, 1, size // divisor))
    asked = layers.m.constant(np.asarray([y.shape[0], *target]))
    return _renamed(y, layers.m.op("Reshape", y.name, asked), (y.shape[0], *target))


def _flatten(layers: OnnxLayers, y: Product) -> Product | None:
    shape = (y.shape[0], int(np.prod(y.shape[1:])))
    return _renamed(y, layers.m.op("Flatten", y.name, axis=1), shape)


def _squeeze(layers: OnnxLayers, y: Product) -> Product | None:
    axes = [axis for axis, n in enumerate(y.shape) if n == 1 and axis > 0]
    if not axes or len(y.shape) - len(axes) < 2:
        if len(y.shape) > 3:
            return None
        where = int(layers.random.integers(1, len(y.shape) + 1))
        shape = [*y.shape[:where], 1, *y.shape[where:]]
        wider = layers.m.op("Unsqueeze", y.name, layers.m.constant(np.asarray([where])))
        return _squeeze(layers, _renamed(y, wider, shape))
    shape = [n for axis, n in enumerate(y.shape) if axis not in axes]
    return _renamed(y, layers.m.op("Squeeze", y.name, layers.m.constant(np.asarray(axes))), shape)


def _transpose(layers: OnnxLayers, y: Product) -> Product | None:
    order = [0, *(1 + layers.random.permutation(len(y.shape) - 1)).tolist()]
    if len(y.shape) == 4 and layers.chance(0.6):
        order = [0, 2, 3, 1]
    shape = [y.shape[axis] for axis in order]
    return _renamed(y, layers.m.op("Transpose", y.name, perm=order), shape)


def _max_pool(layers: OnnxLayers, y: Product) -> Product | None:
    sizes = y.shape[2:]
    if len(sizes) not in (1, 2) or max(sizes) < 2:
        return None
    taps = [min(int(layers.random.integers(1, 4)), n) for n in sizes]
    pads = [int(layers.random.integers(0, n)) if n > 1 else 0 for n in taps]
    strides = layers.below(1, 3, len(sizes))
    shape = [
        (n + 2 * p - k) // s + 1 for n, p, k, s in zip(sizes, pads, taps, strides, strict=True)
    ]
    given = {"kernel_shape": taps, "strides": strides, "pads": pads * 2}
    return _renamed(y, layers.m.op("MaxPool", y.name, **given), (*y.shape[:2], *shape))


TAILS: dict[str, Tail] = {
    "Relu": _same("Relu"),
    "Clip": _clip,
    "Dropout": _same("Dropout"),
    "Identity": _same("Identity"),
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "MaxPool": _max_pool,
}


def tailed(layers: OnnxLayers, y: Product, count: int) -> Product:
    """So many operators after a product, as far as they fit."""
    done: list[str] = []
    for kind in layers.random.permutation(list(TAILS)).tolist()[:count]:
        longer = TAILS[kind](layers, y)
        if longer is not None:
            y = longer
            done.append(kind)
            layers.note("operator", kind)
            layers.note("form", f"{kind} before Q")
    if len(done) > 1:
        layers.note("form", "several in a chain")
    return y


def _rows(layers: OnnxLayers, x: Value) -> Value:
    """Now and then a flat activation, which a Gemm can take."""
    if len(x.shape) > 2 and int(np.prod(x.shape[1:])) <= 250 and layers.chance(0.35):
        shape = (x.shape[0], int(np.prod(x.shape[1:])))
        layers.note("operator", "Flatten")
        return Value(shape=shape, q=x.q, stored=layers.m.op("Flatten", layers.stored(x), axis=1))
    return x


def _quantised(layers: OnnxLayers, y: Product, dtype: str) -> Value:
    if not layers.exact:
        layers.note("graph", "float32 sums that round")
    return layers.rounded(y.name, y.shape, layers.quantisation(y.near, dtype))


def product_and_tail(layers: OnnxLayers, x: Value) -> Value | None:
    """A product with a bias of any form and up to three operators before its QuantizeLinear."""
    x = _rows(layers, x)
    given = plan(layers, x)
    if given is None:
        return None
    y = tailed(layers, made(layers, x, given), layers.one(0, 1, 1, 2, 3))
    return _quantised(layers, y, x.dtype)


def products_joined(layers: OnnxLayers, x: Value) -> Value | None:
    """Two or three products of one activation, joined as floats before one QuantizeLinear."""
    x = _rows(layers, x)
    given = plan(layers, x)
    if given is None:
        return None
    parts = [made(layers, x, given) for _ in range(layers.one(2, 2, 3))]
    if layers.chance(0.3):
        parts = [_renamed(part, layers.m.op("Relu", part.name)) for part in parts]
        layers.note("form", "Relu before Q")
    axis = layers.one(1, int(layers.random.integers(1, len(given.shape))))
    shape = [n * len(parts) if a == axis else n for a, n in enumerate(given.shape)]
    names = [part.name for part in parts]
    if axis == 1 and x.shape[2:] == given.shape[2:] and len(x.shape) == len(given.shape):
        names.insert(int(layers.random.integers(len(names) + 1)), layers.real(x))
        shape[1] += x.shape[1]
        layers.note("form", "Concat with an activation before Q")
    y = layers.m.op("Concat", *names, axis=axis)
    layers.note("form", "Concat before Q")
    layers.note("operator", "Concat")
    near = max(part.near for part in parts)
    joined = replace(_renamed(parts[0], y, shape), near=near)
    return _quantised(layers, tailed(layers, joined, layers.one(0, 0, 1)), x.dtype)


def quantised_at_readers(layers: OnnxLayers, x: Value) -> Value | None:
    """A float product that is quantised for each reader: one product, one Add, scales apart."""
    given = plan(layers, x)
    if given is None:
        return None
    y = made(layers, x, given)
    y = _renamed(y, layers.m.op("Relu", y.name)) if layers.chance(0.7) else y
    first, second = (
        Value(shape=y.shape, q=q, stored=layers.m.quantise(y.name, q))
        for q in (layers.quantisation(y.near, x.dtype) for _ in range(2))
    )
    other = plan(layers, first)
    if other is None:
        layers.leaves.append(first)
        return second
    layers.note("form", "Q only before products and adds")
    z = made(layers, first, other)
    z = _renamed(z, layers.m.op("Relu", z.name)) if layers.chance(0.5) else z
    after = _quantised(layers, z, x.dtype)
    if after.shape != second.shape:
        layers.leaves.append(second)
        return after
    return combined(layers, after, second)


def without_rounding(layers: OnnxLayers, x: Value) -> Value | None:
    """A product that nothing quantises: an output of floats."""
    x = _rows(layers, x)
    given = plan(layers, x)
    if given is None:
        return None
    y = made(layers, x, given, plain=True)
    if layers.chance(0.3):
        y = _renamed(y, layers.m.op("Relu", y.name))
    layers.note("form", "product without Q")
    layers.leaves.append(y.name)
    return None


def qlinear(layers: OnnxLayers, x: Value) -> Value | None:
    """QLinearAdd or QLinearMul by a constant of one value, of a value a channel, or of all."""
    if layers.wide:
        return None
    kind, rank = layers.one("Add", "Mul"), len(x.shape)
    form, shape = layers.one(
        ("by a scalar", ()),
        ("by a scalar", (1,)),
        ("by a broadcast constant", tuple(n if a == 1 else 1 for a, n in enumerate(x.shape))),
        ("by a broadcast constant", x.shape[-1:]),
        ("of two tensors", x.shape),
    )
    if form == "by a broadcast constant" and int(np.prod(shape)) == 1:
        form = "by a scalar"
    info = np.iinfo(x.dtype)
    values = layers.random.integers(info.min, info.max + 1, shape).astype(x.dtype)
    other = layers.quantisation(x.q[0], x.dtype)
    near = 64 * x.q[0] * other[0] if kind == "Mul" else 1.5 * max(x.q[0], other[0])
    q = layers.quantisation(near, x.dtype)
    sides = [
        (layers.stored(x), *layers.m.scale(*x.q)),
        (layers.m.constant(values), *layers.m.scale(*other)),
    ]
    if layers.chance(0.4):
        sides.reverse()
        layers.note("attribute", "operands turned")
    y = layers.m.op(
        f"QLinear{kind}", *sides[0], *sides[1], *layers.m.scale(*q), domain="com.microsoft"
    )
    layers.note("operator", f"QLinear{kind}")
    layers.note("form", f"QLinear{kind} {form}", *["QLinear odd length"] * (x.shape[-1] % 2))
    layers.note("form", *[f"QLinear{kind} with a zero point"] * (q[1] != 0))
    layers.note("attribute", "constant operand", *["broadcast constant"] * (len(shape) < rank))
    return Value(shape=x.shape, q=q, stored=y)


WANTED_FORMS = (
    *("float bias", "int32 bias of another scale", "int8 bias", "dequantised addend"),
    *("Add after Conv", "Add after MatMul", "Add after Gemm", "Sub of a constant"),
    *("bias and Add", "BatchNormalization after Conv", "BatchNormalization after Add"),
    *("Gemm with float C", "Gemm with alpha and beta"),
    *(f"{kind} before Q" for kind in (*TAILS, "Concat", "Concat with an activation")),
    *("several in a chain", "Q only before products and adds", "product without Q"),
    *("constant, Clip, DQ", "Q, Clip, DQ", "QLinear odd length", "coarse accumulator"),
    *(
        f"QLinear{kind} {form}"
        for kind in ("Add", "Mul")
        for form in ("with a zero point", "by a scalar", "by a broadcast constant")
    ),
    *("QLinearAdd of two tensors", "QLinearMul of two tensors"),
)

PLACEMENTS: dict[str, tuple[int, Callable[[OnnxLayers, Value], Value | None]]] = {
    "product_and_tail": (12, product_and_tail),
    "products_joined": (4, products_joined),
    "quantised_at_readers": (3, quantised_at_readers),
    "without_rounding": (2, without_rounding),
    "qlinear": (6, qlinear),
}
"""Relative frequency and maker of every kind of form."""
