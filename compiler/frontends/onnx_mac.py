"""ONNX convolutions and matrix products as `Conv` nodes, whatever form their quantisation takes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.frontends.onnx_builder import Builder
from compiler.frontends.onnx_layout import Layout
from compiler.frontends.onnx_reader import RawNode
from compiler.frontends.onnx_values import QUANTIZE_REMEDY, Activation, QuantisedConstant, Scale
from compiler.frontends.onnx_window import channels_last, image_of, output_layout, read_window
from compiler.ops import Array, Conv
from numerics.quantisation import Requant, Rounding, integer_range

INT32 = integer_range("int32")


@dataclass(frozen=True, eq=False, kw_only=True)
class Mac:
    """A convolution or matrix product with quantised operands, before its output is chosen.

    `source` is [N, C, ...] for a convolution, [..., K] for a product; `bias` are float64 numbers
    in units of the accumulator, or None; `factor` multiplies the accumulator (Gemm's alpha);
    `float_sums` says that ONNX Runtime adds up dequantised floats, not integers.
    """

    raw: RawNode
    source: Activation
    scale: Scale
    weights: QuantisedConstant
    bias: Array | None = None
    factor: np.float32 = np.float32(1.0)
    others: tuple[RawNode, ...] = ()
    float_sums: bool = False

    @property
    def accumulator_scale(self) -> Array:
        """float32 [1] or [M]: what one unit of the accumulator stands for."""
        return np.asarray(self.factor * self.scale.scale * self.weights.scale, dtype=np.float32)


def _stage(
    builder: Builder, mac: Mac, output: Scale | None, clamp: tuple[int, int] | None
) -> Requant:
    """The stage of a product whose output has this scale, in ONNX Runtime's float32 arithmetic."""
    if output is None:
        return Requant.raw()
    low, high = integer_range(output.dtype)
    if clamp is not None:
        low, high = clamp
    with np.errstate(over="ignore", under="ignore"):
        real = (mac.accumulator_scale / output.scale).astype(np.float64)
    if not np.all(np.isfinite(real)) or real.max() >= 2.0**31 or real.min() < 0:
        builder.refuse(
            mac.raw,
            "its input scales exceed 2^31 times its output scale",
            "calibrate the model again",
        )
    return Requant(
        scale=real,
        rounding=Rounding.ORT,
        zero_point=output.zero_point,
        low=low,
        high=high,
        dtype=output.dtype,
    )


def emit_conv(
    builder: Builder,
    mac: Mac,
    name: str,
    target: Scale | None,
    clamp: tuple[int, int] | None = None,
    absorbed: tuple[RawNode, ...] = (),
) -> Activation:
    """A convolution, its weights [M, C/G, taps...] in the model; without a target raw sums."""
    raw = mac.raw
    stage = _stage(builder, mac, target, clamp)
    weights = mac.weights.values
    groups = raw.integer("group", 1)
    source = channels_last(builder, raw, mac.source)
    batch, image = image_of(builder, raw, source)
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
    window = read_window(builder, raw, source, weights.shape[2:], pool=False)
    kernel = weights.reshape(M, C, *window.taps).transpose(0, 2, 3, 1)
    output_image = (*window.outputs, M)
    layout = output_layout(source, batch, output_image)
    builder.check_elements(raw, layout.shape)
    output = builder.declare(name, layout, stage.dtype, target)
    builder.emit_for(
        raw,
        Conv(
            name=builder.label(raw),
            op=raw.op_type,
            inputs=(source.key,),
            output=name,
            image=image,
            batch=batch,
            weights=np.ascontiguousarray(kernel),
            weight_zero_point=_zero_points(builder, mac, M),
            bias=_bias(builder, mac, M),
            input_zero_point=mac.scale.zero_point,
            stride=window.stride,
            pad=window.pad,
            dilation=window.dilation,
            groups=groups,
            stage=stage,
            float_sums=mac.float_sums,
        ),
        *mac.others,
        *absorbed,
    )
    return output


def emit_product(
    builder: Builder,
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
    stage = _stage(builder, mac, target, clamp)
    weights, shape = mac.weights.values, mac.source.shape
    if weights.ndim != 2 or not shape or shape[-1] != weights.shape[0] or min(weights.shape) < 1:
        builder.refuse(
            raw,
            f"its operands have shapes {list(shape)} and {list(weights.shape)}",
            "the second operand must be a constant matrix of as many rows as the first has columns",
        )
    K, M = weights.shape
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
    output = builder.declare(name, result, stage.dtype, target)
    builder.emit_for(
        raw,
        Conv(
            name=builder.label(raw),
            op=raw.op_type,
            inputs=(source.key,),
            output=name,
            image=image,
            weights=np.ascontiguousarray(columns.T.reshape(M, *window)),
            weight_zero_point=_zero_points(builder, mac, M),
            bias=_bias(builder, mac, M),
            input_zero_point=mac.scale.zero_point,
            stage=stage,
            float_sums=mac.float_sums,
        ),
        *mac.others,
        *absorbed,
    )
    return output


def emit_batched(
    builder: Builder,
    mac: Mac,
    name: str,
    target: Scale | None,
    clamp: tuple[int, int] | None = None,
    absorbed: tuple[RawNode, ...] = (),
) -> Activation:
    """[B, T, K] x [B, K, M], a matrix for every item: B groups of a convolution over T rows."""
    raw = mac.raw
    stage = _stage(builder, mac, target, clamp)
    weights, shape = mac.weights.values, mac.source.shape
    fits = len(shape) == weights.ndim and shape[:-2] == weights.shape[:-2]
    if not fits or shape[-1] != weights.shape[-2] or min(weights.shape) < 1:
        builder.refuse(
            raw,
            f"its operands have shapes {list(shape)} and {list(weights.shape)}",
            "the second operand must be a constant, one matrix or as many as the first has",
        )
    if mac.weights.scale.size > 1 or mac.bias is not None:
        builder.refuse(raw, "its matrices have scales per column or a bias", "split the product")
    rank = len(shape)
    order = (rank - 2, *range(rank - 2), rank - 1)
    source = builder.in_order(raw, mac.source, order)
    K, M = weights.shape[-2:]
    groups, rows = int(np.prod(shape[:-2])), shape[-2]
    layout = Layout.stored_as((*shape[:-1], M), order)
    builder.check_elements(raw, layout.shape)
    output = builder.declare(name, layout, stage.dtype, target)
    kernel = weights.reshape(groups, K, M).transpose(0, 2, 1).reshape(groups * M, 1, 1, K)
    builder.emit_for(
        raw,
        Conv(
            name=builder.label(raw),
            op=raw.op_type,
            inputs=(source.key,),
            output=name,
            image=(rows, 1, groups * K),
            weights=np.ascontiguousarray(kernel),
            weight_zero_point=_zero_points(builder, mac, groups * M),
            bias=np.zeros(groups * M, dtype=np.int64),
            input_zero_point=mac.scale.zero_point,
            groups=groups,
            stage=stage,
            float_sums=mac.float_sums,
        ),
        *mac.others,
        *absorbed,
    )
    return output


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


def _zero_points(builder: Builder, mac: Mac, M: int) -> Any:
    zero = mac.weights.zero_point.reshape(-1).astype(np.int64)
    if zero.size not in (1, M) or mac.weights.scale.size not in (1, M):
        builder.refuse(
            mac.raw,
            f"its weights have {mac.weights.scale.size} scales and {zero.size} zero points for "
            f"{M} filters",
            "quantise weights per tensor or per output channel",
        )
    return zero[:1] if (zero == zero[0]).all() else zero


def _bias(builder: Builder, mac: Mac, M: int) -> Any:
    if mac.bias is None:
        return np.zeros(M, dtype=np.int64)
    if mac.bias.size not in (1, M):
        builder.refuse(mac.raw, f"its bias has {mac.bias.size} values for {M} filters", "broadcast")
    rounded = np.rint(np.broadcast_to(mac.bias.reshape(-1), (M,)))
    if not np.all(np.isfinite(rounded)) or rounded.min() < INT32[0] or rounded.max() > INT32[1]:
        builder.refuse(
            mac.raw,
            "its bias does not fit 32 bits at the scale of its accumulator",
            "calibrate the model again, or scale its weights per tensor",
        )
    return rounded.astype(np.int64)


def weights_at(builder: Builder, node: RawNode, position: int, axis: int) -> QuantisedConstant:
    """Weights, scale and zero point of an operator in QOperator form; scales run along `axis`."""
    values = builder.constant(node, position, "weights")
    scale = builder.constant(node, position + 1, "weight scale").reshape(-1)
    zero = np.zeros(1, dtype=values.dtype)
    if builder.has(node, position + 2):
        zero = builder.constant(node, position + 2, "weight zero point").reshape(-1)
    return checked_weights(builder, node, QuantisedConstant(values, scale, zero, axis))


def checked_weights(
    builder: Builder, node: RawNode, weights: QuantisedConstant
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
        builder.refuse(node, "its weight scales must be positive and finite", QUANTIZE_REMEDY)
    return weights
