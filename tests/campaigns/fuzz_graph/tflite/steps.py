"""Random operators: each takes a tensor and returns its output, or None where it does not fit."""

from collections.abc import Sequence

import numpy as np

from tests.campaigns.fuzz_graph.tflite.arithmetic import ARITHMETIC
from tests.campaigns.fuzz_graph.tflite.moves import MOVES
from tests.campaigns.fuzz_graph.tflite.stateful import STATEFUL
from tests.campaigns.fuzz_graph.tflite.writer import OddLayers, Step
from tests.support.tflite.layers import SAME, VALID

_ACTIVATIONS = {0: "none", 1: "relu", 2: "relu -1 to 1", 3: "relu6"}
_MOST_CLASSES = 400  # TensorFlow Lite Micro aborts where exponentials add up to 512


def _window(
    layers: OddLayers, source: int, *, dilated: bool
) -> tuple[tuple[int, int], dict[str, object]] | None:
    """A window and its options that fit an image."""
    shape = layers.shape(source)
    if len(shape) != 4:
        return None
    random = layers.random
    kernel = tuple(int(n) for n in random.choice([1, 1, 2, 3, 3, 5, 7], 2))
    stride = tuple(int(n) for n in random.choice([1, 1, 2, 3], 2))
    dilation = tuple(int(n) for n in random.choice([1, 1, 2, 3], 2)) if dilated else (1, 1)
    padding = VALID if layers.chance(0.5) else SAME
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == VALID and any(r > n for r, n in zip(reach, shape[1:3], strict=True)):
        padding = SAME
    activation = int(random.choice([0, 0, 1, 2, 3]))
    layers.note("attribute", f"activation {_ACTIVATIONS[activation]}")
    layers.note("attribute", "padding valid" if padding == VALID else "padding same")
    for axis, n, d in zip("yx", stride, dilation, strict=True):
        layers.note("attribute", *[f"stride {axis} > 1"] * (n > 1), *[f"dilation {axis}"] * (d > 1))
    if kernel[0] != kernel[1]:
        layers.note("attribute", "rectangular window", *["1 x n window"] * (1 in kernel))
    options: dict[str, object] = {"stride": stride, "padding": padding, "activation": activation}
    return kernel, {**options, "dilation": dilation} if dilated else options


def conv(layers: OddLayers, source: int) -> int | None:
    """CONV_2D, grouped now and then."""
    found = _window(layers, source, dilated=True)
    if found is None:
        return None
    kernel, options = found
    C = layers.shape(source)[3]
    divisors = [n for n in range(2, C + 1) if C % n == 0]
    groups = int(layers.random.choice(divisors)) if divisors and layers.chance(0.2) else 1
    if groups > 1:
        # TensorFlow Lite Micro has no groups and dilation together.
        layers.note("attribute", "groups")
        options["dilation"] = (1, 1)
    M = groups * int(layers.random.integers(1, 9))
    return layers.conv(source, M, kernel, groups=groups, **options)


def depthwise(layers: OddLayers, source: int) -> int | None:
    """DEPTHWISE_CONV_2D with a multiplier of up to 3."""
    found = _window(layers, source, dilated=True)
    if found is None:
        return None
    kernel, options = found
    multiplier = int(layers.random.choice([1, 1, 2, 3]))
    layers.note("attribute", *["depth multiplier"] * (multiplier > 1))
    return layers.depthwise(source, multiplier, kernel, **options)


def pool(kind: str) -> Step:
    """MAX_POOL_2D or AVERAGE_POOL_2D, global now and then."""

    def step(layers: OddLayers, source: int) -> int | None:
        found = _window(layers, source, dilated=False)
        if found is None:
            return None
        kernel, options = found
        if layers.chance(0.2):
            kernel, options["padding"] = layers.shape(source)[1:3], VALID
            layers.note("attribute", "global pool")
        return layers.pool(kind, source, kernel, **options)

    return step


def fully_connected(layers: OddLayers, source: int) -> int | None:
    """FULLY_CONNECTED over the last axis of anything."""
    activation = int(layers.random.choice([0, 0, 1, 3]))
    M = int(layers.random.integers(1, 12))
    per_channel = layers.chance(0.3)
    return layers.fully_connected(source, M, activation=activation, per_channel=per_channel)


def binary(kind: str) -> Step:
    """ADD or MUL with a constant of some shape, or with itself."""

    def step(layers: OddLayers, source: int) -> int | None:
        shape = layers.shape(source)
        activation = int(layers.random.choice([0, 1, 2, 3]))
        if layers.chance(0.3):
            layers.note("attribute", "one tensor twice")
            return layers.binary(kind, source, source, activation=activation)
        smaller = [shape, shape[-1:], (1,) * len(shape), (*[1] * (len(shape) - 1), shape[-1])]
        chosen = smaller[int(layers.random.integers(len(smaller)))]
        layers.note("attribute", "constant operand", *["broadcast constant"] * (chosen != shape))
        data = layers.random.integers(-128, 128, chosen).astype(np.int8)
        if layers.chance(0.3):
            # The same bytes once more, in another quantisation: writers may store them once.
            source = layers.binary(kind, source, layers.constant(chosen, data=data), shape=shape)
        operands = [source, layers.constant(chosen, data=data)]
        if layers.chance(0.3):
            operands.reverse()
            layers.note("attribute", "constant first")
        first, second = operands
        return layers.binary(kind, first, second, activation=activation, shape=shape)

    return step


def pad(layers: OddLayers, source: int) -> int | None:
    """PAD, or PADV2 with a value, of any axes."""
    shape = layers.shape(source)
    pads = [(0, 0)] + [tuple(layers.random.choice([0, 0, 1, 2], 2).tolist()) for _ in shape[1:]]
    if layers.chance(0.4):
        target = [n + sum(p) for n, p in zip(shape, pads, strict=True)]
        stored = layers.random.integers(-128, 128, (), dtype=np.int8)
        value = layers.writer.constant(
            "v", stored, scale=layers.scale_of(source), zero_point=layers.zero_point_of(source)
        )
        operands = [source, layers.numbers(pads), value]
        return layers.writer.operator("PADV2", operands, layers.like(source, target))
    return layers.pad(source, pads)


def reshape(layers: OddLayers, source: int) -> int | None:
    """RESHAPE to another rank, by a constant or a chain of shape arithmetic."""
    shape = layers.shape(source)
    size = int(np.prod(shape[1:]))
    targets = [
        (shape[0], size),
        (shape[0], size, 1),
        (shape[0], 1, 1, size),
        (shape[0], 1, size, 1),
    ]
    target = targets[int(layers.random.integers(len(targets)))]
    if len(target) == 2 and layers.chance(0.5):
        return _by_shape_chain(layers, source, target)
    return layers.reshape(source, target)


def _by_shape_chain(layers: OddLayers, source: int, target: Sequence[int]) -> int:
    writer = layers.writer
    sizes = writer.tensor("sizes", (len(layers.shape(source)),), "int32")
    writer.operator("SHAPE", [source], sizes)
    batch = writer.tensor("batch", (), "int32")
    limits = [layers.numbers([n]) for n in (0, 1, 1)]
    writer.operator("STRIDED_SLICE", [sizes, *limits], batch, ShrinkAxisMask=1)
    packed = writer.tensor("packed", (2,), "int32")
    writer.operator("PACK", [batch, layers.numbers(target[1])], packed, ValuesCount=2, Axis=0)
    layers.note("operator", "SHAPE", "PACK")
    return writer.operator("RESHAPE", [source, packed], layers.like(source, target))


def concat(layers: OddLayers, source: int) -> int | None:
    """CONCATENATION of a tensor with itself and a constant of its quantisation."""
    shape = layers.shape(source)
    axis = int(layers.random.integers(len(shape)))
    layers.note("attribute", f"axis {axis - len(shape)}")
    return layers.concat([source] * int(layers.random.integers(2, 4)), axis)


def mean(layers: OddLayers, source: int) -> int | None:
    """MEAN over some axes but the first."""
    rank = len(layers.shape(source))
    if rank < 2:
        return None
    axes = [axis for axis in range(1, rank) if layers.chance(0.5)] or [rank - 1]
    keep = layers.chance(0.5)
    layers.note("attribute", "keep dims" if keep else "drop dims")
    return layers.mean(source, axes, keep=keep)


def unary(kind: str) -> Step:
    """RELU, RELU6 or QUANTIZE; RELU6 keeps the quantisation."""

    def step(layers: OddLayers, source: int) -> int | None:
        return layers.unary(kind, source, rescaled=kind != "RELU6" and layers.chance(0.7))

    return step


def softmax(kind: str) -> Step:
    """SOFTMAX or LOG_SOFTMAX over a last axis that the oracle can take."""

    def step(layers: OddLayers, source: int) -> int | None:
        if layers.shape(source)[-1] > _MOST_CLASSES or not 1e-4 < layers.scale_of(source) < 10:
            return None
        if kind == "LOG_SOFTMAX":
            return layers.log_softmax(source)
        return layers.softmax(source, beta=float(layers.random.choice([1.0, 0.5, 2.0])))

    return step


def table(kind: str) -> Step:
    """LOGISTIC, TANH, HARD_SWISH or LEAKY_RELU."""

    def step(layers: OddLayers, source: int) -> int | None:
        shape, scale = layers.shape(source), layers.scale_of(source)
        if not 1e-4 < scale < 50:
            return None
        fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
        if kind in fixed:
            output = layers.activation(shape, scale=fixed[kind][0], zero_point=fixed[kind][1])
            return layers.writer.operator(kind, [source], output)
        output = layers.activation(shape, scale=scale * layers.random.uniform(0.4, 2.0))
        alpha = float(layers.random.choice([0.01, 0.1, 0.3, -0.5, 1.5]))
        options = {"Alpha": alpha} if kind == "LEAKY_RELU" else {}
        return layers.writer.operator(kind, [source], output, **options)

    return step


def strided_slice(layers: OddLayers, source: int) -> int | None:
    """SLICE, or STRIDED_SLICE with strides, of all axes but the first."""
    shape = layers.shape(source)
    begins = [0] + [int(layers.random.integers(n)) for n in shape[1:]]
    ends = [shape[0]] + [
        int(layers.random.integers(b + 1, n + 1))
        for b, n in zip(begins[1:], shape[1:], strict=True)
    ]
    if layers.chance(0.5):
        sizes = [e - b for b, e in zip(begins, ends, strict=True)]
        operands = [source, layers.numbers(begins), layers.numbers(sizes)]
        return layers.writer.operator("SLICE", operands, layers.like(source, sizes))
    strides = [1] + [int(layers.random.integers(1, 3)) for _ in shape[1:]]
    limits = zip(begins, ends, strides, strict=True)
    target = [len(range(*limit)) for limit in limits]
    operands = [source, *(layers.numbers(values) for values in (begins, ends, strides))]
    return layers.writer.operator("STRIDED_SLICE", operands, layers.like(source, target))


def transpose(layers: OddLayers, source: int) -> int | None:
    """TRANSPOSE of all axes but the first."""
    shape = layers.shape(source)
    order = [0, *(1 + layers.random.permutation(len(shape) - 1)).tolist()]
    target = [shape[axis] for axis in order]
    operands = [source, layers.numbers(order)]
    return layers.writer.operator("TRANSPOSE", operands, layers.like(source, target))


def expand_dims(layers: OddLayers, source: int) -> int | None:
    """EXPAND_DIMS up to four axes, or SQUEEZE of every axis of size 1."""
    shape = layers.shape(source)
    if len(shape) < 4:
        axis = int(layers.random.integers(1, len(shape) + 1))
        target = [*shape[:axis], 1, *shape[axis:]]
        operands = [source, layers.numbers(axis)]
        return layers.writer.operator("EXPAND_DIMS", operands, layers.like(source, target))
    target = [n for n in shape if n > 1]
    if len(target) < 2 or len(target) == len(shape):
        return None
    return layers.writer.operator("SQUEEZE", [source], layers.like(source, target))


STEPS: dict[str, tuple[int, Step]] = {
    "CONV_2D": (8, conv),
    "DEPTHWISE_CONV_2D": (5, depthwise),
    "FULLY_CONNECTED": (8, fully_connected),
    "MAX_POOL_2D": (3, pool("MAX_POOL_2D")),
    "AVERAGE_POOL_2D": (3, pool("AVERAGE_POOL_2D")),
    "ADD": (3, binary("ADD")),
    "MUL": (3, binary("MUL")),
    "PAD": (5, pad),
    "RESHAPE": (4, reshape),
    "CONCATENATION": (5, concat),
    "MEAN": (3, mean),
    "RELU": (1, unary("RELU")),
    "RELU6": (1, unary("RELU6")),
    "QUANTIZE": (1, unary("QUANTIZE")),
    "SOFTMAX": (1, softmax("SOFTMAX")),
    "LOG_SOFTMAX": (1, softmax("LOG_SOFTMAX")),
    "LOGISTIC": (1, table("LOGISTIC")),
    "TANH": (1, table("TANH")),
    "HARD_SWISH": (1, table("HARD_SWISH")),
    "LEAKY_RELU": (1, table("LEAKY_RELU")),
    "STRIDED_SLICE": (2, strided_slice),
    "TRANSPOSE": (1, transpose),
    "EXPAND_DIMS": (3, expand_dims),
    **MOVES,
    **ARITHMETIC,
    **STATEFUL,
}
"""Relative frequency and maker of every kind of operator."""
