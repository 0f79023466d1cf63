"""A float network out of a quantised one: weights as they dequantise, activations as floats."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_CLAMPED = ("Conv", "Gemm", "MatMul", "Add")  # writers whose Relu a quantiser may have left out


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network without QuantizeLinear and DequantizeLinear, of the same input and output names.

    A QuantizeLinear after a sum whose zero point is the lowest value holds no negative number: the
    quantiser has left out a Relu, which comes back.
    """
    fold = _Fold(model)
    nodes = [made for node in model.graph.node for made in fold.node(node)]
    outputs = [value.name for value in model.graph.output]
    nodes += [helper.make_node("Identity", [fold.named(n)], [n]) for n in outputs if n in fold.same]
    held = list(fold.constants.items())
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        model.graph.name,
        [_floats(value) for value in model.graph.input],
        [_floats(value) for value in model.graph.output],
        [numpy_helper.from_array(array, name) for name, array in held if name in read],
    )
    whole = helper.make_model(graph, opset_imports=model.opset_import)
    whole.ir_version = model.ir_version
    onnx.checker.check_model(whole)
    return whole


class _Fold:
    """What the names of the quantised network stand for."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.writers = {name: node for node in model.graph.node for name in node.output}
        self.same: dict[str, str] = {}

    def named(self, name: str) -> str:
        """The float tensor that a name stands for."""
        while name in self.same:
            name = self.same[name]
        return name

    def node(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """What is left of an operator."""
        if node.op_type == "DequantizeLinear":
            if node.input[0] in self.constants:
                self.constants[node.output[0]] = self._dequantised(node)
            else:
                self.same[node.output[0]] = node.input[0]
            return []
        if node.op_type == "QuantizeLinear":
            return self._quantised(node)
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for position, name in enumerate(node.input):
            copy.input[position] = self.named(name)
        return [copy]

    def _dequantised(self, node: onnx.NodeProto) -> NDArray[np.float32]:
        stored, scale, zero = (self.constants[name] for name in node.input)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1) % max(stored.ndim, 1)
        if scale.size > 1:
            shape = [-1 if n == axis else 1 for n in range(stored.ndim)]
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        return ((stored.astype(np.int64) - zero) * scale).astype(np.float32)

    def _quantised(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        source, zero = self.named(node.input[0]), self.constants[node.input[2]]
        writer = self.writers.get(node.input[0])
        if writer is None or writer.op_type not in _CLAMPED or zero != np.iinfo(zero.dtype).min:
            self.same[node.output[0]] = source
            return []
        return [helper.make_node("Relu", [source], [node.output[0]], f"{node.name}_relu")]


def _floats(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    copy.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return copy
