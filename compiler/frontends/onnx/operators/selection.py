"""Operators that choose values along axes: Slice, Split, Gather, Tile, Expand, nearest Resize.

They work on stored integers, on integers and on floats alike: a host step moves the values. A
Split is taken apart when the model is read: each of its outputs is an operator of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout, Shape
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import Activation, Scale, Stored
from compiler.frontends.onnx.operators.chain import quantised
from compiler.frontends.onnx.operators.resize import (
    Resized,
    check_outside,
    linear_axes,
    read_resize,
)
from compiler.ir.ops import RELABELLED, Array, HostStep

SELECTING = ("Slice", "Split", "Gather", "Tile", "Expand", "Resize", "Upsample")
_RESIZES = ("Resize", "Upsample")
_REPEATING = ("edge", "reflect", "wrap")  # modes of a Pad
_Indices = dict[int, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Values at `indices` along axes of a tensor seen as `before`, then the shape `after`.

    Index -1 stands for `fill`, a real number.
    """

    before: Shape
    indices: _Indices
    after: Shape
    fill: float | None = None


def parts_of(node: RawNode) -> Iterator[RawNode]:
    """The operators, with one output each, that a Split consists of; any other operator itself."""
    if node.op_type != "Split":
        yield node
        return
    for number, name in enumerate(node.outputs):
        if name:
            given = {**node.attributes, "part": number, "parts": len(node.outputs)}
            yield replace(node, outputs=(name,), attributes=given)


def interpolates(node: RawNode) -> bool:
    """Whether the operator is a Resize that computes new values."""
    return node.op_type in _RESIZES and node.text("mode", "nearest") != "nearest"


def read_selection(builder: OnnxBuilder, node: RawNode, shape: Shape) -> Selection | None:
    """What the operator chooses of a tensor of this shape; None if it interpolates."""
    if node.op_type in _RESIZES:
        resized = read_resize(builder, node, shape)
        if resized.mode != "nearest":
            return None
        chosen = resized.nearest(node, shape, builder.raw.opset)
        return Selection(before=shape, indices=chosen, after=resized.shape, fill=resized.outside)
    found = _READERS[node.op_type](builder, node, shape)
    builder.check_elements(node, found.after)
    return found


def _plain(shape: Shape, indices: _Indices) -> Selection:
    after = tuple(len(indices[axis]) if axis in indices else n for axis, n in enumerate(shape))
    kept = {axis: chosen for axis, chosen in indices.items() if chosen != tuple(range(shape[axis]))}
    return Selection(before=shape, indices=kept, after=after)


def _axis(builder: OnnxBuilder, node: RawNode, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        builder.refuse(node, f"axis {axis} does not exist", "export the model again")
    return axis % rank


def _slice(builder: OnnxBuilder, node: RawNode, shape: Shape) -> Selection:
    listed: list[tuple[int, ...] | None] = [
        node.integers(name) for name in ("starts", "ends", "axes")
    ]
    steps: tuple[int, ...] | None = None
    if listed[0] is None:
        names = ("starts", "ends", "axes", "steps")
        listed = [
            builder.integers(node, place, what) if builder.has(node, place) else None
            for place, what in enumerate(names, start=1)
        ]
        steps = listed[3]
    starts, ends, axes = listed[:3]
    if starts is None or ends is None:
        builder.refuse(node, "it has no starts or ends", "export the model again")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        builder.refuse(node, "its starts, ends, axes and steps do not fit", "correct the model")
    indices: _Indices = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = _axis(builder, node, axis, len(shape))
        span = range(*slice(start, end, step).indices(shape[place]))
        if not span:
            builder.refuse(node, f"nothing is left of axis {axis}", "correct its ends")
        indices[place] = tuple(span)
    return _plain(shape, indices)


def _split(builder: OnnxBuilder, node: RawNode, shape: Shape) -> Selection:
    axis = _axis(builder, node, node.integer("axis", 0), len(shape))
    count, part = node.integer("parts", 1), node.integer("part", 0)
    sizes = node.integers("split")
    if sizes is None and builder.has(node, 1):
        sizes = builder.integers(node, 1, "sizes")
    if sizes is None:
        each = -(-shape[axis] // count)
        sizes = tuple(min(each, shape[axis] - each * number) for number in range(count))
    if len(sizes) < count or min(sizes) < 1 or sum(sizes) != shape[axis]:
        builder.refuse(
            node, f"its parts {list(sizes)[:8]} do not make up {shape[axis]}", "correct the model"
        )
    start = sum(sizes[:part])
    return _plain(shape, {axis: tuple(range(start, start + sizes[part]))})


def _gather(builder: OnnxBuilder, node: RawNode, shape: Shape) -> Selection:
    axis = _axis(builder, node, node.integer("axis", 0), len(shape))
    given: Any = builder.constant(node, 1, "indices")
    size = shape[axis]
    after = (*shape[:axis], *given.shape, *shape[axis + 1 :])
    builder.check_elements(node, after)
    if given.dtype.kind not in "iu" or given.min() < -size or given.max() >= size:
        builder.refuse(
            node, f"its indices do not lie within an axis of {size}", "correct the model"
        )
    chosen = tuple(int(index) % size for index in given.reshape(-1))
    return replace(_plain(shape, {axis: chosen}), after=after)


def _tile(builder: OnnxBuilder, node: RawNode, shape: Shape) -> Selection:
    repeats = builder.integers(node, 1, "repeats")
    if len(repeats) != len(shape) or min(repeats, default=0) < 1:
        builder.refuse(node, f"its repeats {list(repeats)[:8]} do not fit", "correct the model")
    after = tuple(n * times for n, times in zip(shape, repeats, strict=True))
    builder.check_elements(node, after)
    return _plain(
        shape, {axis: tuple(range(shape[axis])) * times for axis, times in enumerate(repeats)}
    )


def _expand(builder: OnnxBuilder, node: RawNode, shape: Shape) -> Selection:
    wanted = builder.integers(node, 1, "shape")
    try:
        after: Shape = np.broadcast_shapes(shape, wanted)
    except ValueError:
        builder.refuse(
            node, f"{list(shape)} does not broadcast to {list(wanted)[:8]}", "correct the model"
        )
    builder.check_elements(node, after)
    before = (1,) * (len(after) - len(shape)) + shape
    return _plain(before, {axis: (0,) * n for axis, n in enumerate(after) if n != before[axis]})


def read_pads(builder: OnnxBuilder, node: RawNode, rank: int) -> tuple[tuple[int, int], ...]:
    """(before, after) of every axis of the model's tensor."""
    given: Any = node.integers("pads")
    if given is None:
        given = builder.integers(node, 1, "pads")
    mode = node.text("mode", "constant")
    if mode not in ("constant", *_REPEATING):
        builder.refuse(node, f"its mode is {mode!r}", "pad with a constant")
    axes: Any = tuple(range(rank))
    if builder.has(node, 3):
        axes = tuple(axis % max(rank, 1) for axis in builder.integers(node, 3, "axes"))
    if len(given) != 2 * len(axes) or len(set(axes)) != len(axes) or min(given, default=0) < 0:
        builder.refuse(node, f"its pads {list(given)[:16]} do not fit its input", "pad with 0 up")
    pads = [(0, 0)] * rank
    for place, axis in enumerate(axes):
        pads[axis] = (given[place], given[place + len(axes)])
    return tuple(pads)


def repeats_edges(node: RawNode) -> bool:
    """Whether the operator is a Pad with values of its input."""
    return node.op_type == "Pad" and node.text("mode", "constant") in _REPEATING


def _padded(builder: OnnxBuilder, node: RawNode, shape: Shape) -> Selection:
    pads, mode = read_pads(builder, node, len(shape)), node.text("mode", "")
    most = {"reflect": -1, "wrap": 0}.get(mode)
    for size, pair in zip(shape, pads, strict=True):
        if most is not None and max(pair) > size + most:
            builder.refuse(node, f"it pads {size} by {max(pair)} in mode {mode!r}", "pad less")
    after = tuple(n + sum(pair) for n, pair in zip(shape, pads, strict=True))
    builder.check_elements(node, after)
    kind: Any = mode
    places = [np.pad(np.arange(n), pair, mode=kind) for n, pair in zip(shape, pads, strict=True)]
    return _plain(shape, {axis: tuple(row.tolist()) for axis, row in enumerate(places)})


_READERS = {
    "Pad": _padded,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Tile": _tile,
    "Expand": _expand,
}


def expanded(builder: OnnxBuilder, node: RawNode, source: Activation, shape: Shape) -> Activation:
    """A tensor repeated to a shape that it broadcasts to."""
    layout = source.layout.reshape((1,) * (len(shape) - len(source.shape)) + source.shape)
    assert layout is not None  # more axes of size 1
    source, order = whole(builder, node, replace(source, layout=layout))
    axes = [axis for axis, size in enumerate(source.shape) if size != shape[axis]]
    key = f"{source.key} repeated for {builder.label(node)}"
    output = builder.declare(key, Layout.stored_as(shape, order), source.dtype)
    builder.emit(
        HostStep(
            name=f"{builder.label(node)} input",
            op="Expand",
            inputs=(source.key,),
            output=key,
            function="take_ort",
            parameters={
                "axes": tuple(order.index(axis) for axis in axes),
                "indices": tuple((0,) * shape[axis] for axis in axes),
            },
        )
    )
    return output


# ---- emission -----------------------------------------------------------------------------------


def selection_stored(builder: OnnxBuilder, node: RawNode, key: str | None) -> Stored | None:
    """The integer form of an operator that chooses dequantised values."""
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None:
        return None
    selection = read_selection(builder, node, found.activation.shape)
    if selection is None or selection.fill:  # 0 is the zero point; others are no stored value
        return None
    if not selection.indices:  # the same values
        layout = found.activation.layout.reshape(selection.after)
        assert layout is not None  # more axes of size 1
        builder.alias(node, found, layout)
        builder.note(node, RELABELLED)
        return Stored(replace(found.activation, layout=layout), found.scale)
    name = key or f"{node.outputs[0]} (stored)"
    made = emit_selection(builder, node, found.activation, name, found.scale)
    return Stored(made, found.scale)


def convert_selection(builder: OnnxBuilder, node: RawNode) -> None:
    """An operator that chooses integers, or floats that exist; a linear Resize of them."""
    source = builder.activation(node, 0)
    if node.op_type in _RESIZES:
        resized = read_resize(builder, node, source.shape)
        if resized.mode == "linear":
            _interpolate(builder, node, source, resized)
            return
    emit_selection(builder, node, source, node.outputs[0], None)


def emit_selection(
    builder: OnnxBuilder,
    node: RawNode,
    source: Activation,
    name: str,
    scale: Scale | None,
    clamp: tuple[int, int] | None = None,
) -> Activation:
    """Chooses values of a tensor, whose scale fills what lies outside it."""
    selection = read_selection(builder, node, source.shape)
    assert selection is not None
    if selection.before != source.shape:
        layout = source.layout.reshape(selection.before)
        assert layout is not None  # more axes of size 1
        source = replace(source, layout=layout)
    source, order = whole(builder, node, source)
    chosen = Layout.stored_as(_chosen_shape(selection), order)
    after = chosen.reshape(selection.after)
    assert after is not None  # one axis is split or left out
    if not selection.indices:
        return builder.relabel(node, name, source, after)
    output = builder.declare(name, after, source.dtype, scale)
    fill: dict[str, Any] = {}
    if any(-1 in chosen for chosen in selection.indices.values()):
        value = selection.fill or 0.0
        if scale is None:
            check_outside(builder, node, source.dtype, value)
        if scale is not None:
            value = quantised(value, scale)
            value = value if clamp is None else min(max(value, clamp[0]), clamp[1])
        fill = {"fill": value}
    axes = tuple(order.index(axis) for axis in selection.indices)
    indices = tuple(selection.indices.values())
    ranges = [_as_range(chosen) for chosen in indices]
    if None not in ranges and not fill:
        start, stop, step = zip(*(part for part in ranges if part is not None), strict=True)
        builder.emit_host(
            node, "slice", (source,), output, axes=axes, start=start, stop=stop, step=step
        )
    else:
        builder.emit_host(node, "take_ort", (source,), output, axes=axes, indices=indices, **fill)
    return output


def _as_range(chosen: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(start, stop, step) of indices that rise evenly; None for others."""
    step = chosen[1] - chosen[0] if len(chosen) > 1 else 1
    if step < 1 or chosen != tuple(range(chosen[0], chosen[-1] + 1, step)):
        return None
    return chosen[0], chosen[-1] + 1, step


def _chosen_shape(selection: Selection) -> Shape:
    return tuple(
        len(selection.indices[axis]) if axis in selection.indices else size
        for axis, size in enumerate(selection.before)
    )


def whole(builder: OnnxBuilder, node: RawNode, source: Activation) -> tuple[Activation, Shape]:
    """The tensor stored with each of the model's axes as one of its own, and their order."""
    rank = len(source.shape)
    if source.layout.tensor_form()[2] is not None:
        source = builder.in_order(node, source, tuple(range(rank)))
        source = replace(source, layout=Layout.plain(source.shape))
    permutation = source.layout.tensor_form()[1]
    order = tuple(range(rank))
    if permutation is not None:
        order = tuple(int(axis) for axis in np.argsort(permutation))
    return builder.in_form(node, source), order


def _interpolate(builder: OnnxBuilder, node: RawNode, source: Activation, resized: Resized) -> None:
    """A linear Resize, on the host."""
    if source.dtype not in ("float32", "int8", "uint8"):
        builder.refuse(node, f"its input has type {source.dtype}", "cast it to float32")
    if resized.shape == source.shape:
        builder.relabel(node, node.outputs[0], source, source.layout)
        return
    axes, places = linear_axes(builder, node, source.shape, resized)
    if axes == (1, 2) and len(source.shape) == 4 and source.dtype != "float32":
        builder.refuse(node, "it interpolates integers with the channels last", "put it on floats")
    source, order = whole(builder, node, source)
    output = builder.declare(node.outputs[0], Layout.stored_as(resized.shape, order), source.dtype)
    check_outside(builder, node, source.dtype, resized.outside)
    outside: dict[str, Any] = {} if resized.outside is None else {"outside": resized.outside}
    builder.emit_host(
        node,
        "resize_linear",
        (source,),
        output,
        axes=tuple(order.index(axis) for axis in axes),
        places=tuple(tuple(float(n) for n in row) for row in places),
        **outside,
    )


def selected(builder: OnnxBuilder, node: RawNode, value: Array) -> Array:
    """A constant as an operator that chooses values leaves it."""
    selection = read_selection(builder, node, tuple(value.shape))
    if selection is None or selection.fill is not None:
        builder.refuse(node, "it resizes a constant", "save the model with its constants folded")
    value = value.reshape(selection.before)
    for axis, chosen in selection.indices.items():
        value = np.take(value, chosen, axis=axis)
    return value.reshape(selection.after)
