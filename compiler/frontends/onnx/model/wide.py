"""Tensors of uint16 as tensors of int16 that are 32,768 lower, which arrays of 16 bits take.

QuantizeLinear and DequantizeLinear make the same of both if the zero points differ as the values
do. The tensor that the model itself has is a step that nothing computes unless somebody reads it.
"""

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import Activation, Scale
from compiler.ir.ops import HostStep

LOWER = 1 << 15
"""How much lower the int16 values are."""


def signed_name(name: str) -> str:
    """The key of the int16 form of a tensor of the model."""
    return f"{name} less {LOWER}"


def signed_scale(scale: Scale) -> Scale:
    """The scale of the int16 form of a uint16 tensor; others as they are."""
    if scale.dtype != "uint16":
        return scale
    return Scale(scale.scale, scale.zero_point - LOWER, "int16")


def signed_input(builder: OnnxBuilder, node: RawNode) -> Activation:
    """The first input of an operator; of a uint16 tensor its int16 form, which the host makes."""
    name = builder.name_at(node, 0, "input")
    known = builder.signed.get(name)
    if known is not None:
        return known
    source = builder.activation_named(node, name)
    if source.dtype != "uint16":
        return source
    signed = builder.declare(signed_name(name), source.layout, "int16")
    builder.emit(
        HostStep(
            name=f"{builder.label(node)} input",
            op=node.op_type,
            inputs=(source.key,),
            output=signed.key,
            function="shift_values",
            parameters={"by": -LOWER, "dtype": "int16"},
        )
    )
    builder.signed[name] = signed
    return signed


def unsigned_result(builder: OnnxBuilder, node: RawNode, name: str, signed: Activation) -> None:
    """Enters a uint16 tensor of the model by its int16 form."""
    step = HostStep(
        name=f"{builder.label(node)} output",
        op=node.op_type,
        inputs=(signed.key,),
        output=name,
        folded=f"whatever reads it works on values {LOWER} lower",
        function="shift_values",
        parameters={"by": LOWER, "dtype": "uint16"},
    )
    builder.emit_folded(step, signed.layout, "uint16")
    builder.signed[name] = signed
