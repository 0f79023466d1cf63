"""A slice of the campaign: a few steps of each network, every layer checked, and the command."""

from pathlib import Path

import numpy as np
import pytest

from rowforge.cli import main as rowforge
from rowforge.configs import preset
from rowforge.running.compilation import compile_model
from rowforge.running.targets import GOLDEN, RTL
from tests.campaigns.streaming.networks import NETWORKS
from tests.campaigns.streaming.run import differing
from tests.campaigns.streaming.run import main as campaign
from tests.campaigns.streaming.steps import by_golden, by_interpreter, by_target, checked_layers

STEPS = 5


@pytest.mark.parametrize("name", NETWORKS)
def test_a_few_steps_on_every_engine(name: str, tmp_path: Path) -> None:
    stream = NETWORKS[name](2, 40)
    path = tmp_path / "model.tflite"
    path.write_bytes(stream.content)
    compiled = compile_model(path, preset("tiny"), keep_layers=True)
    expected = by_interpreter(stream.content, stream.frames)
    assert differing(by_golden(compiled, stream.frames), expected) == []
    assert differing(by_target(compiled, stream.frames, GOLDEN), expected) == []
    few = stream.frames[:STEPS]
    assert checked_layers(compiled, few, RTL) >= 5 * STEPS
    assert len(np.unique(expected, axis=0)) > 30


@pytest.mark.parametrize("target", [GOLDEN, RTL])
def test_every_command_starts_anew(target: str, tmp_path: Path) -> None:
    """Its input's rows are consecutive steps; so it is for a model and for a program file."""
    stream = NETWORKS["memories"](3, STEPS)
    model, program = tmp_path / "model.tflite", tmp_path / "model.rfp"
    model.write_bytes(stream.content)
    np.save(tmp_path / "x.npy", stream.frames)
    options = ["--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "y.npy")]
    assert rowforge(["compile", str(model), "--preset", "tiny", "-o", str(program)]) == 0
    expected = by_interpreter(stream.content, stream.frames)
    for file in (model, program):
        chosen = [] if file == program else ["--preset", "tiny"]
        assert rowforge(["run", str(file), *chosen, "--target", target, *options]) == 0
        np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


def test_the_campaign_says_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign(["--steps", "4", "--only", "keyword"]) == 0
    told = capsys.readouterr().out
    for engine in ("golden model", "command stream", "RTL"):
        assert f"keyword, {engine}: 0 of 4 steps differ" in told
    x = np.arange(6).reshape(3, 2)
    assert differing(x, x + [[0, 0], [0, 1], [2, 0]]) == [1, 2]
