"""The campaign of recorded ONNX models: a model through it, and that a wrong tensor is noticed."""

import numpy as np
import pytest

from tests.campaigns.models.onnx import MODELS, between_levels, differences, main, recorded, run
from tests.support.workloads import workload

NAME = "mnist_8_qoperator_u8s8_pt"


def test_every_quantised_model_is_listed() -> None:
    stems = {path.stem for path in workload("onnx").glob("*.onnx")}
    assert stems - set(MODELS) == {"mnist_8"}  # of floats: `rowforge quantize` takes it


def test_a_model_on_the_golden_model(capsys: pytest.CaptureFixture[str]) -> None:
    workload("onnx")
    assert main(["--no-rtl", "--only", NAME]) == 0
    printed = capsys.readouterr().out
    assert "golden 8 inputs" in printed
    assert "0 of 80 outputs differ between levels" in printed


def test_a_wrong_tensor_is_noticed(tmp_path) -> None:
    expected = recorded(NAME)
    x = expected["input"][0]
    actual, said = run(NAME, x, tmp_path, "--preset", "tiny", "--target", "golden")
    assert not said
    assert differences(actual, expected) == []
    moved = dict(actual)
    moved["output"] = actual["output"] + np.float32(1)
    assert differences(moved, expected) == ["output_ort_noopt"]
    key = next(key for key in expected if key.startswith("mid_"))
    other = {**expected, key: expected[key] ^ 1}
    assert differences(actual, other) == [key]
    changed = {**expected, "output_ort": expected["output_ort"][:1].copy()}
    assert between_levels(actual, changed) == []
    changed["output_ort"][0, 0, 3] += 1
    (line,) = between_levels(actual, changed)
    assert line.startswith("  (0, 3):")
