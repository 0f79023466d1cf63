"""Files whose variables, memories and recurrent operators make no sense."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tests.campaigns.damage.kind import Kind
from tests.support.tflite.layers import LayerWriter
from tests.support.tflite.recurrent import lstm, svdf
from tests.support.tflite.variables import handle_of, initialised, joined

_SHAPE = (1, 4, 1, 3)


def _ring(change: Callable[[LayerWriter], None] | None = None) -> Callable[[], bytes]:
    """A ring of slices in a variable, changed afterwards."""

    def content() -> bytes:
        layers = LayerWriter(1)
        x = layers.activation(_SHAPE)
        y = joined(layers, x, 2)
        if change is not None:
            change(layers)
        return layers.finish([x], [y])

    return content


def _operator(kind: str, **changes: Any) -> Callable[[LayerWriter], None]:
    """The first operator of a kind with other inputs, outputs or options."""

    def change(layers: LayerWriter) -> None:
        entries = layers.writer._operators
        place = next(i for i, entry in enumerate(entries) if entry.type_name == kind)
        entries[place] = replace(entries[place], **changes)

    return change


def _initialising(change: str) -> Callable[[LayerWriter], None]:
    """The initialising subgraph with something wrong in it."""

    def made(layers: LayerWriter) -> None:
        (inner,) = layers.writer._further
        if change == "operator":
            inner.operator("CALL_ONCE", [], [], InitSubgraphIndex=1)
        elif change == "value":
            inner._tensors[0] = replace(inner._tensors[0], buffer=0)
        elif change == "bytes":
            inner._tensors[0] = replace(inner._tensors[0], shape=(1, 2, 1, 2))
        else:
            inner._operators.reverse()

    return made


def _recurrent(kind: str, position: int = 0, **changes: Any) -> Callable[[], bytes]:
    """SVDF or LSTM, of which one tensor has other properties."""

    def content() -> bytes:
        layers = LayerWriter(2)
        if kind == "SVDF":
            x = layers.activation((1, 6))
            y = svdf(layers, x, 4, 3)
        else:
            x = layers.activation((1, 2, 6))
            y = lstm(layers, x, 4)
        if changes:
            index = layers.writer._operators[-1].inputs[position]
            entries = layers.writer._tensors
            entries[index] = replace(entries[index], **changes)
        return layers.finish([x], [y])

    return content


def _long() -> bytes:
    """An LSTM whose step has a million times."""
    layers = LayerWriter(3)
    x = layers.activation((1, 1 << 20, 1))
    return layers.finish([x], [lstm(layers, x, 1)])


def _large_variable() -> bytes:
    """A variable of a thousand million values."""
    layers = LayerWriter(4)
    writer, shape = layers.writer, (1, 1 << 15, 1 << 15)
    x = layers.activation((1, 4))
    before = writer.tensor("before", shape, scale=0.1, zero_point=0)
    writer.operator("READ_VARIABLE", [handle_of(writer, "v")], before)
    writer.operator("ASSIGN_VARIABLE", [handle_of(writer, "v"), before], [])
    return layers.finish([x], [layers.unary("RELU", x, rescaled=False)])


def _many_variables() -> bytes:
    """Two hundred variables, each with an initialising subgraph."""
    layers = LayerWriter(5)
    x = layers.activation((1, 2))
    for number in range(200):
        initialised(layers.writer, f"v{number}", np.zeros((1, 2), np.int8))
    return layers.finish([x], [layers.unary("RELU", x, rescaled=False)])


_LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"

STATE: dict[str, Kind] = {
    "a ring as it should be": Kind(_ring(), status=0),
    "CALL_ONCE of no subgraph": Kind(
        _ring(_operator("CALL_ONCE", options={"InitSubgraphIndex": 7})), words=("subgraph 7",)
    ),
    "an initialising subgraph that calls itself": Kind(
        _ring(_initialising("operator")), words=("is CALL_ONCE",)
    ),
    "an initial value that is no constant": Kind(
        _ring(_initialising("value")), words=("no constant",)
    ),
    "an initial value with too many bytes": Kind(_ring(_initialising("bytes")), words=("bytes",)),
    "a handle after its use, in the initialising subgraph": Kind(
        _ring(_initialising("order")), status=0
    ),
    "a handle to nowhere": Kind(_ring(_operator("VAR_HANDLE", outputs=())), words=("no handle",)),
    "READ_VARIABLE into nothing": Kind(_ring(_operator("READ_VARIABLE", outputs=()))),
    "ASSIGN_VARIABLE of nothing": Kind(_ring(_operator("ASSIGN_VARIABLE", inputs=()))),
    "a variable of a thousand million values": Kind(_large_variable, words=("elements",)),
    "two hundred initialising subgraphs": Kind(_many_variables, status=0),
    "SVDF as it should be": Kind(_recurrent("SVDF"), status=0),
    "SVDF whose memory is a constant": Kind(
        _recurrent("SVDF", 4, buffer=1, variable=False), words=("bytes",)
    ),
    "SVDF without memory": Kind(_recurrent("SVDF", 4, shape=(1, 0)), words=("not 12 values",)),
    "SVDF with a huge memory": Kind(_recurrent("SVDF", 4, shape=(1 << 20, 1 << 20))),
    "SVDF with scales that no shift reaches": Kind(_recurrent("SVDF", 1, scale=(3e38,))),
    "an LSTM as it should be": Kind(_recurrent(_LSTM), status=0),
    "an LSTM of a million times": Kind(_long, words=("1048576 times",)),
    "an LSTM with cells of a huge scale": Kind(_recurrent(_LSTM, 19, scale=(3e38,))),
    "an LSTM with a hidden state of no scale": Kind(_recurrent(_LSTM, 18, scale=())),
    "an LSTM with scalar weights": Kind(_recurrent(_LSTM, 2, shape=())),
}
