"""Whether ONNX Runtime's float32 sums account for a difference in the last place.

Without optimisation a convolution or product between DequantizeLinear and QuantizeLinear adds up
floats, and rounds at every step. The exact value of such an output is computed here in float64 from
the same operands, with the most that float32 sums in any order can err by. A difference is
accounted for if both sides are neighbours and the rounding edge between them lies that near to the
exact value; nothing else is.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tests.fuzz_graph.case import Array
from tests.support.onnx_models import oracle

_PRODUCTS = ("Conv", "Gemm", "MatMul")
_BEHIND = ("Relu", "Clip", "Add")
_UNIT = 2.0**-24  # the relative error of one float32 rounding


def explained(
    content: bytes, inputs: Sequence[Array], position: int, ours: Array, theirs: Array
) -> int:
    """How many values of an output differ for that reason; -1 if one differs for another."""
    model = onnx.load_from_string(content)
    graph = model.graph
    writers = {name: node for node in graph.node for name in node.output}
    last = writers.get(graph.output[position].name)
    if last is None or last.op_type != "QuantizeLinear":
        return -1
    chain = _chain(last, writers)
    if chain is None:
        return -1
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    real, error = _exactly(model, inputs, chain)
    scale, zero = (constants[name].astype(np.float64) for name in last.input[1:3])
    wrong = ours != theirs
    edge = (np.minimum(ours, theirs, dtype=np.int64) - zero + 0.5)[wrong]
    neighbours = np.abs(ours.astype(np.int64) - theirs)[wrong] == 1
    # The division by the scale and the scale itself round too: two more units of the quotient.
    near = np.abs(real[wrong] / scale - edge) <= (
        error[wrong] / scale + 4 * _UNIT * np.abs(edge) + _UNIT
    )
    return int(wrong.sum()) if np.all(neighbours & near) else -1


def _chain(last: onnx.NodeProto, writers: dict[str, onnx.NodeProto]) -> list[onnx.NodeProto] | None:
    """The product before a QuantizeLinear and what lies between, in order."""
    found: list[onnx.NodeProto] = []
    name = last.input[0]
    while name in writers:
        node = writers[name]
        found.insert(0, node)
        if node.op_type in _PRODUCTS:
            return found
        if node.op_type not in _BEHIND:
            return None
        name = node.input[0]
    return None


def _exactly(
    model: onnx.ModelProto, inputs: Sequence[Array], chain: list[onnx.NodeProto]
) -> tuple[Array, Array]:
    """The chain in float64 on ONNX Runtime's own operands, and a bound of float32's error."""
    made = {name for node in chain for name in node.output}
    names = sorted({name for node in chain for name in node.input if name and name not in made})
    operands = {name: a.astype(np.float64) for name, a in _operands(model, inputs, names).items()}
    real = _evaluate(model, chain, operands)
    sums = [node for node in chain if node.op_type not in ("Relu", "Clip")]
    magnitude = _evaluate(model, sums, {name: np.abs(a) for name, a in operands.items()})
    weights = operands[chain[0].input[1]]
    filters = weights.shape[0] if chain[0].op_type == "Conv" else real.shape[-1]
    terms = weights.size // filters
    # Every product and every partial sum errs by a unit of at most the sum of magnitudes, and the
    # operands themselves are rounded products of a scale and an integer: equal for both sides.
    return real, (terms + 8) * _UNIT * magnitude


def _operands(
    model: onnx.ModelProto, inputs: Sequence[Array], names: list[str]
) -> dict[str, Array]:
    held = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    wider = onnx.ModelProto()
    wider.CopyFrom(model)
    computed = [name for name in names if name not in held]
    del wider.graph.output[:]
    wider.graph.output.extend(onnx.ValueInfoProto(name=name) for name in computed)
    feeds = dict(zip([v.name for v in model.graph.input], inputs, strict=True))
    values = dict(zip(computed, oracle(wider, feeds, optimised=False), strict=True))
    return {name: held[name] if name in held else values[name] for name in names}


def _evaluate(
    model: onnx.ModelProto, chain: list[onnx.NodeProto], operands: dict[str, Array]
) -> Array:
    given = [
        helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, array.shape)
        for name, array in operands.items()
        if any(name in node.input for node in chain)
    ]
    output = onnx.ValueInfoProto(name=chain[-1].output[0])
    graph = helper.make_graph(chain, "exact", given, [output])
    small = helper.make_model(graph, opset_imports=model.opset_import)
    fed = {value.name: operands[value.name] for value in given}
    return np.asarray(ReferenceEvaluator(small).run(None, fed)[0], dtype=np.float64)
