"""What writers of ONNX files leave out, or write in another of the ways that the format allows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv
from sim.golden import run_graph
from tests.support.onnx.models import ModelMaker, check, graph_of, oracle


def network(
    m: ModelMaker,
    *,
    zero: bool = True,
    scale: Callable[[ModelMaker, float], str] | None = None,
    bias: str | None = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """Quantise, Conv, Clip, quantise: scales are powers of two, so that every bit must be equal."""
    rng = np.random.default_rng(2)
    make = scale or (lambda maker, value: maker.constant(np.float32(value)))

    def pair(value: float, point: int, dtype: str) -> tuple[str, ...]:
        given = m.constant(np.asarray(point, dtype)) if zero else None
        return (make(m, value), given) if given else (make(m, value),)

    def both(x: str, *parameters: str) -> str:
        return m.op("DequantizeLinear", m.op("QuantizeLinear", x, *parameters), *parameters)

    x = both(m.input("x", (1, 3, 8, 8)), *pair(2.0**-4, 120, "uint8"))
    w = m.constant(rng.integers(-60, 60, (5, 3, 3, 3)).astype(np.int8))
    w = m.op("DequantizeLinear", w, *pair(2.0**-7, 0, "int8"))
    given = () if bias is None else (bias,)
    y = m.op("Clip", m.op("Conv", x, w, *given, **attributes), "", m.constant(np.float32(2.5)))
    return m.model(both(y, *pair(2.0**-4, 100, "uint8")))


def one_element(m: ModelMaker, value: float) -> str:
    return m.constant(np.asarray([value], np.float32))


def constant_value(m: ModelMaker, value: float) -> str:
    return m.op("Constant", value=numpy_helper.from_array(np.float32(value)))


def constant_float(m: ModelMaker, value: float) -> str:
    return m.op("Constant", value_float=value)


def constant_floats(m: ModelMaker, value: float) -> str:
    return m.op("Constant", value_floats=[value])


def behind_identity(m: ModelMaker, value: float) -> str:
    return m.op("Identity", m.constant(np.float32(value)))


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize(
    "scale", [None, one_element, constant_value, constant_float, constant_floats, behind_identity]
)
def test_scales_and_zero_points(tmp_path: Path, zero: bool, scale: Any) -> None:
    rng = np.random.default_rng(1)
    check(network(ModelMaker(), zero=zero, scale=scale), tmp_path, rng, levels=(False,))


@pytest.mark.parametrize("opset", [11, 12, 13, 14, 17, 19, 21])
def test_operator_sets(tmp_path: Path, opset: int) -> None:
    check(network(ModelMaker(opset)), tmp_path, np.random.default_rng(1), levels=(False,))


def no_names(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.name = ""
    model.graph.name = ""


def notes_and_domains(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.doc_string, node.domain = "a note", "ai.onnx"
    model.doc_string = model.graph.doc_string = "a note"
    model.metadata_props.add(key="a", value="b")


def no_shapes(model: onnx.ModelProto) -> None:
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.ClearField("type")


def open_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].ClearField("dim_value")


def initializers_among_inputs(model: onnx.ModelProto) -> None:
    model.ir_version = 3
    for tensor in model.graph.initializer:
        value = helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        model.graph.input.append(value)


def typed_data(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).reshape(-1).tolist()
        tensor.ClearField("raw_data")
        kept = (
            tensor.float_data if tensor.data_type == onnx.TensorProto.FLOAT else tensor.int32_data
        )
        kept.extend(values)


def other_domain_name(model: onnx.ModelProto) -> None:
    model.opset_import[0].domain = "ai.onnx"


@pytest.mark.parametrize(
    "edit",
    [
        no_names, notes_and_domains, no_shapes, open_batch, initializers_among_inputs, typed_data,
        other_domain_name,
    ],
)  # fmt: skip
def test_fields_of_the_file(tmp_path: Path, edit: Any) -> None:
    model, rng = network(ModelMaker()), np.random.default_rng(1)
    before = check(model, tmp_path, rng, levels=(False,))
    edit(model)
    after = _checked(model, tmp_path, rng)
    assert len(after.nodes) == len(before.nodes)


def _checked(model: onnx.ModelProto, folder: Path, rng: np.random.Generator) -> Graph:
    graph = graph_of(model, folder)
    feeds = {"x": (3 * rng.standard_normal((1, 3, 8, 8))).astype(np.float32)}
    (expected,) = oracle(model, feeds, optimised=False)
    np.testing.assert_array_equal(run_graph(graph, feeds)[graph.outputs[0]], expected)
    return graph


def test_attributes_without_a_type(tmp_path: Path) -> None:
    """Writers before version 3 left it to the field; ONNX Runtime asks for it."""
    given = {"strides": [2, 2], "pads": [1, 1, 0, 0], "group": 1, "auto_pad": "NOTSET"}
    model = network(ModelMaker(), **given)
    graph = check(model, tmp_path, np.random.default_rng(1), levels=(False,))
    for node in model.graph.node:
        for attribute in node.attribute:
            attribute.ClearField("type")
    conv, same = (
        next(node for node in g.nodes if isinstance(node, Conv))
        for g in (graph, graph_of(model, tmp_path))
    )
    assert (conv.stride, conv.pad) == (same.stride, same.pad) == ((2, 2), (1, 1, 0, 0))


def test_absent_inputs_and_outputs(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(3), ModelMaker()
    s = m.constant(np.float32(2.0**-4))

    def both(x: str) -> str:
        return m.op("DequantizeLinear", m.op("QuantizeLinear", x, s, ""), s, "")

    x = both(m.input("x", (1, 3, 8, 8)))
    w = m.constant(rng.integers(-60, 60, (5, 3, 3, 3)).astype(np.int8))
    y = m.op("Conv", x, m.op("DequantizeLinear", w, m.constant(np.float32(2.0**-7))), "")
    m.nodes.append(helper.make_node("Dropout", [y, "", ""], ["d", ""]))
    y = both(m.op("Clip", "d", "", ""))
    y = m.op("Pad", y, m.constant(np.asarray([0, 0, 1, 1, 0, 0, 1, 1])), "")
    check(m.model(both(y)), tmp_path, rng, levels=(False,))


def test_defaults_of_attributes(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(4), ModelMaker()
    s = m.constant(np.float32(2.0**-4))

    def both(x: str) -> str:
        return m.op("DequantizeLinear", m.op("QuantizeLinear", x, s), s)

    x = both(m.input("x", (1, 3, 8, 8)))
    y = m.op("Flatten", m.op("Transpose", m.op("MaxPool", x, kernel_shape=[2, 2])))
    y = m.op("Squeeze", m.op("Unsqueeze", y, m.op("Constant", value_ints=[0, 3])))
    w = m.constant(rng.integers(-60, 60, (21, 7)).astype(np.int8))
    scales = m.constant((2.0 ** rng.integers(-9, -6, 7)).astype(np.float32))
    y = both(m.op("Gemm", both(y), m.op("DequantizeLinear", w, scales)))
    check(m.model(m.op("Softmax", y)), tmp_path, rng, levels=(False,))


@pytest.mark.parametrize("leading", [(1,), (1, 1)])
def test_one_matrix_for_several_items(tmp_path: Path, leading: tuple[int, ...]) -> None:
    rng, m = np.random.default_rng(5), ModelMaker()
    q = (2.0**-4, 3, "int8")
    x = m.dequantise(m.input("x", (2, 3, 4, 16), "int8"), q)
    values = m.constant(rng.integers(-60, 60, (*leading, 16, 7)).astype(np.int8))
    scales = m.constant((2.0 ** rng.integers(-9, -6, 7)).astype(np.float32))
    w = m.op("DequantizeLinear", values, scales, axis=len(leading) + 1)
    bias = m.constant(rng.integers(-9, 9, 7).astype(np.float32))
    y = m.op("Add", m.op("MatMul", x, w), bias)
    check(m.model(m.quantise(y, q)), tmp_path, rng, levels=(False,))
