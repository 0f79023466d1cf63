"""Random ONNX products whose biases lie anywhere, in every form that exporters write them in."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.campaigns.fuzz_graph.case import Array
from tests.campaigns.fuzz_graph.onnx.layers import OnnxLayers, Value, Weights
from tests.campaigns.fuzz_graph.onnx.products import geometry, window_sizes

_SPREAD = 60  # a sum is about so many steps of the scale that suits it


@dataclass(frozen=True)
class Product:
    """A float product: its name, shape, a scale that suits its values, the axis of its channels.

    `unit` is the real number that a unit of each channel's accumulator stands for.
    """

    name: str
    shape: tuple[int, ...]
    near: float
    axis: int
    unit: Array


@dataclass(frozen=True)
class Plan:
    """A product that can be made several times over one activation: kind, sizes, attributes."""

    kind: str
    M: int
    shape: tuple[int, ...]
    weights: tuple[int, ...]
    axis: int  # of the weights' output channels
    given: dict[str, Any]


def plan(layers: OnnxLayers, x: Value) -> Plan | None:
    """A Conv where there is an image or a sequence, else Gemm or MatMul over the last axis."""
    if len(x.shape) in (3, 4) and layers.chance(0.7):
        return _conv_plan(layers, x)
    K, M = x.shape[-1], int(layers.random.integers(1, 12))
    if layers.most_taps < K or int(np.prod(x.shape)) * M > 1 << 16:
        return None
    if len(x.shape) == 2 and layers.chance(0.6):
        transposed = layers.one(0, 1)
        alpha, beta = layers.one(1.0, 0.5, 0.3), layers.one(1.0, 2.0, 0.7)
        given = {"transB": transposed, "alpha": alpha, "beta": beta}
        sizes = (M, K) if transposed else (K, M)
        return Plan("Gemm", M, (x.shape[0], M), sizes, 1 - transposed, given)
    return Plan("MatMul", M, (*x.shape[:-1], M), (K, M), 1, {})


def _conv_plan(layers: OnnxLayers, x: Value) -> Plan | None:
    rank, C = len(x.shape) - 2, x.shape[1]
    groups = layers.one(1, 1, C)
    M = groups * int(layers.random.integers(1, 3 if groups == C else 7))
    taps = layers.below(1, 4 if rank == 2 else 6, rank)
    given = geometry(layers, rank, taps, x.shape[2:])
    if given is None or C // groups * int(np.prod(taps)) > layers.most_taps:
        return None
    given["group"] = groups
    shape = (x.shape[0], M, *window_sizes(given, x.shape[2:]))
    return Plan("Conv", M, shape, (M, C // groups, *taps), 0, given)


def made(layers: OnnxLayers, x: Value, given: Plan, *, plain: bool = False) -> Product:
    """The operators of one such product with a bias in some form; `plain` forms end in floats."""
    w = layers.weights(given.weights, given.axis, x, single=False)
    taps = int(np.prod(given.weights)) // given.M
    unit = np.broadcast_to(np.float64(np.float32(x.q[0])) * w.scale.astype(np.float64), (given.M,))
    unit = unit * np.float64(np.float32(given.given.get("alpha", 1.0)))
    size = 74.0
    if layers.chance(0.5):
        # Small weights make the accumulator's unit a large part of a step: sums meet edges often.
        w, size = _small(w), 2.3
        layers.note("form", "coarse accumulator")
    near = float(np.max(unit)) * 74 * size * float(np.sqrt(taps)) / _SPREAD
    channels = len(given.shape) - 1 if given.kind != "Conv" else 1
    layers.note("operator", given.kind)
    bare = Product("", given.shape, near, channels, unit)
    forms = {k: v for k, v in FORMS.items() if given.kind in v[0] and (v[1] or not plain)}
    form = layers.one(*forms, *[name for name in forms if name.startswith("Batch")])
    operands = (_activation(layers, x), _weights(layers, w))
    return forms[form][2](layers, form, given, bare, operands)


def _small(w: Weights) -> Weights:
    """Weights of three bits around their zero points."""
    zero = w.zero.astype(np.int64).reshape(-1)[0]
    values = (w.values.astype(np.int64) - zero) // 32 + zero
    return replace(w, values=values.astype(w.values.dtype))


def _activation(layers: OnnxLayers, x: Value) -> str:
    """The float form, now and then clipped between QuantizeLinear and DequantizeLinear."""
    if layers.wide or not layers.chance(0.2):  # ONNX Runtime clips no integers of 16 bits
        return layers.real(x)
    info = np.iinfo(x.dtype)
    low, high = info.min + int(layers.random.integers(0, 3)), info.max - layers.one(0, 0, 100)
    edges = [layers.m.constant(np.asarray(n, x.dtype)) for n in (low, high)]
    layers.note("form", "Q, Clip, DQ")
    return str(layers.m.dequantise(layers.m.op("Clip", layers.stored(x), *edges), x.q))


def _weights(layers: OnnxLayers, w: Weights) -> str:
    """Dequantised, now and then clipped before."""
    if not layers.chance(0.25):
        return layers.dequantised_weights(w)
    info = np.iinfo(w.values.dtype)
    edges = [layers.m.constant(np.asarray(n, w.values.dtype)) for n in (info.min + 1, info.max)]
    clipped = layers.m.op("Clip", layers.m.constant(w.values), *edges)
    layers.note("form", "constant, Clip, DQ")
    extra = {"axis": w.axis} if np.ndim(w.scale) else {}
    scale, zero = layers.m.constant(w.scale), layers.m.constant(w.zero)
    return str(layers.m.op("DequantizeLinear", clipped, scale, zero, **extra))


# ---- biases -------------------------------------------------------------------------------------


def numbers(layers: OnnxLayers, product: Product, count: int) -> Array:
    """Real numbers as large as the sums, off the accumulator's grid; in exact models quarters of
    its unit, so that sums meet rounding edges."""
    if layers.exact:
        unit = product.unit if count > 1 else np.min(product.unit)
        most = max(8, int(2 * _SPREAD * product.near / np.max(product.unit)))
        quarters = layers.random.integers(-most, most, count)
        return np.asarray(quarters * unit / 4, np.float32)
    drawn = layers.random.standard_normal(count) * product.near * _SPREAD / 2
    return np.asarray(drawn, np.float32)


def _product(
    layers: OnnxLayers, given: Plan, bare: Product, operands: tuple[str, ...], **changed: Any
) -> Product:
    attributes = {**given.given, **changed}
    y = layers.m.op(given.kind, *operands, **attributes)
    return Product(y, bare.shape, bare.near, bare.axis, bare.unit)


def _after(product: Product, name: str) -> Product:
    return Product(name, product.shape, product.near, product.axis, product.unit)


def _no_bias(
    layers: OnnxLayers, form: str, given: Plan, bare: Product, operands: tuple[str, ...]
) -> Product:
    return _product(layers, given, bare, operands)


def _float_bias(
    layers: OnnxLayers, form: str, given: Plan, bare: Product, operands: tuple[str, ...]
) -> Product:
    value = numbers(layers, bare, given.M)
    if given.kind == "Gemm":
        value = value.reshape(layers.one((given.M,), (1, given.M)))
        layers.note("form", "Gemm with float C")
        if given.given["alpha"] != 1 and given.given["beta"] != 1:
            layers.note("form", "Gemm with alpha and beta")
    layers.note("form", form)
    return _product(layers, given, bare, (*operands, layers.m.constant(value)))


def _other_scale(
    layers: OnnxLayers, form: str, given: Plan, bare: Product, operands: tuple[str, ...]
) -> Product:
    """An int32 bias whose unit is not the accumulator's, per channel or for all."""
    layers.note("form", form)
    count = layers.one(1, given.M)
    share = layers.one(0.25, 2.0, 8.0) if layers.exact else layers.random.uniform(0.05, 3, count)
    scale = np.asarray(np.max(bare.unit) * share * np.ones(count), np.float32)
    if count == 1:
        scale = scale.reshape(())
    stored = layers.random.integers(-3000, 3000, given.M).astype(np.int32)
    zero = np.zeros(scale.shape, np.int32)
    bias = layers.dequantised(stored, scale, zero, 0)
    return _product(layers, given, bare, (*operands, bias))


def _narrow(layers: OnnxLayers, bare: Product, shape: tuple[int, ...]) -> str:
    """A dequantised constant of 8 bits with a scale of its own."""
    dtype = layers.one("int8", "int8", "uint8")
    info = np.iinfo(dtype)
    stored = layers.random.integers(info.min, info.max + 1, shape).astype(dtype)
    scale = np.float32(layers.scale(bare.near / 4, bare.near))
    zero = np.asarray(0 if dtype == "int8" else layers.one(0, 128, 97), dtype)
    return layers.dequantised(stored, np.asarray(scale), zero, 0)


def _int8_bias(
    layers: OnnxLayers, form: str, given: Plan, bare: Product, operands: tuple[str, ...]
) -> Product:
    layers.note("form", form)
    return _product(layers, given, bare, (*operands, _narrow(layers, bare, (given.M,))))


def _shape_of_addend(layers: OnnxLayers, given: Plan, bare: Product) -> tuple[int, ...]:
    """Every shape that is one value for each output channel, or one for all."""
    M, rank = given.M, len(bare.shape)
    if layers.chance(0.2):
        return layers.one((), (1,), (1,) * rank)
    if given.kind == "Conv":
        return layers.one((M, *(1,) * (rank - 2)), (1, M, *(1,) * (rank - 2)))
    return layers.one((M,), (M,), (1, M))


def _added(
    layers: OnnxLayers, form: str, given: Plan, bare: Product, operands: tuple[str, ...]
) -> Product:
    """Add or Sub of a constant after the product, in either order of the operands."""
    if form == "bias and Add":
        product = _float_bias(layers, "float bias", given, bare, operands)
    else:
        product = _product(layers, given, bare, operands)
    shape = _shape_of_addend(layers, given, bare)
    if form == "dequantised addend":
        other = _narrow(layers, bare, shape)
    else:
        value = numbers(layers, bare, int(np.prod(shape)) if shape else 1)
        other = layers.m.constant(value.reshape(shape))
    if form == "Sub of a constant":
        layers.note("form", form)
        return _after(product, layers.m.op("Sub", product.name, other))
    layers.note("form", form, f"Add after {given.kind}")
    layers.note("operator", "Add")
    sides = (product.name, other) if layers.chance(0.6) else (other, product.name)
    return _after(product, layers.m.op("Add", *sides))


def _batch_normalised(
    layers: OnnxLayers, form: str, given: Plan, bare: Product, operands: tuple[str, ...]
) -> Product:
    """BatchNormalization with parameters as training leaves them, with or without a bias before."""
    before = layers.one("nothing", "float bias", "constant added")
    if before == "float bias":
        product = _float_bias(layers, before, given, bare, operands)
    elif before == "constant added":
        product = _added(layers, before, given, bare, operands)
        layers.note("form", "BatchNormalization after Add")
    else:
        product = _product(layers, given, bare, operands)
    M, random = given.M, layers.random
    layers.note("form", form)
    layers.note("operator", "BatchNormalization")
    if layers.exact and layers.chance(0.5):
        gamma, variance = random.choice([0.5, 1.0, 2.0], M), random.choice([0.25, 1.0, 4.0], M)
        mean, epsilon = np.zeros(M), 0.0
    else:
        gamma, variance = random.uniform(0.3, 2.0, M), random.uniform(0.2, 3.0, M)
        mean = random.standard_normal(M) * bare.near * 20
        epsilon = layers.one(1e-5, 1e-3)
    beta = numbers(layers, bare, M)
    named = [layers.m.constant(np.asarray(p, np.float32)) for p in (gamma, beta, mean, variance)]
    return _after(product, layers.m.op("BatchNormalization", product.name, *named, epsilon=epsilon))


Maker = Callable[[OnnxLayers, str, Plan, Product, tuple[str, ...]], Product]
_ALL = ("Conv", "Gemm", "MatMul")
FORMS: dict[str, tuple[tuple[str, ...], bool, Maker]] = {
    "no bias": (_ALL, True, _no_bias),
    "float bias": (("Conv", "Gemm"), True, _float_bias),
    "int32 bias of another scale": (("Conv", "Gemm"), True, _other_scale),
    "int8 bias": (("Conv", "Gemm"), True, _int8_bias),
    "constant added": (_ALL, True, _added),
    "dequantised addend": (_ALL, True, _added),
    "Sub of a constant": (_ALL, False, _added),
    "bias and Add": (("Conv", "Gemm"), False, _added),
    "BatchNormalization after Conv": (("Conv",), False, _batch_normalised),
}
"""By form: the products that have it, whether it may end in floats, and its maker."""
