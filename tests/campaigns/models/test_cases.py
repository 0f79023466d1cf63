"""Every case of a fault found in the field: golden model and executed command stream."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.campaigns.models import cases
from tests.campaigns.models.cases import FOLDER, FieldCase, every_case, judge, main
from tests.support.onnx.models import ModelMaker, oracle
from tests.support.workloads import workload


def present() -> list[FieldCase]:
    return every_case() if FOLDER.is_dir() else []


def test_there_are_cases() -> None:
    """Without the recorded workloads this one is skipped, which the summary counts."""
    workload("cases")
    assert every_case()


@pytest.mark.parametrize("case", present(), ids=lambda case: case.name)
def test_a_case(case: FieldCase) -> None:
    verdict = judge(case, "functional")
    assert not verdict.wrong
    assert verdict.ran[0] == "golden"
    assert len(verdict.ran) == 2


def made(folder: Path) -> FieldCase:
    """A small convolution as a case of two items."""
    m, random = ModelMaker(), np.random.default_rng(3)
    q = (0.05, -3, "int8")
    x = m.dequantise(m.input("x", (1, 2, 5, 5), "int8"), q)
    stored = m.constant(random.integers(-127, 128, (3, 2, 3, 3)).astype(np.int8))
    w = m.dequantise(stored, (0.01, 0, "int8"))
    model = m.model(m.quantise(m.op("Conv", x, w), (0.04, 5, "int8")))
    values = random.integers(-128, 128, (2, 2, 5, 5)).astype(np.int8)
    place = folder / "90_made"
    place.mkdir()
    onnx.save(model, place / "conv.onnx")
    np.savez(place / "input.npz", x=values)
    name = model.graph.output[0].name
    parts = [oracle(model, {"x": values[n : n + 1]}, optimised=False)[0] for n in (0, 1)]
    np.savez(place / "expected.npz", **{name: np.concatenate(parts)})
    return FieldCase(place / "conv.onnx")


def test_a_wrong_value_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = made(tmp_path)
    assert judge(case, "functional").wrong == []
    monkeypatch.setattr(cases, "FOLDER", tmp_path)
    assert main([]) == 0
    assert "1 cases, 0 differ" in capsys.readouterr().out
    expected = dict(case.expected())
    (name,) = expected
    expected[name][1, 2, 0, 0] ^= 1
    np.savez(case.model.with_name("expected.npz"), **expected)
    assert judge(case, "functional").wrong == [f"item 1: 1 of 27 values of {name}"]
    assert main([]) == 1
    assert "1 cases, 1 differ" in capsys.readouterr().out


def test_a_wrong_program_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = made(tmp_path)
    run = cases.run_program

    def wrong(*arguments: object) -> object:
        result = run(*arguments)
        for array in result.outputs.values():
            array[0, 0, 0, 0] ^= 1
        return result

    monkeypatch.setattr(cases, "run_program", wrong)
    (said,) = judge(case, "functional").wrong
    assert said.startswith("tiny functional: 1 of 54 values")


def test_an_engine_without_a_clock_is_no_rtl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = cases.run_program, []

    def untimed(compiled: object, inputs: object, target: str) -> object:
        asked.append(target)
        return run(compiled, inputs, "golden")

    monkeypatch.setattr(cases, "run_program", untimed)
    verdict = judge(made(tmp_path), "rtl", ["tiny"])
    assert asked == ["rtl"]
    assert verdict.wrong == ["tiny: no clock ran"]


def test_a_refusal_is_told(tmp_path: Path) -> None:
    case = made(tmp_path)
    case.model.write_bytes(b"nonsense")
    (said,) = judge(case, "functional").wrong
    assert said.startswith("refused: ")
