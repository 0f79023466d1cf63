"""Operators whose inputs are all known: computed when the model is read.

Covers the shape arithmetic that exporters leave behind and quantised initializers. Sizes of
results are checked before anything is allocated.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import KNOWN, QuantisedConstant
from compiler.frontends.onnx.operators.chain import clip_bounds, stored_clamp
from compiler.frontends.onnx.operators.select import RELABELLING, relabelled
from compiler.frontends.onnx.operators.selection import selected
from compiler.ir.ops import Array
from hw.arch.errors import RowforgeError
from numerics.host.ort.arithmetic import clip, dequantise_ort
from numerics.quantisation import integer_range

_CAST = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    11: np.float64,
}


def fold_constant(builder: OnnxBuilder, node: RawNode) -> bool:
    """Computes the node if its value is known; False if it is not."""
    if node.op_type == "Shape":
        return _shape(builder, node)
    if _stays_quantised(builder, node):
        return True
    fold = _FOLDS.get(node.op_type)
    known = all(not name or name in builder.constants for name in node.inputs)
    if fold is None or not known or len(node.outputs) != 1:
        return False
    try:
        value = fold(builder, node)
    except RowforgeError:
        raise
    except (ValueError, IndexError, TypeError, KeyError, OverflowError) as error:
        builder.refuse(node, f"its constant inputs do not fit: {error}", "export the model again")
    builder.define(node, value)
    return True


def fold_early(builder: OnnxBuilder, names: tuple[str, ...]) -> None:
    """Computes the Constant operators that write these names before their turn comes."""
    for node in builder.raw.nodes:
        early = node.op_type == "Constant" and node.index not in builder.served
        if early and any(name in names for name in node.outputs if name):
            if node.outputs[0] not in builder.constants:
                fold_constant(builder, node)
            builder.served.add(node.index)


def _shape(builder: OnnxBuilder, node: RawNode) -> bool:
    shape = builder.shape_of(node.inputs[0]) if node.inputs else None
    if shape is None:
        return False
    start, end = node.integer("start", 0), node.integer("end", len(shape))
    builder.define(node, np.asarray(shape[start:end], dtype=np.int64))
    return True


def _inputs(builder: OnnxBuilder, node: RawNode) -> list[Array]:
    return [builder.constants[name] for name in node.inputs if name]


def _constant(builder: OnnxBuilder, node: RawNode) -> Array:
    for name, dtype in (
        ("value_float", np.float32),
        ("value_int", np.int64),
        ("value_floats", np.float32),
        ("value_ints", np.int64),
    ):
        if node.attributes.get(name) is not None:
            return np.asarray(node.attributes[name], dtype=dtype)
    value = node.attributes.get("value")
    if not isinstance(value, np.ndarray):
        builder.refuse(node, "it has no readable value", "export the model again")
    return value


def _filled(builder: OnnxBuilder, node: RawNode) -> Array:
    shape = tuple(int(n) for n in _inputs(builder, node)[0].reshape(-1))
    builder.check_folded(node, shape or (1,))
    value = node.attributes.get("value", np.zeros(1, dtype=np.float32))
    if not isinstance(value, np.ndarray) or value.size != 1:
        builder.refuse(node, "its value is not one number", "export the model again")
    return np.full(shape, value.reshape(-1)[0], dtype=value.dtype)


def _gather(builder: OnnxBuilder, node: RawNode) -> Array:
    data, indices = _inputs(builder, node)
    axis = node.integer("axis", 0)
    rest = data.size // max(data.shape[axis], 1)
    builder.check_folded(node, (max(indices.size, 1), max(rest, 1)))
    return np.asarray(np.take(data, indices, axis=axis))


def _slice(builder: OnnxBuilder, node: RawNode) -> Array:
    given = _inputs(builder, node)
    data = given[0]
    if "starts" in node.attributes:
        starts, ends = node.integers("starts") or (), node.integers("ends") or ()
        axes, steps = node.integers("axes"), None
    else:
        listed = [tuple(int(n) for n in numbers.reshape(-1)) for numbers in given[1:5]]
        starts, ends = listed[0], listed[1]
        axes = listed[2] if len(listed) > 2 else None
        steps = listed[3] if len(listed) > 3 else None
    selection = [slice(None)] * data.ndim
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = place if axes is None else axes[place]
        selection[axis] = slice(start, end, 1 if steps is None else steps[place])
    return np.asarray(data[tuple(selection)])


def _concat(builder: OnnxBuilder, node: RawNode) -> Array:
    arrays = _inputs(builder, node)
    builder.check_folded(node, (sum(a.size for a in arrays) or 1,))
    return np.concatenate(arrays, axis=node.integer("axis", 0))


def _cast(builder: OnnxBuilder, node: RawNode) -> Array:
    with np.errstate(all="ignore"):
        return _inputs(builder, node)[0].astype(_CAST[node.integer("to", 0)])


def _expand(builder: OnnxBuilder, node: RawNode) -> Array:
    data, shape = _inputs(builder, node)
    wanted = np.broadcast_shapes(data.shape, tuple(int(n) for n in shape.reshape(-1)))
    builder.check_folded(node, wanted or (1,))
    return np.broadcast_to(data, wanted).copy()


def _range(builder: OnnxBuilder, node: RawNode) -> Array:
    start, limit, delta = (value.reshape(-1)[0] for value in _inputs(builder, node))
    builder.check_folded(node, (max(int(abs((limit - start) / delta)), 1),))
    return np.arange(start, limit, delta, dtype=start.dtype)


def _elementwise(function: Callable[..., Any]) -> Callable[[OnnxBuilder, RawNode], Array]:
    def fold(builder: OnnxBuilder, node: RawNode) -> Array:
        arrays = _inputs(builder, node)
        builder.check_folded(node, np.broadcast_shapes(*(a.shape for a in arrays)) or (1,))
        with np.errstate(all="ignore"):
            return np.asarray(function(*arrays), dtype=arrays[0].dtype)

    return fold


def _divide(a: Array, b: Array) -> Array:
    return np.asarray(a / b if a.dtype.kind == "f" else np.trunc(a / b))


def _clip(builder: OnnxBuilder, node: RawNode) -> Array:
    value = builder.constants[node.inputs[0]]
    bounds = clip_bounds(builder, node)
    if bounds is None:
        builder.refuse(node, "its bounds are not one number each", "export the model again")
    if value.dtype.kind in "iu":
        low, high = stored_clamp(bounds, str(value.dtype))
        return np.clip(value, low, high)
    return clip(value, low=bounds[0], high=bounds[1])


def _permutation(node: RawNode, rank: int) -> tuple[int, ...]:
    return node.integers("perm") or tuple(reversed(range(rank)))


def _moved(builder: OnnxBuilder, node: RawNode, array: Array) -> Array:
    """The array as a relabelling operator leaves it."""
    layout = relabelled(builder, node, Layout.plain(tuple(array.shape)))
    assert layout is not None  # a plain layout can be split in any way
    return array.reshape(layout.sizes).transpose(layout.order).reshape(layout.shape)


def _relabel(builder: OnnxBuilder, node: RawNode) -> Array:
    return _moved(builder, node, builder.constants[node.inputs[0]])


def _select(builder: OnnxBuilder, node: RawNode) -> Array:
    return selected(builder, node, builder.constants[node.inputs[0]])


# ---- quantised initializers ---------------------------------------------------------------------


def _parameters(
    builder: OnnxBuilder, node: RawNode, dtype: np.dtype[Any]
) -> tuple[Array, Array, int]:
    """(scales, zero points, axis) of QuantizeLinear or DequantizeLinear of a constant."""
    shape = builder.constants.shape(node.inputs[0])
    rank = len(shape)
    if node.integer("block_size", 0):
        builder.refuse(node, "it quantises in blocks", "quantise per tensor or per channel")
    scale = builder.constant(node, 1, "scale").reshape(-1)
    zero = np.zeros(scale.size, dtype=dtype)
    if builder.has(node, 2):
        zero = builder.constant(node, 2, "zero point").reshape(-1)
    axis = node.integer("axis", 1)
    if zero.size != scale.size and zero.size == 1:
        zero = np.full(scale.size, zero[0])
    if scale.dtype != np.float32 or scale.size == 0:
        builder.refuse(node, f"its scale has type {scale.dtype}", "give it in float32")
    if zero.size != scale.size:
        builder.refuse(
            node, f"it has {scale.size} scales and {zero.size} zero points", "give as many of both"
        )
    if scale.size == 1:
        return scale, zero, 0
    if not -rank <= axis < rank:
        builder.refuse(node, f"axis {axis} does not exist", "export the model again")
    if shape[axis] != scale.size:
        builder.refuse(node, f"its {scale.size} scales do not fit its input", "export it again")
    return scale, zero, axis % rank


def _along(values: Array, axis: int, rank: int) -> Array:
    return values.reshape([values.size if index == axis else 1 for index in range(rank)])


def _stays_quantised(builder: OnnxBuilder, node: RawNode) -> bool:
    """DequantizeLinear of a constant, and what relabels its result: integers that stay integers."""
    name = node.inputs[0] if node.inputs else ""
    if len(node.outputs) != 1 or name not in builder.constants:
        return False
    if node.op_type == "DequantizeLinear":
        _enter(builder, node, _dequantised(builder, node))
        return True
    stored = builder.quantised_constants.get(name)
    if stored is None or node.op_type not in RELABELLING:
        return False
    if stored.scale.size > 1 and node.op_type not in ("Transpose", "Identity", "Dropout"):
        return False
    values = _moved(builder, node, stored.values)
    axis = stored.axis
    if node.op_type == "Transpose" and stored.scale.size > 1:
        axis = _permutation(node, values.ndim).index(axis)
    _enter(builder, node, QuantisedConstant(values, stored.scale, stored.zero_point, axis))
    return True


def _enter(builder: OnnxBuilder, node: RawNode, constant: QuantisedConstant) -> None:
    """A dequantised constant: its float form is a folded step that a dump computes."""
    name = node.outputs[0]
    builder.quantised_constants[name] = constant
    builder.constants.defer(name, tuple(constant.values.shape), lambda: _real(constant))
    integers = builder.constant_activation(f"{name} (integers)", constant.values)
    output = builder.declare_folded(name, tuple(constant.values.shape))
    permutation = output.layout.tensor_form()[1]  # axes of size 1 may lie elsewhere
    builder.emit_host(
        node,
        "dequantise_ort",
        (integers,),
        output,
        folded=KNOWN,
        scale=tuple(float(scale) for scale in constant.scale.reshape(-1)),
        zero_point=tuple(int(zero) for zero in constant.zero_point.reshape(-1)),
        axis=constant.axis if permutation is None else int(permutation[constant.axis]),
    )


def _real(constant: QuantisedConstant) -> Array:
    return dequantise_ort(
        constant.values,
        scale=tuple(float(scale) for scale in constant.scale.reshape(-1)),
        zero_point=tuple(int(zero) for zero in constant.zero_point.reshape(-1)),
        axis=constant.axis,
    )


def _dequantised(builder: OnnxBuilder, node: RawNode) -> QuantisedConstant:
    values = builder.constants[node.inputs[0]]
    if values.dtype.kind not in "iu" or values.dtype.itemsize > 4 or values.size == 0:
        builder.refuse(
            node,
            f"its input has type {values.dtype} and {values.size} values",
            "give it integers of 8, 16 or 32 bits",
        )
    return QuantisedConstant(values, *_parameters(builder, node, values.dtype))


def _quantise(builder: OnnxBuilder, node: RawNode) -> Array:
    values = builder.constants[node.inputs[0]]
    if values.dtype != np.float32:
        builder.refuse(node, f"its input has type {values.dtype}", "give it float32 values")
    scale, zero, axis = _parameters(builder, node, np.dtype(np.uint8))
    low, high = integer_range(str(zero.dtype))
    rank = values.ndim if scale.size > 1 else 0
    scales = _along(scale, axis, rank) if rank else scale[0]
    zeros = _along(zero.astype(np.float64), axis, rank) if rank else float(zero[0])
    with np.errstate(all="ignore"):
        rounded = np.rint((values / scales).astype(np.float64)) + zeros
    return np.asarray(np.fmin(np.fmax(rounded, low), high)).astype(zero.dtype)


_FOLDS: dict[str, Callable[[OnnxBuilder, RawNode], Array]] = {
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Cast": _cast,
    "Expand": _expand,
    "Range": _range,
    "Add": _elementwise(np.add),
    "Sub": _elementwise(np.subtract),
    "Mul": _elementwise(np.multiply),
    "Div": _elementwise(_divide),
    "Neg": _elementwise(np.negative),
    "Sqrt": _elementwise(np.sqrt),
    "Clip": _clip,
    "Relu": _elementwise(lambda a: np.maximum(a, 0)),
    "ReduceProd": lambda builder, node: np.asarray([prod(_inputs(builder, node)[0].tolist())]),
    "QuantizeLinear": _quantise,
    **dict.fromkeys(("Split", "Tile"), _select),
    **dict.fromkeys(RELABELLING, _relabel),
}
