"""Functions of single values: one table for an expression of one stored tensor."""

from pathlib import Path

import numpy as np
import pytest

from compiler.ir.graph import Graph
from compiler.ir.ops import HostStep
from hw.arch.errors import RowforgeError
from tests.campaigns.ort_arithmetic import functions
from tests.campaigns.ort_arithmetic.case import Case
from tests.support.onnx.models import ModelMaker, check, graph_of

_Q = (0.05, 3, "int8")
_OUT = (0.02, 5, "int8")


def _steps(graph: Graph) -> list[str]:
    return [n.function for n in graph.nodes if isinstance(n, HostStep) and not n.folded]


@pytest.mark.parametrize("form", functions.EXPRESSIONS)
def test_an_expression_of_one_tensor_is_one_table(form: str, tmp_path: Path) -> None:
    case = Case(np.random.default_rng(3))
    maker = case.maker
    maker.opset = 13
    x = maker.dequantise(maker.input("x", (1, 4, 5, 6), "int8"), _Q)
    y = maker.quantise(functions._parts(case, form, x), _OUT)
    graph = check(maker.model(y), tmp_path, case.rng, levels=(False,))
    assert _steps(graph) == ["lookup"]
    assert "256" in next(n.reason for n in graph.nodes if isinstance(n, HostStep) and not n.folded)


def test_branches_of_two_scales_are_no_table(tmp_path: Path) -> None:
    maker = ModelMaker()
    stored = maker.input("x", (1, 4, 5), "int8")
    first, second = maker.dequantise(stored, _Q), maker.dequantise(stored, (0.1, 0, "int8"))
    y = maker.quantise(maker.op("Mul", first, maker.op("Sigmoid", second)), _OUT)
    graph = check(maker.model(y), tmp_path, np.random.default_rng(1), levels=(False,))
    assert "lookup" not in _steps(graph)
    assert "function_ort" in _steps(graph)


def test_a_table_may_stand_before_a_concatenation(tmp_path: Path) -> None:
    """QuantizeLinear after Concat: each part is quantised where it is made."""
    maker = ModelMaker()
    parts = [
        maker.op(
            kind, maker.dequantise(maker.input(name, (1, 3, 4, 4), "uint8"), (0.1, 7, "uint8"))
        )
        for kind, name in (("Sigmoid", "x"), ("Tanh", "y"))
    ]
    joined = maker.quantise(maker.op("Concat", *parts, axis=1), (1 / 128, 100, "uint8"))
    graph = check(maker.model(joined), tmp_path, np.random.default_rng(1), levels=(False,))
    assert set(_steps(graph)) == {"lookup", "rearrange"}


def test_functions_of_integers_are_refused_in_a_sentence(tmp_path: Path) -> None:
    maker = ModelMaker()
    y = maker.op("Abs", maker.input("x", (1, 4), "int8"))
    with pytest.raises(RowforgeError, match="its input has type int8; put it between"):
        graph_of(maker.model(y), tmp_path)


def test_slopes_must_broadcast_to_the_input(tmp_path: Path) -> None:
    maker = ModelMaker()
    y = maker.op("PRelu", maker.input("x", (1, 4)), maker.constant(np.ones((3, 4), np.float32)))
    with pytest.raises(RowforgeError, match="its slope has shape"):
        graph_of(maker.model(y), tmp_path)


def test_a_shape_of_a_function_is_that_of_its_input(tmp_path: Path) -> None:
    """Shape arithmetic as exporters leave it, on a tensor that is not computed yet."""
    maker = ModelMaker()
    x = maker.op("Sigmoid", maker.dequantise(maker.input("x", (1, 3, 4, 5), "int8"), _Q))
    batch = maker.op("Gather", maker.op("Shape", x), maker.constant(np.asarray([0])))
    shape = maker.op("Concat", batch, maker.constant(np.asarray([-1])), axis=0)
    y = maker.quantise(maker.op("Reshape", x, shape), _OUT)
    graph = check(maker.model(y), tmp_path, np.random.default_rng(1), levels=(False,))
    assert _steps(graph) == ["lookup"]
