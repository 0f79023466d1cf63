"""Every recording but the largest model's through the command; a small model on the RTL."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tflite

from tests.campaigns.models import sixteen
from tests.campaigns.models.recorded import FOLDERS, Case, case_named, disagreements, every_case
from tests.campaigns.models.run import CUT, run_case
from tests.sim.golden.test_models import GOLDENS
from tests.support.tflite.checking import tflm_outputs
from tests.support.tflite.cut import cut
from tests.support.tflite.layers import LayerWriter
from tests.support.workloads import ROOT, workload
from tests.thorough import thorough

LARGE = "tf2_mobilenet_v2_1.0_224_ptq"  # `make test-models` runs it
QUICK = ("mlperf_tiny/ad01_int8:rand", "tflite/mnist_valid_q:rand")
SIMULATED = "tflite/mnist_arduino_q:rand"


def cases() -> list[Case]:
    present = all((ROOT / folder / "goldens").is_dir() for folder in FOLDERS)
    found = [case for case in every_case() if case.model != LARGE] if present else []
    # One of each model's: its other recordings are for the golden model's own test.
    one = [*{case.model: case for case in reversed(found)}.values()][::-1]
    return thorough(one, found)


def marks(case: Case) -> tuple[pytest.MarkDecorator, ...]:
    """Quick: one recording of each folder."""
    return () if case.name in QUICK else (pytest.mark.slow,)


def test_every_recording_is_listed() -> None:
    """The golden model's own test names them all, as must this one."""
    for folder in FOLDERS:
        workload(f"{folder}/goldens")
    assert {case.name for case in every_case()} == set(GOLDENS)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=marks(case)) for case in cases()]
)
def test_the_command_on_the_golden_model(case: Case, tmp_path: Path) -> None:
    finding = run_case(case, tmp_path, target="golden", preset="tiny")
    assert not finding.wrong


@pytest.mark.slow
def test_the_command_on_the_rtl(tmp_path: Path) -> None:
    finding = run_case(case_named(SIMULATED), tmp_path, target="rtl", preset="tiny")
    assert not finding.wrong
    assert finding.tensors == 6


def test_a_wrong_tensor_is_noticed(tmp_path: Path) -> None:
    case = case_named("tflite/hello_world_int8:rand")
    recorded = case.recorded()
    dump = {key[4:]: array[0] for key, array in recorded.items() if key.startswith("mid_")}
    outputs = recorded["output_tflm"].copy()
    assert disagreements(recorded, outputs, dump) == []
    outputs[3] += 1
    assert disagreements(recorded, outputs, dump) == ["output_tflm"]
    first = min(dump)
    dump[first] = dump[first] ^ 1
    wrong = disagreements(recorded, recorded["output_tflm"], dump)
    assert wrong == [f"mid_{first}", f"digest of {first.rsplit('_', 1)[1]}"]
    del dump[first]
    with pytest.raises(KeyError):
        disagreements(recorded, outputs, dump)


def test_a_model_is_cut() -> None:
    layers = LayerWriter(1)
    x = layers.activation((1, 6, 6, 2))
    a = layers.conv(x, 3, (3, 3))
    b = layers.conv(a, 4, (1, 1))
    content = layers.finish([x], [layers.conv(b, 5, (1, 1))])
    shorter, last = cut(content, 2)
    graph = tflite.Model.GetRootAs(shorter, 0).Subgraphs(0)
    assert last == b
    assert (graph.OperatorsLength(), graph.OutputsLength(), graph.Outputs(0)) == (2, 1, b)
    changed = [n for n, pair in enumerate(zip(content, shorter, strict=True)) if len(set(pair)) > 1]
    assert 1 <= len(changed) <= 3 * struct.calcsize("<I")
    with pytest.raises(ValueError, match="operators"):
        cut(content, 4)
    assert set(CUT) == {LARGE}


def test_a_16x8_network(tmp_path: Path) -> None:
    """On the golden model and on the executor; `make test-models` runs it on the RTL."""
    assert sixteen.differences("golden", "tiny_16x8", tmp_path) == []


def test_a_wrong_layer_of_a_16x8_network_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*given: object) -> list[np.ndarray]:
        outputs = tflm_outputs(*given)
        outputs[2].reshape(-1)[5] ^= 1
        return outputs

    monkeypatch.setattr(sixteen, "tflm_outputs", wrong)
    named = sixteen.network()[2][2]
    assert sixteen.differences("golden", "tiny_16x8", tmp_path) == [named] * 2
