"""Reductions, extremes and choices: on stored values where they can be, and their sentences."""

from pathlib import Path

import numpy as np
import pytest

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv, HostStep
from hw.arch.errors import RowforgeError
from tests.campaigns.ort_arithmetic.run import campaign
from tests.compiler.frontends.onnx.test_moves import Made, X, Y
from tests.support.onnx.models import ModelMaker, check, graph_of, unchecked


def _steps(graph: Graph) -> list[str]:
    return [n.function for n in graph.nodes if isinstance(n, HostStep) and not n.folded]


def test_places_of_the_largest_classes_need_no_floats(tmp_path: Path) -> None:
    """The end of a segmentation network: ArgMax over the channels of a quantised map."""
    m = Made(1)
    x = m.dequantise(m.quantise(m.conv(), Y), Y)
    y = m.op("ArgMax", x, axis=1, keepdims=0)
    graph = check(m.model(y), tmp_path, m.rng, levels=(False,))
    assert _steps(graph) == ["arg_extreme"]


def test_a_product_is_quantised_before_its_maximum(tmp_path: Path) -> None:
    m = Made(2)
    largest = m.op("ReduceMax", m.conv(), axes=[2, 3], keepdims=1)
    other = m.op("ReduceMin", m.conv(bias=False), axes=[2, 3], keepdims=1)
    y = m.quantise(m.op("Max", largest, other), Y)
    graph = check(m.model(y), tmp_path, m.rng, levels=(False,))
    assert sum(isinstance(node, Conv) for node in graph.nodes) == 2
    assert sorted(_steps(graph)) == ["extreme_ort", "reduce_extreme", "reduce_extreme"]


def test_a_gate_broadcasts_to_its_map(tmp_path: Path) -> None:
    """Squeeze-excite: a mean, a product, a HardSigmoid by table, a Mul of two shapes."""
    m = Made(3)
    x = m.dequantise(m.quantise(m.op("Relu", m.conv()), Y), Y)
    squeezed = m.requantise(m.op("GlobalAveragePool", x), Y)
    gate = m.op("HardSigmoid", m.requantise(m.conv(squeezed, C=6), X))
    y = m.quantise(m.op("Mul", x, m.requantise(gate, (1 / 255, -128, "int8"))), Y)
    graph = check(m.model(y), tmp_path, m.rng, levels=(False,))
    assert set(_steps(graph)) <= {"lookup", "add_dequantised", "average_dequantised"}


def test_nan_of_a_constant_is_no_stored_value(tmp_path: Path) -> None:
    m = ModelMaker()
    x = m.dequantise(m.input("x", (1, 4), "int8"), X)
    bad = m.constant(np.asarray([[1, np.nan, -9, 2]], np.float32))
    y = m.quantise(m.op("Max", x, bad), X)
    check(m.model(y), tmp_path, np.random.default_rng(1), levels=(False,))


@pytest.mark.parametrize(
    "name",
    [
        "ReduceMean of floats, any axes",
        "ReduceMax, after a function",
        "ArgMin, integers",
        "Max, scales",
        "Where between DQ and Q",
        "QLinearWhere",
        "Add between DQ and Q, both",
        "Div between DQ and Q, tensors",
    ],
)
def test_cases_of_the_campaign(name: str) -> None:
    tally = campaign(name, 15, 1)
    assert tally.failures == []
    assert tally.compared > 0


def test_sentences(tmp_path: Path) -> None:
    for op_type, dtype, attributes, sentence in (
        ("ReduceSum", "int8", {}, "its input has type int8; put it between"),
        ("ReduceMax", "float32", {"axes": [1]}, "whose zeros have signs"),
        ("ReduceMax", "int8", {"axes": [7]}, "its axes"),
        ("Max", "float32", {}, "whose zeros have signs"),
        ("ArgMax", "int8", {"axis": 5}, "axis 5 does not exist"),
        ("ArgMax", "int64", {}, "its input has type int64"),
    ):
        m = ModelMaker()
        inputs = ["x", m.input("y", (1, 4), dtype)] if op_type == "Max" else ["x"]
        m.input("x", (1, 4), dtype)
        y = m.op(op_type, *inputs, **attributes)
        with pytest.raises(RowforgeError) as raised:
            graph_of(unchecked(m, y), tmp_path)
        assert sentence in str(raised.value)


def test_choices_take_bool_and_one_type(tmp_path: Path) -> None:
    m = ModelMaker()
    y = m.op("Where", m.input("c", (4,), "bool"), m.input("a", (4,)), m.input("b", (4,)))
    with pytest.raises(RowforgeError, match="whose zeros have signs"):
        graph_of(m.model(y), tmp_path)
    m = ModelMaker()
    pair = m.scale(0.1, 0, "int8")
    sides = (m.input("a", (4,), "int8"), *pair, m.input("b", (4,), "int8"), *pair)
    y = m.op("QLinearWhere", m.input("c", (4,), "bool"), *sides, *pair, domain="com.microsoft")
    with pytest.raises(RowforgeError, match="quantise them to uint8"):
        graph_of(m.model(y), tmp_path)
