"""Seeded damage to ONNX models: to the messages of a model, so that the parser lets it through."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

EXTREMES = (0, 1, -1, 2, 3, 7, 255, 1 << 20, (1 << 31) - 1, -(1 << 31), 1 << 40, -(1 << 62))
TYPES = tuple(range(24))


def damage(model: onnx.ModelProto, rng: np.random.Generator) -> onnx.ModelProto:
    """A copy of the model with one to three faults."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for _ in range(int(rng.integers(1, 4))):
        kinds = list(_KINDS)
        _KINDS[kinds[int(rng.integers(len(kinds)))]](copy, rng)
    return copy


def _one(items: Any, rng: np.random.Generator) -> Any:
    return items[int(rng.integers(len(items)))] if len(items) else None


def _names(model: onnx.ModelProto) -> list[str]:
    graph = model.graph
    names = [tensor.name for tensor in graph.initializer] + [v.name for v in graph.input]
    return names + [name for node in graph.node for name in node.output] + ["", "nothing"]


def _rewire(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node = _one(model.graph.node, rng)
    if node is not None and node.input:
        node.input[int(rng.integers(len(node.input)))] = _one(_names(model), rng)


def _rewrite(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node = _one(model.graph.node, rng)
    if node is not None and node.output:
        node.output[int(rng.integers(len(node.output)))] = _one(_names(model), rng)


def _drop_input(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node = _one(model.graph.node, rng)
    if node is not None and node.input:
        del node.input[int(rng.integers(len(node.input)))]


def _drop_initializer(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    if model.graph.initializer:
        del model.graph.initializer[int(rng.integers(len(model.graph.initializer)))]


def _drop_node(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    if model.graph.node:
        del model.graph.node[int(rng.integers(len(model.graph.node)))]


def _retype_node(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node, other = _one(model.graph.node, rng), _one(model.graph.node, rng)
    if node is not None and other is not None:
        node.op_type = str(_one([other.op_type, "Concat", "Reshape", "Pad", "Nothing", ""], rng))


def _retype_tensor(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    tensor = _one(model.graph.initializer, rng)
    if tensor is not None:
        tensor.data_type = int(_one(TYPES, rng))


def _reshape_tensor(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    tensor = _one(model.graph.initializer, rng)
    if tensor is not None and tensor.dims:
        tensor.dims[int(rng.integers(len(tensor.dims)))] = int(_one(EXTREMES, rng))
    elif tensor is not None:
        tensor.dims.append(int(_one(EXTREMES, rng)))


def _refill_tensor(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    tensor = _one(model.graph.initializer, rng)
    if tensor is not None and tensor.raw_data:
        noise = rng.integers(0, 256, len(tensor.raw_data), dtype=np.uint8)
        tensor.raw_data = bytes(noise)


def _cut_tensor(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    tensor = _one(model.graph.initializer, rng)
    if tensor is not None:
        tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data) + 1))]


def _flatten_tensor(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    tensor = _one(model.graph.initializer, rng)
    if tensor is not None:
        total = int(np.prod(list(tensor.dims), dtype=object))
        del tensor.dims[:]
        tensor.dims.extend(_one([[total], [total, 1], [1, total], [1, 1, total]], rng))


def _resize_input(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    value = _one(model.graph.input, rng)
    dims = value.type.tensor_type.shape.dim if value is not None else ()
    if len(dims):
        dims[int(rng.integers(len(dims)))].dim_value = int(_one(EXTREMES, rng))


def _retype_input(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    value = _one(model.graph.input, rng)
    if value is not None:
        value.type.tensor_type.elem_type = int(_one(TYPES, rng))


def _change_attribute(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    nodes = [node for node in model.graph.node if node.attribute]
    node = _one(nodes, rng)
    if node is None:
        return
    attribute = _one(node.attribute, rng)
    if len(attribute.ints):
        attribute.ints[int(rng.integers(len(attribute.ints)))] = int(_one(EXTREMES, rng))
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = int(_one(EXTREMES, rng))
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = float(_one([0.0, -1.0, float("nan"), float("inf"), 1e-40, 1e38], rng))
    else:
        attribute.s = bytes(_one([b"", b"SAME_UPPER", b"VALID", b"\xff\xfe"], rng))


def _retype_attribute(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node = _one([node for node in model.graph.node if node.attribute], rng)
    if node is not None:
        _one(node.attribute, rng).type = int(rng.integers(0, 15))


def _add_attribute(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node = _one(model.graph.node, rng)
    if node is not None:
        name = str(_one(["axis", "axes", "pads", "perm", "to", "group", "auto_pad", "shape"], rng))
        value = _one([3, -1, 1 << 40, 0.5, "SAME_LOWER", [0, 1], [-5], [1 << 50] * 4, [0]], rng)
        node.attribute.append(onnx.helper.make_attribute(name, value))


def _reorder(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes[i] for i in rng.permutation(len(nodes)))


def _change_opset(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    entry = _one(model.opset_import, rng)
    if entry is not None:
        entry.version = int(_one([*EXTREMES, 5, 7, 10, 12, 13, 19, 21], rng))


_KINDS: dict[str, Callable[[onnx.ModelProto, np.random.Generator], None]] = {
    "rewire": _rewire,
    "rewrite": _rewrite,
    "drop input": _drop_input,
    "drop initializer": _drop_initializer,
    "drop node": _drop_node,
    "retype node": _retype_node,
    "retype tensor": _retype_tensor,
    "reshape tensor": _reshape_tensor,
    "refill tensor": _refill_tensor,
    "cut tensor": _cut_tensor,
    "flatten tensor": _flatten_tensor,
    "resize input": _resize_input,
    "retype input": _retype_input,
    "change attribute": _change_attribute,
    "retype attribute": _retype_attribute,
    "add attribute": _add_attribute,
    "reorder": _reorder,
    "change opset": _change_opset,
}
