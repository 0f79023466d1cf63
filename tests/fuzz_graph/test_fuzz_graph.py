"""Twenty random graphs, executed; the campaign's own workings."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rowforge.configs import preset
from tests.fuzz_graph.case import Case
from tests.fuzz_graph.run import FORMATS, main, missing
from tests.fuzz_graph.runner import run_case

SEED = 5
SLICE = range(20)


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
    assert "4 tflite graphs, 1 executed, 0 failed" in printed
    assert main(["--only", "9:3"]) == 0
