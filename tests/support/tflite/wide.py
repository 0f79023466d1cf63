"""Random layers of 16x8 models: int16 activations, int8 weights, biases of 32 or 64 bits."""

from collections.abc import Sequence

import numpy as np

from tests.support.tflite.layers import LayerWriter

_BIAS_STEPS = 400 << 8  # a bias beside sums of products of 16-bit values


class WideLayerWriter(LayerWriter):
    """`LayerWriter` whose activations are int16 with zero point 0.

    `bias` is the type of the biases of the layers that follow: "int64", "int32", or "" for none.
    """

    dtype = "int16"

    def __init__(self, seed: int, *, bias: str = "int64") -> None:
        super().__init__(seed)
        self.bias = bias

    def activation(
        self,
        shape: Sequence[int],
        *,
        scale: float | None = None,
        zero_point: int | None = None,
        dtype: str | None = None,
    ) -> int:
        """A new activation, of int16 unless told otherwise; values are about as large as int8's."""
        scale = float(np.float32(scale or np.exp(self.random.uniform(-10, -5))))
        if zero_point is None:
            zero_point = 0
        return super().activation(shape, scale=scale, zero_point=zero_point, dtype=dtype)

    def constant(self, shape: Sequence[int], *, data: np.ndarray | None = None) -> int:
        """An int16 constant to be used like an activation, of random values if none are given."""
        if data is None:
            data = self.random.integers(-(1 << 15), 1 << 15, shape)
        scale = float(np.float32(np.exp(self.random.uniform(-10, -5))))
        values = data.astype(np.int16)
        tensor = self.writer.constant("c", values, scale=scale, zero_point=0)
        self._shapes[tensor], self._dtypes[tensor] = values.shape, "int16"
        self._scales[tensor], self._zero_points[tensor] = scale, 0
        return tensor

    def _parameters(
        self, source: int, shape: Sequence[int], M: int, axis: int, *, per_channel: bool = True
    ) -> tuple[int, ...]:
        taps = int(np.prod(shape)) // M
        scale = np.exp(self.random.uniform(-6, -3, M if per_channel else 1)).astype(np.float32)
        weights = self.random.integers(-127, 128, shape, dtype=np.int8)
        np.moveaxis(weights, axis, 0)[list(self.idle)] = 0
        zeros = [0] * scale.size
        w = self.writer.constant("w", weights, scale=scale, zero_point=zeros, axis=axis)
        if not self.bias:
            return (w,)
        values = self.random.integers(-_BIAS_STEPS, _BIAS_STEPS, M) * max(1, taps // 4)
        real = (scale * np.float32(self._scales[source])).tolist()
        b = self.writer.constant("b", values.astype(self.bias), scale=real, zero_point=zeros)
        return w, b

    def logistic(self, source: int) -> int:
        """LOGISTIC of every value."""
        output = self.activation(self.shape(source), scale=1 / 32768)
        return self.writer.operator("LOGISTIC", [source], output)

    def softmax(self, source: int, beta: float = 1.0) -> int:
        """SOFTMAX over the last axis."""
        output = self.activation(self.shape(source), scale=1 / 32768)
        return self.writer.operator("SOFTMAX", [source], output, Beta=beta)
