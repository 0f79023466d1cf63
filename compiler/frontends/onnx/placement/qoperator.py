"""Operators that carry their quantisation: QLinear..., QGemm, ConvInteger, MatMulInteger."""

from dataclasses import replace
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import Activation, QuantisedConstant, Scale, Stored
from compiler.frontends.onnx.operators.average import emit_average, read_average
from compiler.frontends.onnx.operators.join import emit_concat, requantised
from compiler.frontends.onnx.placement.float import softmax_rows
from compiler.frontends.onnx.products.mac import (
    checked_weights,
    emit_conv,
    emit_product,
    weights_at,
)
from compiler.frontends.onnx.products.operands import transposed, transposed_weights
from compiler.frontends.onnx.products.product import Mac
from compiler.ir.ops import Array
from numerics.host.ort.arithmetic import softmax_peak
from numerics.quantisation import integer_range


def convert_qlinear_conv(builder: OnnxBuilder, node: RawNode) -> None:
    """QLinearConv: x, scale, zero, w, scale, zero, y scale, y zero, bias."""
    source, scale = _operand(builder, node, 0)
    mac = Mac(
        raw=node,
        source=source,
        scale=scale,
        weights=checked_weights(builder, node, weights_at(builder, node, 3, 0)),
        bias=_bias(builder, node, 8),
    )
    emit_conv(builder, mac, node.outputs[0], _target(builder, node, 6))


def convert_qlinear_matmul(builder: OnnxBuilder, node: RawNode) -> None:
    """QLinearMatMul: a, scale, zero, b, scale, zero, y scale, y zero."""
    source, scale = _operand(builder, node, 0)
    weights = checked_weights(builder, node, weights_at(builder, node, 3, 1))
    mac = Mac(raw=node, source=source, scale=scale, weights=weights)
    target = _target(builder, node, 6)
    emit_product(builder, mac, node.outputs[0], target)


def convert_qgemm(builder: OnnxBuilder, node: RawNode) -> None:
    """QGemm: a, scale, zero, b, scale, zero, bias, y scale, y zero."""
    source, scale = _operand(builder, node, 0)
    weights = checked_weights(builder, node, weights_at(builder, node, 3, 1))
    if node.integer("transA", 0):
        if len(source.shape) != 2:
            builder.refuse(node, "its first operand is no matrix", "export the model again")
        source = transposed(source)
    if node.integer("transB", 0):
        weights = transposed_weights(builder, node, replace(weights, axis=0))
    alpha = np.float32(node.number("alpha", 1.0))
    if not (np.isfinite(alpha) and alpha > 0):
        builder.refuse(node, f"its alpha is {alpha}", "use a positive factor")
    mac = Mac(
        raw=node,
        source=source,
        scale=scale,
        weights=weights,
        bias=_bias(builder, node, 6),
        factor=alpha,
    )
    if builder.has(node, 7):
        emit_product(builder, mac, node.outputs[0], _target(builder, node, 7))
        return
    sums = emit_product(builder, mac, f"{node.outputs[0]} (sums)", None)
    scales = tuple(float(unit) for unit in mac.accumulator_scale.reshape(-1))
    output = builder.declare(node.outputs[0], sums.layout, "float32")
    builder.emit_host(node, "scale_sums", (sums,), output, scale=scales)


def convert_integer(builder: OnnxBuilder, node: RawNode) -> None:
    """ConvInteger and MatMulInteger: x, w, x zero, w zero; the sums themselves are the output."""
    source = builder.activation(node, 0)
    values = builder.constant(node, 1, "weights")
    zero = np.zeros(1, dtype=values.dtype)
    if builder.has(node, 3):
        zero = builder.constant(node, 3, "weight zero point").reshape(-1)
    if builder.has(node, 2) and node.inputs[2] not in builder.constants:
        builder.refuse(
            node,
            "the zero point of its input is computed when the model runs",
            "quantise the model statically, with calibration inputs (`rowforge quantize`)",
        )
    input_zero = int(builder.scalar(node, 2, "zero point")) if builder.has(node, 2) else 0
    _check_8_bits(builder, node, source)
    weights = QuantisedConstant(values, np.ones(1, dtype=np.float32), zero, 0)
    mac = Mac(
        raw=node,
        source=source,
        scale=Scale(np.float32(1.0), input_zero, source.dtype),
        weights=checked_weights(builder, node, weights),
    )
    emit = emit_conv if node.op_type == "ConvInteger" else emit_product
    emit(builder, mac, node.outputs[0], None)


def convert_qlinear_pool(builder: OnnxBuilder, node: RawNode) -> None:
    """QLinearAveragePool and QLinearGlobalAveragePool: x, scale, zero, y scale, y zero."""
    source, scale = _operand(builder, node, 0)
    target = _target(builder, node, 3)
    if node.integer("channels_last", 0):
        builder.refuse(node, "it is channels-last", "save the model before it is optimised")
    average = read_average(builder, node, source)
    emit_average(builder, average, scale, node.outputs[0], target, integer_range(target.dtype))


def convert_qlinear_softmax(builder: OnnxBuilder, node: RawNode) -> None:
    """QLinearSoftmax over the last axis: x, scale, zero, y scale, y zero."""
    source, scale = _operand(builder, node, 0)
    target = _target(builder, node, 3)
    if target.dtype != source.dtype:
        builder.refuse(node, "its input and output differ in type", "give both one type")
    opset = node.integer("opset", builder.raw.opset)
    source, columns = softmax_rows(builder, node, source, opset)
    steps = int(np.floor(np.float32(1.0) / target.scale))
    if np.exp(softmax_peak(columns)) * steps >= np.finfo(np.float32).max:
        builder.refuse(
            node,
            f"rows of {columns} in {steps} steps overflow ONNX Runtime's float32 table",
            "quantise its output more coarsely, or remove a softmax over rows of 1",
        )
    output = builder.declare(node.outputs[0], source.layout, target.dtype, target)
    builder.emit_host(
        node,
        "softmax_qlinear",
        (source,),
        output,
        columns=columns,
        scale=float(scale.scale),
        steps=steps,
        zero_point=target.zero_point,
    )


def convert_qlinear_concat(builder: OnnxBuilder, node: RawNode) -> None:
    """QLinearConcat: y scale, y zero, then x, scale, zero for every input."""
    target = builder.scale_at(node, 0)
    sources: list[Activation] = []
    for position in range(2, len(node.inputs), 3):
        source, scale = _operand(builder, node, position)
        part = Stored(source, scale)
        sources.append(requantised(builder, node, part, node.inputs[position], target))
    emit_concat(builder, node, sources, node.outputs[0], target)


def _operand(builder: OnnxBuilder, node: RawNode, position: int) -> tuple[Activation, Scale]:
    source = builder.activation(node, position)
    _check_8_bits(builder, node, source)
    return source, builder.scale_at(node, position + 1, source.dtype)


def _check_8_bits(builder: OnnxBuilder, node: RawNode, source: Activation) -> None:
    if source.dtype not in ("int8", "uint8"):
        builder.refuse(node, f"its input has type {source.dtype}", "quantise it to 8 bits")


def _target(builder: OnnxBuilder, node: RawNode, position: int) -> Scale:
    target = builder.scale_at(node, position)
    if target.dtype not in ("int8", "uint8"):
        builder.refuse(node, f"its output has type {target.dtype}", "quantise it to 8 bits")
    return target


def _bias(builder: OnnxBuilder, node: RawNode, position: int) -> Array | None:
    """An int32 bias in units of the accumulator."""
    if not builder.has(node, position):
        return None
    bias: Any = builder.constant(node, position, "bias")
    if bias.dtype != np.int32:
        builder.refuse(node, f"its bias has type {bias.dtype}", "give it as int32")
    return np.asarray(bias.reshape(-1).astype(np.float64))
