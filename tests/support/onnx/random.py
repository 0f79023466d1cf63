"""Random layers as ONNX models: geometry, types and quantisation drawn from a seed.

Scales are powers of two for some seeds: float32 is exact then, and ONNX Runtime must give the same
bits with and without optimisation, ties included. With other scales a QDQ model without
optimisation rounds float32 sums, so that only the optimised run is the integer arithmetic meant.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from tests.support.onnx.models import ModelMaker

Rng = np.random.Generator
Quantisation = tuple[float, int, str]

BOTH, PLAIN, OPTIMISED = (False, True), (False,), (True,)


@dataclass(frozen=True)
class Case:
    """A model and the optimisation levels of ONNX Runtime at which it must agree."""

    model: onnx.ModelProto
    levels: tuple[bool, ...]


@dataclass
class Draw:
    """Random choices of one seed."""

    rng: Rng
    exact: bool  # scales are powers of two

    def one(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def below(self, low: int, high: int, count: int) -> list[int]:
        return [int(n) for n in self.rng.integers(low, high, count)]

    def scale(self, low: float, high: float) -> float:
        real = float(self.rng.uniform(low, high))
        return float(2.0 ** np.round(np.log2(real))) if self.exact else float(np.float32(real))

    def quantisation(self, dtype: str = "", low: float = 0.01, high: float = 0.1) -> Quantisation:
        dtype = dtype or self.one("int8", "uint8")
        info = np.iinfo(dtype)
        return self.scale(low, high), int(self.rng.integers(info.min, info.max + 1)), dtype

    def weights(
        self, m: ModelMaker, shape: tuple[int, ...], axis: int, dtype: str, *, per_channel: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(integers, scales, zero points); unsigned weights are asymmetric."""
        info = np.iinfo(dtype)
        values = self.rng.integers(info.min, info.max + 1, shape).astype(dtype)
        count = shape[axis] if per_channel else 1
        scale = np.array([self.scale(0.002, 0.02) for _ in range(count)], dtype=np.float32)
        zero = np.full(count, self.rng.integers(118, 138) if dtype == "uint8" else 0).astype(dtype)
        return (values, scale, zero) if per_channel else (values, scale[0], zero[0])


def dequantised(m: ModelMaker, values: Any, scale: Any, zero: Any, axis: int) -> str:
    """DequantizeLinear of an initializer."""
    extra = {"axis": axis} if np.ndim(scale) else {}
    inputs = (m.constant(values), m.constant(scale), m.constant(zero))
    return m.op("DequantizeLinear", *inputs, **extra)


def dequantised_bias(m: ModelMaker, bias: np.ndarray, x_scale: float, scale: np.ndarray) -> str:
    unit = (np.float32(x_scale) * scale).astype(np.float32)
    return dequantised(m, bias, unit, np.zeros_like(unit, dtype=np.int32), 0)


def _levels(x_q: Quantisation) -> tuple[bool, ...]:
    """The optimiser moves int8 QOperator nodes to kernels that ONNX Runtime does not have."""
    return BOTH if x_q[2] == "uint8" else PLAIN


# ---- products -----------------------------------------------------------------------------------


def conv(draw: Draw) -> Case:
    """Conv, QLinearConv or ConvInteger, 1-D or 2-D, grouped or depthwise, any geometry."""
    m, rank = ModelMaker(), draw.one(1, 2, 2)
    form = draw.one("Conv", "QLinearConv", "ConvInteger")
    x_q = draw.quantisation("uint8" if form == "ConvInteger" else "")
    y_q = draw.quantisation(x_q[2], 0.1, 1.0)
    group, per_group = draw.one(1, 1, 2, 3), int(draw.rng.integers(1, 5))
    C, M = group * per_group, group * int(draw.rng.integers(1, 5))
    if draw.rng.random() < 0.3:
        group, per_group, M = C, 1, C * int(draw.rng.integers(1, 3))
    taps = draw.below(1, 4, rank)
    attributes = _geometry(draw, rank, taps)
    attributes["group"] = group
    x = m.input("x", (draw.one(1, 1, 2), C, *draw.below(5, 12, rank)), x_q[2])
    dtype = draw.one("int8", "uint8") if x_q[2] == "uint8" else "int8"
    per_channel = form != "ConvInteger" and draw.one(True, False)
    shape = (M, per_group, *taps)
    values, scale, zero = draw.weights(m, shape, 0, dtype, per_channel=per_channel)
    bias = draw.rng.integers(-2000, 2000, M).astype(np.int32)
    if form == "ConvInteger":
        zeros = m.constant(np.asarray(x_q[1], dtype=x_q[2])), m.constant(zero)
        return Case(m.model(m.op(form, x, m.constant(values), *zeros, **attributes)), BOTH)
    if form == "QLinearConv":
        w = m.constant(values), m.constant(scale), m.constant(zero)
        inputs = (x, *m.scale(*x_q), *w, *m.scale(*y_q), m.constant(bias))
        return Case(m.model(m.op(form, *inputs, **attributes)), _levels(x_q))
    weights = dequantised(m, values, scale, zero, 0)
    y = m.op(
        form, m.dequantise(x, x_q), weights, dequantised_bias(m, bias, x_q[0], scale), **attributes
    )
    return _qdq(draw, m, _activated(draw, m, y), y_q)


def _geometry(draw: Draw, rank: int, taps: list[int]) -> dict[str, Any]:
    mode = draw.one("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    attributes: dict[str, Any] = {"kernel_shape": taps, "strides": draw.below(1, 3, rank)}
    if mode == "NOTSET":
        attributes["pads"] = draw.below(0, 3, 2 * rank)
    else:
        attributes["auto_pad"] = mode
    if not mode.startswith("SAME"):
        attributes["dilations"] = draw.below(1, 3, rank)
    return attributes


def _activated(draw: Draw, m: ModelMaker, y: str) -> str:
    kind = draw.one("none", "Relu", "Clip")
    if kind == "Relu":
        return m.op("Relu", y)
    if kind == "Clip":
        return m.op("Clip", y, m.constant(np.float32(-0.6)), m.constant(np.float32(2.7)))
    return y


def _qdq(draw: Draw, m: ModelMaker, y: str, q: Quantisation) -> Case:
    return Case(m.model(m.quantise(y, q)), BOTH if draw.exact else OPTIMISED)


def product(draw: Draw) -> Case:
    """Gemm, MatMul, QLinearMatMul, QGemm or MatMulInteger; flattened images among the inputs."""
    m = ModelMaker()
    form = draw.one("Gemm", "MatMul", "QLinearMatMul", "QGemm", "MatMulInteger")
    x_q = draw.quantisation("uint8" if form in ("MatMulInteger", "QGemm") else "")
    y_q = draw.quantisation(x_q[2], 0.1, 1.0)
    M, transposed = int(draw.rng.integers(1, 20)), draw.one(0, 1)
    if form in ("Gemm", "QGemm") and draw.one(True, False):
        C, H, W = draw.below(1, 5, 3)
        pooled = m.op("MaxPool", m.input("x", (1, C, H, W), x_q[2]), kernel_shape=[1, 1])
        x, K = m.op("Flatten", pooled), C * H * W
    else:
        K = int(draw.rng.integers(1, 40))
        rows = (
            (draw.one(1, 1, 3, 5),) if form in ("Gemm", "QGemm") else draw.one((1,), (3,), (2, 3))
        )
        x = m.input("x", (*rows, K), x_q[2])
    dtype = draw.one("int8", "uint8") if x_q[2] == "uint8" else "int8"
    per_channel = form not in ("MatMulInteger", "QLinearMatMul") and draw.one(True, False)
    values, scale, zero = draw.weights(m, (K, M), 1, dtype, per_channel=per_channel)
    stored = values.T.copy() if transposed and form in ("Gemm", "QGemm") else values
    bias = draw.rng.integers(-2000, 2000, M).astype(np.int32)
    w = m.constant(stored), m.constant(scale), m.constant(zero)
    if form == "MatMulInteger":
        zeros = m.constant(np.asarray(x_q[1], dtype=x_q[2])), w[2]
        return Case(m.model(m.op(form, x, w[0], *zeros)), BOTH)
    if form == "QLinearMatMul":
        return Case(m.model(m.op(form, x, *m.scale(*x_q), *w, *m.scale(*y_q))), _levels(x_q))
    if form == "QGemm":
        inputs = (x, *m.scale(*x_q), *w, m.constant(bias), *m.scale(*y_q))
        extra = {"transB": transposed, "alpha": draw.one(1.0, 0.5, 0.3)}
        return Case(m.model(m.op(form, *inputs, domain="com.microsoft", **extra)), BOTH)
    source = m.dequantise(x, x_q)
    if form == "Gemm":
        weights = dequantised(m, stored, scale, zero, 0 if transposed else 1)
        added = dequantised_bias(m, bias, x_q[0], scale)
        return _qdq(draw, m, m.op(form, source, weights, added, transB=transposed), y_q)
    return _qdq(draw, m, m.op(form, source, dequantised(m, values, scale, zero, 1)), y_q)


# ---- sums, pools --------------------------------------------------------------------------------


def binary(draw: Draw) -> Case:
    """Add and Mul in QDQ and QOperator form, of two activations, constants, broadcasts."""
    m = ModelMaker()
    a_q = draw.quantisation()
    b_q, y_q = draw.quantisation(a_q[2]), draw.quantisation(a_q[2], 0.02, 0.2)
    operator = draw.one("Add", "Mul")
    shape = (1, *draw.below(1, 9, 3))
    a = m.input("a", shape, a_q[2])
    kind = draw.one("activation", "constant", "broadcast")
    if kind == "constant":
        values = draw.rng.integers(0, 100, (shape[1], 1, 1)).astype(a_q[2])
        b = m.constant(values)
    else:
        b = m.input("b", shape if kind == "activation" else (1, shape[1], 1, 1), a_q[2])
    if draw.one(True, False):
        inputs = (a, *m.scale(*a_q), b, *m.scale(*b_q), *m.scale(*y_q))
        y = m.op(f"QLinear{operator}", *inputs, domain="com.microsoft")
        return Case(m.model(y), BOTH)
    y = m.op(operator, m.dequantise(a, a_q), m.dequantise(b, b_q))
    if draw.one(True, False):
        y = m.op("Relu", y)
    return Case(m.model(m.quantise(y, y_q)), PLAIN)


def pool(draw: Draw) -> Case:
    """Maximum and average pools of integers, dequantised values and floats."""
    m = ModelMaker(opset=draw.one(13, 13, 19))
    x_q = draw.quantisation()
    y_q = x_q if draw.rng.random() < 0.6 else draw.quantisation(x_q[2])
    operator = draw.one("MaxPool", "AveragePool", "AveragePool", "GlobalAveragePool")
    rank = draw.one(1, 2, 2, 2)
    shape = (draw.one(1, 2), int(draw.rng.integers(1, 6)), *draw.below(6, 14, rank))
    attributes = {} if operator.startswith("Global") else _pool_geometry(draw, operator, rank)
    form = draw.one("integers", "dequantised", "floats")
    if form == "floats":
        return Case(m.model(m.op(operator, m.input("x", shape), **attributes)), PLAIN)
    x = m.input("x", shape, x_q[2])
    if form == "dequantised":
        y = m.op(operator, m.dequantise(x, x_q), **attributes)
        return Case(m.model(m.quantise(y, y_q)), PLAIN)
    if operator == "MaxPool":
        return Case(m.model(m.op(operator, x, **attributes)), BOTH)
    m.opset = 13
    inputs = (x, *m.scale(*x_q), *m.scale(*y_q))
    y = m.op(f"QLinear{operator}", *inputs, domain="com.microsoft", **attributes)
    return Case(m.model(y), BOTH)


def _pool_geometry(draw: Draw, operator: str, rank: int) -> dict[str, Any]:
    taps = draw.below(1, 5, rank)
    attributes: dict[str, Any] = {"kernel_shape": taps}
    mode = draw.one("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    if mode == "NOTSET":
        attributes["strides"] = draw.below(1, 4, rank)
        attributes["pads"] = [int(draw.rng.integers(0, n)) for n in taps] * 2
        attributes["ceil_mode"] = draw.one(0, 1)
    else:
        attributes["strides"] = [int(draw.rng.integers(1, n + 1)) for n in taps]
        attributes["auto_pad"] = mode
    if operator == "AveragePool":
        attributes["count_include_pad"] = draw.one(0, 1)
    elif mode == "NOTSET" and draw.rng.random() < 0.3:
        attributes["dilations"] = [2] * rank
    return attributes


KINDS = {"conv": conv, "product": product, "binary": binary, "pool": pool}


def random_case(kind: str, seed: int) -> Case:
    """The layer of a seed; even seeds have scales that are powers of two."""
    return KINDS[kind](Draw(np.random.default_rng(seed), exact=seed % 2 == 0))
