"""Layers of examples on the golden model, one of them executed; what the campaign finds."""

from pathlib import Path

import numpy as np
import pytest

from tests.campaigns.examples import run
from tests.support.tflite.checking import tflm_outputs
from tests.support.tflite.examples import EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_layers_of_an_example(tmp_path: Path, name: str) -> None:
    """On the golden model; `make test-models` runs it on the executor and on the RTL."""
    wrong, count = run.layers_that_differ(name, tmp_path)
    assert wrong == []
    assert count >= 20


def test_an_example_is_executed(tmp_path: Path) -> None:
    assert run.run_checked("yolo", "golden", "tiny", tmp_path) == ""


def test_a_wrong_layer_of_an_example_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*given: object) -> list[np.ndarray]:
        outputs = tflm_outputs(*given)
        outputs[3].reshape(-1)[5] ^= 1
        return outputs

    monkeypatch.setattr(run, "tflm_outputs", wrong)
    found, _ = run.layers_that_differ("u_net", tmp_path)
    assert len(found) == 1
    assert found[0].startswith("u_net: ")
