"""Operators that move or select values: they work on stored integers and on floats alike.

Reshape, Transpose and their kin only relabel. MaxPool and Relu of dequantised values are the same
operators on the stored values.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout, Shape
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import STORED_TYPES, Activation, Scale, Stored
from compiler.frontends.onnx.model.window import (
    WindowGeometry,
    channels_last,
    check_work,
    image_of,
    kernel_shape,
    order_of_taps,
    output_layout,
    read_window,
)
from compiler.ir.ops import Image, Pool, PoolKind, Rescale
from numerics.quantisation import Requant, RoundingRule, integer_range

RELABELLING = (
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout"),
    *("DepthToSpace", "SpaceToDepth"),
)
POOLS = ("MaxPool", "GlobalMaxPool")


# ---- relabelling --------------------------------------------------------------------------------


def relabelled(builder: OnnxBuilder, node: RawNode, layout: Layout) -> Layout | None:
    """The layout of the node's output, None if values would have to move."""
    shape = layout.shape
    match node.op_type:
        case "Transpose":
            permutation = node.integers("perm") or tuple(reversed(range(len(shape))))
            if sorted(permutation) != list(range(len(shape))):
                builder.refuse(node, f"its perm {permutation} does not fit", "export it again")
            return layout.transpose(tuple(permutation))
        case "Identity" | "Dropout":
            if builder.has(node, 2) and builder.scalar(node, 2, "training mode"):
                builder.refuse(node, "it drops values at random", "export the model for inference")
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
        case "DepthToSpace" | "SpaceToDepth":
            return _blocked(builder, node, layout)
    return layout.reshape(_squeezed(builder, node, shape))


def _blocked(builder: OnnxBuilder, node: RawNode, layout: Layout) -> Layout | None:
    """Blocks of channels as squares of an image, or the way back."""
    block, deep = node.integer("blocksize", 0), node.op_type == "DepthToSpace"
    columns = node.text("mode", "DCR") == "CRD"
    N, C, H, W = layout.shape if len(layout.shape) == 4 else (1, 0, 0, 0)
    fits = (
        block > 0 and C > 0 and (C % (block * block) == 0 if deep else H % block == W % block == 0)
    )
    if not fits:
        builder.refuse(
            node, f"its blocks of {block} do not fit {list(layout.shape)}", "correct the model"
        )
    square = block * block
    if deep:
        split = (
            (N, C // square, block, block, H, W)
            if columns
            else (N, block, block, C // square, H, W)
        )
        order = (0, 1, 4, 2, 5, 3) if columns else (0, 3, 4, 1, 5, 2)
        joined = (N, C // square, H * block, W * block)
    else:
        split = (N, C, H // block, block, W // block, block)
        order = (0, 1, 3, 5, 2, 4) if columns else (0, 3, 5, 1, 2, 4)
        joined = (N, C * square, H // block, W // block)
    parts = layout.reshape(split)
    return None if parts is None else parts.transpose(order).reshape(joined)


def _reshaped(builder: OnnxBuilder, node: RawNode, shape: Shape) -> Shape:
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


def _squeezed(builder: OnnxBuilder, node: RawNode, shape: Shape) -> Shape:
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


def relabel_stored(builder: OnnxBuilder, node: RawNode, key: str | None) -> Stored | None:
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


def convert_relabel(builder: OnnxBuilder, node: RawNode) -> None:
    """A relabelling operator of integers, or of floats that exist."""
    relabel_to(builder, node, builder.activation(node, 0), node.outputs[0])


def relabel_to(builder: OnnxBuilder, node: RawNode, source: Activation, name: str) -> Activation:
    """The tensor `name`: what a relabelling operator makes of this one."""
    seen = seen_as(builder, node, source)
    return builder.relabel(node, name, seen, seen.layout)


def seen_as(builder: OnnxBuilder, node: RawNode, source: Activation) -> Activation:
    """A tensor as a relabelling operator has it, with values moved if need be; no tensor's name."""
    layout = relabelled(builder, node, source.layout)
    if layout is None:
        source = builder.in_order(node, source, tuple(range(len(source.shape))))
        layout = relabelled(builder, node, source.layout)
        assert layout is not None
    return replace(source, layout=layout)


# ---- maximum ------------------------------------------------------------------------------------


def pool_stored(builder: OnnxBuilder, node: RawNode, key: str | None) -> Stored | None:
    """The integer form of a maximum pool between floats."""
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None or len(node.outputs) > 1 or found.scale.dtype not in STORED_TYPES:
        return None
    name = key or f"{node.outputs[0]} (stored)"
    return Stored(emit_max(builder, node, found.activation, name, found.scale), found.scale)


def convert_max(builder: OnnxBuilder, node: RawNode) -> None:
    """MaxPool and GlobalMaxPool of integers, or of floats that exist."""
    source = builder.activation(node, 0)
    if source.dtype not in (*STORED_TYPES, "float32"):
        builder.refuse(node, f"its input has type {source.dtype}", "cast it to float32")
    emit_max(builder, node, source, node.outputs[0], None)
    if len(node.outputs) > 1 and node.outputs[1]:
        emit_indices(builder, node, source, node.outputs[1])


def emit_max(
    builder: OnnxBuilder, node: RawNode, source: Activation, name: str, scale: Scale | None
) -> Activation:
    """A maximum pool: stored values on the array, others on the host."""
    source = channels_last(builder, node, source)
    batch, image = image_of(builder, node, source)
    if node.op_type == "GlobalMaxPool":
        window = WindowGeometry(image[:2], (1, 1), (1, 1), (0, 0, 0, 0), (1, 1))
    else:
        window = read_window(builder, node, source, kernel_shape(builder, node, source), pool=True)
    check_work(builder, node, window, image[2])
    dilation = window.dilation
    layout = output_layout(source, batch, (*window.outputs, image[2]))
    builder.check_elements(node, layout.shape)
    output = builder.declare(name, layout, source.dtype, scale)
    geometry: dict[str, Any] = {
        "image": image,
        "window": window.taps,
        "stride": window.stride,
        "pad": window.pad,
        "dilation": dilation,
    }
    if source.dtype not in STORED_TYPES or dilation != (1, 1):
        reason = "the array's pools have no dilation" if dilation != (1, 1) else ""
        order = _order_of_maxima(node, image, window, len(source.shape))
        builder.emit_host(
            node, "max_pool", (source,), output, reason=reason, order=order, **geometry
        )
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


def _order_of_maxima(node: RawNode, image: Image, window: WindowGeometry, rank: int) -> str:
    """How ONNX Runtime's kernel for this form of the operator goes through a window of floats."""
    if window.dilation != (1, 1) or len(node.outputs) > 1:
        return "values"
    order = order_of_taps(image, window)
    return "rows" if order == "columns" and rank < 4 else order


def emit_indices(builder: OnnxBuilder, node: RawNode, source: Activation, name: str) -> None:
    """Where the maxima of a pool lie in its input, on the host."""
    source = channels_last(builder, node, source)
    batch, image = image_of(builder, node, source)
    window = read_window(builder, node, source, kernel_shape(builder, node, source), pool=True)
    layout = output_layout(source, batch, (*window.outputs, image[2]))
    output = builder.declare(name, layout, "int64")
    builder.emit_host(
        node,
        "max_pool_indices",
        (source,),
        output,
        batch=batch,
        by_columns=bool(node.integer("storage_order", 0)),
        image=image,
        window=window.taps,
        stride=window.stride,
        pad=window.pad,
        dilation=window.dilation,
    )


# ---- clamps -------------------------------------------------------------------------------------


def relu_stored(builder: OnnxBuilder, node: RawNode, key: str | None) -> Stored | None:
    """Relu of dequantised values that are not quantised next: stored values from zero on."""
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None or found.scale.dtype not in STORED_TYPES:
        return None
    low, high = integer_range(found.scale.dtype)
    name = f"{node.outputs[0]} (stored)"
    output = clamp_stored(
        builder, node, found.activation, name, found.scale, (found.scale.zero_point, high)
    )
    return Stored(output, found.scale)


def clamp_stored(
    builder: OnnxBuilder,
    node: RawNode,
    source: Activation,
    name: str,
    scale: Scale | None,
    clamp: tuple[int, int],
) -> Activation:
    """Stored values between two others, on the array."""
    output = builder.declare(name, source.layout, source.dtype, scale)
    stage = Requant(
        scale=np.ones(1),
        rounding=RoundingRule.ORT,
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
