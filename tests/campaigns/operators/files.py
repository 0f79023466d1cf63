"""The operators of a model file, and the type that each computes in."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import onnx

from compiler.frontends.tflite.model.reader import RawOperator, RawTfliteModel, read_tflite

_NO_TYPE = ("resource", "bool", "string")
_QUANTISING = ("QuantizeLinear", "DynamicQuantizeLinear")


@dataclass(frozen=True)
class Found:
    """An operator of a file: its `index` there, its name, and its type, empty if it has none."""

    index: int
    operator: str
    dtype: str


@lru_cache(maxsize=64)
def operators_of(suffix: str, content: bytes) -> tuple[Found, ...]:
    """All operators of a file of the format `tflite` or `onnx`."""
    if suffix == "onnx":
        return tuple(_onnx(onnx.load_from_string(content).graph))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        raw = read_tflite(path)
    return tuple(Found(op.index, op.type_name, _tflite_type(raw, op)) for op in raw.operators)


def _tflite_type(raw: RawTfliteModel, op: RawOperator) -> str:
    """The type of the first activation that it reads, else of what it writes.

    Truth values count only where there is nothing else.
    """
    read = [raw.tensors[i] for i in op.inputs if i >= 0]
    written = [raw.tensors[i] for i in op.outputs]
    names = [t.type_name.lower() for t in read if t.data is None]
    names += [t.type_name.lower() for t in written]
    plain = [name for name in names if name not in _NO_TYPE]
    return plain[0] if plain else "bool" if "bool" in names else ""


def _onnx(graph: onnx.GraphProto) -> Iterator[Found]:
    """The integer type that an operator's first input is, or was before DequantizeLinear.

    Where a float is computed on the way, it is the type that the output is quantised to; float32
    where there is none. Operators on shapes and positions, which are int64, are left out.
    """
    name_of = onnx.helper.tensor_dtype_to_np_dtype
    types = {value.name: str(name_of(value.data_type)) for value in graph.initializer}
    constants = set(types)
    types |= {v.name: str(name_of(v.type.tensor_type.elem_type)) for v in graph.input}
    before: dict[str, str] = {}  # the stored type of a float
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            before[node.output[0]] = types.get(node.input[0], "")
        elif node.op_type in _QUANTISING:
            zero = node.input[2] if len(node.input) > 2 else ""
            types[node.output[0]] = types.get(zero, "uint8")
        elif node.op_type == "Constant":
            constants.add(node.output[0])
            value = next((a.t for a in node.attribute if a.name == "value"), None)
            types[node.output[0]] = str(name_of(value.data_type)) if value else "float32"
        elif node.op_type == "Quant":
            before[node.output[0]] = "int8"
        else:
            named = [types.get(name, "float32") for name in node.input if name not in constants]
            first = next((name for name in named if name != "bool"), "float32")
            for name in node.output:
                types[name] = _result(node.op_type, first)
    after = {n.input[0]: types[n.output[0]] for n in graph.node if n.op_type in _QUANTISING}
    for index, node in enumerate(graph.node):
        own = [name for name in node.input if name and name not in constants] or list(node.input)
        named = [before.get(name) or types.get(name, "float32") for name in own]
        known = [name for name in named if name not in ("float32", "bool")]
        into = [after[name] for name in node.output if name in after]
        dtype = (known + into + ["float32"])[0]
        if dtype != "int64":
            yield Found(index, node.op_type, dtype)


def _result(operator: str, dtype: str) -> str:
    if operator in ("ConvInteger", "MatMulInteger"):
        return "int32"
    if operator in ("ArgMax", "ArgMin", "Shape"):
        return "int64"
    return dtype
