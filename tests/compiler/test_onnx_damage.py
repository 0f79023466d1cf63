"""ONNX files that are cut, damaged or unsupported: one sentence each, and quickly."""

import re
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compiler.frontends import load_model
from hw.arch.errors import RowforgeError
from tests.support.onnx_damage import damage
from tests.support.onnx_models import ModelMaker

SECONDS = 5.0


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


def attempt(path: Path, model: onnx.ModelProto | bytes) -> str:
    """The message of the refusal, or "" where the file is still a usable model."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
    path.write_bytes(content)
    start = monotonic()
    try:
        load_model(path)
        return ""
    except RowforgeError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        return str(error)
    finally:
        assert monotonic() - start < SECONDS


def changed(change: Any, form: str = "qdq") -> onnx.ModelProto:
    model = small_model(form)
    change(model)
    return model


def node(model: onnx.ModelProto, op_type: str) -> Any:
    return next(node for node in model.graph.node if node.op_type == op_type)


@pytest.mark.parametrize("form", ["qdq", "qoperator"])
def test_the_undamaged_file_is_read(tmp_path: Path, form: str) -> None:
    assert attempt(tmp_path / "m.onnx", small_model(form)) == ""


def test_cut_files(tmp_path: Path) -> None:
    content = small_model().SerializeToString()
    for length in range(0, len(content) - 40, max(1, len(content) // 150)):
        assert attempt(tmp_path / "m.onnx", content[:length]), length


def test_garbage(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for size in (0, 3, 100, 10_000):
        assert attempt(tmp_path / "m.onnx", rng.integers(0, 256, size, dtype=np.uint8).tobytes())


@pytest.mark.parametrize("form", ["qdq", "qoperator"])
@pytest.mark.parametrize("seed", range(4))
def test_seeded_damage(tmp_path: Path, form: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, refused = small_model(form), 0
    for _ in range(120):
        refused += bool(attempt(tmp_path / "m.onnx", damage(model, rng)))
    assert 20 < refused < 120


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_huge_input, "at most"),
        (_unknown_size, "unknown size on axis 2"),
        (_huge_constant, "at most 8 axes"),
        (_huge_fill, "would have shape"),
        (_many_fills, "computed when the model is read"),
        (_operator_without_inputs, "no input or output"),
        (_two_writers, "writes 't3' again"),
        (_no_output, "no operator writes its output 'nowhere'"),
        (_no_nodes, "at least one operator"),
        (_negative_size, "at least 1"),
        (_zero_size, "at least 1"),
        (_cut_weights, "cut short"),
        (_float_weights, "type float32"),
        (_half_floats, "type float16"),
        (_foreign_domain, r"org\.example\.Relu.*no such operator"),
        (_zero_groups, "0 groups"),
        (_zero_stride, "strides"),
        (_window_too_large, "does not fit its input"),
        (_wrong_attribute, "pads must be a list of integers"),
        (_wrong_axis, "perm"),
        (_infinite_scale, "positive finite"),
        (_future_operators, "operator set"),
        (_external, "another file; save the model as one file"),
        (_cycle, "cycle"),
        (_missing_weights, "nothing provides"),
        (_huge_pads, "pads"),
        (_function, "functions of its own"),
        (_control_flow, "Loop.*no such operator is supported"),
        (_sequence, "is no tensor"),
        (_double, "float64"),
        (_zero_scale, "positive"),
        (_scale_counts, "3 scales"),
    ],
)
def test_kinds_of_damage(tmp_path: Path, change: Any, words: str) -> None:
    message = attempt(tmp_path / "m.onnx", changed(change))
    assert re.search(words, message), message


def test_depth_is_no_matter(tmp_path: Path) -> None:
    m = ModelMaker()
    x = m.input("x", (1, 4))
    for _ in range(3000):
        x = m.op("Relu", x)
    y = m.dequantise(m.quantise(x, (0.1, 0, "uint8")), (0.1, 0, "uint8"))
    for _ in range(1500):
        y = m.op("Flatten", y)
    model = m.model(m.quantise(y, (0.2, 0, "uint8")))
    assert attempt(tmp_path / "m.onnx", model) == ""


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RowforgeError, match="cannot be read"):
        load_model(tmp_path / "absent.onnx")
