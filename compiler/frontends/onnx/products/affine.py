"""What follows a product of dequantised operands and is part of it: all that is linear by channel.

Adding or subtracting a constant, multiplying by one and batch normalisation change scale and bias
of each output channel. Operators that only move values may lie between; they are repeated on the
stored values afterwards.
"""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout, Shape
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.operators.select import RELABELLING, relabelled
from compiler.frontends.onnx.products.mac import convolution_window
from compiler.frontends.onnx.products.operands import bias_part, quantised_product
from compiler.frontends.onnx.products.product import CONVOLUTIONS, Mac, added, scaled
from compiler.ir.ops import Array

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
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


@dataclass(frozen=True, eq=False)
class _Found:
    """What `product_before` has found for a name; a view only where something follows it."""

    product: Product
    view: _View | None = None


def product_before(builder: OnnxBuilder, name: str) -> Product | None:
    """The product that a float tensor is, with all that is linear after it; else None."""
    wanted, after = name, [name]  # names from the wanted one back to one that is known
    while name not in builder.products:
        node = builder.pending.get(name)
        source = None if node is None else _operand_before(builder, node)
        if node is not None and node.op_type in PRODUCTS:
            mac = quantised_product(builder, node)
            builder.products[name] = None if mac is None else _Found(Product(mac=mac))
        elif source is None:
            builder.products[name] = None
        else:
            name = source
            after.append(name)
    found = builder.products[name]
    for number, follower in enumerate(reversed(after[:-1]), start=2):
        if found is not None:
            assert isinstance(found, _Found)
            found = _followed(builder, builder.pending[follower], found)
        if found is None:  # then no name after this one is a product either
            builder.products.update(dict.fromkeys(after[: len(after) - number + 1]))
            return None
    builder.products[wanted] = found
    if found is None:
        return None
    assert isinstance(found, _Found)
    return found.product


def _followed(builder: OnnxBuilder, node: RawNode, found: _Found) -> _Found | None:
    """The product with one more operator after it; None where that is not linear by channel."""
    product, mac = found.product, found.product.mac
    view = found.view or _first_view(builder, mac)
    if node.op_type in RELABELLING:
        moves = (*product.moves, node)
        return _Found(replace(product, moves=moves), _moved(builder, node, view))
    joined = _joined(builder, node, mac, view)
    if joined is None:
        return None
    return _Found(replace(product, mac=replace(joined, others=(*joined.others, node))), view)


def _operand_before(builder: OnnxBuilder, node: RawNode) -> str | None:
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


def _first_view(builder: OnnxBuilder, mac: Mac) -> _View:
    source, M = mac.source.shape, mac.channels
    if mac.raw.op_type not in CONVOLUTIONS:
        return _View(shape=(*source[:-1], M), axis=len(source) - 1)
    outputs = convolution_window(builder, mac).outputs
    return _View(shape=(source[0], M, *outputs[4 - len(source) :]), axis=1)


def _moved(builder: OnnxBuilder, node: RawNode, view: _View) -> _View:
    """The shape after a move, and the channels' axis if that is still one."""
    layout = relabelled(builder, node, Layout.plain(view.shape))
    assert layout is not None  # a plain layout can be split in any way
    shape = layout.shape
    if view.axis is None or node.op_type in ("DepthToSpace", "SpaceToDepth"):
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


def _joined(builder: OnnxBuilder, node: RawNode, mac: Mac, view: _View) -> Mac | None:
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


def _normalised(builder: OnnxBuilder, node: RawNode, mac: Mac) -> Mac:
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


def _parameter(builder: OnnxBuilder, node: RawNode, position: int, channels: int) -> Array:
    value = builder.constant(node, position, "parameter").reshape(-1).astype(np.float64)
    if value.size != channels:
        builder.refuse(node, f"it has {value.size} parameters for {channels} channels", "re-export")
    return np.asarray(value)
