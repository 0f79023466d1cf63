"""Reductions over axes: sums and means of floats, extremes and their places of any values.

The largest and the least of dequantised values are those of the stored values, and lie where those
lie, since no scale is so small or large that DequantizeLinear makes two stored values one.
"""

from typing import Any

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout, Shape
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import STORED_TYPES, Activation, Scale, Stored
from compiler.frontends.onnx.operators.selection import whole

SUMS = ("ReduceSum", "ReduceMean")
EXTREMES = ("ReduceMax", "ReduceMin")
PLACES = ("ArgMax", "ArgMin")


def reduced_axes(builder: OnnxBuilder, node: RawNode, rank: int) -> tuple[int, ...]:
    """The axes that the operator goes over, in order."""
    axes: Any = node.integers("axes")
    if axes is None and builder.has(node, 1):
        axes = builder.integers(node, 1, "axes")
    if not axes:
        return () if node.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    if any(not -rank <= axis < rank for axis in axes) or len({a % rank for a in axes}) < len(axes):
        builder.refuse(node, f"its axes {list(axes)[:8]} do not fit", "correct the model")
    return tuple(sorted(axis % rank for axis in axes))


def _result(builder: OnnxBuilder, node: RawNode, layout: Layout, axes: tuple[int, ...]) -> Layout:
    """The layout of the result: its axes of size 1 are left out without keepdims."""
    shape = layout.shape
    if node.integer("keepdims", 1):
        return layout
    rest = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    found = layout.reshape(rest)
    assert found is not None  # fewer axes of size 1
    return found


def _kept(shape: Shape, axes: tuple[int, ...]) -> Shape:
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def convert_sum(builder: OnnxBuilder, node: RawNode) -> None:
    """ReduceSum and ReduceMean of floats."""
    source = builder.activation(node, 0)
    if source.dtype != "float32":
        builder.refuse(
            node,
            f"its input has type {source.dtype}",
            "put it between DequantizeLinear and QuantizeLinear",
        )
    shape = source.shape
    axes = reduced_axes(builder, node, len(shape))
    source = builder.in_order(node, source, tuple(range(len(shape))))
    layout = _result(builder, node, Layout.plain(_kept(shape, axes)), axes)
    if not axes or not shape:
        builder.relabel(node, node.outputs[0], source, source.layout)
        return
    output = builder.declare(node.outputs[0], layout, "float32")
    mean = node.op_type == "ReduceMean"
    builder.emit_host(node, "reduce_sum", (source,), output, axes=axes, shape=shape, mean=mean)


def extreme_stored(builder: OnnxBuilder, node: RawNode, key: str | None) -> Stored | None:
    """The integer form of ReduceMax or ReduceMin of dequantised values."""
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None or found.scale.dtype not in STORED_TYPES:
        return None
    name = key or f"{node.outputs[0]} (stored)"
    return Stored(emit_extreme(builder, node, found.activation, name, found.scale), found.scale)


def convert_extreme(builder: OnnxBuilder, node: RawNode) -> None:
    """ReduceMax and ReduceMin of integers."""
    source = builder.activation(node, 0)
    if source.dtype not in (*STORED_TYPES, "int32", "int64"):
        builder.refuse(
            node,
            f"its input has type {source.dtype}, whose zeros have signs",
            "put it between DequantizeLinear and QuantizeLinear",
        )
    emit_extreme(builder, node, source, node.outputs[0], None)


def emit_extreme(
    builder: OnnxBuilder, node: RawNode, source: Activation, name: str, scale: Scale | None
) -> Activation:
    """The largest or the least values over some axes."""
    axes = reduced_axes(builder, node, len(source.shape))
    source, order = whole(builder, node, source)
    layout = Layout.stored_as(_kept(source.shape, axes), order)
    output = builder.declare(name, _result(builder, node, layout, axes), source.dtype, scale)
    builder.emit_host(
        node,
        "reduce_extreme",
        (source,),
        output,
        axes=tuple(order.index(axis) for axis in axes),
        largest=node.op_type == "ReduceMax",
    )
    return output


def convert_place(builder: OnnxBuilder, node: RawNode) -> None:
    """ArgMax and ArgMin: of stored values where the input is dequantised."""
    found = builder.stored(builder.name_at(node, 0, "input"))
    source = builder.activation(node, 0) if found is None else found.activation
    if source.dtype not in (*STORED_TYPES, "float32", "int32"):
        builder.refuse(node, f"its input has type {source.dtype}", "cast it to float32")
    rank = len(source.shape)
    axis = node.integer("axis", 0)
    if not -rank <= axis < rank:
        builder.refuse(node, f"axis {axis} does not exist", "export the model again")
    axes = (axis % rank,)
    source, order = whole(builder, node, source)
    layout = Layout.stored_as(_kept(source.shape, axes), order)
    output = builder.declare(node.outputs[0], _result(builder, node, layout, axes), "int64")
    builder.emit_host(
        node,
        "arg_extreme",
        (source,),
        output,
        axes=(order.index(axes[0]),),
        largest=node.op_type == "ArgMax",
        last=bool(node.integer("select_last_index", 0)),
    )
