"""Float operators around the quantised core: host steps that match ONNX Runtime bit for bit."""

from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import STORED_TYPES, Activation
from compiler.frontends.onnx.model.wide import signed_input, signed_scale
from compiler.frontends.onnx.operators.average import over_image, read_average
from compiler.frontends.onnx.operators.binary import aligned
from compiler.frontends.onnx.operators.chain import clip_bounds, real_bounds, stored_clamp
from compiler.frontends.onnx.operators.reduce import convert_sum
from compiler.frontends.onnx.operators.select import clamp_stored
from compiler.frontends.onnx.placement.qdq import Slices, sliced_parameters
from numerics.quantisation import INTEGER_RANGES

_DYNAMIC = (
    ("dynamic_values", "uint8"),
    ("dynamic_scale", "float32"),
    ("dynamic_zero_point", "uint8"),
)
# With larger scales sums of values, if not the values themselves, are infinite in float32: such
# values exist as floats from then on, since no operator on integers could follow that.
_LARGEST_SCALE = 2.0**100
CAST_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool"}


def convert_dequantise(builder: OnnxBuilder, node: RawNode) -> None:
    """DequantizeLinear: values of 8 and 16 bits stay stored until something needs floats."""
    source = signed_input(builder, node)
    own = "uint16" if node.inputs[0] in builder.signed else source.dtype
    if source.dtype not in (*STORED_TYPES, "int32"):
        builder.refuse(node, f"its input has type {source.dtype}", "8 to 32 bits are supported")
    if builder.constant(node, 1, "scale").size == 1:
        scale = signed_scale(builder.scale_at(node, 1, own))
        if source.dtype != "int32" and float(scale.scale) <= _LARGEST_SCALE:
            builder.dequantise(node, source, scale)
            return
        slices = Slices((float(scale.scale),), (scale.zero_point,), source.dtype)
    else:
        source = builder.in_form(node, builder.activation(node, 0))
        slices = sliced_parameters(builder, node, source)
    output = builder.declare(node.outputs[0], source.layout, "float32")
    builder.emit_host(
        node,
        "dequantise_ort",
        (source,),
        output,
        scale=slices.scale,
        zero_point=slices.zero_point,
        axis=slices.axis,
    )


def convert_cast(builder: OnnxBuilder, node: RawNode) -> None:
    """Cast between the types that a graph may hold."""
    source = builder.activation(node, 0)
    dtype = CAST_TYPES.get(node.integer("to", 0))
    if dtype is None:
        builder.refuse(node, f"it casts to type {node.integer('to', 0)}", "use float32 or int8")
    if source.dtype == "float32" and dtype not in ("float32", "bool"):
        builder.refuse(node, "it casts floats to integers", "use QuantizeLinear")
    output = builder.declare(node.outputs[0], source.layout, dtype)
    builder.emit_host(node, "cast_ort", (source,), output, dtype=dtype)


def convert_dynamic(builder: OnnxBuilder, node: RawNode) -> None:
    """DynamicQuantizeLinear: three host steps, for values, scale and zero point."""
    source = _floats(builder, node)
    for name, (function, dtype) in zip(node.outputs, _DYNAMIC, strict=False):
        if name:
            layout = source.layout if function == "dynamic_values" else Layout.plain(())
            output = builder.declare(name, layout, dtype)
            builder.emit_host(node, function, (source,), output)


def convert_arithmetic(builder: OnnxBuilder, node: RawNode) -> None:
    """Add, Sub, Mul and Div of two tensors of one type."""
    if "axis" in node.attributes or node.integer("broadcast", 0):
        builder.refuse(node, "it broadcasts as operator sets below 7 do", "convert the model")
    if len(node.inputs) != 2:
        builder.refuse(node, f"it has {len(node.inputs)} inputs", "give it two")
    first, second = builder.activation(node, 0), builder.activation(node, 1)
    if first.dtype != second.dtype or first.dtype in ("bool", "int64"):
        builder.refuse(node, f"its inputs are {first.dtype} and {second.dtype}", "cast one")
    first, second = aligned(builder, node, first, second, spread=False)
    shape = np.broadcast_shapes(first.shape, second.shape)
    wide = first if first.shape == shape else second
    output = builder.declare(node.outputs[0], wide.layout, first.dtype)
    builder.emit_host(node, "arithmetic", (first, second), output, operator=node.op_type)


def convert_clip(builder: OnnxBuilder, node: RawNode) -> None:
    """Relu and Clip: 8-bit values on the array, others on the host."""
    source = builder.activation(node, 0)
    bounds = clip_bounds(builder, node)
    if bounds is None:
        builder.refuse(node, "its bounds are no constants", "export them as initializers")
    low, high = bounds
    if source.dtype in INTEGER_RANGES:
        low, high = stored_clamp(bounds, source.dtype)
        if source.dtype in ("int8", "uint8"):
            clamp_stored(builder, node, source, node.outputs[0], None, (low, high))
            return
    elif source.dtype == "float32":
        low, high = real_bounds(builder, node)
    output = builder.declare(node.outputs[0], source.layout, source.dtype)
    parameters: dict[str, Any] = {}
    if low is not None:
        parameters["low"] = low
    if high is not None:
        parameters["high"] = high
    builder.emit_host(node, "clip", (source,), output, **parameters)


def convert_average(builder: OnnxBuilder, node: RawNode) -> None:
    """AveragePool, GlobalAveragePool and ReduceMean of float tensors."""
    source = _floats(builder, node)
    if node.op_type == "ReduceMean" and not over_image(builder, node, len(source.shape)):
        convert_sum(builder, node)
        return
    average = read_average(builder, node, source)
    output = builder.declare(node.outputs[0], average.layout, "float32")
    builder.emit_host(node, "average_pool", (average.source,), output, **average.geometry)


def convert_softmax(builder: OnnxBuilder, node: RawNode) -> None:
    """Softmax over the last axis."""
    source = _floats(builder, node)
    source, columns = softmax_rows(builder, node, source, builder.raw.opset)
    output = builder.declare(node.outputs[0], source.layout, "float32")
    builder.emit_host(node, "softmax_ort", (source,), output, columns=columns)


def softmax_rows(
    builder: OnnxBuilder, node: RawNode, source: Activation, opset: int
) -> tuple[Activation, int]:
    """The input with its rows in sequence, and their length."""
    rank = len(source.shape)
    axis = node.integer("axis", -1 if opset >= 13 else 1)
    if not -rank <= axis < rank:
        builder.refuse(node, f"axis {axis} does not exist", "export the model again")
    if any(size != 1 for size in source.shape[axis % rank + 1 :]):
        builder.refuse(
            node, f"it runs over axis {axis} of {list(source.shape)}", "move that axis to the end"
        )
    return builder.in_order(node, source, tuple(range(rank))), source.shape[axis % rank]


def _floats(builder: OnnxBuilder, node: RawNode) -> Activation:
    source = builder.activation(node, 0)
    if source.dtype != "float32":
        builder.refuse(
            node, f"its input has type {source.dtype}", "put it between DequantizeLinear and "
            "QuantizeLinear"
        )  # fmt: skip
    return source
