"""Min, Max and Where of several tensors, and QLinearWhere."""

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import Activation, Scale, Stored
from compiler.frontends.onnx.operators.binary import aligned
from compiler.frontends.onnx.operators.join import requantised, stored_of_one_scale
from compiler.frontends.onnx.operators.selection import expanded, whole

EXTREMES = ("Min", "Max")


def extreme_stored(builder: OnnxBuilder, node: RawNode, key: str | None) -> Stored | None:
    """The integer form of Min or Max of dequantised values with one scale."""
    return stored_of_one_scale(builder, node, key, emit_extreme)


def convert_extreme(builder: OnnxBuilder, node: RawNode) -> None:
    """Min and Max of integers, or of floats that exist and constants other than 0.

    Between zeros of both signs ONNX Runtime chooses by the place of the value.
    """
    sources = [builder.activation(node, position) for position in range(len(node.inputs))]
    constants = [name for name in node.inputs if _has_no_zero(builder, name)]
    if sources[0].dtype == "float32" and len(constants) < len(sources) - 1:
        builder.refuse(
            node,
            "its inputs are float32, whose zeros have signs",
            "put it between DequantizeLinear and QuantizeLinear",
        )
    emit_extreme(builder, node, sources, node.outputs[0], None)


def _has_no_zero(builder: OnnxBuilder, name: str) -> bool:
    return name in builder.constants and bool(np.all(builder.constants[name] != 0))


def emit_extreme(
    builder: OnnxBuilder,
    node: RawNode,
    sources: list[Activation],
    name: str,
    scale: Scale | None,
) -> Activation:
    """The largest or the least of tensors that broadcast, two at a time."""
    types = {source.dtype for source in sources}
    if len(types) > 1 or types & {"bool"}:
        builder.refuse(node, f"its inputs are {' and '.join(sorted(types))}", "cast them")
    total = sources[0]
    if len(sources) == 1:
        return builder.relabel(node, name, total, total.layout)
    for number, other in enumerate(sources[1:], start=2):
        first, second = aligned(builder, node, total, other, spread=False)
        shape = np.broadcast_shapes(first.shape, second.shape)
        wide = first if first.shape == shape else second
        own = name if number == len(sources) else f"{name} (of {number})"
        total = builder.declare(own, wide.layout, first.dtype, scale)
        builder.emit_host(
            node, "extreme_ort", (first, second), total, largest=node.op_type == "Max"
        )
    return total


def where_stored(builder: OnnxBuilder, node: RawNode, key: str | None) -> Stored | None:
    """The integer form of a Where between dequantised values with one scale."""
    first, second = (builder.stored(builder.name_at(node, place, "value")) for place in (1, 2))
    if first is None or second is None or first.scale != second.scale:
        return None
    name = key or f"{node.outputs[0]} (stored)"
    sides = first.activation, second.activation
    return Stored(emit_where(builder, node, sides, name, first.scale), first.scale)


def convert_where(builder: OnnxBuilder, node: RawNode) -> None:
    """Where of integers."""
    sides = builder.activation(node, 1), builder.activation(node, 2)
    if sides[0].dtype == "float32":
        builder.refuse(
            node,
            "its values are float32, whose zeros have signs",
            "put it between DequantizeLinear and QuantizeLinear",
        )
    emit_where(builder, node, sides, node.outputs[0], None)


def convert_qlinear_where(builder: OnnxBuilder, node: RawNode) -> None:
    """QLinearWhere: condition, x, scale, zero, y, scale, zero, z scale, z zero."""
    target = builder.scale_at(node, 7)
    sides = []
    for position in (1, 4):
        source = builder.activation(node, position)
        if source.dtype != "uint8" or target.dtype != "uint8":
            # ONNX Runtime reads beyond its table for negative values.
            builder.refuse(node, f"its values have type {source.dtype}", "quantise them to uint8")
        part = Stored(source, builder.scale_at(node, position + 1, source.dtype))
        sides.append(requantised(builder, node, part, node.inputs[position], target))
    emit_where(builder, node, (sides[0], sides[1]), node.outputs[0], target)


def emit_where(
    builder: OnnxBuilder,
    node: RawNode,
    sides: tuple[Activation, Activation],
    name: str,
    scale: Scale | None,
) -> Activation:
    """Values of one tensor or of another, as the condition says."""
    condition = builder.activation(node, 0, "condition")
    first, second = sides
    if first.dtype != second.dtype or condition.dtype != "bool":
        builder.refuse(
            node,
            f"its inputs are {condition.dtype}, {first.dtype} and {second.dtype}",
            "choose by bool between tensors of one type",
        )
    try:
        shape = np.broadcast_shapes(condition.shape, first.shape, second.shape)
    except ValueError:
        builder.refuse(node, "its inputs do not broadcast", "export the model again")
    builder.check_elements(node, shape)
    if first.shape != shape:
        first = expanded(builder, node, first, shape)
    first, _ = whole(builder, node, first)
    first, second = aligned(builder, node, first, second, spread=False)
    first, condition = aligned(builder, node, first, condition, spread=False)
    output = builder.declare(name, first.layout, first.dtype, scale)
    builder.emit_host(node, "where_ort", (condition, first, second), output)
    return output
