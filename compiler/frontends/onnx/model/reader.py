"""An ONNX file as plain values: everything is checked here before anything is allocated.

The file is parsed by the `onnx` package (protobuf messages); sizes claimed by the file are held
against the bytes that are there, and whatever a damaged file does to the parser becomes one
sentence.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError

from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.quant import lowered
from compiler.ir.graph import MAX_ELEMENTS
from hw.arch.errors import RowforgeError

Array = npt.NDArray[Any]

MAX_FILE_BYTES = 1 << 30
MAX_NODES = 4096  # real networks have some hundreds; the time to compile grows with them
MAX_RANK = 8
_READ_ERRORS = (DecodeError, ValueError, TypeError, AttributeError, OverflowError, KeyError)

# Element types of TensorProto that are understood: name, NumPy type, the field of typed data.
_TYPES: dict[int, tuple[str, np.dtype[Any], str]] = {
    1: ("float32", np.dtype("<f4"), "float_data"),
    2: ("uint8", np.dtype("<u1"), "int32_data"),
    3: ("int8", np.dtype("<i1"), "int32_data"),
    4: ("uint16", np.dtype("<u2"), "int32_data"),
    5: ("int16", np.dtype("<i2"), "int32_data"),
    6: ("int32", np.dtype("<i4"), "int32_data"),
    7: ("int64", np.dtype("<i8"), "int64_data"),
    9: ("bool", np.dtype("?"), "int32_data"),
    11: ("float64", np.dtype("<f8"), "double_data"),
}
_OTHER_TYPES = {
    8: "string",
    10: "float16",
    12: "uint32",
    13: "uint64",
    16: "bfloat16",
    21: "uint4",
    22: "int4",
}
# The type of an attribute by the field that holds its value.
_FIELD_KINDS = {
    "f": "FLOAT",
    "i": "INT",
    "s": "STRING",
    "t": "TENSOR",
    "floats": "FLOATS",
    "ints": "INTS",
}
_DOMAINS = {"": "", "ai.onnx": "", "com.microsoft": "com.microsoft"}


@dataclass(frozen=True)
class RawInput:
    """An input of the model: element type and shape; an unknown size is None."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class RawOnnxModel:
    """The main graph of a file, its nodes in an order in which they can run."""

    nodes: tuple[RawNode, ...]
    constants: dict[str, Array]
    unreadable: dict[str, str]
    inputs: tuple[RawInput, ...]
    outputs: tuple[str, ...]
    opset: int
    readers: dict[str, tuple[RawNode, ...]] = field(repr=False)


def read_onnx(path: Path) -> RawOnnxModel:
    """Reads and checks a file; any damage raises RowforgeError naming the file."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise RowforgeError(f"{path} must have at most {MAX_FILE_BYTES} bytes, not {size}")
        content = path.read_bytes()
    except OSError as error:
        raise RowforgeError(f"{path} cannot be read: {error.strerror}") from error
    try:
        model = onnx.ModelProto.FromString(content)
        return _model(model)
    except RowforgeError as error:
        said = " ".join(str(error).split())
        raise RowforgeError(f"{path} is not a usable ONNX file: {said}") from error
    except _READ_ERRORS as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise RowforgeError(f"{path} is not an ONNX file, or damaged: {said}") from error


def _model(model: Any) -> RawOnnxModel:
    graph = model.graph
    if not graph.node or not graph.output:
        raise RowforgeError("it must have at least one operator and one output")
    if len(graph.node) > MAX_NODES:
        raise RowforgeError(f"it must have at most {MAX_NODES} operators, not {len(graph.node)}")
    if model.functions:
        raise RowforgeError("it defines functions of its own; export it with them inlined")
    if graph.sparse_initializer:
        raise RowforgeError("it has sparse initializers; save them dense")
    for text in _names(model):
        if not isinstance(text, str):  # what protobuf cannot decode, it hands on as bytes
            raise RowforgeError(f"its name {text[:40]!r} is no UTF-8; the file is damaged")
    constants, unreadable = _constants(graph.initializer)
    inputs = tuple(_input(value) for value in graph.input if value.name not in constants)
    inputs = tuple(value for value in inputs if value.name not in unreadable)
    outputs = tuple(value.name for value in graph.output)
    known = {value.name for value in inputs} | set(constants) | set(unreadable)
    nodes = _ordered([_node(index, node) for index, node in enumerate(graph.node)], known)
    nodes = lowered(nodes, constants)
    made = known.union(*(node.outputs for node in nodes))
    for name in outputs:
        if name not in made:
            raise RowforgeError(f"no operator writes its output {name!r}")
    nodes = _without_unread(nodes, outputs)
    if len(set(outputs)) < len(outputs) or len({v.name for v in inputs}) < len(inputs):
        raise RowforgeError("an input or output is listed twice")
    return RawOnnxModel(
        nodes, constants, unreadable, inputs, outputs, _opset(model), _readers(nodes)
    )  # fmt: skip


def _names(model: Any) -> Iterator[Any]:
    """Every name that is used later."""
    graph = model.graph
    yield from (entry.domain for entry in model.opset_import)
    yield from (each.name for each in (*graph.initializer, *graph.input, *graph.output))
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def _opset(model: Any) -> int:
    versions = {_DOMAINS.get(entry.domain): entry.version for entry in model.opset_import}
    opset = int(versions.get("", 1))
    if not 1 <= opset <= 64:
        raise RowforgeError(f"its operator set must be 1 to 64, not {opset}")
    return opset


def _input(value: Any) -> RawInput:
    if not value.type.HasField("tensor_type"):
        raise RowforgeError(f"its input {value.name!r} is no tensor")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        raise RowforgeError(
            f"its input {value.name!r} has no shape; export the model with a fixed shape"
        )
    sizes = [_size(value.name, dim) for dim in tensor.shape.dim]
    if len(sizes) > MAX_RANK:
        raise RowforgeError(f"its input {value.name!r} must have at most {MAX_RANK} axes")
    return RawInput(value.name, _type_name(tensor.elem_type), tuple(sizes))


def _size(name: str, dim: Any) -> int | None:
    if not dim.HasField("dim_value"):
        return None
    size = int(dim.dim_value)
    if not 1 <= size <= MAX_ELEMENTS:
        raise RowforgeError(
            f"the sizes of its input {name!r} must be at least 1 and at most {MAX_ELEMENTS}, "
            f"not {size}"
        )
    return size


def _type_name(code: int) -> str:
    if code in _TYPES:
        return _TYPES[code][0]
    return _OTHER_TYPES.get(code, f"type {code}")


# ---- constants ----------------------------------------------------------------------------------


def _constants(tensors: Iterable[Any]) -> tuple[dict[str, Array], dict[str, str]]:
    """Values by name, and the types of those that cannot be read, by name."""
    constants: dict[str, Array] = {}
    unreadable: dict[str, str] = {}
    for tensor in tensors:
        if tensor.name in constants or tensor.name in unreadable:
            raise RowforgeError(f"it holds the initializer {tensor.name!r} twice")
        if tensor.data_type in _TYPES:
            constants[tensor.name] = tensor_value(tensor, f"initializer {tensor.name!r}")
        else:
            unreadable[tensor.name] = _type_name(tensor.data_type)
    return constants, unreadable


def tensor_value(tensor: Any, what: str) -> Array:
    """The values of a TensorProto, its size checked against the bytes that are there."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise RowforgeError(f"{what} keeps its data in another file; save the model as one file")
    if tensor.data_type not in _TYPES:
        raise RowforgeError(f"{what} has type {_type_name(tensor.data_type)}")
    _, dtype, typed = _TYPES[tensor.data_type]
    shape = tuple(int(size) for size in tensor.dims)
    if len(shape) > MAX_RANK or any(size < 0 for size in shape) or prod(shape) > MAX_ELEMENTS:
        raise RowforgeError(
            f"{what} must have at most {MAX_RANK} axes and {MAX_ELEMENTS} values, not shape "
            f"{list(shape)[:MAX_RANK]}"
        )
    if tensor.HasField("raw_data"):
        expected, found = prod(shape) * dtype.itemsize, len(tensor.raw_data)
        if expected != found:
            _refuse_length(what, shape, expected, found, "bytes")
        return np.frombuffer(tensor.raw_data, dtype=dtype).reshape(shape)
    values = getattr(tensor, typed)
    if len(values) != prod(shape):
        _refuse_length(what, shape, prod(shape), len(values), "values")
    wide = np.array(values, dtype=np.int64 if dtype.kind in "iub" else dtype)
    return wide.astype(dtype).reshape(shape)


def _refuse_length(
    what: str, shape: tuple[int, ...], expected: int, found: int, unit: str
) -> NoReturn:
    raise RowforgeError(
        f"{what} of shape {list(shape)} must have {expected} {unit}, not {found}: the file is "
        f"damaged or cut short"
    )


# ---- nodes --------------------------------------------------------------------------------------


def _node(index: int, node: Any) -> RawNode:
    domain = _DOMAINS.get(node.domain, node.domain)
    attributes = {a.name: _attribute(index, node.op_type, a) for a in node.attribute}
    return RawNode(
        index=index,
        name=node.name,
        op_type=node.op_type if domain in ("", "com.microsoft") else f"{domain}.{node.op_type}",
        domain=domain,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes=attributes,
    )


def _attribute(index: int, op_type: str, attribute: Any) -> Any:
    kinds = onnx.AttributeProto
    kind = attribute.type
    if kind == kinds.UNDEFINED:  # writers of the first versions left the type to the field
        filled = [field.name for field, _ in attribute.ListFields() if field.name in _FIELD_KINDS]
        kind = kinds.AttributeType.Value(_FIELD_KINDS[filled[0]]) if len(filled) == 1 else kind
    match kind:
        case kinds.FLOAT:
            return float(attribute.f)
        case kinds.INT:
            return int(attribute.i)
        case kinds.STRING:
            return attribute.s.decode("utf-8", "replace")
        case kinds.TENSOR:
            return tensor_value(attribute.t, f"attribute {attribute.name} of operator {index}")
        case kinds.FLOATS:
            return tuple(float(value) for value in attribute.floats)
        case kinds.INTS:
            return tuple(int(value) for value in attribute.ints)
    return None  # graphs, strings, sparse tensors: operators that have them are refused by type


def _ordered(nodes: list[RawNode], known: set[str]) -> tuple[RawNode, ...]:
    """The nodes in an order in which they can run: the file's own wherever that is possible."""
    writers: dict[str, RawNode] = {}
    for node in nodes:
        for name in filter(None, node.outputs):
            if name in writers or name in known:
                raise RowforgeError(f"operator {node.index} {node.op_type} writes {name!r} again")
            writers[name] = node
    for node in nodes:
        for name in filter(None, node.inputs):
            if name not in writers and name not in known:
                raise RowforgeError(
                    f"operator {node.index} {node.op_type} reads {name!r}, which nothing provides"
                )
    waits = {node.index: {name for name in node.inputs if name in writers} for node in nodes}
    readers = _readers(nodes)
    queue = [node.index for node in nodes if not waits[node.index]]
    ordered: list[RawNode] = []
    while queue:
        node = nodes[heappop(queue)]
        ordered.append(node)
        for name in filter(None, node.outputs):
            for reader in readers.get(name, ()):
                if name in waits[reader.index]:
                    waits[reader.index].remove(name)
                    if not waits[reader.index]:
                        heappush(queue, reader.index)
    if len(ordered) < len(nodes):
        stuck = next(node for node in nodes if waits[node.index])
        raise RowforgeError(f"operator {stuck.index} {stuck.op_type} is part of a cycle")
    return tuple(ordered)


def _without_unread(nodes: tuple[RawNode, ...], outputs: tuple[str, ...]) -> tuple[RawNode, ...]:
    """The nodes without the further outputs that nothing reads, such as a Dropout's mask."""
    read = {name for node in nodes for name in node.inputs}.union(outputs)
    kept: list[RawNode] = []
    for node in nodes:
        names = [*node.outputs[:1], *(n if n in read else "" for n in node.outputs[1:])]
        while len(names) > 1 and not names[-1] and node.op_type != "Split":
            names.pop()  # a Split's outputs count, read or not
        kept.append(replace(node, outputs=tuple(names)))
    return tuple(kept)


def _readers(nodes: Iterable[RawNode]) -> dict[str, tuple[RawNode, ...]]:
    readers: dict[str, list[RawNode]] = {}
    for node in nodes:
        for name in filter(None, node.inputs):
            readers.setdefault(name, []).append(node)
    return {name: tuple(found) for name, found in readers.items()}
