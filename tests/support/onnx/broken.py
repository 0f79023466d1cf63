"""An ONNX model in two forms, and the ways in which it is broken by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.support.onnx.models import ModelMaker


def small_model(form: str = "qdq") -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    m = ModelMaker()
    q, p = (0.02, 3, "uint8"), (0.1, 5, "uint8")
    x = m.quantise(m.input("x", ("batch", 3, 9, 9)), q)
    w = m.constant(rng.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8))
    scale = m.constant(np.full(4, 0.01, dtype=np.float32))
    zero = m.constant(np.zeros(4, dtype=np.int8))
    bias = m.constant(rng.integers(-99, 99, 4).astype(np.int32))
    if form == "qdq":
        weights = m.op("DequantizeLinear", w, scale, zero, axis=0)
        y = m.op("Conv", m.dequantise(x, q), weights, pads=[1, 1, 1, 1], strides=[2, 2])
        y = m.requantise(m.op("Relu", y), p)
        y = m.requantise(m.op("Add", y, y), p)
    else:
        y = m.op("QLinearConv", x, *m.scale(*q), w, scale, zero, *m.scale(*p), bias, strides=[2, 2])
        y = m.dequantise(m.op("QLinearAdd", y, *m.scale(*p), y, *m.scale(*p), *m.scale(*p),
                              domain="com.microsoft"), p)  # fmt: skip
    y = m.op("GlobalAveragePool", m.op("MaxPool", y, kernel_shape=[2, 2]))
    shape = m.op("Concat", m.constant(np.asarray([1])), m.constant(np.asarray([-1])), axis=0)
    y = m.op("Softmax", m.op("Reshape", m.requantise(y, p), shape))
    return m.model(m.op("Transpose", y, perm=[1, 0]))


def changed(change: Any, form: str = "qdq") -> onnx.ModelProto:
    model = small_model(form)
    change(model)
    return model


def node(model: onnx.ModelProto, op_type: str) -> Any:
    return next(node for node in model.graph.node if node.op_type == op_type)


def _huge_input(model: onnx.ModelProto) -> None:
    for dim in model.graph.input[0].type.tensor_type.shape.dim:
        dim.dim_value = 1 << 30


def _unknown_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"


def _huge_constant(model: onnx.ModelProto) -> None:
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([1 << 40, 1 << 40])


def _huge_fill(model: onnx.ModelProto) -> None:
    shape = helper.make_tensor("huge", TensorProto.INT64, [3], [1 << 20, 1 << 20, 1 << 20])
    model.graph.initializer.append(shape)
    fill = helper.make_node("ConstantOfShape", ["huge"], ["filled"])
    model.graph.node.insert(0, fill)


def _many_fills(model: onnx.ModelProto) -> None:
    shape = helper.make_tensor("large", TensorProto.INT64, [2], [1 << 12, 1 << 12])
    model.graph.initializer.append(shape)
    for number in range(9):
        fill = helper.make_node("ConstantOfShape", ["large"], [f"filled{number}"])
        model.graph.node.insert(0, fill)


def _operator_without_inputs(model: onnx.ModelProto) -> None:
    del node(model, "Relu").input[:]


def _two_writers(model: onnx.ModelProto) -> None:
    node(model, "Relu").output[0] = node(model, "Conv").output[0]


def _no_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "nowhere"


def _no_nodes(model: onnx.ModelProto) -> None:
    del model.graph.node[:]


def _negative_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = -3


def _zero_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 0


def _cut_weights(model: onnx.ModelProto) -> None:
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    tensor.raw_data = tensor.raw_data[:-1]


def _float_weights(model: onnx.ModelProto) -> None:
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    tensor.data_type = TensorProto.FLOAT
    tensor.raw_data = np.ones(list(tensor.dims), dtype=np.float32).tobytes()


def _half_floats(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def _foreign_domain(model: onnx.ModelProto) -> None:
    node(model, "Relu").domain = "org.example"


def _zero_groups(model: onnx.ModelProto) -> None:
    node(model, "Conv").attribute.append(helper.make_attribute("group", 0))


def _zero_stride(model: onnx.ModelProto) -> None:
    for attribute in node(model, "Conv").attribute:
        if attribute.name == "strides":
            attribute.ints[0] = 0


def _window_too_large(model: onnx.ModelProto) -> None:
    for attribute in node(model, "MaxPool").attribute:
        if attribute.name == "kernel_shape":
            attribute.ints[0] = 99


def _wrong_attribute(model: onnx.ModelProto) -> None:
    for attribute in node(model, "Conv").attribute:
        if attribute.name == "pads":
            attribute.CopyFrom(helper.make_attribute("pads", 0.5))


def _wrong_axis(model: onnx.ModelProto) -> None:
    for attribute in node(model, "Transpose").attribute:
        attribute.ints[0] = 7


def _infinite_scale(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and not tensor.dims:
            tensor.raw_data = np.float32(np.inf).tobytes()


def _future_operators(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 1 << 40


def _external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def _cycle(model: onnx.ModelProto) -> None:
    conv = node(model, "Conv")
    node(model, "QuantizeLinear").input[0] = conv.output[0]


def _missing_weights(model: onnx.ModelProto) -> None:
    del model.graph.initializer[2]


def _huge_pads(model: onnx.ModelProto) -> None:
    for attribute in node(model, "Conv").attribute:
        if attribute.name == "pads":
            attribute.ints[0] = 1 << 40


def _function(model: onnx.ModelProto) -> None:
    model.functions.add(name="f")


def _control_flow(model: onnx.ModelProto) -> None:
    node(model, "Relu").op_type = "Loop"


def _sequence(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1


def _double(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def _zero_scale(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and not tensor.dims:
            tensor.raw_data = np.float32(0).tobytes()


def _scale_counts(model: onnx.ModelProto) -> None:
    tensor = next(t for t in model.graph.initializer if list(t.dims) == [4] and t.data_type == 1)
    tensor.dims[0] = 3
    tensor.raw_data = np.full(3, 0.01, dtype=np.float32).tobytes()


BROKEN: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "huge input": (_huge_input, "at most"),
    "unknown size": (_unknown_size, "unknown size on axis 2"),
    "huge constant": (_huge_constant, "at most 8 axes"),
    "huge fill": (_huge_fill, "would have shape"),
    "many fills": (_many_fills, "computed when the model is read"),
    "operator without inputs": (_operator_without_inputs, "no input or output"),
    "two writers": (_two_writers, "writes 't3' again"),
    "no output": (_no_output, "no operator writes its output 'nowhere'"),
    "no nodes": (_no_nodes, "at least one operator"),
    "negative size": (_negative_size, "at least 1"),
    "zero size": (_zero_size, "at least 1"),
    "cut weights": (_cut_weights, "cut short"),
    "float weights": (_float_weights, "type float32"),
    "half floats": (_half_floats, "type float16"),
    "foreign domain": (_foreign_domain, r"org\.example\.Relu.*no such operator"),
    "zero groups": (_zero_groups, "0 groups"),
    "zero stride": (_zero_stride, "strides"),
    "window too large": (_window_too_large, "does not fit its input"),
    "wrong attribute": (_wrong_attribute, "pads must be a list of integers"),
    "wrong axis": (_wrong_axis, "perm"),
    "infinite scale": (_infinite_scale, "positive finite"),
    "future operators": (_future_operators, "operator set"),
    "external": (_external, "another file; save the model as one file"),
    "cycle": (_cycle, "cycle"),
    "missing weights": (_missing_weights, "nothing provides"),
    "huge pads": (_huge_pads, "pads"),
    "function": (_function, "functions of its own"),
    "control flow": (_control_flow, "Loop.*no such operator is supported"),
    "sequence": (_sequence, "is no tensor"),
    "double": (_double, "float64"),
    "zero scale": (_zero_scale, "positive"),
    "scale counts": (_scale_counts, "3 scales"),
}
"""By name: what is done to the model, and a pattern of the refusal."""
