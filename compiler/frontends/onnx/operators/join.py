"""Pad and Concat of integers, of dequantised values, and of floats that exist."""

from collections.abc import Callable
from typing import TypeAlias

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import STORED_TYPES, Activation, Scale, Stored
from compiler.frontends.onnx.operators.requant import requantise_stored
from compiler.frontends.onnx.operators.selection import (
    convert_selection,
    read_pads,
    repeats_edges,
    selection_stored,
)
from compiler.ir.ops import Concat, Pad
from numerics.quantisation import integer_range

Emit: TypeAlias = Callable[[OnnxBuilder, RawNode, list[Activation], str, Scale | None], Activation]
"""What makes an operator's output of its inputs, under a name and with a scale."""


def pad_value(builder: OnnxBuilder, node: RawNode) -> float:
    """The number that a Pad writes."""
    if builder.has(node, 2):
        return float(builder.scalar(node, 2, "padding value"))
    return node.number("value", 0.0)


def pad_stored(builder: OnnxBuilder, node: RawNode, key: str | None) -> Stored | None:
    """Padding of dequantised values, with 0 (the stored zero point) or with some of them."""
    if repeats_edges(node):
        return selection_stored(builder, node, key)
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None or pad_value(builder, node) != 0.0:
        return None
    name = key or f"{node.outputs[0]} (stored)"
    padded = emit_pad(builder, node, found.activation, name, found.scale.zero_point, found.scale)
    return Stored(padded, found.scale)


def convert_pad(builder: OnnxBuilder, node: RawNode) -> None:
    """Pad of integers, or of floats that exist."""
    if repeats_edges(node):
        convert_selection(builder, node)
        return
    source = builder.activation(node, 0)
    value = pad_value(builder, node)
    emit_pad(builder, node, source, node.outputs[0], value, None)


def emit_pad(
    builder: OnnxBuilder,
    node: RawNode,
    source: Activation,
    name: str,
    value: float,
    scale: Scale | None,
) -> Activation:
    """Constant padding of every axis."""
    pads = read_pads(builder, node, len(source.shape))
    shape = tuple(n + sum(pair) for n, pair in zip(source.shape, pads, strict=True))
    builder.check_elements(node, shape)
    image = len(shape) == 4
    layout = Layout.channels_last(shape) if image else Layout.plain(shape)
    order = (0, 2, 3, 1) if image else tuple(range(len(shape)))
    source = builder.in_order(node, source, order)
    output = builder.declare(name, layout, source.dtype, scale)
    if builder.tensor(source).shape != tuple(source.shape[axis] for axis in order):
        source = builder.reshaped(node, source, tuple(source.shape[axis] for axis in order))
    stored = tuple(pads[axis] for axis in order)
    if source.dtype == "float32":
        builder.emit_host(node, "pad_ort", (source,), output, pads=stored, value=value)
        return output
    builder.emit_for(
        node,
        Pad(
            name=builder.label(node),
            op=node.op_type,
            inputs=(source.key,),
            output=name,
            pads=stored,
            value=int(value),
        ),
    )
    return output


def quantise_concat(
    builder: OnnxBuilder, node: RawNode, name: str, target: Scale, absorbed: tuple[RawNode, ...]
) -> Activation | None:
    """A Concat whose inputs have scales of their own: each is brought to the output's first."""
    found = [builder.stored(source) for source in node.inputs]
    present = [part for part in found if part is not None]
    if not present or len(present) < len(found):
        return None
    if any(part.scale.dtype not in STORED_TYPES for part in present):
        return None
    for other in absorbed:
        builder.note(other, f"computed together with {builder.label(node)}")
    sources = [
        requantised(builder, node, part, source, target)
        for part, source in zip(present, node.inputs, strict=True)
    ]
    return emit_concat(builder, node, sources, name, target)


def requantised(
    builder: OnnxBuilder, node: RawNode, part: Stored, source: str, target: Scale
) -> Activation:
    """One input of a concatenation at the output's scale."""
    if part.scale == target:
        return part.activation
    name = f"{source} for {builder.label(node)}"
    known = builder.activations.get(name)
    if known is not None:
        return known
    return requantise_stored(builder, node, part, name, target, integer_range(target.dtype))


def stored_of_one_scale(
    builder: OnnxBuilder, node: RawNode, key: str | None, emit: Emit
) -> Stored | None:
    """What `emit` makes of the stored inputs of an operator; None if one has another scale."""
    found = [builder.stored(name) for name in node.inputs]
    present = [part for part in found if part is not None]
    if not present or len(present) < len(found):
        return None
    scale = present[0].scale
    if any(part.scale != scale for part in present):
        return None
    name = key or f"{node.outputs[0]} (stored)"
    sources = [part.activation for part in present]
    return Stored(emit(builder, node, sources, name, scale), scale)


def concat_stored(builder: OnnxBuilder, node: RawNode, key: str | None) -> Stored | None:
    """Concatenation of dequantised values with one scale."""
    return stored_of_one_scale(builder, node, key, emit_concat)


def convert_concat(builder: OnnxBuilder, node: RawNode) -> None:
    """Concat of integers, or of floats that exist."""
    sources = [builder.activation(node, position) for position in range(len(node.inputs))]
    emit_concat(builder, node, sources, node.outputs[0], None)


def emit_concat(
    builder: OnnxBuilder,
    node: RawNode,
    sources: list[Activation],
    name: str,
    scale: Scale | None,
) -> Activation:
    """Tensors of one type joined along an axis."""
    rank = len(sources[0].shape) if sources else 0
    axis = node.integer("axis", rank)
    if not -rank <= axis < rank:
        builder.refuse(node, f"axis {axis} does not exist", "export the model again")
    axis %= rank
    rests = {part.shape[:axis] + part.shape[axis + 1 :] for part in sources}
    if len(rests) > 1 or len({part.dtype for part in sources}) > 1:
        builder.refuse(
            node, "its inputs differ in type or beyond the joined axis", "export it again"
        )
    shape = list(sources[0].shape)
    shape[axis] = sum(part.shape[axis] for part in sources)
    builder.check_elements(node, tuple(shape))
    image = rank == 4
    order = (0, 2, 3, 1) if image else tuple(range(rank))
    parts = []
    for part in sources:
        part = builder.in_order(node, part, order)
        wanted = tuple(part.shape[a] for a in order)
        if builder.tensor(part).shape != wanted:
            part = builder.reshaped(node, part, wanted)
        parts.append(part)
    layout = Layout.channels_last(tuple(shape)) if image else Layout.plain(tuple(shape))
    output = builder.declare(name, layout, parts[0].dtype, scale)
    if parts[0].dtype not in STORED_TYPES:
        builder.emit_host(node, "concat_ort", tuple(parts), output, axes=(order.index(axis),))
        return output
    builder.emit_for(
        node,
        Concat(
            name=builder.label(node),
            op=node.op_type,
            inputs=tuple(part.key for part in parts),
            output=name,
            axis=order.index(axis),
        ),
    )
    return output
