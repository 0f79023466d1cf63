"""Random ONNX convolutions and matrix products in every form of quantisation."""

from typing import Any

import numpy as np

from tests.campaigns.fuzz_graph.onnx.layers import OnnxLayers, Value, Weights


def geometry(layers: OnnxLayers, rank: int, taps: list[int], sizes: tuple[int, ...]) -> Any:
    """Strides, pads or auto_pad, dilations; the window fits at least once."""
    mode = layers.one("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    given: dict[str, Any] = {"kernel_shape": taps, "strides": layers.below(1, 4, rank)}
    reach = list(taps)
    if not mode.startswith("SAME"):
        given["dilations"] = layers.below(1, 3, rank)
        reach = [(n - 1) * d + 1 for n, d in zip(taps, given["dilations"], strict=True)]
    if mode == "NOTSET":
        given["pads"] = layers.below(0, 3, 2 * rank)
        sizes = tuple(n + sum(given["pads"][i::rank]) for i, n in enumerate(sizes))
    else:
        given["auto_pad"] = mode
    if any(r > n for r, n in zip(reach, sizes, strict=True)) and not mode.startswith("SAME"):
        return None
    noted = [f"auto_pad {mode}", f"{rank}-D window"]
    noted += ["stride > 1"] * (max(given["strides"]) > 1)
    noted += ["dilation"] * (max(given.get("dilations", [1])) > 1)
    noted += ["uneven pads"] * (given.get("pads", [0])[:rank] != given.get("pads", [0])[rank:])
    noted += ["rectangular window"] * (len(set(taps)) > 1)
    layers.note("attribute", *noted)
    return given


def window_sizes(given: dict[str, Any], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """How often the window fits along each axis."""
    rank = len(sizes)
    if given.get("auto_pad", "").startswith("SAME"):
        return tuple(-(-n // s) for n, s in zip(sizes, given["strides"], strict=True))
    found = []
    for i, n in enumerate(sizes):
        reach = (given["kernel_shape"][i] - 1) * given["dilations"][i] + 1
        found.append(n + sum(given.get("pads", [0] * 2 * rank)[i::rank]) - reach)
    return tuple(n // s + 1 for n, s in zip(found, given["strides"], strict=True))


def conv(layers: OnnxLayers, x: Value) -> Value | None:
    """Conv, QLinearConv or ConvInteger of rank 3 or 4, grouped or depthwise."""
    rank = len(x.shape) - 2
    if rank not in (1, 2):
        return None
    C = x.shape[1]
    groups = layers.one(1, 1, C, *[n for n in range(2, C) if C % n == 0])
    M = groups * int(layers.random.integers(1, 3 if groups == C else 7))
    taps = layers.below(1, 4 if rank == 2 else 6, rank)
    given = geometry(layers, rank, taps, x.shape[2:])
    depth = C // groups * int(np.prod(taps))
    if given is None or depth > layers.most_taps:
        return None
    kind = "depthwise" if groups == C > 1 else "groups"
    layers.note("attribute", *[kind] * (groups > 1), *["depth multiplier"] * (M > C == groups > 1))
    given["group"] = groups
    shape = (x.shape[0], M, *window_sizes(given, x.shape[2:]))
    integer = x.dtype == "uint8" and layers.chance(0.25)
    w = layers.weights((M, C // groups, *taps), 0, x, single=integer)
    if integer:
        return _sums(layers, "ConvInteger", x, w, given)
    bias, unit = layers.bias(x, w, M)
    q = layers.after(x, w, depth)
    if layers.carries():
        layers.note("operator", "QLinearConv")
        stored = [layers.m.constant(a) for a in (w.values, w.scale, w.zero)]
        inputs = (layers.stored(x), *layers.m.scale(*x.q), *stored, *layers.m.scale(*q))
        inputs += (layers.m.constant(bias),) if layers.chance(0.8) else ()
        return Value(shape=shape, q=q, stored=layers.m.op("QLinearConv", *inputs, **given))
    layers.note("operator", "Conv")
    inputs = (layers.real(x), layers.dequantised_weights(w))
    inputs += (layers.dequantised_bias(bias, unit),) if layers.chance(0.8) else ()
    y = layers.m.op("Conv", *inputs, **given)
    if layers.exact and layers.chance(0.2):
        y = _normalised(layers, y, unit, M)
    return layers.product(y, shape, q)


def _normalised(layers: OnnxLayers, y: str, unit: Any, M: int) -> str:
    """BatchNormalization of powers of two, whose offset is a whole number of accumulator units."""
    layers.note("operator", "BatchNormalization")
    gamma = np.asarray(layers.random.choice([0.5, 1.0, 2.0], M), np.float32)
    beta = (layers.random.integers(-500, 500, M) * unit * gamma).astype(np.float32)
    parameters = (gamma, beta, np.zeros(M, np.float32), np.ones(M, np.float32))
    named = [layers.m.constant(p) for p in parameters]
    return str(layers.m.op("BatchNormalization", y, *named, epsilon=0.0))


def product(layers: OnnxLayers, x: Value) -> Value | None:
    """Gemm, MatMul, QGemm, QLinearMatMul or MatMulInteger over the last axis."""
    size = int(np.prod(x.shape[1:]))
    if len(x.shape) > 2 and size <= layers.most_taps and layers.chance(0.6):
        x = _flattened(layers, x, size)
    K, M = x.shape[-1], int(layers.random.integers(1, 12))
    if layers.most_taps < K or (len(x.shape) == 2 and x.shape[0] > layers.most_taps):
        return None
    if x.dtype == "uint8" and layers.chance(0.25):
        return _sums(layers, "MatMulInteger", x, layers.weights((K, M), 1, x, single=True), {})
    if layers.carries():
        if len(x.shape) == 2 and x.dtype == "uint8" and layers.chance(0.8):
            return _qgemm(layers, x, K, M)
        return _qlinear_matmul(layers, x, K, M)
    if len(x.shape) == 2 and layers.chance(0.6):
        return _gemm(layers, x, M)
    w = layers.weights((K, M), 1, x, single=False)
    layers.note("operator", "MatMul")
    y = layers.m.op("MatMul", layers.real(x), layers.dequantised_weights(w))
    if layers.chance(0.5):
        layers.note("attribute", "bias added")
        y = layers.m.op("Add", y, layers.dequantised_bias(*layers.bias(x, w, M)))
    return layers.product(y, (*x.shape[:-1], M), layers.after(x, w, K))


def _flattened(layers: OnnxLayers, x: Value, size: int) -> Value:
    """The rows of a classifier's input."""
    layers.note("operator", "Flatten")
    shape = (x.shape[0], size)
    if layers.carries():
        return Value(shape=shape, q=x.q, stored=layers.m.op("Flatten", layers.stored(x)))
    return Value(shape=shape, q=x.q, real=layers.m.op("Flatten", layers.real(x)))


def _gemm(layers: OnnxLayers, x: Value, M: int) -> Value | None:
    turned = layers.chance(0.5)
    rows, K = x.shape[::-1] if turned else x.shape
    transposed = layers.one(0, 1)
    w = layers.weights((M, K) if transposed else (K, M), 1 - transposed, x, single=False)
    bias, unit = layers.bias(x, w, M)
    alpha = 1.0 if not layers.exact else layers.one(1.0, 0.5, 2.0)
    layers.note("operator", "Gemm")
    noted = ["transB"] * transposed + ["transA"] * turned + ["alpha"] * (alpha != 1.0)
    layers.note("attribute", *noted)
    inputs = (layers.real(x), layers.dequantised_weights(w))
    inputs += (layers.dequantised_bias(bias, np.float32(alpha) * unit),)
    y = layers.m.op("Gemm", *inputs, transA=int(turned), transB=transposed, alpha=alpha)
    return layers.product(y, (rows, M), layers.after(x, w, K))


def _qgemm(layers: OnnxLayers, x: Value, K: int, M: int) -> Value:
    transposed = layers.one(0, 1)
    w = layers.weights((M, K) if transposed else (K, M), 1 - transposed, x, single=False)
    bias, _ = layers.bias(x, w, M)
    q, alpha = layers.after(x, w, K), layers.one(1.0, 1.0, 0.5, 0.3)
    layers.note("operator", "QGemm")
    layers.note("attribute", *["transB"] * transposed, *["alpha"] * (alpha != 1.0))
    stored = [layers.m.constant(a) for a in (w.values, w.scale, w.zero, bias)]
    inputs = (layers.stored(x), *layers.m.scale(*x.q), *stored, *layers.m.scale(*q))
    given = {"transB": transposed, "alpha": alpha, "domain": "com.microsoft"}
    return Value(shape=(x.shape[0], M), q=q, stored=layers.m.op("QGemm", *inputs, **given))


def _qlinear_matmul(layers: OnnxLayers, x: Value, K: int, M: int) -> Value:
    shape: tuple[int, ...] = (K, M)
    if len(x.shape) > 2 and layers.chance(0.7):
        layers.note("attribute", "a matrix an item")
        shape = (*x.shape[:-2], K, M)
    w = layers.weights(shape, len(shape) - 1, x, single=True)
    q = layers.after(x, w, K)
    layers.note("operator", "QLinearMatMul")
    stored = [layers.m.constant(a) for a in (w.values, w.scale, w.zero)]
    inputs = (layers.stored(x), *layers.m.scale(*x.q), *stored, *layers.m.scale(*q))
    return Value(shape=(*x.shape[:-1], M), q=q, stored=layers.m.op("QLinearMatMul", *inputs))


def _sums(layers: OnnxLayers, kind: str, x: Value, w: Weights, given: dict[str, Any]) -> None:
    """Sums of 32 bits, as they are or brought to float32 by arithmetic; a leaf."""
    layers.note("operator", kind)
    zeros = (layers.m.constant(np.asarray(x.q[1], x.dtype)), layers.m.constant(w.zero))
    y = layers.m.op(kind, layers.stored(x), layers.m.constant(w.values), *zeros, **given)
    if layers.chance(0.6):
        layers.note("operator", "Cast")
        y = layers.m.op("Cast", y, to=1)
        y = layers.m.op("Mul", y, layers.m.constant(np.float32(x.q[0]) * w.scale))
        y = layers.m.op("Relu", y) if layers.chance(0.5) else y
    layers.leaves.append(str(y))
