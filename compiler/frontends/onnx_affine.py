"""What follows a product of dequantised operands and is part of it: all that is linear by channel.

Adding or subtracting a constant, multiplying by one and batch normalisation change scale and bias
of each output channel. Operators that only move values may lie between; they are repeated on the
stored values afterwards.
"""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from compiler.frontends.onnx_builder import Builder
from compiler.frontends.onnx_layout import Layout, Shape
from compiler.frontends.onnx_mac import convolution_window
from compiler.frontends.onnx_operands import bias_part, quantised_product
from compiler.frontends.onnx_product import CONVOLUTIONS, Mac, added, scaled
from compiler.frontends.onnx_reader import RawNode
from compiler.frontends.onnx_select import RELABELLING, relabelled
from compiler.ops import Array

PRODUCTS = ("Conv", "Gemm", "MatMul")
_LINEAR = ("Add", "Sub", "Mul", "Div", "BatchNormalization")


@dataclass(frozen=True, eq=False, kw_only=True)
class Product:
    """A float tensor that is a product, and the moves of its values that lie on the way."""

    mac: Mac
    moves: tuple[RawNode, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class _View:
    """The model's shape of the tensor so far, and which axis holds the channels (None: several)."""

    shape: Shape
    axis: int | None


def product_before(builder: Builder, name: str) -> Product | None:
    """The product that a float tensor is, with all that is linear after it; else None."""
    after: list[RawNode] = []
    while True:
        node = builder.pending.get(name)
        if node is None:
            return None
        if node.op_type in PRODUCTS:
            break
        source = _operand_before(builder, node)
        if source is None:
            return None
        after.append(node)
        name = source
    mac = quantised_product(builder, node)
    if mac is None or not after:
        return None if mac is None else Product(mac=mac)
    view = _first_view(builder, mac)
    moves: list[RawNode] = []
    for node in reversed(after):
        if node.op_type in RELABELLING:
            moves.append(node)
            view = _moved(builder, node, view)
            continue
        joined = _joined(builder, node, mac, view)
        if joined is None:
            return None
        mac = replace(joined, others=(*joined.others, node))
    return Product(mac=mac, moves=tuple(moves))


def _operand_before(builder: Builder, node: RawNode) -> str | None:
    """The float operand of an operator that is linear in it, all others being constants."""
    if node.op_type in RELABELLING or node.op_type == "BatchNormalization":
        return node.inputs[0]
    if node.op_type not in _LINEAR or len(node.inputs) != 2:
        return None
    if "axis" in node.attributes or node.integer("broadcast", 0):
        return None  # operator sets below 7 align the operands otherwise
    first, second = node.inputs
    if second in builder.constants and first not in builder.constants:
        return first
    if first in builder.constants and second not in builder.constants and node.op_type != "Div":
        return second
    return None


def _first_view(builder: Builder, mac: Mac) -> _View:
    source, M = mac.source.shape, mac.channels
    if mac.raw.op_type not in CONVOLUTIONS:
        return _View(shape=(*source[:-1], M), axis=len(source) - 1)
    outputs = convolution_window(builder, mac).outputs
    return _View(shape=(source[0], M, *outputs[4 - len(source) :]), axis=1)


def _moved(builder: Builder, node: RawNode, view: _View) -> _View:
    """The shape after a move, and the channels' axis if that is still one."""
    layout = relabelled(builder, node, Layout.plain(view.shape))
    assert layout is not None  # a plain layout can be split in any way
    shape = layout.shape
    if view.axis is None:
        return _View(shape=shape, axis=None)
    if node.op_type == "Transpose":
        order = node.integers("perm") or tuple(reversed(range(len(shape))))
        return _View(shape=shape, axis=order.index(view.axis))
    before, size = prod(view.shape[: view.axis]), view.shape[view.axis]
    places = (
        place
        for place, other in enumerate(shape)
        if other == size and prod(shape[:place]) == before
    )
    return _View(shape=shape, axis=next(places, None))


def _joined(builder: Builder, node: RawNode, mac: Mac, view: _View) -> Mac | None:
    """The product with one more operator as part of it; None where that is not by channel."""
    if node.op_type == "BatchNormalization":
        return _normalised(builder, node, mac) if view.axis == 1 else None
    position = 1 if node.inputs[1] in builder.constants else 0
    name = node.inputs[position]
    if node.op_type in ("Mul", "Div"):
        value = by_channel(builder.constants[name].astype(np.float64), view, mac.channels)
        if value is None or builder.constants[name].dtype != np.float32:
            return None
        with np.errstate(all="ignore"):
            return scaled(builder, node, mac, 1 / value if node.op_type == "Div" else value)
    if node.op_type == "Sub" and position == 0:
        mac = scaled(builder, node, mac, np.asarray([-1.0]))
    share = -1.0 if node.op_type == "Sub" and position == 1 else 1.0
    return bias_part(builder, mac, name, share, lambda value: by_channel(value, view, mac.channels))


def by_channel(value: Array, view: _View, channels: int) -> Array | None:
    """A constant that broadcasts to the tensor as one value for all channels or for each.

    None where it tells apart more than channels, or gives the sum another shape.
    """
    rank = len(view.shape)
    if value.ndim > rank:
        return None
    aligned = value.reshape((1,) * (rank - value.ndim) + value.shape)
    if any(size not in (1, whole) for size, whole in zip(aligned.shape, view.shape, strict=True)):
        return None
    if view.axis is None:
        rows = aligned.reshape(1, -1)
    else:
        moved = np.moveaxis(aligned, view.axis, 0)
        rows = moved.reshape(len(moved), -1)
    column = rows[:, :1]
    if len(rows) not in (1, channels) or not np.array_equal(
        np.broadcast_to(column, rows.shape), rows
    ):
        return None
    return np.asarray(column.reshape(-1))


def _normalised(builder: Builder, node: RawNode, mac: Mac) -> Mac:
    """BatchNormalization: y = (x - mean) * g + beta with g = gamma / sqrt(variance + epsilon)."""
    gamma, beta, mean, variance = (
        _parameter(builder, node, position, mac.channels) for position in (1, 2, 3, 4)
    )
    if node.integer("training_mode", 0) or not node.integer("spatial", 1):
        builder.refuse(node, "it does not normalise by channel", "export the model for inference")
    epsilon = float(np.float32(node.number("epsilon", 1e-5)))
    with np.errstate(all="ignore"):
        factor = gamma / np.sqrt(variance + epsilon)
    joined = scaled(builder, node, mac, factor)
    return added(added(joined, addend=-mean * factor), addend=beta)


def _parameter(builder: Builder, node: RawNode, position: int, channels: int) -> Array:
    value = builder.constant(node, position, "parameter").reshape(-1).astype(np.float64)
    if value.size != channels:
        builder.refuse(node, f"it has {value.size} parameters for {channels} channels", "re-export")
    return np.asarray(value)
