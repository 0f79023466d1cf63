"""Twenty random graphs, executed; the campaign's own workings."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from rowforge.configs import preset
from sim.golden import run_graph
from tests.fuzz_graph.case import Case
from tests.fuzz_graph.run import FORMATS, between_levels, main, missing
from tests.fuzz_graph.runner import run_case

SEED = 5
SLICE = range(20)
ROUNDED = 1884  # of seed 7
LEVELS = 245  # of seed 1


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
    assert missing(kind.wanted, counts) == []
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


def outputs_and_golden(case: Case, folder: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    path = folder / "model.onnx"
    path.write_bytes(case.content)
    graph = load_model(path)
    named = {graph.tensors[k].name: a for k, a in zip(graph.inputs, case.inputs, strict=True)}
    golden = run_graph(graph, named)
    return FORMATS["onnx"].oracle(case.content, case.inputs), [golden[k] for k in graph.outputs]


def test_float32_sums_account_for_a_last_place(tmp_path: Path) -> None:
    """Seen: one value of this graph lies on a rounding edge that float32 sums miss."""
    kind = FORMATS["onnx"]
    case = kind.make(7, ROUNDED)
    theirs, ours = outputs_and_golden(case, tmp_path)
    (position,) = (
        n for n, pair in enumerate(zip(ours, theirs, strict=True)) if np.any(pair[0] != pair[1])
    )
    explain = kind.explain
    assert explain is not None
    y, reference = ours[position], theirs[position]
    assert explain(case.content, case.inputs, position, y, reference) == 1
    far = np.argwhere(y == reference)[0]
    moved = y.copy()
    moved[tuple(far)] ^= 1
    assert explain(case.content, case.inputs, position, moved, reference) == -1
    assert run_case(case, kind, tmp_path, None).explained == 1
    unexplained = run_case(case, replace(kind, explain=None), tmp_path, None)
    assert "1 of" in unexplained.message


def test_levels_that_differ_are_listed(tmp_path: Path) -> None:
    """Seen: with optimisation ONNX Runtime rounds this graph's values otherwise."""
    outcome = run_case(FORMATS["onnx"].make(1, LEVELS), FORMATS["onnx"], tmp_path, None)
    assert not outcome.message
    assert outcome.differing > 0
    (*listed, counted) = between_levels([outcome])
    assert listed and all(line.startswith("levels differ 1:") for line in listed)
    assert counted == f"{outcome.differing} values of 1 graphs differ between levels"
