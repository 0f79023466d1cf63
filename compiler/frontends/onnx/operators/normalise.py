"""BatchNormalization that no product takes up: of floats, on the host."""

from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.operators.binary import aligned


def convert_normalisation(builder: OnnxBuilder, node: RawNode) -> None:
    """x * factor + addend by channel, both folded as ONNX Runtime folds them in float32."""
    source = builder.activation(node, 0)
    if source.dtype != "float32" or len(source.shape) < 2:
        builder.refuse(
            node,
            f"its input has type {source.dtype} and shape {list(source.shape)}",
            "give it float32 values with channels",
        )
    if node.integer("training_mode", 0) or not node.integer("spatial", 1):
        builder.refuse(node, "it does not normalise by channel", "export the model for inference")
    C, rank = source.shape[1], len(source.shape)
    given: list[Any] = []
    for place, what in enumerate(("scale", "bias", "mean", "variance"), start=1):
        value = builder.constant(node, place, what).reshape(-1)
        if value.size != C or value.dtype != np.float32:
            builder.refuse(
                node, f"its {what} has {value.size} values for {C} channels", "export it"
            )
        given.append(value)
    scale, bias, mean, variance = given
    with np.errstate(all="ignore"):
        deviation = np.sqrt(variance + np.float32(node.number("epsilon", 1e-5)))
        factor = scale * (np.float32(1.0) / deviation)
        addend = bias - mean * factor
    operands = []
    for value, what in ((factor, "factor"), (addend, "addend")):
        key = f"{node.outputs[0]} ({what})"
        builder.constants[key] = value.reshape(C, *(1,) * (rank - 2))
        constant = builder.constant_activation(key, builder.constants[key])
        source, operand = aligned(builder, node, source, constant, spread=False)
        operands.append(operand)
    output = builder.declare(node.outputs[0], source.layout, "float32")
    builder.emit_host(node, "multiply_add", (source, *operands), output)
