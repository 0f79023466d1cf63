"""Random quantised layers on top of `ModelWriter`, and TensorFlow Lite Micro as their oracle."""

import math
from collections.abc import Sequence

import numpy as np
from tflite_micro import runtime

from tests.support.tflite.writer import Habits, ModelWriter

SAME, VALID = 0, 1
NO_ACTIVATION, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3


def tflm_run(model: bytes, x: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
    """The first output of one inference in TensorFlow Lite Micro's reference kernels."""
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 22)
    for position, array in enumerate([x] if isinstance(x, np.ndarray) else x):
        interpreter.set_input(array, position)
    interpreter.invoke()
    return np.array(interpreter.get_output(0))


class LayerWriter:
    """Appends random layers one after another; tensors have random scales and zero points.

    `idle` are the filters without weights of the layers that follow.

    `unsigned` makes the uint8 twin of the file that the same seed gives: int8 tensors become uint8
    ones whose zero points and constants are 128 higher.
    """

    def __init__(self, seed: int, *, unsigned: bool = False) -> None:
        self.random = np.random.default_rng(seed)
        self.offset = 128 if unsigned else 0
        self.writer = ModelWriter()
        self.idle: Sequence[int] = ()
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._scales: dict[int, float] = {}
        self._zero_points: dict[int, int] = {}
        self._dtypes: dict[int, str] = {}

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor made here."""
        return self._shapes[tensor]

    def scale_of(self, tensor: int) -> float:
        """Scale of a tensor made here."""
        return self._scales[tensor]

    def activation(
        self,
        shape: Sequence[int],
        *,
        scale: float | None = None,
        zero_point: int | None = None,
        dtype: str = "int8",
    ) -> int:
        """A new activation, an input or a layer's output; the zero point is the int8 twin's."""
        scale = float(np.float32(scale or np.exp(self.random.uniform(-5, 0))))
        if zero_point is None:
            zero_point = int(self.random.integers(-128, 128))
        if dtype != "int8":
            zero_point = 0
        name = f"a{len(self._shapes)}"
        tensor = self._tensor(name, shape, dtype, scale, zero_point)
        self._dtypes[tensor] = dtype
        self._shapes[tensor] = tuple(shape)
        self._scales[tensor], self._zero_points[tensor] = scale, zero_point
        return tensor

    def constant(self, shape: Sequence[int], *, data: np.ndarray | None = None) -> int:
        """An int8 constant to be used like an activation, of random values if none are given."""
        scale = float(np.float32(np.exp(self.random.uniform(-5, 0))))
        zero_point = int(self.random.integers(-128, 128))
        if data is None:
            data = self.random.integers(-128, 128, shape).astype(np.int8)
        tensor = self._tensor("c", data.shape, "int8", scale, zero_point, data)
        self._shapes[tensor] = tuple(shape)
        self._scales[tensor], self._zero_points[tensor] = scale, zero_point
        return tensor

    def _tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        scale: float,
        zero_point: int,
        data: np.ndarray | None = None,
    ) -> int:
        """A tensor of this file: int8 ones as the twin has them."""
        if dtype == "int8" and self.offset:
            dtype, zero_point = "uint8", zero_point + self.offset
            data = None if data is None else self.stored(data)
        quantised = {} if dtype in ("float32", "int32", "bool") else {"scale": scale}
        if quantised:
            quantised["zero_point"] = zero_point
        return self.writer.tensor(name, shape, dtype, data=data, **quantised)

    def stored(self, values: np.ndarray) -> np.ndarray:
        """int8 values as this file stores them; others as they are."""
        if values.dtype != np.int8 or not self.offset:
            return values
        return (values.astype(np.int16) + self.offset).astype(np.uint8)

    def like(self, tensor: int, shape: Sequence[int]) -> int:
        """A new activation with another's type and quantisation."""
        dtype = self._dtypes.get(tensor, "int8")
        given = {} if dtype == "int8" else {"dtype": dtype}
        return self.activation(
            shape, scale=self._scales[tensor], zero_point=self._zero_points[tensor], **given
        )

    def _parameters(
        self, source: int, shape: Sequence[int], M: int, axis: int, *, per_channel: bool = True
    ) -> tuple[int, int]:
        """Random weights and bias, scaled so that outputs spread over int8."""
        taps = int(np.prod(shape)) // M
        scale = np.exp(self.random.uniform(-6, -3, M if per_channel else 1)).astype(np.float32)
        weights = self.random.integers(-127, 128, shape, dtype=np.int8)
        np.moveaxis(weights, axis, 0)[list(self.idle)] = 0
        bias = self.random.integers(-400, 400, M).astype(np.int32) * max(1, taps // 4)
        w = self.writer.constant("w", weights, scale=scale, zero_point=[0] * scale.size, axis=axis)
        b = self.writer.constant(
            "b",
            bias,
            scale=(scale * np.float32(self._scales[source])).tolist(),
            zero_point=[0] * scale.size,
        )
        return w, b

    def _output_scale(self, source: int, taps: int) -> float:
        return float(self._scales[source] * 0.02 * np.sqrt(taps) * self.random.uniform(0.5, 2.0))

    def conv(
        self,
        source: int,
        M: int,
        window: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: int = SAME,
        activation: int = NO_ACTIVATION,
        groups: int = 1,
    ) -> int:
        """CONV_2D with per-channel weights."""
        C = self.shape(source)[3] // groups
        return self._convolution(
            "CONV_2D", source, (M, *window, C), M, 0, stride=stride, dilation=dilation,
            padding=padding, activation=activation,
        )  # fmt: skip

    def depthwise(
        self,
        source: int,
        multiplier: int,
        window: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: int = SAME,
        activation: int = NO_ACTIVATION,
    ) -> int:
        """DEPTHWISE_CONV_2D with per-channel weights."""
        M = self.shape(source)[3] * multiplier
        return self._convolution(
            "DEPTHWISE_CONV_2D", source, (1, *window, M), M, 3, stride=stride, dilation=dilation,
            padding=padding, activation=activation, DepthMultiplier=multiplier,
        )  # fmt: skip

    def _convolution(
        self,
        kind: str,
        source: int,
        weights: tuple[int, int, int, int],
        M: int,
        axis: int,
        *,
        stride: tuple[int, int],
        dilation: tuple[int, int],
        padding: int,
        activation: int,
        **options: int,
    ) -> int:
        """An operator with weights of this shape, one scale for each of M along `axis`."""
        window = weights[1:3]
        w, b = self._parameters(source, weights, M, axis)
        scale = self._output_scale(source, math.prod(weights) // M)
        output = self.activation(
            (*self._out(source, window, stride, dilation, padding), M), scale=scale
        )
        return self.writer.operator(
            kind,
            [source, w, b],
            output,
            Padding=padding,
            StrideH=stride[0],
            StrideW=stride[1],
            DilationHFactor=dilation[0],
            DilationWFactor=dilation[1],
            FusedActivationFunction=activation,
            **options,
        )

    def fully_connected(
        self, source: int, M: int, *, activation: int = NO_ACTIVATION, per_channel: bool = False
    ) -> int:
        """FULLY_CONNECTED over the last axis."""
        *rows, C = self.shape(source)
        w, b = self._parameters(source, (M, C), M, 0, per_channel=per_channel)
        output = self.activation((*rows, M), scale=self._output_scale(source, C))
        return self.writer.operator(
            "FULLY_CONNECTED",
            [source, w, b],
            output,
            FusedActivationFunction=activation,
            KeepNumDims=len(rows) > 1,
        )

    def pool(
        self,
        kind: str,
        source: int,
        window: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: int = SAME,
        activation: int = NO_ACTIVATION,
    ) -> int:
        """MAX_POOL_2D or AVERAGE_POOL_2D."""
        shape = (*self._out(source, window, stride, (1, 1), padding), self.shape(source)[3])
        return self.writer.operator(
            kind,
            [source],
            self.like(source, shape),
            Padding=padding,
            StrideH=stride[0],
            StrideW=stride[1],
            FilterHeight=window[0],
            FilterWidth=window[1],
            FusedActivationFunction=activation,
        )

    def binary(
        self,
        kind: str,
        first: int,
        second: int,
        *,
        activation: int = NO_ACTIVATION,
        shape: Sequence[int] = (),
    ) -> int:
        """ADD or MUL; `shape` of the output where the first operand does not have it."""
        product = self._scales[first] * self._scales[second]
        scale = product * 60 if kind == "MUL" else max(self._scales[first], self._scales[second])
        scale *= self.random.uniform(0.7, 2.0)
        output = self.activation(shape or self.shape(first), scale=scale)
        return self.writer.operator(
            kind, [first, second], output, FusedActivationFunction=activation
        )

    def softmax(self, source: int, beta: float = 1.0) -> int:
        """SOFTMAX over the last axis."""
        output = self.activation(self.shape(source), scale=1 / 256, zero_point=-128)
        return self.writer.operator("SOFTMAX", [source], output, Beta=beta)

    def log_softmax(self, source: int) -> int:
        """LOG_SOFTMAX over the last axis."""
        output = self.activation(self.shape(source), scale=1 / 16, zero_point=127)
        return self.writer.operator("LOG_SOFTMAX", [source], output)

    def reshape(self, source: int, shape: Sequence[int]) -> int:
        """RESHAPE to a constant shape."""
        target = self.writer.constant("shape", np.asarray(shape, dtype=np.int32))
        return self.writer.operator("RESHAPE", [source, target], self.like(source, shape))

    def pad(self, source: int, pads: Sequence[tuple[int, int]]) -> int:
        """PAD with the zero point."""
        amounts = self.writer.constant("pads", np.asarray(pads, dtype=np.int32))
        shape = [n + sum(p) for n, p in zip(self.shape(source), pads, strict=True)]
        return self.writer.operator("PAD", [source, amounts], self.like(source, shape))

    def concat(self, sources: Sequence[int], axis: int) -> int:
        """CONCATENATION of tensors of one quantisation."""
        shape = list(self.shape(sources[0]))
        shape[axis] = sum(self.shape(source)[axis] for source in sources)
        return self.writer.operator(
            "CONCATENATION", list(sources), self.like(sources[0], shape), Axis=axis
        )

    def mean(self, source: int, axes: Sequence[int], *, keep: bool) -> int:
        """MEAN over constant axes into another scale."""
        shape = [
            1 if axis in axes else size
            for axis, size in enumerate(self.shape(source))
            if keep or axis not in axes
        ]
        listed = self.writer.constant("axes", np.asarray(axes, dtype=np.int32))
        scale = self._scales[source] * self.random.uniform(0.3, 1.2)
        output = self.activation(shape, scale=scale)
        return self.writer.operator("MEAN", [source, listed], output, KeepDims=keep)

    def unary(self, kind: str, source: int, *, rescaled: bool) -> int:
        """RELU, RELU6 or QUANTIZE, into the same or another quantisation."""
        shape = self.shape(source)
        output = (
            self.activation(shape, scale=self._scales[source] * self.random.uniform(0.3, 3.0))
            if rescaled
            else self.like(source, shape)
        )
        return self.writer.operator(kind, [source], output)

    def finish(
        self, inputs: Sequence[int], outputs: Sequence[int], habits: Habits | None = None
    ) -> bytes:
        """The whole file."""
        return self.writer.finish(inputs, outputs, habits)

    def input_values(self, tensor: int) -> np.ndarray:
        """Random values for an input, extremes included; of an int8 input as the twin has them."""
        dtype = self._dtypes.get(tensor, "int8")
        if dtype == "float32":
            return (self.random.standard_normal(self.shape(tensor)) * 3).astype(np.float32)
        if dtype == "bool":
            return self.random.random(self.shape(tensor)) < 0.5
        if dtype != "int8":
            limits = np.iinfo(dtype)
            return self.random.integers(limits.min, limits.max, self.shape(tensor)).astype(dtype)
        values = self.random.integers(-128, 128, self.shape(tensor)).astype(np.int8)
        flat = values.reshape(-1)
        flat[: min(2, flat.size)] = (-128, 127)[: min(2, flat.size)]
        return values

    def _out(
        self,
        source: int,
        window: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int],
        padding: int,
    ) -> tuple[int, int, int]:
        N, *sizes, _ = self.shape(source)
        if padding == SAME:
            E, F = (-(-n // s) for n, s in zip(sizes, stride, strict=True))
        else:
            E, F = (
                (n - (k - 1) * d - 1) // s + 1
                for n, k, d, s in zip(sizes, window, dilation, stride, strict=True)
            )
        return N, E, F
