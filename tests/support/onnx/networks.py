"""Random small networks as QDQ models: convolutions, pools, branches, transposes, a classifier.

All scales are powers of two, so that float32 is exact in ONNX Runtime without optimisation as long
as sums stay below 2^24 units: every bit of every output must agree, ties included.
"""

from typing import Any

import numpy as np
import onnx

from tests.support.onnx.models import ModelMaker

Rng = np.random.Generator


class Network:
    """A model that grows operator by operator; `x` is the current float tensor, `shape` its shape.

    Values stay float between the operators; every operator that rounds is followed by a pair of
    QuantizeLinear and DequantizeLinear, as quantisers place them.
    """

    def __init__(self, rng: Rng) -> None:
        self.rng, self.m = rng, ModelMaker()
        self.dtype = str(rng.choice(["int8", "uint8"]))
        self.shape = (1, int(rng.integers(1, 5)), *(int(n) for n in rng.integers(5, 9, 2)))
        self.q = self._scale()
        self._begin()

    def _begin(self) -> None:
        N, C, H, W = self.shape
        kind = int(self.rng.integers(4))
        if kind == 0:  # channels-last integers, as TensorFlow's converters leave them
            x = self.m.input("x", (N, H, W, C), self.dtype)
            x = self.m.op("Transpose", x, perm=[0, 3, 1, 2])
            self.x = self.m.dequantise(x, self.q)
        elif kind == 1:
            self.x = self.m.dequantise(self.m.input("x", self.shape, self.dtype), self.q)
        elif kind == 2:  # a flat vector
            x = self.m.input("x", (N, C * H * W), self.dtype)
            x = self.m.dequantise(x, self.q)
            self.x = self.m.op("Reshape", x, self.m.constant(np.asarray(self.shape)))
        else:
            self.x = self.m.requantise(self.m.input("x", ("batch", *self.shape[1:])), self.q)

    def _scale(self) -> tuple[float, int, str]:
        info = np.iinfo(self.dtype)
        zero = int(self.rng.integers(info.min // 2, info.max // 2))
        return float(2.0 ** self.rng.integers(-5, -2)), zero, self.dtype

    def _weights(self, shape: tuple[int, ...], axis: int) -> str:
        values = self.m.constant(self.rng.integers(-128, 128, shape).astype(np.int8))
        if self.rng.random() < 0.5:
            return self.m.op("DequantizeLinear", values, *self.m.scale(2.0**-8, 0, "int8"))
        scales = (2.0 ** self.rng.integers(-9, -6, shape[axis])).astype(np.float32)
        zeros = self.m.constant(np.zeros(shape[axis], dtype=np.int8))
        return self.m.op("DequantizeLinear", values, self.m.constant(scales), zeros, axis=axis)

    def _round(self, x: str) -> None:
        self.q = self._scale()
        self.x = self.m.requantise(x, self.q)

    # ---- operators --------------------------------------------------------------------------

    def conv(self) -> None:
        C, M = self.shape[1], int(self.rng.integers(1, 6))
        taps = int(self.rng.choice([1, 3])) if min(self.shape[2:]) >= 3 else 1
        group = 1
        if self.rng.random() < 0.3:
            group, M = C, C
        stride = int(self.rng.choice([1, 1, 2]))
        y = self.m.op(
            "Conv",
            self.x,
            self._weights((M, C // group, taps, taps), 0),
            strides=[stride, stride],
            pads=[taps // 2] * 4,
            group=group,
        )
        H, W = ((n - 1) // stride + 1 for n in self.shape[2:])
        self.shape = (1, M, H, W)
        if self.rng.random() < 0.5:
            y = self.m.op("Relu", y)
        self._round(y)

    def max_pool(self) -> None:
        if min(self.shape[2:]) < 2:
            return
        self.x = self.m.op("MaxPool", self.x, kernel_shape=[2, 2], strides=[1, 1])
        self.shape = (*self.shape[:2], self.shape[2] - 1, self.shape[3] - 1)
        if self.rng.random() < 0.7:
            self.x = self.m.requantise(self.x, self.q)

    def average_pool(self) -> None:
        taps = int(self.rng.choice([2, 3]))
        if min(self.shape[2:]) < taps:
            return
        y = self.m.op("AveragePool", self.x, kernel_shape=[taps, taps], strides=[1, 1])
        self.shape = (*self.shape[:2], *(n - taps + 1 for n in self.shape[2:]))
        # The mean of 9 is not exact in float32: its rounding is what the front end must prove.
        self.x = self.m.requantise(y, self.q)

    def residual(self) -> None:
        before, shape = self.x, self.shape
        y = self.m.op("Conv", self.x, self._weights((shape[1], shape[1], 1, 1), 0))
        self._round(y)
        y = self.m.op(str(self.rng.choice(["Add", "Mul"])), before, self.x)
        if self.rng.random() < 0.5:
            y = self.m.op("Relu", y)
        self._round(y)

    def concatenate(self) -> None:
        before, q = self.x, self.q
        self.conv()
        if self.shape[2:] != tuple(self._spatial_of(before)):
            return
        y = self.m.op("Concat", before, self.x, axis=1)
        self.shape = (1, self.shape[1] + self._channels[before], *self.shape[2:])
        self.q = q
        self._round(y)

    def transposed_pair(self) -> None:
        """There and back, with an operator on the channels-last form between."""
        y = self.m.op("Transpose", self.x, perm=[0, 2, 3, 1])
        if self.rng.random() < 0.5:
            y = self.m.requantise(self.m.op("Relu", y), self.q)
        self.x = self.m.op("Transpose", y, perm=[0, 3, 1, 2])

    def pad(self) -> None:
        pads = [0, 0, *(int(n) for n in self.rng.integers(0, 3, 2)), 0, 0, 1, 0]
        y = self.m.op("Pad", self.x, self.m.constant(np.asarray(pads)))
        self.shape = (*self.shape[:2], self.shape[2] + pads[2] + 1, self.shape[3] + pads[3])
        self.x = self.m.requantise(y, self.q)

    def swap_axes(self) -> None:
        """Height and width change places: only bookkeeping until a window slides over them."""
        self.x = self.m.op("Transpose", self.x, perm=[0, 1, 3, 2])
        self.shape = (*self.shape[:2], self.shape[3], self.shape[2])

    def classify(self) -> None:
        K, M = int(np.prod(self.shape)), int(self.rng.integers(1, 9))
        form = self.rng.integers(3)
        y = self.m.op("Flatten", self.x) if form else self.x
        if not form:
            shape = self.m.constant(np.asarray([1, -1]))
            y = self.m.op("Reshape", y, shape)
        if form == 1:
            y = self.m.op("Gemm", y, self._weights((M, K), 0), transB=1)
        else:
            y = self.m.op("MatMul", y, self._weights((K, M), 1))
            bias = self.rng.integers(-64, 64, M).astype(np.float32) / 4
            y = self.m.op("Add", y, self.m.constant(bias))
        self._round(y)

    # ---- bookkeeping of concatenate ---------------------------------------------------------

    def _spatial_of(self, name: str) -> tuple[int, ...]:
        return self._spatial[name]

    def remember(self) -> None:
        self._spatial: dict[str, Any] = {self.x: self.shape[2:]}
        self._channels: dict[str, int] = {self.x: self.shape[1]}


_OPERATORS = (
    "conv",
    "conv",
    "max_pool",
    "average_pool",
    "residual",
    "concatenate",
    "transposed_pair",
    "pad",
    "swap_axes",
)


def random_network(seed: int) -> onnx.ModelProto:
    """The network of a seed: two to six operators, some with a classifier after them."""
    rng = np.random.default_rng(seed)
    network = Network(rng)
    for _ in range(int(rng.integers(2, 7))):
        network.remember()
        getattr(network, str(rng.choice(_OPERATORS)))()
    if rng.random() < 0.6:
        network.classify()
        if rng.random() < 0.5:
            network.x = network.m.op("Softmax", network.x, axis=-1)
    return network.m.model(network.x)
