"""Whether a float ONNX model could run once it is quantised, told before it is.

The tables of the front end say which operators are read; weights must follow from constants.
Whatever depends on the scales that quantisation chooses shows afterwards only.
"""

from compiler.frontends.onnx.loader import SUPPORTED, WEIGHTED, fixed_shape
from compiler.frontends.onnx.model.blockers import static_names
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.reader import RawOnnxModel
from compiler.ir.refusals import OperatorRefusedError, Refusals
from compiler.ir.remedies import (
    TWO_ACTIVATIONS,
    TWO_ACTIVATIONS_REMEDY,
    UNKNOWN,
    onnx_remedy,
)


def preview(raw: RawOnnxModel) -> Refusals:
    """The operators of a float model that would be refused after quantisation.

    Raises `RowforgeError` for an input whose shape is not fixed.
    """
    for value in raw.inputs:
        fixed_shape(value)
    known, found = static_names(raw), Refusals()
    for node in raw.nodes:
        if any(name in known for name in node.outputs):
            continue
        try:
            _check(node, known)
        except OperatorRefusedError as error:
            found.add(error, error.parts)
    return found


def _check(node: RawNode, known: set[str]) -> None:
    if node.op_type not in SUPPORTED:
        node.refuse(UNKNOWN, onnx_remedy(node.op_type))
    if node.op_type in WEIGHTED and not all(name in known for name in node.inputs[1:2]):
        node.refuse(TWO_ACTIVATIONS, TWO_ACTIVATIONS_REMEDY)
