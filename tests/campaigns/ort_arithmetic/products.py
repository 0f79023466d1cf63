"""Convolutions and matrix products of integers, and what brings their sums to an output scale."""

from functools import partial

import numpy as np

from tests.campaigns.ort_arithmetic.case import (
    QUANTISED_TAGS,
    SCALES,
    ZERO_POINTS,
    Array,
    Case,
    Step,
)
from tests.support.onnx.models import TYPES

_PER_CHANNEL = ("per channel", "per tensor")
_WEIGHTS = {"uint8": ("uint8", "int8"), "int8": ("int8",)}  # what ONNX Runtime multiplies
_LARGEST_BIAS = 30  # bits


def _weights(case: Case, shape: tuple[int, ...], dtype: str, columns: int) -> tuple[Array, Array]:
    """Weights, and one scale or one for each of the columns."""
    channels = case.rng.random() < 0.5
    case.tags.add("per channel" if channels else "per tensor")
    scale = np.asarray([case.scale() for _ in range(columns if channels else 1)], np.float32)
    return case.values(dtype, shape), scale if channels else scale.reshape(())


def _weight_zero(case: Case, dtype: str, scale: Array) -> Array:
    """Weights of type int8 are symmetric."""
    zero = case.zero_point(dtype) if dtype == "uint8" else 0
    return np.full(scale.shape, zero, dtype=dtype)


def _unit(case: Case, scales: Array, sums: Array, factor: float = 1.0) -> tuple[float, float]:
    """What one step of some column stands for, and the real value of one of its sums."""
    column = int(case.rng.integers(sums.shape[-1]))
    unit = factor * float(np.broadcast_to(scales, (sums.shape[-1],))[column])
    spread = max(1.0, float(np.abs(sums[..., column]).max()) / 64)
    return unit * spread, unit * float(case.rng.choice(sums[..., column].ravel()))


def _bias(case: Case, columns: int) -> Array:
    return case.values("int32", (columns,)) >> np.int32(31 - case.rng.integers(_LARGEST_BIAS))


def _product(case: Case, *, operator: str) -> None:
    """QLinearMatMul or QGemm: rows times a matrix."""
    rng, maker = case.rng, case.maker
    rows, K, M = (int(n) for n in rng.integers(1, 24, 3))
    dtype = case.dtype()
    kind = str(rng.choice(_WEIGHTS[dtype]))
    x, zero = case.values(dtype, (rows, K)), case.zero_point(dtype)
    weights, scales = _weights(case, (K, M), kind, M)
    weight_zero = _weight_zero(case, kind, scales)
    sums = (x.astype(np.int64) - zero) @ (weights.astype(np.int64) - weight_zero)
    input_scale, alpha, bias = case.scale(), 1.0, None
    if operator != "QLinearMatMul":
        alpha = float(np.float32(rng.choice([1.0, 0.5, 1.7, 0.3])))
        bias = _bias(case, M) if rng.random() < 0.6 else None
        sums = sums + (0 if bias is None else bias)
    target = case.target(*_unit(case, scales, sums, alpha * float(input_scale)))
    inputs = [case.operand(x, "x"), *case.quantisation(input_scale, zero, dtype)]
    inputs += [maker.constant(weights), maker.constant(scales), maker.constant(weight_zero)]
    output = list(case.quantisation(target, case.zero_point(dtype), dtype))
    if operator == "QLinearMatMul":
        case.outputs.append(maker.op(operator, *inputs, *output))
        return
    inputs.append("" if bias is None else maker.constant(bias))
    inputs += output if operator == "QGemm" else []
    result = maker.op("QGemm", *inputs, domain="com.microsoft", alpha=alpha)
    case.outputs.append(result)


def _convolution(case: Case) -> None:
    """QLinearConv, grouped or not, its windows of one tap or more."""
    rng, maker = case.rng, case.maker
    groups = int(rng.choice([1, 1, 1, 2, 5]))
    C, M = (int(n) * groups for n in rng.integers(1, 7, 2))
    if rng.random() < 0.2:
        groups, M = C, C
    taps, size = (int(n) for n in (rng.choice([1, 1, 2, 3]), rng.integers(3, 9)))
    dtype = case.dtype()
    kind = str(rng.choice(_WEIGHTS[dtype]))
    x, zero = case.values(dtype, (1, C, size, size)), case.zero_point(dtype)
    weights, scales = _weights(case, (M, C // groups, taps, taps), kind, M)
    weight_zero = _weight_zero(case, kind, scales)
    bias = _bias(case, M) if rng.random() < 0.6 else None
    corner = (x[0, :, :taps, :taps].astype(np.int64) - zero).reshape(groups, -1)
    centred = weights.astype(np.int64) - weight_zero.reshape(-1, 1, 1, 1)
    sums = np.einsum("gk,gmk->gm", corner, centred.reshape(groups, M // groups, -1)).reshape(1, M)
    sums = sums + (0 if bias is None else bias)
    input_scale = case.scale()
    target = case.target(*_unit(case, scales, sums, float(input_scale)))
    inputs = [case.operand(x, "x"), *case.quantisation(input_scale, zero, dtype)]
    inputs += [maker.constant(weights), maker.constant(scales), maker.constant(weight_zero)]
    inputs += case.quantisation(target, case.zero_point(dtype), dtype)
    inputs += [] if bias is None else [maker.constant(bias)]
    case.outputs.append(maker.op("QLinearConv", *inputs, group=groups))


def _integer(case: Case, *, operator: str) -> None:
    """MatMulInteger or ConvInteger, Cast, Mul by one scale or one a column, perhaps Add."""
    rng, maker = case.rng, case.maker
    K, M, size = (int(n) for n in rng.integers(1, 24, 3))
    image = operator == "ConvInteger"
    dtype = case.dtype() if operator == "MatMulInteger" else "uint8"
    kind = str(rng.choice(_WEIGHTS[dtype])) if not image else "uint8"
    zero = case.zero_point(dtype)
    x = case.operand(case.values(dtype, (1, K, size, 3) if image else (size, K)), "x")
    weights = case.values(kind, (M, K, 1, 1) if image else (K, M))
    weight_zero = case.zero_point(kind) if kind == "uint8" else 0
    sums = maker.op(
        operator, x, maker.constant(weights), maker.constant(np.asarray(zero, dtype)),
        maker.constant(np.asarray(weight_zero, kind)),
    )  # fmt: skip
    real = maker.op("Cast", sums, to=TYPES["float32"])
    shape = (M, 1, 1) if image else (M,)
    scales = np.asarray([case.scale() for _ in range(M)], np.float32).reshape(shape)
    scale = scales if rng.random() < 0.5 else scales.reshape(-1)[0]
    operands = [real, maker.constant(scale)]
    result = maker.op("Mul", *operands[:: rng.choice([1, -1])])
    if rng.random() < 0.5:
        offset = rng.standard_normal(shape) * 10.0 ** rng.uniform(-3, 3)
        result = maker.op("Add", result, maker.constant(offset.astype(np.float32)))
    case.outputs.append(result)


_INPUT_SCALES = tuple(tag for tag in SCALES if tag not in ("scale at an edge", "scale near"))

STEPS = {
    "QLinearMatMul": Step(
        partial(_product, operator="QLinearMatMul"), (*QUANTISED_TAGS, *_PER_CHANNEL)
    ),
    "QGemm": Step(partial(_product, operator="QGemm"), (*QUANTISED_TAGS, *_PER_CHANNEL)),
    "QGemm to float32": Step(
        partial(_product, operator="QGemm to float32"), (*QUANTISED_TAGS, *_PER_CHANNEL)
    ),
    "QLinearConv": Step(_convolution, (*QUANTISED_TAGS, *_PER_CHANNEL)),
    "MatMulInteger, Cast, Mul": Step(
        partial(_integer, operator="MatMulInteger"), (*ZERO_POINTS, *_INPUT_SCALES)
    ),
    "ConvInteger, Cast, Mul": Step(
        partial(_integer, operator="ConvInteger"), (*ZERO_POINTS, *_INPUT_SCALES)
    ),
}
