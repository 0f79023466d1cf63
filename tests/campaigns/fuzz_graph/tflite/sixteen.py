"""Random operators of 16x8 models: int16 activations, biases of every type that kernels take."""

from collections.abc import Sequence

import numpy as np

from tests.campaigns.fuzz_graph.idle import with_idle
from tests.campaigns.fuzz_graph.tflite import arithmetic, steps
from tests.campaigns.fuzz_graph.tflite.writer import NotedLayers, Step
from tests.support.tflite.wide import WideLayerWriter

_BIASES = ("int64", "int64", "int32", "")
_FAR = 1 << 38  # a bias beyond 32 bits
_SMALL = 2.0**-18
_DEAD = 1e-30  # of a channel whose multiplier flushes to 0


class OddWideLayers(WideLayerWriter, NotedLayers):
    """16x8 layers with far biases and dead channels now and then."""

    def activation(
        self,
        shape: Sequence[int],
        *,
        scale: float | None = None,
        zero_point: int | None = None,
        dtype: str | None = None,
    ) -> int:
        """As the base class; what it is like is noted."""
        tensor = super().activation(shape, scale=scale, zero_point=zero_point, dtype=dtype)
        several = "several items" if tuple(shape)[:1] > (1,) else "one item"
        self.note("16-bit", f"rank {len(shape)}", several)
        return tensor

    def _parameters(
        self, source: int, shape: Sequence[int], M: int, axis: int, *, per_channel: bool = True
    ) -> tuple[int, ...]:
        taps = int(np.prod(shape)) // M
        scale = np.exp(self.random.uniform(-6, -3, M if per_channel else 1)).astype(np.float32)
        bias = self.random.integers(-(400 << 8), 400 << 8, M) * max(1, taps // 4)
        if self.bias == "int64" and per_channel and self.chance(0.3):
            # Small weights, as such a bias has them: the kernel's result has no more than 32 bits.
            channel = self.random.integers(M)
            bias[channel], scale[channel] = self.random.integers(-_FAR, _FAR), _SMALL
            self.note("16-bit", "bias beyond 32 bits")
        if per_channel and M > 1 and self.chance(0.2):
            scale[self.random.integers(M)] = _DEAD
            self.note("16-bit", "multiplier flushes to 0")
        weights = self.random.integers(-127, 128, shape).astype(np.int8)
        inputs = len(shape) - 1 if axis == 0 else None
        weights, _ = with_idle(self.random, weights, 0, axis, inputs)
        zeros = [0] * scale.size
        w = self.writer.constant("w", weights, scale=scale, zero_point=zeros, axis=axis)
        self.note("16-bit", f"bias {self.bias or 'none'}")
        if not self.bias:
            return (w,)
        real = (scale * np.float32(self._scales[source])).tolist()
        return w, self.writer.constant("b", bias.astype(self.bias), scale=real, zero_point=zeros)


def _biased(step: Step, types: Sequence[str]) -> Step:
    """A product whose bias has one of these types."""

    def chosen(layers: OddWideLayers, source: int) -> int | None:
        layers.bias = str(layers.random.choice(types))
        return step(layers, source)

    return chosen


def pad(layers: OddWideLayers, source: int) -> int | None:
    """PAD of any axes but the first."""
    shape = layers.shape(source)
    pads = [(0, 0)] + [tuple(layers.random.choice([0, 0, 1, 2], 2).tolist()) for _ in shape[1:]]
    return layers.pad(source, pads)


def binary(kind: str) -> Step:
    """ADD, SUB or MUL with a constant of some shape, or with itself."""

    def step(layers: OddWideLayers, source: int) -> int | None:
        shape = layers.shape(source)
        if layers.chance(0.3):
            return arithmetic.binary(layers, kind, source, source, shape)
        chosen = [shape, shape[-1:], (1,) * len(shape)][int(layers.random.integers(3))]
        pair = [source, layers.constant(chosen)]
        if layers.chance(0.3):
            pair.reverse()
        first, second = pair
        return arithmetic.binary(layers, kind, first, second, shape)

    return step


def quantise(layers: OddWideLayers, source: int) -> int | None:
    """QUANTIZE into another scale, or to int8 and back."""
    shape, scale = layers.shape(source), layers.scale_of(source)
    if layers.chance(0.5):
        narrow = layers.activation(shape, scale=scale * 300, zero_point=7, dtype="int8")
        layers.writer.operator("QUANTIZE", [source], narrow)
        layers.note("16-bit", "through int8")
        source = narrow
    y = layers.activation(shape, scale=scale * layers.random.uniform(0.4, 2.0))
    return layers.writer.operator("QUANTIZE", [source], y)


def softmax(layers: OddWideLayers, source: int) -> int | None:
    """SOFTMAX over a last axis of moderate size."""
    if layers.shape(source)[-1] > 4000 or not 1e-6 < layers.scale_of(source) < 1e-2:
        return None
    return layers.softmax(source, beta=float(layers.random.choice([1.0, 0.5, 2.0])))


def function(kind: str) -> Step:
    """LOGISTIC, TANH or LEAKY_RELU."""

    def step(layers: OddWideLayers, source: int) -> int | None:
        shape, scale = layers.shape(source), layers.scale_of(source)
        if not 1e-7 < scale < 1:
            return None
        if kind != "LEAKY_RELU":
            y = layers.activation(shape, scale=1 / 32768)
            return layers.writer.operator(kind, [source], y)
        y = layers.activation(shape, scale=scale * layers.random.uniform(0.4, 2.0))
        alpha = float(layers.random.choice([0.01, 0.1, 0.3, -0.5, 1.5]))
        return layers.writer.operator(kind, [source], y, Alpha=alpha)

    return step


def rectified(kind: str) -> Step:
    """RELU into any scale, RELU6 into its own."""

    def step(layers: OddWideLayers, source: int) -> int | None:
        return layers.unary(kind, source, rescaled=kind == "RELU" and layers.chance(0.7))

    return step


WIDE_STEPS: dict[str, tuple[int, Step]] = {
    "CONV_2D": (4, _biased(steps.conv, _BIASES)),
    "DEPTHWISE_CONV_2D": (3, _biased(steps.depthwise, ("int64", ""))),
    "FULLY_CONNECTED": (4, _biased(steps.fully_connected, _BIASES)),
    "TRANSPOSE_CONV": (3, _biased(arithmetic.transpose_conv, ("int64", "int16", "int16"))),
    "MAX_POOL_2D": (2, steps.pool("MAX_POOL_2D")),
    "AVERAGE_POOL_2D": (2, steps.pool("AVERAGE_POOL_2D")),
    "ADD": (2, binary("ADD")),
    "SUB": (2, binary("SUB")),
    "MUL": (2, binary("MUL")),
    "PAD": (2, pad),
    "RESHAPE": (2, steps.reshape),
    "CONCATENATION": (2, steps.concat),
    "MEAN": (2, steps.mean),
    "RELU": (2, rectified("RELU")),
    "RELU6": (2, rectified("RELU6")),
    "QUANTIZE": (3, quantise),
    "SOFTMAX": (2, softmax),
    "LOGISTIC": (2, function("LOGISTIC")),
    "TANH": (2, function("TANH")),
    "LEAKY_RELU": (2, function("LEAKY_RELU")),
}
"""Relative frequency and maker of every kind of operator of int16 tensors."""

WIDE_FEATURES = (
    *("rank 2", "rank 3", "rank 4", "one item", "several items", "through int8"),
    *("bias int64", "bias int32", "bias int16", "bias none", "bias beyond 32 bits"),
    "multiplier flushes to 0",
)
"""What must come up in them besides."""
