"""Operators that move or select values: they work on stored integers and on floats alike.

Reshape, Transpose and their kin only relabel. MaxPool, Relu, Pad and Concat of dequantised values
are the same operators on the stored values.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from compiler.frontends.onnx_builder import Builder
from compiler.frontends.onnx_layout import Layout, Shape
from compiler.frontends.onnx_reader import RawNode
from compiler.frontends.onnx_values import Activation, Scale, Stored
from compiler.frontends.onnx_window import (
    channels_last,
    image_of,
    kernel_shape,
    output_layout,
    read_window,
)
from compiler.ops import Concat, Pad, Pool, PoolKind, Rescale
from compiler.quantisation import Requant, Rounding, integer_range

RELABELLING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout")
_POOLS = ("MaxPool", "GlobalMaxPool")


# ---- relabelling --------------------------------------------------------------------------------


def relabelled(builder: Builder, node: RawNode, layout: Layout) -> Layout | None:
    """The layout of the node's output, None if values would have to move."""
    shape = layout.shape
    match node.op_type:
        case "Transpose":
            permutation = node.integers("perm") or tuple(reversed(range(len(shape))))
            if sorted(permutation) != list(range(len(shape))):
                builder.refuse(node, f"its perm {permutation} does not fit", "export it again")
            return layout.transpose(tuple(permutation))
        case "Identity" | "Dropout":
            return layout
        case "Flatten":
            axis = node.integer("axis", 1)
            if not -len(shape) <= axis <= len(shape):
                builder.refuse(node, f"axis {axis} does not exist", "export the model again")
            axis += len(shape) if axis < 0 else 0
            return layout.reshape(
                (int(np.prod(shape[:axis], dtype=int)), int(np.prod(shape[axis:], dtype=int)))
            )
        case "Reshape":
            return layout.reshape(_reshaped(builder, node, shape))
    return layout.reshape(_squeezed(builder, node, shape))


def _reshaped(builder: Builder, node: RawNode, shape: Shape) -> Shape:
    given: Any = node.integers("shape")
    if given is None:
        given = builder.integers(node, 1, "new shape")
    allow_zero = bool(node.integer("allowzero", 0))
    sizes = [
        shape[axis] if size == 0 and not allow_zero and axis < len(shape) else int(size)
        for axis, size in enumerate(given)
    ]
    total = int(np.prod(shape, dtype=object))
    if sizes.count(-1) == 1:
        rest = -int(np.prod(sizes, dtype=object))
        if rest > 0 and total % rest == 0:
            sizes[sizes.index(-1)] = total // rest
    if min(sizes, default=1) < 1 or int(np.prod(sizes, dtype=object)) != total or len(sizes) > 8:
        builder.refuse(
            node, f"{list(shape)} and {list(given)[:8]} hold different values", "fix its new shape"
        )
    return tuple(sizes)


def _squeezed(builder: Builder, node: RawNode, shape: Shape) -> Shape:
    axes: Any = node.integers("axes")
    if axes is None and builder.has(node, 1):
        axes = builder.integers(node, 1, "axes")
    if node.op_type == "Squeeze":
        chosen = range(len(shape)) if axes is None else axes
        if any(not -len(shape) <= axis < len(shape) for axis in chosen):
            builder.refuse(node, f"axes {list(chosen)} do not exist", "export the model again")
        places = {axis % len(shape) for axis in chosen}
        if axes is not None and any(shape[axis] != 1 for axis in places):
            builder.refuse(node, "it squeezes an axis that is not 1", "export the model again")
        return tuple(size for axis, size in enumerate(shape) if axis not in places or size != 1)
    rank = len(shape) + len(axes or ())
    if axes is None or rank > 8 or any(not -rank <= axis < rank for axis in axes):
        builder.refuse(node, f"its axes {axes} do not fit", "export the model again")
    places = {axis % rank for axis in axes}
    if len(places) != len(axes):
        builder.refuse(node, f"its axes {axes} repeat one", "export the model again")
    rest = iter(shape)
    return tuple(1 if axis in places else next(rest) for axis in range(rank))


def relabel_stored(builder: Builder, node: RawNode, key: str | None) -> Stored | None:
    """The integer form of a relabelling operator between floats."""
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None:
        return None
    layout = relabelled(builder, node, found.activation.layout)
    source = found.activation
    if layout is None:
        source = builder.in_order(node, source, tuple(range(len(source.shape))))
        layout = relabelled(builder, node, source.layout)
        assert layout is not None
    else:
        builder.alias(node, found, layout)
    builder.note(node, "the same values under another shape")
    return Stored(replace(source, layout=layout), found.scale)


def convert_relabel(builder: Builder, node: RawNode) -> None:
    """A relabelling operator of integers, or of floats that exist."""
    source = builder.activation(node, 0)
    layout = relabelled(builder, node, source.layout)
    if layout is None:
        source = builder.in_order(node, source, tuple(range(len(source.shape))))
        layout = relabelled(builder, node, source.layout)
        assert layout is not None
    builder.relabel(node, node.outputs[0], source, layout)


# ---- maximum ------------------------------------------------------------------------------------


def pool_stored(builder: Builder, node: RawNode, key: str | None) -> Stored | None:
    """The integer form of a maximum pool between floats."""
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None or len(node.outputs) > 1 or found.scale.dtype not in ("int8", "uint8"):
        return None
    name = key or f"{node.outputs[0]} (stored)"
    return Stored(emit_max(builder, node, found.activation, name, found.scale), found.scale)


def convert_max(builder: Builder, node: RawNode) -> None:
    """MaxPool and GlobalMaxPool of integers, or of floats that exist."""
    if len([name for name in node.outputs if name]) > 1:
        builder.refuse(node, "it yields the places of its maxima as well", "leave out Indices")
    source = builder.activation(node, 0)
    if source.dtype not in ("float32", "int8", "uint8"):
        builder.refuse(node, f"its input has type {source.dtype}", "cast it to float32")
    emit_max(builder, node, source, node.outputs[0], None)


def emit_max(
    builder: Builder, node: RawNode, source: Activation, name: str, scale: Scale | None
) -> Activation:
    """A maximum pool: 8-bit values on the array, others on the host."""
    source = channels_last(builder, node, source)
    batch, image = image_of(builder, node, source)
    if node.op_type == "GlobalMaxPool":
        taps, stride, pad, dilation, outputs = image[:2], (1, 1), (0, 0, 0, 0), (1, 1), (1, 1)
    else:
        window = read_window(builder, node, source, kernel_shape(builder, node, source), pool=True)
        taps, stride, pad = window.taps, window.stride, window.pad
        dilation, outputs = window.dilation, window.outputs
    layout = output_layout(source, batch, (*outputs, image[2]))
    builder.check_elements(node, layout.shape)
    output = builder.declare(name, layout, source.dtype, scale)
    geometry: dict[str, Any] = {
        "image": image,
        "window": taps,
        "stride": stride,
        "pad": pad,
        "dilation": dilation,
    }
    if source.dtype not in ("int8", "uint8") or dilation != (1, 1):
        reason = "the array's pools have no dilation" if dilation != (1, 1) else ""
        builder.emit_host(node, "max_pool", (source,), output, reason=reason, **geometry)
        return output
    low, high = integer_range(source.dtype)
    builder.emit_for(
        node,
        Pool(
            name=builder.label(node),
            op=node.op_type,
            inputs=(source.key,),
            output=name,
            batch=batch,
            kind=PoolKind.MAX,
            low=low,
            high=high,
            dtype=source.dtype,
            **geometry,
        ),
    )
    return output


# ---- clamps -------------------------------------------------------------------------------------


def relu_stored(builder: Builder, node: RawNode, key: str | None) -> Stored | None:
    """Relu of dequantised values that are not quantised next: stored values from zero on."""
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None or found.scale.dtype not in ("int8", "uint8"):
        return None
    low, high = integer_range(found.scale.dtype)
    name = f"{node.outputs[0]} (stored)"
    output = clamp_stored(
        builder, node, found.activation, name, found.scale, (found.scale.zero_point, high)
    )
    return Stored(output, found.scale)


def clamp_stored(
    builder: Builder,
    node: RawNode,
    source: Activation,
    name: str,
    scale: Scale | None,
    clamp: tuple[int, int],
) -> Activation:
    """8-bit values between two stored values, on the array."""
    output = builder.declare(name, source.layout, source.dtype, scale)
    stage = Requant(
        scale=np.ones(1),
        rounding=Rounding.ORT,
        zero_point=0,
        low=clamp[0],
        high=clamp[1],
        dtype=source.dtype,
    )
    builder.emit_for(
        node,
        Rescale(
            name=builder.label(node),
            op=node.op_type,
            inputs=(source.key,),
            output=name,
            input_zero_point=0,
            stage=stage,
        ),
    )
    return output


# ---- padding, concatenation ---------------------------------------------------------------------


def read_pads(builder: Builder, node: RawNode, rank: int) -> tuple[tuple[int, int], ...]:
    """(before, after) of every axis of the model's tensor."""
    given: Any = node.integers("pads")
    if given is None:
        given = builder.integers(node, 1, "pads")
    if node.text("mode", "constant") != "constant":
        builder.refuse(node, f"its mode is {node.text('mode', '')!r}", "pad with a constant")
    axes: Any = tuple(range(rank))
    if builder.has(node, 3):
        axes = tuple(axis % max(rank, 1) for axis in builder.integers(node, 3, "axes"))
    if len(given) != 2 * len(axes) or len(set(axes)) != len(axes) or min(given, default=0) < 0:
        builder.refuse(node, f"its pads {list(given)[:16]} do not fit its input", "pad with 0 up")
    pads = [(0, 0)] * rank
    for place, axis in enumerate(axes):
        pads[axis] = (given[place], given[place + len(axes)])
    return tuple(pads)


def pad_value(builder: Builder, node: RawNode) -> float:
    """The number that a Pad writes."""
    if builder.has(node, 2):
        return float(builder.scalar(node, 2, "padding value"))
    return node.number("value", 0.0)


def pad_stored(builder: Builder, node: RawNode, key: str | None) -> Stored | None:
    """Padding of dequantised values with 0, whose stored value is the zero point."""
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None or pad_value(builder, node) != 0.0:
        return None
    name = key or f"{node.outputs[0]} (stored)"
    padded = emit_pad(builder, node, found.activation, name, found.scale.zero_point, found.scale)
    return Stored(padded, found.scale)


def convert_pad(builder: Builder, node: RawNode) -> None:
    """Pad of integers, or of floats that exist."""
    source = builder.activation(node, 0)
    value = pad_value(builder, node)
    emit_pad(builder, node, source, node.outputs[0], value, None)


def emit_pad(
    builder: Builder,
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


def concat_stored(builder: Builder, node: RawNode, key: str | None) -> Stored | None:
    """Concatenation of dequantised values with one scale."""
    found = [builder.stored(name) for name in node.inputs]
    present = [part for part in found if part is not None]
    if not present or len(present) < len(found):
        return None
    if any(part.scale != present[0].scale for part in present):
        return None
    name = key or f"{node.outputs[0]} (stored)"
    sources = [part.activation for part in present]
    joined = emit_concat(builder, node, sources, name, present[0].scale)
    return Stored(joined, present[0].scale)


def convert_concat(builder: Builder, node: RawNode) -> None:
    """Concat of integers, or of floats that exist."""
    sources = [builder.activation(node, position) for position in range(len(node.inputs))]
    emit_concat(builder, node, sources, node.outputs[0], None)


def emit_concat(
    builder: Builder,
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
    if parts[0].dtype not in ("int8", "uint8"):
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
