"""Well-formed files of absurd size: refused before anything is made of them, or run in no time."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.campaigns.damage.kind import Kind
from tests.support.tflite.writer import ModelWriter

Maker = Callable[[], bytes]

_CONV = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 0}
_POOL = {"StrideH": 1, "StrideW": 1, "Padding": 0}
_SIDE = 4096
_IMAGE = (1, _SIDE, _SIDE, 1)  # a quarter of the values that a tensor may have


def _conv(
    image: Sequence[int], kernel: Sequence[int], output: Sequence[int], **options: int
) -> Maker:
    def content() -> bytes:
        writer = ModelWriter()
        x, y = writer.tensor("x", image, scale=0.1), writer.tensor("y", output, scale=0.1)
        depthwise = "DepthMultiplier" in options
        given = {"scale": [0.1], "zero_point": [0], "axis": 3 if depthwise else 0}
        w = writer.constant("w", np.ones(kernel, np.int8), **given)
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        writer.operator(kind, [x, w], y, **{**_CONV, **options})
        return writer.finish([x], [y])

    return content


def _one(
    kind: str,
    image: Sequence[int],
    output: Sequence[int],
    *constants: Any,
    scale: float = 0.1,
    zero_point: int = 0,
    **options: Any,
) -> Maker:
    def content() -> bytes:
        writer = ModelWriter()
        x = writer.tensor("x", image, scale=0.1)
        y = writer.tensor("y", output, scale=scale, zero_point=zero_point)
        rest = [writer.constant(f"c{n}", np.asarray(c, np.int32)) for n, c in enumerate(constants)]
        writer.operator(kind, [x, *rest], y, **options)
        return writer.finish([x], [y])

    return content


def _pool(kind: str, window: int, output: int, padding: int = 0) -> Maker:
    options = {**_POOL, "FilterHeight": window, "FilterWidth": window, "Padding": padding}
    return _one(kind, _IMAGE, (1, output, output, 1), **options)


def _product(rows: int, K: int, M: int) -> Maker:
    def content() -> bytes:
        writer = ModelWriter()
        x, y = (writer.tensor(n, (rows, s), scale=0.1) for n, s in (("x", K), ("y", M)))
        w = writer.constant("w", np.ones((M, K), np.int8), scale=0.1)
        writer.operator("FULLY_CONNECTED", [x, w], y)
        return writer.finish([x], [y])

    return content


def _chain(count: int, shape: Sequence[int], kind: str) -> Maker:
    def content() -> bytes:
        writer = ModelWriter()
        x = last = writer.tensor("x", shape, scale=0.1)
        for number in range(count):
            y = writer.tensor(f"t{number}", shape, scale=0.1)
            writer.operator(kind, [last, last] if kind == "ADD" else [last], y)
            last = y
        return writer.finish([x], [last])

    return content


def _concat(count: int, shape: Sequence[int]) -> Maker:
    def content() -> bytes:
        writer = ModelWriter()
        x = writer.tensor("x", shape, scale=0.1)
        y = writer.tensor("y", (*shape[:3], count * shape[3]), scale=0.1)
        writer.operator("CONCATENATION", [x] * count, y, Axis=3)
        return writer.finish([x], [y])

    return content


_SOFTMAX: dict[str, Any] = {"scale": 1 / 256, "zero_point": -128, "Beta": 1.0}

LARGE: dict[str, Kind] = {
    "an image of 2.7 gigabytes": Kind(
        _conv((1, 30000, 30000, 3), (4, 3, 3, 3), (1, 30000, 30000, 4)), words=("67108864",)
    ),
    "a 1 x 1 convolution of a huge image": Kind(
        _conv(_IMAGE, (1, 1, 1, 1), _IMAGE), words=("tiles", "buffer.banks")
    ),
    "a 3 x 3 convolution of a huge image": Kind(
        _conv(_IMAGE, (1, 3, 3, 1), _IMAGE), words=("tiles",)
    ),
    "a convolution of 10 billion products": Kind(
        _conv((1, 512, 512, 64), (64, 3, 3, 64), (1, 512, 512, 64)), words=("tiles",)
    ),
    "a convolution of 39 billion products": Kind(
        _conv((1, 256, 256, 256), (256, 3, 3, 256), (1, 256, 256, 256)), words=("tiles",)
    ),
    "a depthwise convolution of a huge image": Kind(
        _conv((1, 256, 256, 256), (1, 3, 3, 256), (1, 256, 256, 256), DepthMultiplier=1),
        words=("tiles",),
    ),
    "a window as large as a huge image": Kind(
        _conv((1, 1024, 1024, 1), (1, 1024, 1024, 1), (1, 1024, 1024, 1)), words=("words",)
    ),
    "a million input channels": Kind(
        _conv((1, 1, 1, 1 << 20), (1, 1, 1, 1 << 20), (1, 1, 1, 1)), words=("65536 channels",)
    ),
    "a million filters": Kind(
        _conv((1, 1, 1, 1), (1 << 20, 1, 1, 1), (1, 1, 1, 1 << 20)), status=0
    ),
    "a million items": Kind(
        _conv((1 << 20, 2, 2, 2), (2, 2, 2, 2), (1 << 20, 2, 2, 2)), words=("4096 items",)
    ),
    "strides of 2 million": Kind(
        _conv((1, 1 << 24, 1, 1), (1, 1, 1, 1), (1, 8, 1, 1), StrideH=1 << 21), status=0
    ),
    "taps 2000 rows apart": Kind(
        _conv(_IMAGE, (1, 3, 3, 1), _IMAGE, DilationHFactor=2000, DilationWFactor=2000)
    ),
    "a maximum over a huge image": Kind(
        _pool("MAX_POOL_2D", _SIDE, 1, padding=1), words=("buffer.depth",)
    ),
    "maxima over a huge image at every pixel": Kind(
        _pool("MAX_POOL_2D", _SIDE, _SIDE), words=("buffer.depth",)
    ),
    "a mean over a huge image": Kind(_pool("AVERAGE_POOL_2D", _SIDE, 1, padding=1)),
    "2 x 2 maxima of a huge image": Kind(_pool("MAX_POOL_2D", 2, _SIDE), words=("tiles",)),
    "a product of 16 million weights": Kind(_product(1, 4096, 4096), status=0),
    "a product of a million rows": Kind(_product(1 << 20, 16, 16), words=("tiles",)),
    "a softmax over 16 million values": Kind(
        _one("SOFTMAX", (1, 1 << 24), (1, 1 << 24), **_SOFTMAX), words=("too long",)
    ),
    "4 million softmaxes": Kind(
        _one("SOFTMAX", (1 << 22, 4), (1 << 22, 4), **_SOFTMAX), words=("too long",)
    ),
    "a table for a huge image": Kind(
        _one("LOGISTIC", _IMAGE, _IMAGE, scale=1 / 256, zero_point=-128), status=0
    ),
    "an average of a huge image": Kind(
        _one("MEAN", _IMAGE, (1, 1), [1, 2], KeepDims=False), status=0
    ),
    "a huge image turned": Kind(_one("TRANSPOSE", _IMAGE, _IMAGE, [0, 2, 1, 3]), status=0),
    "4 million channels of padding": Kind(
        _one("PAD", (1, 2, 2, 2), (1, 2, 2, 4000002), [[0, 0]] * 3 + [[4000000, 0]]),
        words=("65536 channels",),
    ),
    "4000 tensors joined": Kind(_concat(4000, (1, 32, 32, 4)), status=0),
    "100 huge images": Kind(_chain(100, _IMAGE, "ADD"), words=("268435456",)),
    "2048 sums": Kind(_chain(2048, (1, 2, 2, 2), "ADD"), status=0),
    "4096 sums": Kind(_chain(4096, (1, 2, 2, 2), "ADD"), words=("more than 2048",)),
    "10000 sums": Kind(_chain(10000, (1, 2, 2, 2), "ADD"), words=("4096 operators",)),
}
