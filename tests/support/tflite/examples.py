"""Networks of the kinds that users bring, small and with random weights: each a TFLite file.

Every layer has the form in which TensorFlow's converter writes it: squeeze-excite gates are
pointwise convolutions with a hard sigmoid in parts, x * sigmoid(x) is a LOGISTIC and a MUL, and
inputs of a CONCATENATION are brought to one scale by QUANTIZE.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tests.support.tflite.layers import NO_ACTIVATION, RELU, RELU6, VALID, LayerWriter

_REAL = 2.0  # so large are the results of a convolution
_SIZES = 25.0 * 74.0  # and so large products of stored values, and of weights

Example = Callable[["ExampleWriter"], tuple[int, int]]  # input and output


class ExampleWriter(LayerWriter):
    """Layers that those networks have besides, scaled so that functions see many values."""

    def activation(
        self,
        shape: Sequence[int],
        *,
        scale: float | None = None,
        zero_point: int | None = None,
        dtype: str | None = None,
    ) -> int:
        """As the base class, but without zero points that leave nothing after a ReLU."""
        if zero_point is None:
            zero_point = int(self.random.integers(-128, 0))
        return super().activation(shape, scale=scale, zero_point=zero_point, dtype=dtype)

    def _parameters(
        self, source: int, shape: Sequence[int], M: int, axis: int, *, per_channel: bool = True
    ) -> tuple[int, ...]:
        taps = int(np.prod(shape)) // M
        spread = _REAL / (self.scale_of(source) * _SIZES * np.sqrt(taps))
        count = M if per_channel else 1
        scale = (spread * np.exp(self.random.uniform(-0.4, 0.4, count))).astype(np.float32)
        weights = self.random.integers(-127, 128, shape, dtype=np.int8)
        zeros = [0] * count
        bias = self.random.integers(-400, 400, M).astype(np.int32) * max(1, taps // 4)
        units = (scale * np.float32(self.scale_of(source))).tolist()
        w = self.writer.constant("w", weights, scale=scale, zero_point=zeros, axis=axis)
        return w, self.writer.constant("b", bias, scale=units, zero_point=zeros)

    def _output_scale(self, source: int, taps: int) -> float:
        return float(_REAL / 40 * self.random.uniform(0.7, 1.4))

    def image(self, size: int, channels: int = 3) -> int:
        """An input of square images."""
        return self.activation((1, size, size, channels), scale=1 / 64, zero_point=-5)

    def unit(self, kind: str, source: int) -> int:
        """LOGISTIC or TANH, whose output scale is given."""
        scale, zero_point = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}[kind]
        output = self.activation(self.shape(source), scale=scale, zero_point=zero_point)
        return self.writer.operator(kind, [source], output)

    def function(self, kind: str, source: int, **options: float) -> int:
        """HARD_SWISH or LEAKY_RELU."""
        output = self.activation(self.shape(source), scale=0.7 * self.scale_of(source))
        return self.writer.operator(kind, [source], output, **options)

    def swish(self, source: int) -> int:
        """x * sigmoid(x) in parts."""
        return self.binary("MUL", source, self.unit("LOGISTIC", source))

    def number(self, value: float) -> int:
        """A constant of one value."""
        scale = value / 100
        tensor = self._tensor("n", (1,), "int8", scale, 0, np.array([100], np.int8))
        self._shapes[tensor], self._scales[tensor], self._zero_points[tensor] = (1,), scale, 0
        return tensor

    def hard_sigmoid(self, source: int) -> int:
        """relu6(x + 3) / 6 in parts."""
        bounded = self.binary("ADD", source, self.number(3.0), activation=RELU6)
        return self.binary("MUL", bounded, self.number(1 / 6))

    def rescaled(self, source: int, target: int) -> int:
        """QUANTIZE to the scale of another tensor, unless it is that one's already."""
        if source == target:
            return source
        output = self.like(target, self.shape(source))
        return self.writer.operator("QUANTIZE", [source], output)

    def joined(self, *sources: int) -> int:
        """Channels of all, in the first one's scale."""
        return self.concat([self.rescaled(each, sources[0]) for each in sources], 3)

    def enlarged(self, kind: str, source: int) -> int:
        """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR to twice the rows and columns."""
        items, rows, columns, channels = self.shape(source)
        new = self.writer.constant("size", np.array([2 * rows, 2 * columns], np.int32))
        target = self.like(source, (items, 2 * rows, 2 * columns, channels))
        return self.writer.operator(kind, [source, new], target)

    def transposed(self, source: int, M: int) -> int:
        """TRANSPOSE_CONV with a window of 2 x 2 and stride 2."""
        items, rows, columns, channels = self.shape(source)
        shape = (items, 2 * rows, 2 * columns, M)
        weights, bias = self._parameters(source, (M, 2, 2, channels), M, 0)
        output = self.activation(shape, scale=self._output_scale(source, channels))
        wanted = self.writer.constant("shape", np.array(shape, np.int32))
        return self.writer.operator(
            "TRANSPOSE_CONV",
            [wanted, weights, source, bias],
            output,
            Padding=VALID,
            StrideH=2,
            StrideW=2,
            FusedActivationFunction=RELU,
        )


# ---- MobileNetV3, EfficientNet-Lite -------------------------------------------------------------


def _inverted(
    w: ExampleWriter,
    x: int,
    widths: tuple[int, int],
    taps: int,
    stride: int,
    act: Callable[[int], int],
    *,
    gated: bool = False,
) -> int:
    """Widened, filtered by channel, gated, narrowed; the input added where shapes allow."""
    wide, narrow = widths
    y = act(w.conv(x, wide, (1, 1)))
    y = act(w.depthwise(y, 1, (taps, taps), stride=(stride, stride)))
    if gated:
        gate = w.conv(w.mean(y, (1, 2), keep=True), max(wide // 4, 4), (1, 1), activation=RELU)
        y = w.binary("MUL", y, w.hard_sigmoid(w.conv(gate, wide, (1, 1))))
    y = w.conv(y, narrow, (1, 1))
    return w.binary("ADD", y, x) if w.shape(y) == w.shape(x) else y


def mobilenet_v3(w: ExampleWriter) -> tuple[int, int]:
    """A stem, blocks with ReLU and with hard swish, squeeze-excite gates, a classifier."""
    image = w.image(32)

    def hard_swish(y: int) -> int:
        return w.function("HARD_SWISH", y)

    def relu(y: int) -> int:
        return w.unary("RELU", y, rescaled=False)

    x = hard_swish(w.conv(image, 8, (3, 3), stride=(2, 2)))
    x = _inverted(w, x, (8, 8), 3, 2, relu, gated=True)
    x = _inverted(w, x, (24, 12), 3, 2, relu)
    x = _inverted(w, x, (32, 12), 3, 1, relu)
    x = _inverted(w, x, (40, 16), 5, 2, hard_swish, gated=True)
    x = _inverted(w, x, (48, 16), 5, 1, hard_swish, gated=True)
    x = w.mean(hard_swish(w.conv(x, 48, (1, 1))), (1, 2), keep=True)
    x = hard_swish(w.conv(x, 40, (1, 1)))
    x = w.conv(x, 10, (1, 1))
    return image, w.softmax(w.reshape(x, (1, 10)))


def efficientnet_lite(w: ExampleWriter) -> tuple[int, int]:
    """Blocks with ReLU6 and windows of 3 and 5, without gates."""
    image = w.image(32)

    def relu6(y: int) -> int:
        return w.unary("RELU6", y, rescaled=False)

    x = w.conv(image, 8, (3, 3), stride=(2, 2), activation=RELU6)
    x = w.conv(w.depthwise(x, 1, (3, 3), activation=RELU6), 8, (1, 1))
    for wide, narrow, taps, stride in (
        (48, 12, 3, 2), (72, 12, 3, 1), (72, 16, 5, 2), (96, 16, 5, 1), (96, 24, 3, 2),
    ):  # fmt: skip
        x = _inverted(w, x, (wide, narrow), taps, stride, relu6)
    x = w.conv(x, 64, (1, 1), activation=RELU6)
    x = w.pool("AVERAGE_POOL_2D", x, (2, 2), padding=VALID)
    x = w.fully_connected(w.reshape(x, (1, 64)), 10)
    return image, w.softmax(x)


# ---- U-Net, YOLO --------------------------------------------------------------------------------


def u_net(w: ExampleWriter) -> tuple[int, int]:
    """Two levels down by maxima, two up by transposed convolutions, joined with what was there."""
    image = w.image(24, 1)
    x, left = image, []
    for channels in (8, 16):
        for _ in range(2):
            x = w.conv(x, channels, (3, 3), activation=RELU)
        left.append(x)
        x = w.pool("MAX_POOL_2D", x, (2, 2), stride=(2, 2))
    x = w.conv(w.conv(x, 24, (3, 3), activation=RELU), 24, (3, 3), activation=RELU)
    for channels, beside in zip((16, 8), reversed(left), strict=True):
        x = w.joined(w.transposed(x, channels), beside)
        for _ in range(2):
            x = w.conv(x, channels, (3, 3), activation=RELU)
    return image, w.unit("LOGISTIC", w.conv(x, 1, (1, 1)))


def yolo(w: ExampleWriter) -> tuple[int, int]:
    """A backbone with x * sigmoid(x), pools of one map, a pyramid of two levels, one head each."""
    image, boxes = w.image(32), 2 * (5 + 3)
    x = w.swish(w.conv(image, 8, (3, 3), stride=(2, 2)))
    x = w.swish(w.conv(x, 16, (3, 3), stride=(2, 2)))
    fine = w.function("LEAKY_RELU", w.conv(x, 16, (3, 3)), Alpha=0.1)
    x = w.swish(w.conv(fine, 24, (3, 3), stride=(2, 2)))
    pools = [x]
    for _ in range(3):
        pools.append(w.pool("MAX_POOL_2D", pools[-1], (5, 5)))
    coarse = w.swish(w.conv(w.concat(pools, 3), 24, (1, 1)))
    up = w.enlarged("RESIZE_NEAREST_NEIGHBOR", w.conv(coarse, 16, (1, 1)))
    fine = w.conv(w.joined(up, fine), 16, (3, 3), activation=RELU)
    rows = []
    for level in (fine, coarse):
        head = w.conv(level, boxes, (1, 1), activation=NO_ACTIVATION)
        head = w.unit("LOGISTIC", head)
        count = int(np.prod(w.shape(head))) // 8
        rows.append(w.reshape(head, (1, count, 8)))
    return image, w.concat(rows, 1)


EXAMPLES: dict[str, Example] = {
    "mobilenet_v3": mobilenet_v3,
    "efficientnet_lite": efficientnet_lite,
    "u_net": u_net,
    "yolo": yolo,
}


def example(name: str, seed: int) -> tuple[ExampleWriter, int, int]:
    """(what has written the network, its input, its output); `finish` makes the file."""
    writer = ExampleWriter(seed)
    image, output = EXAMPLES[name](writer)
    return writer, image, output
