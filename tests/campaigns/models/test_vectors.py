"""CMSIS-NN's operator vectors on the RTL, and that a wrong one is noticed."""

from dataclasses import replace

import pytest

from rowforge.configs import preset
from tests.campaigns.models import vectors
from tests.campaigns.models.vectors import main, run_vector
from tests.support.cmsis_nn import VECTORS, load_vector
from tests.support.workloads import workload


@pytest.mark.slow  # the first one may have to build the simulator
@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_on_the_rtl(name: str) -> None:
    finding = run_vector(name, preset("tiny"), "rtl")
    assert finding.verdict == "equal", finding.reason
    assert finding.cycles is not None
    assert finding.cycles > 0


def test_a_wrong_value_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(path):
        vector = load_vector(path)
        expected = vector.expected.copy()
        expected[0] ^= 1
        return replace(vector, expected=expected)

    assert run_vector("conv_5", preset("tiny"), "golden").verdict == "equal"
    monkeypatch.setattr(vectors, "load_vector", wrong)
    finding = run_vector("conv_5", preset("tiny"), "golden")
    assert (finding.verdict, finding.reason) == ("differs", "1 values on golden")


def test_a_refusal_is_told() -> None:
    finding = run_vector("conv_5", preset("tiny").with_values({"array.psum_width": 16}), "rtl")
    assert finding.verdict == "refused"
    assert "psum_width must be at least 25" in finding.reason


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    workload("op_level/cmsis_nn/maxpooling.npz")
    assert main(["--target", "golden", "--only", "maxpooling"]) == 0
    assert "6 CMSIS-NN vectors on golden model (tiny): 6 equal" in capsys.readouterr().out
