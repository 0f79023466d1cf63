"""What a run says about values that ONNX Runtime's float32 sums may round the other way."""

from pathlib import Path

import numpy as np
import pytest

import rowforge as package
from tests.rowforge.support import DIGITS, MODEL, rowforge
from tests.support.onnx.models import ModelMaker, save

TINY = ("--preset", "tiny")
GOLDEN = (*TINY, "--target", "golden")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Two products of floats; of the first, with all ones, the one value is a tie: 2 / 4 = 0.5."""
    m = ModelMaker()
    x = m.dequantise(m.input("x", (1, 2), "int8"), (1.0, 0, "int8"))
    ones = m.op("DequantizeLinear", m.constant(np.ones((2, 1), np.int8)), *m.scale(1.0, 0, "int8"))
    y = m.requantise(m.op("MatMul", x, ones), (4.0, 0, "int8"))
    one = m.op("DequantizeLinear", m.constant(np.ones((1, 1), np.int8)), *m.scale(1.0, 0, "int8"))
    z = m.quantise(m.op("MatMul", y, one), (4.0, 0, "int8"))
    return save(m.model(z), tmp_path_factory.mktemp("model"))


@pytest.fixture
def ties(tmp_path) -> Path:
    """Three inputs, of which two lead to a tie in the first layer, none in the second."""
    np.save(tmp_path / "x.npy", np.array([[1, 1], [1, 3], [3, 3]], dtype=np.int8))
    return tmp_path / "x.npy"


def rows(document):
    return [row["edge_values"] for row in document["layers"] if row["edge_values"] != 0]


def test_golden_counts_over_all_inputs_and_says_so(capsys, model, ties) -> None:
    outcome = rowforge(capsys, "run", model, *GOLDEN, "--input", ties)
    assert outcome.status == 0
    line = outcome.out.splitlines()[-1]
    assert line.startswith("edge values: 2 values of n2 lie so near to a rounding edge that")
    assert "edge values" in outcome.out.splitlines()[0]


def test_json_holds_the_counts_and_standard_error_the_sentence(capsys, model, ties) -> None:
    outcome = rowforge(capsys, "run", model, *GOLDEN, "--input", ties, "--json")
    assert rows(outcome.document) == [2]
    assert outcome.document["total"]["edge_values"] == 2
    assert outcome.err.startswith("rowforge: edge values: 2 values of n2 lie")
    assert outcome.err.count("\n") == 1


def test_a_check_counts_each_input_once(capsys, model, ties) -> None:
    outcome = rowforge(capsys, "run", model, *GOLDEN, "--input", ties, "--check", "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.document["total"]["edge_values"] == 2


def test_inputs_far_from_an_edge_count_nothing(capsys, model, tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.array([[2, 2], [3, 6]], dtype=np.int8))
    outcome = rowforge(capsys, "run", model, *GOLDEN, "--input", tmp_path / "x.npy")
    assert "edge values" not in outcome.out
    outcome = rowforge(capsys, "run", model, *GOLDEN, "--input", tmp_path / "x.npy", "--json")
    assert outcome.document["total"]["edge_values"] == 0


def test_without_the_golden_model_nothing_is_counted(capsys, model, ties, tmp_path) -> None:
    program = tmp_path / "m.rfp"
    assert rowforge(capsys, "compile", model, *TINY, "-o", program).status == 0
    arguments = ("run", program, "--target", "golden", "--input", ties)
    outcome = rowforge(capsys, *arguments)
    assert outcome.out.splitlines()[-1].startswith("edge values: not counted")
    outcome = rowforge(capsys, *arguments, "--json")
    assert outcome.document["total"]["edge_values"] is None
    assert outcome.err == ""


@pytest.mark.slow
def test_on_an_accelerator_layers_of_floats_are_not_counted_others_have_none(model) -> None:
    compiled = package.compile_model(model, package.preset("tiny"))
    x = np.ones((1, 2), dtype=np.int8)
    result = package.run_program(compiled, x, "rtl")
    document = package.report(compiled.program, result.counters, result.cycles, result.edge_values)
    assert rows(document) == [None, None]
    assert document["total"]["edge_values"] is None
    checked = package.run_program(compiled, x, "rtl", check=True)
    assert checked.edge_values == {"n2": 1, "n6": 0}


def test_a_tflite_model_has_none_whatever_ran(capsys, tmp_path) -> None:
    np.save(tmp_path / "x.npy", DIGITS.images[:2])
    outcome = rowforge(capsys, "run", MODEL, *GOLDEN, "--input", tmp_path / "x.npy", "--json")
    assert outcome.document["total"]["edge_values"] == 0
    program = tmp_path / "m.rfp"
    assert rowforge(capsys, "compile", MODEL, *TINY, "-o", program).status == 0
    outcome = rowforge(capsys, "run", program, "--target", "golden")
    assert "edge values" not in outcome.out


def test_another_rounding_imitates_no_float_sums(capsys, model, ties) -> None:
    arguments = ("--input", ties, "--rounding", "single", "--json")
    assert rowforge(capsys, "run", model, *GOLDEN, *arguments).document["total"]["edge_values"] == 0


def test_results_that_stay_floats_are_named_with_their_bound(capsys, tmp_path) -> None:
    m = ModelMaker()
    x = m.dequantise(m.input("x", (1, 4), "int8"), (0.5, 0, "int8"))
    w = m.constant(np.full((4, 3), 100, np.int8))
    y = m.op("MatMul", x, m.op("DequantizeLinear", w, *m.scale(0.25, 0, "int8")))
    outcome = rowforge(capsys, "run", save(m.model(y), tmp_path), *GOLDEN)
    line = next(line for line in outcome.out.splitlines() if line.startswith("n2 output: "))
    assert "its result is not quantised" in line
    # Four terms and eight roundings of at most 4 x 100 x 255 units of 1/8.
    assert float(line.rsplit(" ", 1)[1]) == pytest.approx(12 * 2.0**-24 * 102000 / 8, rel=0.05)
