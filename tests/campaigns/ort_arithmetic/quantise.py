"""QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, clamps and casts of one tensor."""

from functools import partial

import numpy as np

from tests.campaigns.ort_arithmetic.case import (
    EIGHT_BIT_TAGS,
    QUANTISED_TAGS,
    SCALES,
    ZERO_POINTS,
    Array,
    Case,
    Step,
    bounded,
    limits,
)
from tests.support.onnx.models import TYPES

_OPSETS = (11, 13, 19, 21)
_SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, -3e38, 1e-45, 2.0**31, -(2.0**31), 2.0**24)


def floats_at_edges(case: Case, scale: np.float32, shape: tuple[int, ...]) -> Array:
    """Float values of which many lie at an edge between two multiples of a scale, or beside it."""
    rng = case.rng
    steps = rng.integers(-300, 300, shape)
    halves = rng.choice([0.5, 0.5, 0.25, 0.0], shape)
    values = ((steps + halves) * float(scale)).astype(np.float32)
    moved = values.view(np.int32) + rng.integers(-2, 3, shape).astype(np.int32)
    values = np.where(np.isfinite(values), moved.view(np.float32), values)
    rare = rng.random(shape) < 0.02
    return np.where(rare, rng.choice(_SPECIAL, shape), values).astype(np.float32)


def _shape(case: Case) -> tuple[int, ...]:
    """[1, C, ...] with lengths that leave a tail after the vectors."""
    sizes = tuple(int(n) for n in case.rng.integers(1, 12, case.rng.integers(0, 3)))
    return (1, int(case.rng.integers(1, 70)), *sizes)


def _quantise(case: Case) -> None:
    case.maker.opset = int(case.rng.choice(_OPSETS))
    dtype, scale = case.dtype(), case.scale()
    x = case.operand(floats_at_edges(case, scale, _shape(case)), "x")
    pair = case.quantisation(scale, case.zero_point(dtype), dtype)
    case.outputs.append(case.maker.op("QuantizeLinear", x, *pair))


def _slices(case: Case, count: int, dtype: str) -> tuple[Array, Array]:
    scales = np.asarray([case.scale() for _ in range(count)], dtype=np.float32)
    zeros = np.asarray([case.zero_point(dtype) for _ in range(count)], dtype=dtype)
    return scales, zeros


def _quantise_slices(case: Case) -> None:
    case.maker.opset = int(case.rng.choice([13, 19, 21]))
    dtype, shape = case.dtype(), _shape(case)
    axis = int(case.rng.integers(1, len(shape)))
    scales, zeros = _slices(case, shape[axis], dtype)
    reach = scales.reshape([-1 if place == axis else 1 for place in range(len(shape))])
    values = floats_at_edges(case, np.float32(1.0), shape) * reach
    x = case.operand(values.astype(np.float32), "x")
    pair = case.maker.constant(scales), case.maker.constant(zeros)
    case.outputs.append(case.maker.op("QuantizeLinear", x, *pair, axis=axis))


def _dequantise(case: Case) -> None:
    case.maker.opset = int(case.rng.choice(_OPSETS))
    dtype = case.dtype()
    x = case.operand(case.values(dtype, _shape(case)), "x")
    pair = case.quantisation(case.scale(), case.zero_point(dtype), dtype)
    case.outputs.append(case.maker.op("DequantizeLinear", x, *pair))


def _dequantise_slices(case: Case) -> None:
    case.maker.opset = int(case.rng.choice([13, 19, 21]))
    dtype, shape = case.dtype(), _shape(case)
    axis = int(case.rng.integers(1, len(shape)))
    scales, zeros = _slices(case, shape[axis], dtype)
    x = case.operand(case.values(dtype, shape), "x")
    pair = case.maker.constant(scales), case.maker.constant(zeros)
    case.outputs.append(case.maker.op("DequantizeLinear", x, *pair, axis=axis))


def _dequantise_sums(case: Case) -> None:
    case.maker.opset = int(case.rng.choice([10, 13, 19, 21]))
    values = case.values("int32", _shape(case)) >> np.int32(case.rng.integers(0, 32))
    x = case.operand(values, "x")
    case.outputs.append(
        case.maker.op("DequantizeLinear", x, case.maker.constant(np.float32(case.scale())))
    )


def _requantise(case: Case, *, activation: bool) -> None:
    source, target = case.dtype(), case.dtype()
    scale, zero = case.scale(), case.zero_point(source)
    low, high = limits(source)
    values = np.arange(low, high + 1).astype(source)[None]
    maker = case.maker
    x = maker.op(
        "DequantizeLinear", case.operand(values, "x"), *case.quantisation(scale, zero, source)
    )
    if activation:
        edges = sorted(float(scale) * case.rng.uniform(-300, 300, 2))
        bounds = (maker.constant(np.float32(edge)) for edge in edges)
        x = maker.op("Relu", x) if case.rng.random() < 0.5 else maker.op("Clip", x, *bounds)
    real = float(scale) * float(case.rng.integers(low, high + 1) - zero)
    pair = case.quantisation(case.target(float(scale), real), case.zero_point(target), target)
    case.outputs.append(maker.op("QuantizeLinear", x, *pair))


def _dynamic(case: Case) -> None:
    shape = (1, int(case.rng.integers(1, 600)))
    scale = float(bounded(10.0 ** case.rng.uniform(-30, 30)))
    values = case.rng.standard_normal(shape) + case.rng.choice([0.0, 0.0, 3.0, -3.0, 100.0])
    kind = case.rng.integers(6)
    if kind == 0:
        values = np.abs(values)
    elif kind == 1:
        values = -np.abs(values)
    elif kind == 2:
        values = values * 0
    elif kind == 3:  # a range of 255 steps of a power of two: many edges
        values = np.concatenate([[-17.0, 238.0], case.rng.integers(-34, 476, shape[1]) / 2])[None]
        scale = 2.0 ** int(case.rng.integers(-20, 20))
    reals = (values * scale).astype(np.float32)
    if case.rng.random() < 0.2:
        rare = case.rng.random(reals.shape) < 0.1
        reals[rare] = case.rng.choice([np.nan, np.nan, np.inf, -np.inf])
        case.tags.add("not finite")
    x = case.operand(reals, "x")
    maker = case.maker
    maker.op("DynamicQuantizeLinear", x, outputs=3)
    node = maker.nodes[-1]
    case.outputs.extend(node.output)


def _clip(case: Case, *, dtype: str) -> None:
    maker = case.maker
    if dtype == "float32":
        values = floats_at_edges(case, case.scale(), _shape(case))
        edges = sorted(case.rng.choice(values.ravel(), 2))
    else:
        values = case.values(dtype, _shape(case))
        edges = sorted(case.values(dtype, (2,)))
    if case.rng.random() < 0.1:
        edges = edges[::-1]
    x = case.operand(values, "x")
    if dtype == "float32" and case.rng.random() < 0.1:
        edges[case.rng.integers(2)] = np.float32(case.rng.choice(_SPECIAL))
    low, high = (maker.constant(np.asarray(edge, dtype=dtype)) for edge in edges)
    form = case.rng.integers(4)
    if form == 0 and dtype == "float32":
        case.outputs.append(maker.op("Relu", x))
        return
    inputs = {1: (x, low), 2: (x, "", high)}.get(int(form), (x, low, high))
    case.outputs.append(maker.op("Clip", *inputs))


_CASTS = {
    "float32": ("float32",),
    "int8": ("float32", "int32", "int64", "uint8", "int8"),
    "uint8": ("float32", "int32", "int64", "int8"),
    "int32": ("float32", "int8", "uint8", "int64"),
    "int64": ("float32", "int32", "int8"),
}


def _cast(case: Case) -> None:
    source = str(case.rng.choice(list(_CASTS)))
    target = str(case.rng.choice(_CASTS[source]))
    case.tags.add(f"cast of {source}")
    shape = _shape(case)
    if source == "float32":
        values = floats_at_edges(case, case.scale(), shape)
    else:
        low, high = limits(source)
        values = case.rng.integers(low, high, shape, dtype=source, endpoint=True)
        values = values >> case.rng.integers(0, 8 * values.itemsize)
    x = case.operand(values, "x")
    case.outputs.append(case.maker.op("Cast", x, to=TYPES[target]))


_INPUT_SCALES = tuple(tag for tag in SCALES if tag not in ("scale at an edge", "scale near"))
_TAGS = (*EIGHT_BIT_TAGS, *ZERO_POINTS, *_INPUT_SCALES)

STEPS = {
    "QuantizeLinear": Step(_quantise, _TAGS),
    "QuantizeLinear per axis": Step(_quantise_slices, _TAGS),
    "DequantizeLinear": Step(_dequantise, _TAGS),
    "DequantizeLinear per axis": Step(_dequantise_slices, _TAGS),
    "DequantizeLinear of int32": Step(_dequantise_sums, _INPUT_SCALES),
    "Q after DQ": Step(partial(_requantise, activation=False), QUANTISED_TAGS),
    "Q after DQ and an activation": Step(partial(_requantise, activation=True), QUANTISED_TAGS),
    "DynamicQuantizeLinear": Step(_dynamic, ("not finite",)),
    "Clip of float32": Step(partial(_clip, dtype="float32")),
    "Clip of int8": Step(partial(_clip, dtype="int8")),
    "Clip of uint8": Step(partial(_clip, dtype="uint8")),
    "Cast": Step(_cast, tuple(f"cast of {source}" for source in _CASTS)),
}
