"""Well-formed files whose operators have attributes or operands that make no sense."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.campaigns.damage.kind import Kind
from tests.support.tflite.writer import ModelWriter

_WINDOW = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 1}
_POOL = {"StrideH": 1, "StrideW": 1, "FilterHeight": 2, "FilterWidth": 2, "Padding": 1}
_LARGEST = 0x7FFFFFFF


def _conv(
    kernel: Sequence[int] = (3, 2, 2, 2),
    output: Sequence[int] = (1, 3, 3, 3),
    *,
    type_name: str = "CONV_2D",
    bias: Any = None,
    axis: int = 0,
    scales: int = 1,
    dtype: str = "int8",
    **options: int,
) -> Callable[[], bytes]:
    def content() -> bytes:
        writer = ModelWriter()
        x = writer.tensor("x", (1, 4, 4, 2), scale=0.1)
        y = writer.tensor("y", output, scale=0.1)
        data = np.ones(kernel, dtype)
        w = writer.constant("w", data, scale=[0.1] * scales, zero_point=[0] * scales, axis=axis)
        inputs = [x, w]
        if bias is not None:
            inputs.append(writer.constant("b", np.asarray(bias), scale=0.01))
        writer.operator(type_name, inputs, y, **{**_WINDOW, **options})
        return writer.finish([x], [y])

    return content


def _depthwise(kernel: Sequence[int], **options: int) -> Callable[[], bytes]:
    return _conv(kernel, type_name="DEPTHWISE_CONV_2D", axis=3, **options)


def _pool(**options: int) -> Callable[[], bytes]:
    return _one("AVERAGE_POOL_2D", (1, 4, 4, 2), (1, 3, 3, 2), **{**_POOL, **options})


def _one(
    type_name: str,
    source: Sequence[int],
    target: Sequence[int],
    *constants: Any,
    dtype: Any = np.int32,
    scales: tuple[float, float] = (0.1, 0.1),
    zero_point: int = 0,
    **options: Any,
) -> Callable[[], bytes]:
    """One operator on an activation and the constants after it."""

    def content() -> bytes:
        writer = ModelWriter()
        x = writer.tensor("x", source, scale=scales[0])
        y = writer.tensor("y", target, scale=scales[1], zero_point=zero_point)
        rest = [writer.constant(f"c{i}", np.asarray(c, dtype)) for i, c in enumerate(constants)]
        writer.operator(type_name, [x, *rest], y, **options)
        return writer.finish([x], [y])

    return content


def _softmax(beta: float) -> Callable[[], bytes]:
    return _one("SOFTMAX", (1, 8), (1, 8), scales=(0.1, 1 / 256), zero_point=-128, Beta=beta)


def _joined(axis: int, second: Sequence[int] = (1, 4, 4, 2)) -> Callable[[], bytes]:
    def content() -> bytes:
        writer = ModelWriter()
        x, z = writer.tensor("x", (1, 4, 4, 2), scale=0.1), writer.tensor("z", second, scale=0.1)
        y = writer.tensor("y", (1, 4, 4, 4), scale=0.1)
        writer.operator("CONCATENATION", [x, z], y, Axis=axis)
        return writer.finish([x, z], [y])

    return content


def _no_options(type_name: str) -> Callable[[], bytes]:
    """An operator whose table says that it carries another operator's options."""

    def content() -> bytes:
        whole = _conv(type_name=type_name)()
        # The options' type is a byte of the operator; CONV_2D's is 1, DEPTHWISE_CONV_2D's 2.
        import tflite

        data = bytearray(whole)
        operator = tflite.Model.GetRootAs(data, 0).Subgraphs(0).Operators(0)
        data[operator._tab.Pos + operator._tab.Offset(10)] = 77
        return bytes(data)

    return content


def _slice(begin: Sequence[int], end: Sequence[int], stride: Sequence[int], **masks: int) -> Any:
    def content() -> bytes:
        writer = ModelWriter()
        x, y = (writer.tensor(name, (1, 4, 4, 2), scale=0.1) for name in "xy")
        shape = writer.tensor("shape", (4,), "int32")
        writer.operator("SHAPE", [x], shape)
        part = writer.tensor("part", (2,), "int32")
        limits = [
            writer.constant(n, np.asarray(v, np.int32))
            for n, v in zip("bes", (begin, end, stride), strict=True)
        ]
        writer.operator("STRIDED_SLICE", [shape, *limits], part, **masks)
        writer.operator("RESHAPE", [x, part], y)
        return writer.finish([x], [y])

    return content


def _pack(axis: int, other: Sequence[int] = (1,)) -> Callable[[], bytes]:
    def content() -> bytes:
        writer = ModelWriter()
        x, y = (writer.tensor(name, (1, 4), scale=0.1) for name in "xy")
        parts = [
            writer.constant("a", np.ones((1,), np.int32)),
            writer.constant("b", np.ones(other, np.int32)),
        ]
        packed = writer.tensor("packed", (2, 1), "int32")
        writer.operator("PACK", parts, packed, Axis=axis, ValuesCount=2)
        writer.operator("RESHAPE", [x, packed], y)
        return writer.finish([x], [y])

    return content


_IMAGE = (1, 4, 4, 2)

OPERATORS: dict[str, Kind] = {
    "a convolution as it should be": Kind(_conv(), status=0),
    "stride 0": Kind(_conv(StrideH=0), words=("stride",)),
    "a negative stride": Kind(_conv(StrideW=-1), words=("stride",)),
    "the largest stride": Kind(_conv(output=(1, 1, 1, 3), StrideH=_LARGEST, StrideW=_LARGEST)),
    "dilation 0": Kind(_conv(DilationHFactor=0), words=("below 1",)),
    "a negative dilation": Kind(_conv(DilationWFactor=-4), words=("below 1",)),
    "the largest dilation": Kind(_conv(DilationHFactor=_LARGEST), words=("does not fit",)),
    "the largest dilation and SAME": Kind(
        _conv(output=(1, 4, 4, 3), Padding=0, DilationHFactor=_LARGEST)
    ),
    "an unknown padding": Kind(_conv(Padding=7), words=("padding 7",)),
    "an activation that is no clamp": Kind(_conv(FusedActivationFunction=4), words=("clamp",)),
    "an unknown activation": Kind(_conv(FusedActivationFunction=99), words=("clamp",)),
    "a window larger than its input": Kind(
        _conv((3, 5, 5, 2), (1, 1, 1, 3)), words=("does not fit",)
    ),
    "weights of rank 2": Kind(_conv((3, 8)), words=("4 axes",)),
    "weights of rank 5": Kind(_conv((3, 2, 2, 2, 1)), words=("4 axes",)),
    "channels that do not divide": Kind(_conv((3, 2, 2, 3)), words=("multiple",)),
    "filters that do not divide": Kind(_conv((3, 2, 2, 1)), words=("groups",)),
    "an output of another shape": Kind(_conv(output=(1, 4, 4, 3)), words=("[1, 3, 3, 3]",)),
    "a bias of another length": Kind(_conv(bias=np.zeros(2, np.int32)), words=("bias",)),
    "a bias of another type": Kind(_conv(bias=np.zeros(3, np.int8)), words=("bias",)),
    "a bias at both ends of int32": Kind(
        _conv(bias=np.array([-(1 << 31), (1 << 31) - 1, 0], np.int32)), status=0
    ),
    "weights of int16": Kind(_conv(dtype="int16"), words=("int16",)),
    "weights of float32": Kind(_conv(dtype="float32"), words=("float32",)),
    "weights of int32": Kind(_conv(dtype="int32"), words=("int32",)),
    "scales along another axis": Kind(_conv(scales=3, axis=1), words=("axis 1",)),
    "options of another operator": Kind(_no_options("CONV_2D"), words=("must carry",)),
    "a depthwise kernel for two items": Kind(_depthwise((2, 2, 2, 2)), words=("weights",)),
    "a depthwise kernel of other channels": Kind(_depthwise((1, 2, 2, 3)), words=("weights",)),
    "a pool as it should be": Kind(_pool(), status=0),
    "a pool without a window": Kind(_pool(FilterHeight=0), words=("window",)),
    "a pool of the largest window": Kind(_pool(FilterHeight=_LARGEST), words=("does not fit",)),
    "a pool of the largest window and SAME": Kind(_pool(FilterHeight=_LARGEST, Padding=0)),
    "a pool with a negative stride": Kind(_pool(StrideH=-2), words=("stride",)),
    "a pool of a vector": Kind(_one("MAX_POOL_2D", (1, 8), (1, 8), **_POOL), words=("axes",)),
    "a fully connected layer of rank 4": Kind(
        _one("FULLY_CONNECTED", (1, 8), (1, 3), np.ones((3, 2, 2, 2)), dtype=np.int8),
        words=("2 axes",),
    ),
    "a fully connected layer of other length": Kind(
        _one("FULLY_CONNECTED", (1, 8), (1, 3), np.ones((3, 5)), dtype=np.int8),
        words=("multiple",),
    ),
    "a reshape to other values": Kind(
        _one("RESHAPE", _IMAGE, (1, 31), [1, 31]), words=("different values",)
    ),
    "a reshape to negative sizes": Kind(_one("RESHAPE", _IMAGE, (-1, -32), [-1, -32])),
    "a padding below 0": Kind(
        _one("PAD", _IMAGE, (1, 3, 4, 2), [[0, 0], [-1, 0], [0, 0], [0, 0]]), words=("paddings",)
    ),
    "the largest padding": Kind(
        _one("PAD", _IMAGE, _IMAGE, [[0, 0], [_LARGEST, _LARGEST], [0, 0], [0, 0]])
    ),
    "paddings for other axes": Kind(_one("PAD", _IMAGE, _IMAGE, [[0, 0]]), words=("paddings",)),
    "paddings without values": Kind(_one("PAD", _IMAGE, _IMAGE, np.zeros((0, 2)))),
    "float paddings": Kind(_one("PAD", _IMAGE, _IMAGE, np.zeros((4, 2)), dtype=np.float32)),
    "concatenation along no axis": Kind(_joined(9), words=("axis 9",)),
    "concatenation along the least axis": Kind(_joined(-_LARGEST - 1), words=("axis",)),
    "concatenation of unequal shapes": Kind(_joined(3, (1, 4, 5, 2)), words=("differ",)),
    "concatenation of unequal ranks": Kind(_joined(3, (4, 4, 2))),
    "a mean over no such axis": Kind(
        _one("MEAN", _IMAGE, (1, 2), [1, 9], KeepDims=False), words=("axes",)
    ),
    "a mean over the least axis": Kind(_one("MEAN", _IMAGE, (1, 2), [-_LARGEST], KeepDims=False)),
    "a mean over float axes": Kind(
        _one("MEAN", _IMAGE, (1, 2), [1.5, np.nan], dtype=np.float32, KeepDims=False)
    ),
    "a mean over nothing": Kind(_one("MEAN", _IMAGE, _IMAGE, np.zeros(0), KeepDims=False)),
    "a softmax of beta 0": Kind(_softmax(0.0), words=("softmax",)),
    "a softmax of negative beta": Kind(_softmax(-1.0), words=("softmax",)),
    "a softmax of infinite beta": Kind(_softmax(float("inf"))),
    "a softmax of no beta": Kind(_softmax(float("nan"))),
    "a slice with stride 0": Kind(_slice([0], [2], [0]), words=("limits",)),
    "a slice of other rank": Kind(_slice([0, 0], [2, 2], [1, 1]), words=("limits",)),
    "a slice beyond its input": Kind(_slice([7], [9], [1])),
    "a slice at no such index": Kind(_slice([7], [9], [1], ShrinkAxisMask=1), words=("index 7",)),
    "a slice with all masks": Kind(_slice([0], [2], [1], EllipsisMask=1), words=("ellipsis",)),
    "a pack along no axis": Kind(_pack(9), words=("axis 9",)),
    "a pack of unequal shapes": Kind(_pack(0, (2,)), words=("differ",)),
}
