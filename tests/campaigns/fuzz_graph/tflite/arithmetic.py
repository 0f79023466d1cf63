"""Random operators that compute: two tensors, one tensor, reductions, comparisons, floats."""

import numpy as np

from tests.campaigns.fuzz_graph.tflite.writer import OddLayers, Step
from tests.support.tflite.layers import SAME, VALID

_FUSED = ("ADD", "SUB", "MUL")
COMPARISONS = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")


def gated(layers: OddLayers, source: int) -> int | None:
    """A tensor and its mean over some axes, added, subtracted or multiplied."""
    rank = len(layers.shape(source))
    if not 2 <= rank <= 4:
        return None
    axes = [axis for axis in range(1, rank) if layers.chance(0.5)] or [rank - 1]
    gate = layers.mean(source, axes, keep=True)
    layers.note("operator", "MEAN")
    layers.note("attribute", "broadcast activation")
    kind = str(layers.random.choice(["ADD", "SUB", "MUL"]))
    pair = [source, gate]
    if layers.chance(0.4):
        pair.reverse()
    return binary(layers, kind, *pair, layers.shape(source))


def binary(layers: OddLayers, kind: str, a: int, b: int, shape: tuple[int, ...]) -> int:
    """An operator of two tensors into `shape`, with a fused activation where it has one."""
    scales = (layers.scale_of(a), layers.scale_of(b))
    scale = scales[0] * scales[1] * 60 if kind in ("MUL", "SQUARED_DIFFERENCE") else max(scales)
    if kind == "SQUARED_DIFFERENCE":
        scale = max(scales) ** 2 * 60
    y = layers.activation(shape, scale=scale * layers.random.uniform(0.7, 2.0))
    options = {}
    if kind in _FUSED:
        options["FusedActivationFunction"] = int(layers.random.choice([0, 0, 1, 2, 3]))
    return layers.writer.operator(kind, [a, b], y, **options)


def constant_beside(kind: str) -> Step:
    """SUB or SQUARED_DIFFERENCE with a constant of some shape, on either side."""

    def step(layers: OddLayers, source: int) -> int | None:
        shape = layers.shape(source)
        if len(shape) > 4:
            return None
        chosen = [shape, shape[-1:], (), (1,) * len(shape)][int(layers.random.integers(4))]
        pair = [source, layers.constant(chosen)]
        if layers.chance(0.3):
            pair.reverse()
        return binary(layers, kind, *pair, shape)

    return step


def quotient(layers: OddLayers, source: int) -> int | None:
    """DIV by a constant without 0, into a scale at which the kernel is defined."""
    shape = layers.shape(source)
    if len(shape) > 4:
        return None
    data = layers.random.integers(1, 128, shape[-1:]) * layers.random.choice([-1, 1], shape[-1:])
    scale = float(np.float32(layers.random.uniform(0.01, 0.1)))
    divisor = layers.writer.constant("d", data.astype(np.int8), scale=scale, zero_point=0)
    ratio = layers.random.uniform(65, 300)
    y = layers.activation(shape, scale=layers.scale_of(source) / scale / ratio)
    return layers.writer.operator("DIV", [source, divisor], y)


def extreme(kind: str) -> Step:
    """MAXIMUM or MINIMUM of a tensor and a constant or a reduced tensor of its quantisation."""

    def step(layers: OddLayers, source: int) -> int | None:
        shape = layers.shape(source)
        if not 2 <= len(shape) <= 4:
            return None
        axis = int(layers.random.integers(1, len(shape)))
        reduced = "REDUCE_MIN" if kind == "MAXIMUM" else "REDUCE_MAX"
        target = [1 if at == axis else n for at, n in enumerate(shape)]
        beside = layers.like(source, target)
        layers.writer.operator(reduced, [source, layers.numbers([axis])], beside, KeepDims=True)
        layers.note("operator", reduced)
        return layers.writer.operator(kind, [source, beside], layers.like(source, shape))

    return step


def prelu(layers: OddLayers, source: int) -> int | None:
    """PRELU with constant slopes."""
    shape = layers.shape(source)
    if len(shape) > 4:
        return None
    slopes = layers.constant([shape[-1:], (), shape[1:]][int(layers.random.integers(3))])
    scale = layers.scale_of(source) * layers.random.uniform(0.5, 3.0)
    y = layers.activation(shape, scale=scale)
    return layers.writer.operator("PRELU", [source, slopes], y)


def table(kind: str) -> Step:
    """ELU or ABS."""

    def step(layers: OddLayers, source: int) -> int | None:
        scale = layers.scale_of(source) * layers.random.uniform(0.4, 2.0)
        y = layers.activation(layers.shape(source), scale=scale)
        return layers.writer.operator(kind, [source], y)

    return step


def rsqrt(layers: OddLayers, source: int) -> int | None:
    """RSQRT of values that are not negative, as RELU makes them."""
    shape, scale = layers.shape(source), layers.scale_of(source)
    if not 1e-3 < scale < 100:
        return None
    positive = layers.activation(shape, scale=scale, zero_point=-128)
    layers.writer.operator("RELU", [source], positive)
    y = layers.activation(shape, scale=float(scale**-0.5 * layers.random.uniform(0.002, 0.02)))
    return layers.writer.operator("RSQRT", [positive], y)


def reduction(kind: str) -> Step:
    """SUM, REDUCE_MAX or REDUCE_MIN over some axes but the first."""

    def step(layers: OddLayers, source: int) -> int | None:
        shape = layers.shape(source)
        if not 2 <= len(shape) <= 4:
            return None
        axes = [axis for axis in range(1, len(shape)) if layers.chance(0.5)] or [len(shape) - 1]
        keep = layers.chance(0.5)
        target = [1 if at in axes else n for at, n in enumerate(shape) if keep or at not in axes]
        y = layers.like(source, target)
        if kind == "SUM":
            y = layers.activation(target, scale=layers.scale_of(source) * 4)
        operands = [source, layers.numbers(axes)]
        return layers.writer.operator(kind, operands, y, KeepDims=keep)

    return step


def normalised(layers: OddLayers, source: int) -> int | None:
    """L2_NORMALIZATION over the last axis."""
    shape = layers.shape(source)
    if len(shape) > 4:
        return None
    y = layers.activation(shape, scale=1 / 128, zero_point=0)
    return layers.writer.operator("L2_NORMALIZATION", [source], y)


def arg(kind: str) -> Step:
    """ARG_MAX or ARG_MIN, whose positions are an output of the model."""

    def step(layers: OddLayers, source: int) -> int | None:
        shape = layers.shape(source)
        if len(shape) < 2:
            return None
        axis = int(layers.random.integers(1, len(shape)))
        kept = [n for at, n in enumerate(shape) if at != axis]
        y = layers.activation(kept, dtype="int32")
        return layers.writer.operator(kind, [source, layers.numbers(axis)], y, OutputType=2)

    return step


def choice(layers: OddLayers, source: int) -> int | None:
    """A comparison with a constant, and SELECT_V2 by it; the truth values are an output too."""
    shape, scale = layers.shape(source), layers.scale_of(source)
    if len(shape) > 4 or scale >= 0.9:
        return None
    limit = layers.constant(shape[-1:])
    truth = layers.activation(shape, dtype="bool")
    kind = str(layers.random.choice(COMPARISONS))
    layers.writer.operator(kind, [source, limit], truth)
    layers.note("operator", kind)
    layers.others.append(truth)
    other = layers.like(source, shape)
    layers.writer.operator("REVERSE_V2", [source, layers.numbers([0])], other)
    return layers.writer.operator("SELECT_V2", [truth, source, other], layers.like(source, shape))


def matmul(layers: OddLayers, source: int) -> int | None:
    """BATCH_MATMUL of a tensor with itself turned, or by a constant."""
    shape, scale = layers.shape(source), layers.scale_of(source)
    if not 2 <= len(shape) <= 4:
        return None
    if layers.chance(0.5):
        layers.note("attribute", "product of two activations")
        y = layers.activation((*shape[:-1], shape[-2]), scale=scale * scale * 100)
        return layers.writer.operator("BATCH_MATMUL", [source, source], y, AdjX=False, AdjY=True)
    M = int(layers.random.integers(1, 6))
    matrix = layers.constant((1,) * (len(shape) - 2) + (shape[-1], M))
    y = layers.activation((*shape[:-1], M), scale=scale * layers.scale_of(matrix) * 100)
    layers.note("attribute", "product by a constant matrix")
    return layers.writer.operator("BATCH_MATMUL", [source, matrix], y, AdjX=False, AdjY=False)


def transpose_conv(layers: OddLayers, source: int) -> int | None:
    """TRANSPOSE_CONV of an image, with a bias or without."""
    shape = layers.shape(source)
    if len(shape) != 4:
        return None
    random = layers.random
    window, stride = random.integers(1, 5, 2).tolist(), random.integers(1, 4, 2).tolist()
    padding = VALID if layers.chance(0.5) else SAME
    size = []
    for n, k, s in zip(shape[1:3], window, stride, strict=True):
        size.append(n * s + max(k - s, 0) if padding == VALID else n * s - int(random.integers(s)))
    M = int(random.integers(1, 6))
    weights, bias = layers._parameters(source, (M, *window, shape[3]), M, 0)
    scale = layers._output_scale(source, window[0] * window[1] * shape[3])
    y = layers.activation((shape[0], *size, M), scale=scale)
    operands = [layers.numbers((shape[0], *size, M)), weights, source]
    return layers.writer.operator(
        "TRANSPOSE_CONV",
        [*operands, bias] if layers.chance(0.7) else operands,
        y,
        Padding=padding,
        StrideH=stride[0],
        StrideW=stride[1],
        FusedActivationFunction=int(random.choice([0, 0, 1, 3])),
    )


def in_floats(kind: str) -> Step:
    """An operator of float32 between DEQUANTIZE and QUANTIZE; roots get no negative numbers.

    Powers get no positive ones: what QUANTIZE makes of more than 2^31 steps is not defined.
    """
    before = {"SQRT": ["ABS"], "EXP": ["ABS", "NEG"]}.get(kind, [])

    def step(layers: OddLayers, source: int) -> int | None:
        shape, scale = layers.shape(source), layers.scale_of(source)
        if not 1e-3 < scale < 0.3:
            return None
        x = layers.activation(shape, dtype="float32")
        layers.writer.operator("DEQUANTIZE", [source], x)
        for name in [*before, kind]:
            y = layers.activation(shape, dtype="float32")
            x = layers.writer.operator(name, [x], y)
        layers.note("operator", kind)
        largest = {"EXP": 1.0, "SQUARE": (scale * 255) ** 2}.get(kind, scale * 255)
        y = layers.activation(shape, scale=largest / 200)
        return layers.writer.operator("QUANTIZE", [x], y)

    return step


def cast(layers: OddLayers, source: int) -> int | None:
    """CAST of stored values to int32, an output of the model."""
    y = layers.activation(layers.shape(source), dtype="int32")
    return layers.writer.operator("CAST", [source], y, InDataType=9, OutDataType=2)


ARITHMETIC: dict[str, tuple[int, Step]] = {
    "SUB": (2, constant_beside("SUB")),
    "SQUARED_DIFFERENCE": (1, constant_beside("SQUARED_DIFFERENCE")),
    "DIV": (1, quotient),
    "MEAN and ADD": (3, gated),
    "MAXIMUM": (1, extreme("MAXIMUM")),
    "MINIMUM": (1, extreme("MINIMUM")),
    "PRELU": (2, prelu),
    "ELU": (1, table("ELU")),
    "ABS": (1, table("ABS")),
    "RSQRT": (1, rsqrt),
    "SUM": (1, reduction("SUM")),
    "REDUCE_MAX": (1, reduction("REDUCE_MAX")),
    "REDUCE_MIN": (1, reduction("REDUCE_MIN")),
    "L2_NORMALIZATION": (1, normalised),
    "ARG_MAX": (1, arg("ARG_MAX")),
    "ARG_MIN": (1, arg("ARG_MIN")),
    "SELECT_V2": (6, choice),
    "BATCH_MATMUL": (2, matmul),
    "TRANSPOSE_CONV": (3, transpose_conv),
    "CAST": (1, cast),
    **{kind: (2, in_floats(kind)) for kind in ("NEG", "SQUARE", "SQRT", "EXP")},
}
"""Relative frequency and maker of every kind of operator that computes."""
