"""Small well-formed models, between them of every operator that the front end knows."""

from collections.abc import Callable
from functools import cache

import numpy as np

from tests.campaigns.fuzz_graph.tflite.arithmetic import ARITHMETIC
from tests.campaigns.fuzz_graph.tflite.moves import MOVES
from tests.campaigns.fuzz_graph.tflite.stateful import STATEFUL
from tests.campaigns.fuzz_graph.tflite.writer import OddLayers, Step
from tests.support.tflite.layers import RELU, RELU6, VALID, LayerWriter
from tests.support.tflite.writer import ModelWriter


def convolutions() -> bytes:
    """Convolutions, pooling, a fully connected layer and a softmax."""
    layers = LayerWriter(1)
    x = layers.activation((1, 9, 9, 3))
    a = layers.conv(x, 4, (3, 3), padding=VALID, activation=RELU)
    b = layers.depthwise(a, 2, (3, 3), stride=(2, 1), activation=RELU6)
    c = layers.pool("AVERAGE_POOL_2D", b, (4, 7), padding=VALID)
    d = layers.fully_connected(layers.reshape(c, (1, 8)), 5)
    return layers.finish([x], [layers.softmax(d)])


def branches() -> bytes:
    """Two inputs, a residual, padding, concatenation, two outputs."""
    layers = LayerWriter(2)
    x, z = layers.activation((1, 6, 5, 4)), layers.activation((1, 6, 5, 4))
    a = layers.binary("ADD", x, z)
    b = layers.binary("MUL", a, layers.constant((1, 1, 1, 4)))
    c = layers.concat([b, b], 3)
    d = layers.pad(c, [(0, 0), (1, 1), (0, 2), (0, 0)])
    e = layers.mean(layers.unary("RELU", d, rescaled=True), [1, 2], keep=False)
    f = layers.pool("MAX_POOL_2D", c, (2, 2), stride=(2, 2))
    return layers.finish([x, z], [layers.log_softmax(e), f])


def shapes() -> bytes:
    """A chain of shape arithmetic, and float32 at both ends."""
    writer = ModelWriter()
    x = writer.tensor("x", (1, 4, 6), "float32")
    q = writer.tensor("q", (1, 4, 6), scale=0.05, zero_point=3)
    writer.operator("QUANTIZE", [x], q)
    shape = writer.tensor("shape", (3,), "int32")
    writer.operator("SHAPE", [q], shape)
    ends = [
        writer.constant(name, np.array([n], np.int32))
        for name, n in zip("abc", (0, 1, 1), strict=True)
    ]
    batch = writer.tensor("batch", (), "int32")
    writer.operator("STRIDED_SLICE", [shape, *ends], batch, ShrinkAxisMask=1)
    size = writer.constant("size", np.array(24, np.int32))
    packed = writer.tensor("packed", (2,), "int32")
    writer.operator("PACK", [batch, size], packed, ValuesCount=2, Axis=0)
    flat = writer.tensor("flat", (1, 24), scale=0.05, zero_point=3)
    writer.operator("RESHAPE", [q, packed], flat)
    y = writer.tensor("y", (1, 24), "float32")
    writer.operator("DEQUANTIZE", [flat], y)
    return writer.finish([x], [y])


def picks() -> bytes:
    """Tables, slices and another order of the axes."""
    layers = LayerWriter(3)
    write = layers.writer
    x = layers.activation((1, 6, 5, 4), scale=0.05)
    a = layers.activation((1, 6, 5, 4), scale=0.04)
    write.operator("HARD_SWISH", [x], a)
    b = layers.activation((1, 6, 5, 4), scale=0.04)
    write.operator("LEAKY_RELU", [a], b, Alpha=0.1)
    limits = [write.constant("n", np.array(n, np.int32)) for n in ((0, 1, 0, 0), (1, 4, -1, 4))]
    c = write.operator("SLICE", [b, *limits], layers.like(b, (1, 4, 5, 4)))
    limits = [
        write.constant("n", np.array(n, np.int32))
        for n in ((0, 0, 1, 0), (1, 4, 5, 4), (1, 2, 2, 1))
    ]
    d = write.operator("STRIDED_SLICE", [c, *limits], layers.like(c, (1, 2, 2, 4)))
    order = write.constant("order", np.array([0, 3, 1, 2], np.int32))
    e = write.operator("TRANSPOSE", [d, order], layers.like(d, (1, 4, 2, 2)))
    f = layers.activation((1, 4, 2, 2), scale=1 / 256, zero_point=-128)
    write.operator("LOGISTIC", [e], f)
    g = layers.activation((1, 4, 2, 2), scale=1 / 128, zero_point=0)
    return layers.finish([x], [write.operator("TANH", [f], g)])


def _each(steps: dict[str, tuple[int, Step]], seed: int) -> bytes:
    """One operator of each kind, all of them on one image."""
    layers = OddLayers(seed)
    x = layers.activation((1, 6, 4, 4), scale=0.05)
    outputs = []
    for _, step in steps.values():
        output = step(layers, x)
        if output is not None:
            outputs += [output, *layers.others]
        layers.others.clear()
    return layers.finish([x], outputs)


def moves() -> bytes:
    """Parts, blocks, positions and sizes."""
    return _each(MOVES, 4)


def arithmetic() -> bytes:
    """Operators of two tensors, reductions, roots and comparisons."""
    return _each(ARITHMETIC, 5)


def streaming() -> bytes:
    """Variables, memories and recurrent operators."""
    return _each(STATEFUL, 6)


SEEDS: dict[str, Callable[[], bytes]] = {
    "convolutions": convolutions,
    "branches": branches,
    "shapes": shapes,
    "picks": picks,
    "moves": moves,
    "arithmetic": arithmetic,
    "streaming": streaming,
}


@cache
def seed_model(name: str) -> bytes:
    """The bytes of a well-formed model."""
    return SEEDS[name]()
