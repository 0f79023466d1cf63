"""Twenty random graphs, executed; the campaign's own workings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from compiler.frontends import load_model
from compiler.ir.graph import Graph
from compiler.ir.ops import Node
from rowforge.configs import preset
from sim.golden.run import run_node
from tests.campaigns.fuzz_graph.case import Case
from tests.campaigns.fuzz_graph.run import FORMATS, at_edges, between_levels, main, missing, target
from tests.campaigns.fuzz_graph.runner import after, run_case
from tests.support.onnx import layerwise as onnx_layerwise
from tests.support.onnx.layerwise import LayerFindings, by_layer
from tests.support.onnx.models import ModelMaker

SEED = 5
SLICE = range(20)
LEVELS = 93  # of seed 1


@pytest.mark.parametrize("index", SLICE)
@pytest.mark.parametrize("name", FORMATS)
def test_a_random_graph_gives_what_its_interpreter_gives(
    tmp_path: Path, name: str, index: int
) -> None:
    kind = FORMATS[name]
    outcome = run_case(kind.make(SEED, index), kind, tmp_path, preset("tiny"))
    assert not outcome.message, f"{outcome.case.label}: {outcome.message}"


@pytest.mark.parametrize("name", FORMATS)
def test_a_case_follows_from_its_name(name: str) -> None:
    kind = FORMATS[name]
    first, second = kind.make(3, 41), kind.make(3, 41)
    assert first.content == second.content
    for one, other in zip(first.inputs, second.inputs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.content != kind.make(3, 42).content


@pytest.mark.parametrize("name", FORMATS)
def test_everything_comes_up(name: str) -> None:
    """A full campaign's coverage table has no gap, and none of its lines is without a maker."""
    kind = FORMATS[name]
    counts = Counter(feature for i in range(300) for feature in kind.make(1, i).features)
    assert missing(kind.wanted, counts, target(300)) == []
    named = {(group, item) for group, items in kind.wanted.items() for item in items}
    assert {feature for feature in counts if feature[0] == "operator"} <= named


def test_a_difference_is_found_and_its_model_kept(tmp_path: Path) -> None:
    kind = FORMATS["tflite"]
    case = kind.make(SEED, 0)

    def wrong(content: bytes, inputs: object) -> list[np.ndarray]:
        outputs = kind.oracle(content, case.inputs)
        outputs[-1] = outputs[-1] + np.ones((), outputs[-1].dtype)
        return outputs

    outcome = run_case(case, replace(kind, oracle=wrong), tmp_path, None, keep=tmp_path / "kept")
    assert "values of" in outcome.message
    assert [p.name for p in (tmp_path / "kept").iterdir()] == [f"{SEED}_0.tflite"]
    broken = Case("0:0", b"nonsense", (), frozenset())
    outcome = run_case(broken, replace(kind, oracle=lambda c, i: []), tmp_path, None)
    assert "TFL3" in outcome.message


def test_the_command_reports(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--n", "4", "--seed", "9"]) == 0
    printed = capsys.readouterr().out
    assert "operator: CONV_2D" in printed
    assert "operator: Conv" in printed
    for name in FORMATS:
        (line,) = (line for line in printed.splitlines() if line.startswith(f"4 {name} graphs"))
        assert "1 executed" in line
        assert "0 failed" in line
    assert main(["--only", "9:3"]) == 0


def dense_case() -> Case:
    """A Conv of 240 terms whose output scale leaves many sums near an edge; one is too near."""
    m, random = ModelMaker(), np.random.default_rng(0)
    x = m.dequantise(m.input("x", (1, 60, 24, 24), "int8"), (0.0123, 7, "int8"))
    stored = random.integers(-127, 128, (16, 60, 2, 2)).astype(np.int8)
    w = m.dequantise(m.constant(stored), (0.0071, 0, "int8"))
    bias = m.constant(random.standard_normal(16).astype(np.float32))
    model = m.model(m.quantise(m.op("Conv", x, w, bias), (0.05, 3, "int8")))
    values = random.integers(-128, 128, (1, 60, 24, 24)).astype(np.int8)
    return Case("0:0", model.SerializeToString(), (values,), frozenset())


def test_float32_sums_account_for_a_last_place(tmp_path: Path) -> None:
    """Seen: one value of this network lies on a rounding edge that float32 sums miss."""
    kind, case = FORMATS["onnx"], dense_case()
    outcome = run_case(case, kind, tmp_path, None)
    assert not outcome.message
    assert outcome.explained == 1
    assert at_edges([outcome]) == ["at an edge 0:0 t3: (0, 7, 4, 21) -18 / -17"]
    unexplained = run_case(case, replace(kind, layers=None), tmp_path, None)
    assert "1 of 8464 values" in unexplained.message

    def without_reasons(
        graph: Graph, content: bytes, inputs: Sequence[np.ndarray]
    ) -> LayerFindings:
        model = onnx.load_from_string(content)
        feeds = {"x": inputs[0]}
        return by_layer(graph, model, feeds, lambda evaluator, name, ours, theirs: ours == theirs)

    refused = run_case(case, replace(kind, layers=without_reasons), tmp_path, None)
    assert "layer by layer: t3: 1 of 8464 values differ" in refused.message


def test_a_wrong_layer_is_found_though_the_outputs_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(node: Node, arrays: list[np.ndarray]) -> np.ndarray:
        value = run_node(node, arrays)
        if value.dtype == np.int8:
            value = value.copy()
            value.reshape(-1)[5] ^= 1
        return value

    monkeypatch.setattr(onnx_layerwise, "run_node", wrong)
    outcome = run_case(dense_case(), FORMATS["onnx"], tmp_path, None)
    assert "layer by layer: t3: 1 of 8464 values differ" in outcome.message


def test_what_follows_from_a_tensor(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(dense_case().content)
    graph = load_model(path)
    assert after(graph, ["x"]) >= set(graph.outputs)
    assert after(graph, ["t3"]) == set(graph.outputs)
    assert after(graph, ["no such tensor"]) == set()


def test_levels_that_differ_are_listed(tmp_path: Path) -> None:
    """Seen: with optimisation ONNX Runtime rounds this graph's values otherwise."""
    outcome = run_case(FORMATS["onnx"].make(1, LEVELS), FORMATS["onnx"], tmp_path, None)
    assert not outcome.message
    assert outcome.differing > 0
    (*listed, counted) = between_levels([outcome])
    assert listed and all(line.startswith("levels differ 1:") for line in listed)
    assert counted == f"{outcome.differing} values of 1 graphs differ between levels"
