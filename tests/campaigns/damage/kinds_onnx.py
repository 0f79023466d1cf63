"""ONNX files that are broken by hand, and well-formed ones of absurd size."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.campaigns.damage.kind import Kind
from tests.support.onnx.broken import BROKEN, changed, small_model
from tests.support.onnx.models import ModelMaker

_Q = (0.1, 3, "uint8")
_SIDE = 4096


def _pool(kind: str, shape: tuple[int, ...], **attributes: Any) -> Callable[[], bytes]:
    """A pool of floats, or of dequantised values if its output is quantised."""

    def content() -> bytes:
        m = ModelMaker()
        x = m.op(kind, m.dequantise(m.input("x", shape, "uint8"), _Q), **attributes)
        return m.model(m.quantise(x, _Q)).SerializeToString()

    return content


def _conv(
    shape: tuple[int, ...], kernel: tuple[int, ...], **attributes: Any
) -> Callable[[], bytes]:
    def content() -> bytes:
        m = ModelMaker()
        x = m.input("x", shape, "uint8")
        w = m.constant(np.ones(kernel, np.int8)), *m.scale(0.1, 0, "int8")
        y = m.op("QLinearConv", x, *m.scale(*_Q), *w, *m.scale(*_Q), **attributes)
        return m.model(y).SerializeToString()

    return content


def _chain(count: int, kind: str, shape: tuple[int, ...]) -> Callable[[], bytes]:
    def content() -> bytes:
        m = ModelMaker()
        x = m.input("x", shape, "uint8")
        for _ in range(count):
            sides = (x, *m.scale(*_Q)) * (2 if kind == "QLinearAdd" else 1)
            inputs = (*sides, *m.scale(*_Q)) if kind == "QLinearAdd" else (x,)
            domain = "com.microsoft" if kind == "QLinearAdd" else ""
            x = m.op(kind, *inputs, domain=domain)
        return m.model(x).SerializeToString()

    return content


def _softmax() -> bytes:
    m = ModelMaker()
    return m.model(m.op("Softmax", m.input("x", (1 << 12, 1 << 12)), axis=-1)).SerializeToString()


def _cut(share: float) -> Callable[[], bytes]:
    def content() -> bytes:
        whole = small_model().SerializeToString()
        return whole[: int(share * len(whole))]

    return content


def _undecodable() -> bytes:
    model = small_model()
    model.graph.node[0].name = "first"
    return model.SerializeToString().replace(b"first", b"\xee\xff\xee\xff\xee")


def _broken(name: str) -> Callable[[], bytes]:
    return lambda: changed(BROKEN[name][0]).SerializeToString()


def _kind(content: Callable[[], bytes], status: int = 2, *words: str) -> Kind:
    return Kind(content, status, words, suffix=".onnx")


ONNX: dict[str, Kind] = {
    "onnx: as it should be": _kind(lambda: small_model().SerializeToString(), 0),
    "onnx: as operators on integers": _kind(
        lambda: small_model("qoperator").SerializeToString(), 0
    ),
    "onnx: nothing": _kind(lambda: b""),
    "onnx: half": _kind(_cut(0.5)),
    "onnx: all but the end": _kind(_cut(0.98)),
    "onnx: a name that is no text": _kind(_undecodable, 2, "UTF-8"),
    **{f"onnx: {name}": _kind(_broken(name)) for name in BROKEN},
    "onnx: a convolution of a huge image": _kind(
        _conv((1, 1, _SIDE, _SIDE), (1, 1, 3, 3), pads=[1, 1, 1, 1]), 2, "tiles"
    ),
    "onnx: a million channels": _kind(
        _conv((1, 1 << 20, 1, 1), (1, 1 << 20, 1, 1)), 2, "65536 channels"
    ),
    "onnx: a mean over a huge image": _kind(
        _pool("GlobalAveragePool", (1, 1, _SIDE, _SIDE)), 2, "taps"
    ),
    "onnx: means over a huge image at every pixel": _kind(
        _pool("AveragePool", (1, 1, 2048, 2048), kernel_shape=[255, 255], auto_pad="SAME_UPPER"),
        2,
        "268435456",
    ),
    "onnx: maxima of taps far apart": _kind(
        _pool("MaxPool", (1, 1, _SIDE, _SIDE), kernel_shape=[99, 99], dilations=[20, 20]),
        2,
        "268435456",
    ),
    "onnx: a huge softmax": _kind(_softmax, 2, "too long"),
    "onnx: 100 huge images": _kind(_chain(100, "QLinearAdd", (1, 1, _SIDE, _SIDE)), 2, "268435456"),
    "onnx: 2048 sums": _kind(_chain(2048, "QLinearAdd", (1, 2, 2, 2)), 0),
    "onnx: 3000 sums": _kind(_chain(3000, "QLinearAdd", (1, 2, 2, 2)), 2, "more than 2048"),
    "onnx: 10000 sums": _kind(_chain(10000, "QLinearAdd", (1, 2, 2, 2)), 2, "operators"),
}
