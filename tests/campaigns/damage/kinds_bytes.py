"""Files whose bytes, tables and vectors are broken."""

import struct
from collections.abc import Callable
from typing import Any

import tflite

from tests.campaigns.damage.kind import Kind
from tests.campaigns.damage.seeds import seed_model

# Places of fields in the schema's virtual tables.
_MODEL = {"version": 4, "codes": 6, "subgraphs": 8, "buffers": 12}
_GRAPH = {"tensors": 4, "inputs": 6, "outputs": 8, "operators": 10}
_TENSOR = {"shape": 4, "type": 6, "buffer": 8, "quantisation": 12}
_OPERATOR = {"code": 4, "inputs": 6, "outputs": 8}
_CODE = {"deprecated": 4, "code": 10}


class Patch:
    """A model whose fields are changed in place; a field that the file leaves out cannot be."""

    def __init__(self, name: str = "convolutions") -> None:
        self.content = bytearray(seed_model(name))
        self.model: Any = tflite.Model.GetRootAs(self.content, 0)
        self.graph: Any = self.model.Subgraphs(0)

    def field(self, table: Any, slot: int, form: str, value: int) -> "Patch":
        """Sets a scalar field."""
        place = table._tab.Offset(slot)
        assert place, "the field is left out"
        struct.pack_into(form, self.content, table._tab.Pos + place, value)
        return self

    def length(self, table: Any, slot: int, value: int) -> "Patch":
        """Sets the length that a vector claims."""
        struct.pack_into("<I", self.content, self._vector(table, slot) - 4, value)
        return self

    def element(self, table: Any, slot: int, index: int, value: int) -> "Patch":
        """Sets a 32-bit element of a vector."""
        struct.pack_into("<i", self.content, self._vector(table, slot) + 4 * index, value)
        return self

    @staticmethod
    def _vector(table: Any, slot: int) -> int:
        return int(table._tab.Vector(table._tab.Offset(slot)))

    def done(self) -> bytes:
        """The file."""
        return bytes(self.content)


def _first(share: float) -> Callable[[], bytes]:
    def content() -> bytes:
        whole = seed_model("convolutions")
        return whole[: int(len(whole) * share)]

    return content


def _root(offset: int) -> Callable[[], bytes]:
    return lambda: struct.pack("<I", offset) + seed_model("convolutions")[4:]


def _version(value: int) -> bytes:
    patch = Patch()
    return patch.field(patch.model, _MODEL["version"], "<I", value).done()


def _model_length(vector: str, value: int) -> Callable[[], bytes]:
    def content() -> bytes:
        patch = Patch()
        return patch.length(patch.model, _MODEL[vector], value).done()

    return content


def _graph_length(vector: str, value: int) -> Callable[[], bytes]:
    def content() -> bytes:
        patch = Patch()
        return patch.length(patch.graph, _GRAPH[vector], value).done()

    return content


def _graph_index(vector: str, value: int) -> Callable[[], bytes]:
    def content() -> bytes:
        patch = Patch()
        return patch.element(patch.graph, _GRAPH[vector], 0, value).done()

    return content


def _operator_index(vector: str, value: int, position: int = 0) -> Callable[[], bytes]:
    def content() -> bytes:
        patch = Patch()
        operator = patch.graph.Operators(1)
        return patch.element(operator, _OPERATOR[vector], position, value).done()

    return content


def _operator_length(vector: str, value: int) -> Callable[[], bytes]:
    def content() -> bytes:
        patch = Patch()
        return patch.length(patch.graph.Operators(1), _OPERATOR[vector], value).done()

    return content


def _operator_code(value: int) -> bytes:
    patch = Patch()
    operators = (patch.graph.Operators(i) for i in range(patch.graph.OperatorsLength()))
    operator = next(op for op in operators if op.OpcodeIndex())
    return patch.field(operator, _OPERATOR["code"], "<I", value).done()


def _builtin(value: int) -> bytes:
    patch = Patch()
    code = patch.model.OperatorCodes(1)
    return patch.field(code, _CODE["code"], "<i", value).done()


def _constant(patch: Patch) -> Any:
    """The first constant tensor."""
    tensors = (patch.graph.Tensors(i) for i in range(patch.graph.TensorsLength()))
    return next(tensor for tensor in tensors if tensor.Buffer())


def _tensor_field(name: str, form: str, value: int) -> Callable[[], bytes]:
    def content() -> bytes:
        patch = Patch()
        return patch.field(_constant(patch), _TENSOR[name], form, value).done()

    return content


def _rank(value: int) -> bytes:
    patch = Patch()
    return patch.length(_constant(patch), _TENSOR["shape"], value).done()


def _buffer_length(value: int) -> Callable[[], bytes]:
    def content() -> bytes:
        patch = Patch()
        buffer = patch.model.Buffers(_constant(patch).Buffer())
        return patch.length(buffer, 4, value).done()

    return content


def _scales(slot: int, value: int) -> Callable[[], bytes]:
    def content() -> bytes:
        patch = Patch()
        return patch.length(_constant(patch).Quantization(), slot, value).done()

    return content


def _two_zero_points() -> bytes:
    """Two of them, which differ, for more scales."""
    patch = Patch()
    quantised = _constant(patch).Quantization()
    return patch.length(quantised, 10, 2).element(quantised, 10, 0, 1).done()


BYTES: dict[str, Kind] = {
    "no bytes": Kind(lambda: b"", words=("TFL3",)),
    "four bytes": Kind(lambda: seed_model("convolutions")[:4], words=("TFL3",)),
    "root and identifier only": Kind(lambda: seed_model("convolutions")[:8]),
    "a tenth": Kind(_first(0.1)),
    "half": Kind(_first(0.5)),
    "nine tenths": Kind(_first(0.9)),
    "another identifier": Kind(
        lambda: seed_model("convolutions").replace(b"TFL3", b"TFL2"), words=("TFL3",)
    ),
    "zeros": Kind(lambda: b"\x1c\0\0\0TFL3" + bytes(10_000)),
    "ones": Kind(lambda: b"\x1c\0\0\0TFL3" + b"\xff" * 10_000),
    "root after the end": Kind(_root(1 << 20)),
    "root at the largest offset": Kind(_root(0xFFFFFFFF)),
    "root at itself": Kind(_root(0)),
    "schema version 2": Kind(lambda: _version(2), words=("version must be 3, not 2",)),
    "schema version 4": Kind(lambda: _version(4), words=("version must be 3, not 4",)),
    "no subgraph": Kind(_model_length("subgraphs", 0), words=("one subgraph",)),
    "a second subgraph that is not there": Kind(
        _model_length("subgraphs", 2), words=("damaged or cut short",)
    ),
    "endless subgraphs": Kind(_model_length("subgraphs", 0x3FFFFFFF), words=("claims",)),
    "no operator codes": Kind(_model_length("codes", 0), words=("code",)),
    "endless operator codes": Kind(_model_length("codes", 0x7FFFFFFF), words=("claims",)),
    "no buffers": Kind(_model_length("buffers", 0), words=("buffer",)),
    "endless buffers": Kind(_model_length("buffers", 0xFFFFFFFF), words=("claims",)),
    "no tensors": Kind(_graph_length("tensors", 0)),
    "endless tensors": Kind(_graph_length("tensors", 0x40000000), words=("claims",)),
    "too many tensors": Kind(_graph_length("tensors", 100)),
    "no operators": Kind(_graph_length("operators", 0), words=("operator",)),
    "endless operators": Kind(_graph_length("operators", 0x7FFFFFFF), words=("claims",)),
    "no inputs": Kind(_graph_length("inputs", 0), words=("input",)),
    "endless inputs": Kind(_graph_length("inputs", 0x3FFFFFFF), words=("claims",)),
    "no outputs": Kind(_graph_length("outputs", 0), words=("output",)),
    "input index negative": Kind(_graph_index("inputs", -1), words=("tensor -1",)),
    "input index too large": Kind(_graph_index("inputs", 999), words=("tensor 999",)),
    "output index negative": Kind(_graph_index("outputs", -1), words=("tensor -1",)),
    "output index too large": Kind(_graph_index("outputs", 1 << 30), words=("tensor",)),
    "operator input negative": Kind(_operator_index("inputs", -2), words=("tensor -2",)),
    "operator input too large": Kind(_operator_index("inputs", 999), words=("tensor 999",)),
    "operator input missing": Kind(_operator_index("inputs", -1), words=("operator 1",)),
    "weights missing": Kind(_operator_index("inputs", -1, 1), words=("operator 1", "weights")),
    "bias left out": Kind(_operator_index("inputs", -1, 2), status=0),
    "operator output missing": Kind(_operator_index("outputs", -1), words=("tensor -1",)),
    "operator output too large": Kind(_operator_index("outputs", 999), words=("tensor 999",)),
    "operator without inputs": Kind(_operator_length("inputs", 0), words=("operator 1",)),
    "operator without outputs": Kind(_operator_length("outputs", 0), words=("operator 1",)),
    "endless operator inputs": Kind(_operator_length("inputs", 0x7FFFFFFF), words=("claims",)),
    "operator code out of range": Kind(lambda: _operator_code(99), words=("code 99",)),
    "operator code at its largest": Kind(lambda: _operator_code(0xFFFFFFFF), words=("code",)),
    "operator unknown to the schema": Kind(lambda: _builtin(9999), words=("operator_9999",)),
    "buffer out of range": Kind(_tensor_field("buffer", "<I", 9999), words=("buffer 9999",)),
    "buffer at its largest": Kind(_tensor_field("buffer", "<I", 0xFFFFFFFF), words=("buffer",)),
    "constant without data": Kind(_tensor_field("buffer", "<I", 0)),
    "constant of another type": Kind(_tensor_field("type", "<b", 2)),
    "type unknown to the schema": Kind(_tensor_field("type", "<b", 99), words=("99",)),
    "type negative": Kind(_tensor_field("type", "<b", -1), words=("-1",)),
    "constant cut short": Kind(_buffer_length(3), words=("bytes, not 3",)),
    "constant of endless length": Kind(_buffer_length(0x7FFFFFFF), words=("claims",)),
    "rank 0": Kind(lambda: _rank(0)),
    "rank 9": Kind(lambda: _rank(9), words=("at most 8 axes",)),
    "endless rank": Kind(lambda: _rank(0x7FFFFFFF), words=("at most 8 axes",)),
    "no scales": Kind(_scales(8, 0)),
    "scales for other channels": Kind(_scales(8, 2)),
    "endless scales": Kind(_scales(8, 0x20000000), words=("claims",)),
    "one zero point for all scales": Kind(_scales(10, 1), status=0),
    "fewer zero points than scales": Kind(_two_zero_points, words=("zero points",)),
    "endless zero points": Kind(_scales(10, 0x7FFFFFFF), words=("claims",)),
}
