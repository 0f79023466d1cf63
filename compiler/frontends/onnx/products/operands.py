"""The operands of Conv, Gemm and MatMul between DequantizeLinear and QuantizeLinear."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import Activation, QuantisedConstant
from compiler.frontends.onnx.products.mac import checked_weights
from compiler.frontends.onnx.products.product import CONVOLUTIONS, Mac, added, scaled
from compiler.frontends.onnx.products.transposed import TRANSPOSED, as_convolution
from compiler.ir.ops import Array

_ROUNDINGS = 2.0**-22  # how far float32 products of two scales, in any order, can lie apart


def quantised_product(builder: OnnxBuilder, node: RawNode) -> Mac | None:
    """The operator's operands as integers, with its bias; None if both are plain floats."""
    source = builder.stored(builder.name_at(node, 0, "input"))
    name = builder.name_at(node, 1, "weights")
    if source is None and name not in builder.quantised_constants:
        return None
    weights = builder.quantised_constants.get(name)
    if source is None or weights is None:
        what = "its input" if source is None else f"its weight operand {name!r}"
        builder.refuse(
            node,
            f"{what} is no dequantised {'activation' if source is None else 'constant'}",
            "quantise activations and weights of every product (`rowforge quantize` does)",
        )
    activation, factor = source.activation, np.float32(1.0)
    if node.op_type == "Gemm":
        factor = np.float32(node.number("alpha", 1.0))
        if len(activation.shape) != 2:
            builder.refuse(node, "its first operand is no matrix", "export the model again")
        if node.integer("transA", 0):
            activation = transposed(activation)
        if node.integer("transB", 0):
            weights = transposed_weights(builder, node, weights)
    if node.op_type == "MatMul":
        weights = _one_matrix(weights, activation)
    positive = bool(np.isfinite(factor) and factor > 0)
    raw = node
    if node.op_type == TRANSPOSED:
        raw, activation, weights = as_convolution(builder, node, source, weights)
    mac = Mac(
        raw=raw,
        source=activation,
        scale=source.scale,
        weights=checked_weights(builder, node, weights),
        factor=factor if positive else np.float32(1.0),
        float_sums=True,
    )
    _check_weight_axis(builder, node, mac)
    if not positive:
        mac = scaled(builder, node, mac, np.asarray([factor], dtype=np.float64))
    return _with_bias(builder, node, mac) if builder.has(node, 2) else mac


def transposed(source: Activation) -> Activation:
    """The activation with its two axes exchanged, for Gemm's transA."""
    return replace(source, layout=source.layout.transpose((1, 0)))


def transposed_weights(
    builder: OnnxBuilder, node: RawNode, weights: QuantisedConstant
) -> QuantisedConstant:
    """A quantised matrix with its axes exchanged."""
    if weights.values.ndim != 2:
        builder.refuse(node, "its second operand is no matrix", "export the model again")
    return QuantisedConstant(weights.values.T, weights.scale, weights.zero_point, 1 - weights.axis)


def _one_matrix(weights: QuantisedConstant, source: Activation) -> QuantisedConstant:
    """[1, K, M] as [K, M] where that multiplies several items."""
    values, items = weights.values, source.shape[:-2]
    one = values.ndim > 2 and prod(values.shape[:-2]) == 1
    if not one or values.ndim > len(source.shape) or prod(items) == 1:
        return weights
    axis = weights.axis - values.ndim + 2 if weights.scale.size > 1 else 0
    matrix = values.reshape(values.shape[-2:])
    return QuantisedConstant(matrix, weights.scale, weights.zero_point, axis)


def _check_weight_axis(builder: OnnxBuilder, node: RawNode, mac: Mac) -> None:
    weights = mac.weights
    wanted = 0 if node.op_type in CONVOLUTIONS else weights.values.ndim - 1
    if weights.scale.size > 1 and weights.axis != wanted:
        builder.refuse(
            node,
            f"its weights have scales along axis {weights.axis}",
            f"quantise them per tensor or per output channel (axis {wanted})",
        )


def _with_bias(builder: OnnxBuilder, node: RawNode, mac: Mac) -> Mac:
    """The product with its third operand."""
    name, share = node.inputs[2], 1.0
    if name not in builder.constants:
        builder.refuse(node, f"its bias {name!r} is no constant", "export it as a constant")
    if node.op_type == "Gemm":
        share = node.number("beta", 1.0)
    found = bias_part(builder, mac, name, share, lambda value: _row(value, mac))
    if found is None:
        shape = list(builder.constants.shape(name))
        builder.refuse(
            node, f"its bias has shape {shape} for {mac.channels} filters", "one each is expected"
        )
    return found


def _row(value: Array, mac: Mac) -> Array | None:
    """A bias as one value for all filters or for each; every row of a matrix must be the same."""
    if mac.raw.op_type in CONVOLUTIONS or value.ndim < 2:
        flat = value.reshape(-1)
    else:
        rows = value.reshape(-1, value.shape[-1])
        if value.ndim > 2 or not np.array_equal(np.broadcast_to(rows[:1], rows.shape), rows):
            return None
        flat = rows[0]
    return flat if flat.size in (1, mac.channels) else None


def bias_part(
    builder: OnnxBuilder,
    mac: Mac,
    name: str,
    share: float,
    by_channel: Callable[[Array], Array | None],
) -> Mac | None:
    """The product with `share` times a constant added, None where that is not one by channel.

    Integers whose scale is the accumulator's own stay integers; all else is a real number.
    """
    value = builder.constants[name]
    if value.dtype != np.float32:
        return None
    real = by_channel(value.astype(np.float64))
    if real is None:
        return None
    real = real * share
    stored = builder.quantised_constants.get(name)
    if stored is None:
        return added(mac, addend=real)
    whole, scale = (by_channel(part) for part in _parts(stored))
    if whole is None or scale is None:
        return added(mac, addend=real)
    with np.errstate(all="ignore"):
        ratio = scale * share / mac.unit
    on_grid = np.abs(np.abs(ratio) - 1.0) <= _ROUNDINGS
    bias = np.where(on_grid, whole * np.sign(ratio), 0.0) if on_grid.any() else None
    rest = None if on_grid.all() else np.where(on_grid, 0.0, real)
    return added(mac, bias=bias, addend=rest)


def _parts(stored: QuantisedConstant) -> tuple[Array, Array]:
    """The integers less their zero points and the scale of each, float64, in the values' shape."""
    shape = [1] * stored.values.ndim
    if stored.scale.size > 1:
        shape[stored.axis] = stored.scale.size
    zero, scale = (
        (part.reshape(-1) if part.size > 1 else np.repeat(part.reshape(-1), stored.scale.size))
        .astype(np.float64)
        .reshape(shape)
        for part in (stored.zero_point, stored.scale)
    )
    return stored.values - zero, np.asarray(np.broadcast_to(scale, stored.values.shape))
