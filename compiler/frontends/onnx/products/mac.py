"""ONNX convolutions and matrix products as `Conv` nodes, whatever form their quantisation takes."""

from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import (
    QUANTISE_REMEDY,
    Activation,
    QuantisedConstant,
    Scale,
)
from compiler.frontends.onnx.model.window import (
    WindowGeometry,
    channels_last,
    image_of,
    output_layout,
    read_window,
)
from compiler.frontends.onnx.products.product import Mac, per_item
from compiler.frontends.onnx.products.stage import Stage, output_stage
from compiler.ir.ops import Array, Conv


def emit_conv(
    builder: OnnxBuilder,
    mac: Mac,
    name: str,
    target: Scale | None,
    clamp: tuple[int, int] | None = None,
    absorbed: tuple[RawNode, ...] = (),
) -> Activation:
    """A convolution, its weights [M, C/G, taps...] in the model; without a target raw sums."""
    raw, groups = mac.raw, mac.raw.integer("group", 1)
    window = convolution_window(builder, mac)
    source = channels_last(builder, raw, mac.source)
    batch, image = image_of(builder, raw, source)
    weights = mac.weights.values
    M, C = weights.shape[:2]
    zeros = _zero_points(builder, mac, M)
    stage = output_stage(builder, mac, target, clamp)
    kernel = stage.silenced(weights, zeros).reshape(M, C, *window.taps).transpose(0, 2, 3, 1)
    output_image = (*window.outputs, M)
    layout = output_layout(source, batch, output_image)
    builder.check_elements(raw, layout.shape)
    output = builder.declare(name, layout, stage.requant.dtype, target)
    _emit(
        builder,
        mac,
        source,
        name,
        stage,
        zeros,
        absorbed,
        image=image,
        batch=batch,
        weights=np.ascontiguousarray(kernel),
        stride=window.stride,
        pad=window.pad,
        dilation=window.dilation,
        groups=groups,
    )
    return output


def convolution_window(builder: OnnxBuilder, mac: Mac) -> WindowGeometry:
    """The geometry of a convolution, its weights and channels checked."""
    raw, source, weights = mac.raw, mac.source, mac.weights.values
    groups = raw.integer("group", 1)
    _, image = image_of(builder, raw, source)
    if weights.ndim != len(source.shape) or min(weights.shape) < 1:
        builder.refuse(
            raw,
            f"its weights have shape {list(weights.shape)} for an input of {list(source.shape)}",
            "export the model again",
        )
    M, C = weights.shape[:2]
    if groups < 1 or C * groups != image[2] or M % groups:
        builder.refuse(
            raw,
            f"{groups} groups do not fit {image[2]} input channels and {M} filters of {C}",
            "export the model again",
        )
    if raw.integers("kernel_shape", weights.shape[2:]) != weights.shape[2:]:
        builder.refuse(raw, "its kernel_shape is not that of its weights", "export it again")
    return read_window(builder, raw, source, weights.shape[2:], pool=False)


def emit_product(
    builder: OnnxBuilder,
    mac: Mac,
    name: str,
    target: Scale | None,
    clamp: tuple[int, int] | None = None,
    absorbed: tuple[RawNode, ...] = (),
) -> Activation:
    """[..., K] x [K, M]: a 1 x 1 convolution over the rows, or one window over a whole image."""
    if mac.weights.values.ndim > 2:
        return emit_batched(builder, mac, name, target, clamp, absorbed)
    raw = mac.raw
    weights, shape = mac.weights.values, mac.source.shape
    if weights.ndim != 2 or not shape or shape[-1] != weights.shape[0] or min(weights.shape) < 1:
        builder.refuse(
            raw,
            f"its operands have shapes {list(shape)} and {list(weights.shape)}",
            "the second operand must be a constant matrix of as many rows as the first has columns",
        )
    K, M = weights.shape
    zeros = _zero_points(builder, mac, M)
    stage = output_stage(builder, mac, target, clamp)
    rows = int(np.prod(shape[:-1]))
    source = mac.source
    if rows > 1 and not _rows_lead(source.layout):
        source = builder.in_order(raw, source, tuple(range(len(shape))))
    columns = _stored_columns(source.layout, weights)
    image, window = (rows, 1, K), (1, 1, K)
    stored = builder.tensor(source).shape
    if rows == 1 and len(stored) == 4 and stored[0] == 1:
        image = window = (stored[1], stored[2], stored[3])
    result = Layout.plain((*shape[:-1], M))
    builder.check_elements(raw, result.shape)
    output = builder.declare(name, result, stage.requant.dtype, target)
    kernel = stage.silenced(columns.T, zeros).reshape(M, *window)
    _emit(
        builder,
        mac,
        source,
        name,
        stage,
        zeros,
        absorbed,
        image=image,
        weights=np.ascontiguousarray(kernel),
    )
    return output


def emit_batched(
    builder: OnnxBuilder,
    mac: Mac,
    name: str,
    target: Scale | None,
    clamp: tuple[int, int] | None = None,
    absorbed: tuple[RawNode, ...] = (),
) -> Activation:
    """[B, T, K] x [B, K, M], a matrix for every item: B groups of a convolution over T rows."""
    raw = mac.raw
    weights, shape = mac.weights.values, mac.source.shape
    fits = len(shape) == weights.ndim and shape[:-2] == weights.shape[:-2]
    if not fits or shape[-1] != weights.shape[-2] or min(weights.shape) < 1:
        builder.refuse(
            raw,
            f"its operands have shapes {list(shape)} and {list(weights.shape)}",
            "the second operand must be a constant, one matrix or as many as the first has",
        )
    rank = len(shape)
    order = (rank - 2, *range(rank - 2), rank - 1)
    source = builder.in_order(raw, mac.source, order)
    K, M = weights.shape[-2:]
    groups, rows = int(np.prod(shape[:-2])), shape[-2]
    _zero_points(builder, mac, M)
    joined = per_item(mac)
    zeros = _zero_points(builder, joined, groups * M)
    stage = output_stage(builder, joined, target, clamp)
    layout = Layout.stored_as((*shape[:-1], M), order)
    builder.check_elements(raw, layout.shape)
    output = builder.declare(name, layout, stage.requant.dtype, target)
    kernel = stage.silenced(joined.weights.values.T, zeros).reshape(groups * M, 1, 1, K)
    _emit(
        builder,
        mac,
        source,
        name,
        stage,
        zeros,
        absorbed,
        image=(rows, 1, groups * K),
        weights=np.ascontiguousarray(kernel),
        groups=groups,
    )
    return output


def _emit(
    builder: OnnxBuilder,
    mac: Mac,
    source: Activation,
    name: str,
    stage: Stage,
    zeros: Array,
    absorbed: tuple[RawNode, ...],
    **geometry: Any,
) -> None:
    """Appends the `Conv` of a product: its arithmetic from the operands, the rest as given."""
    raw = mac.raw
    node = Conv(
        name=builder.label(raw),
        op=raw.op_type,
        inputs=(source.key,),
        output=name,
        weight_zero_point=zeros,
        bias=stage.bias,
        input_zero_point=mac.scale.zero_point,
        stage=stage.requant,
        float_sums=mac.float_sums,
        float_magnitude=stage.magnitude,
        **geometry,
    )
    builder.emit_for(raw, node, *mac.others, *absorbed)


def _rows_lead(layout: Layout) -> bool:
    """Whether all axes but the last lie outermost, in order."""
    rows = [part for axis in layout.axes[:-1] for part in axis]
    return rows == list(range(len(rows)))


def _stored_columns(layout: Layout, weights: Array) -> Array:
    """[K, M] with K in the order in which the last axis of the input is stored."""
    parts = layout.axes[-1]
    if len(parts) < 2:
        return weights
    sizes = tuple(layout.sizes[part] for part in parts)
    order = tuple(int(index) for index in np.argsort(parts))
    split = weights.reshape(*sizes, weights.shape[1])
    return split.transpose(*order, len(sizes)).reshape(weights.shape)


def _zero_points(builder: OnnxBuilder, mac: Mac, M: int) -> Any:
    zero = mac.weights.zero_point.reshape(-1).astype(np.int64)
    if zero.size not in (1, M) or mac.weights.scale.size not in (1, M):
        builder.refuse(
            mac.raw,
            f"its weights have {mac.weights.scale.size} scales and {zero.size} zero points for "
            f"{M} filters",
            "quantise weights per tensor or per output channel",
        )
    return zero[:1] if (zero == zero[0]).all() else zero


def weights_at(builder: OnnxBuilder, node: RawNode, position: int, axis: int) -> QuantisedConstant:
    """Weights, scale and zero point of an operator in QOperator form; scales run along `axis`."""
    values = builder.constant(node, position, "weights")
    scale = builder.constant(node, position + 1, "weight scale").reshape(-1)
    zero = np.zeros(1, dtype=values.dtype)
    if builder.has(node, position + 2):
        zero = builder.constant(node, position + 2, "weight zero point").reshape(-1)
    return checked_weights(builder, node, QuantisedConstant(values, scale, zero, axis))


def checked_weights(
    builder: OnnxBuilder, node: RawNode, weights: QuantisedConstant
) -> QuantisedConstant:
    """8-bit weights with positive finite float32 scales."""
    if weights.values.dtype not in (np.int8, np.uint8):
        builder.refuse(
            node, f"its weights have type {weights.values.dtype}", "quantise them to 8 bits"
        )
    scale = weights.scale
    if scale.size == 0 or weights.zero_point.size == 0:
        builder.refuse(node, "its weights have no scale or zero point", "export the model again")
    if scale.dtype != np.float32 or not np.all(np.isfinite(scale)) or scale.min() <= 0:
        builder.refuse(node, "its weight scales must be positive and finite", QUANTISE_REMEDY)
    return weights
