"""Constant and unread channels, as the commands show them."""

from typing import NamedTuple

import numpy as np
import pytest

from rowforge.configs import preset
from rowforge.running.check import first_difference
from rowforge.running.compilation import compile_model
from rowforge.running.execution import run_program
from sim.golden import run_graph
from sw_driver.accelerator import Accelerator
from tests.rowforge.support import rowforge
from tests.support.tflite.layers import RELU, VALID, LayerWriter, tflm_run

# Of the first layer's 24 filters 10 have no weights; two of these fill the last buffer word.
IDLE = (1, 2, 5, 8, 9, 10, 11, 15, 17, 18)
REMOVED = IDLE[2:]
MACS = 4 * 4 * 9 * 4 * 8 + 3 * 3 * 4 * 8 + 2 * 2 * 4 * 8 * 24


class Model(NamedTuple):
    """A model of idle channels, an input's file, and TensorFlow Lite Micro's first output."""

    path: object
    x: object
    output: np.ndarray


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    layers = LayerWriter(3)
    x = layers.activation((1, 6, 6, 4))
    layers.idle = IDLE
    first = layers.conv(x, 24, (3, 3), padding=VALID, activation=RELU)
    second = layers.depthwise(first, 1, (2, 2), padding=VALID)
    layers.idle = ()
    third = layers.conv(second, 24, (2, 2), padding=VALID)
    joined = layers.binary("ADD", third, layers.conv(third, 24, (1, 1)))
    dense = layers.fully_connected(layers.reshape(joined, (1, 96)), 5)
    content = layers.finish([x], [dense, second])
    folder, values = tmp_path_factory.mktemp("removal"), layers.input_values(x)
    (folder / "model.tflite").write_bytes(content)
    np.save(folder / "x.npy", values)
    return Model(folder / "model.tflite", folder / "x.npy", tflm_run(content, values))


def test_the_report_says_what_was_removed(capsys, model):
    arguments = (model.path, "--preset", "tiny", "--target", "golden", "--input", model.x)
    document = rowforge(capsys, "run", *arguments, "--json").document
    removed = [row["removed"] for row in document["layers"]]
    assert removed[0] == {
        "channels": 24, "constant": 8, "unread": 0, "inputs": 0, "macs": 4 * 4 * 9 * 4 * 8
    }  # fmt: skip
    assert [each["inputs"] for each in removed[1:3]] == [8, 8]
    assert removed[3:] == [{}] * 4
    text = rowforge(capsys, "run", *arguments).out
    assert f"removed channels, with {MACS:,} MACs (--keep-constant-channels computes them):" in text
    assert "\n  000_CONV_2D: 8 of 24 channels (8 constant), 4,608 MACs\n" in text
    assert "\n  002_CONV_2D: 8 of its inputs, 3,072 MACs\n" in text


@pytest.mark.parametrize("command", ["estimate", "run"])
def test_removal_can_be_switched_off(capsys, model, command):
    target = () if command == "estimate" else ("--target", "golden", "--input", model.x)
    arguments = (command, model.path, "--preset", "tiny", *target, "--json")
    without = rowforge(capsys, *arguments).document
    whole = rowforge(capsys, *arguments, "--keep-constant-channels").document
    assert whole["total"]["macs"] - without["total"]["macs"] == MACS
    assert not any(row["removed"] for row in whole["layers"])
    text = rowforge(capsys, *arguments[:-1], "--keep-constant-channels").out
    assert "removed channels" not in text
    assert "removed channels" in rowforge(capsys, *arguments[:-1]).out


def test_checks_and_dumps_are_of_the_whole_model(capsys, model, tmp_path):
    arguments = ("run", model.path, "--preset", "tiny", "--target", "golden", "--input", model.x)
    outcome = rowforge(capsys, *arguments, "--check", "--dump", tmp_path / "ours.npz")
    assert outcome.status == 0, outcome.err
    assert "7 layer outputs of 1 input equal" in outcome.out
    rowforge(capsys, *arguments, "--dump", tmp_path / "golden.npz")
    with np.load(tmp_path / "ours.npz") as ours, np.load(tmp_path / "golden.npz") as theirs:
        assert list(ours) == list(theirs)
        for key in ours:
            np.testing.assert_array_equal(ours[key], theirs[key])


def test_a_program_file_carries_what_was_removed(capsys, model, tmp_path):
    path = tmp_path / "model.rfp"
    compiled = rowforge(capsys, "compile", model.path, "--preset", "tiny", "-o", path)
    assert "000_CONV_2D: 8 of 24 channels (8 constant)" in compiled.out
    with Accelerator.open("golden:") as accelerator:
        program = accelerator.load(path)
        outputs = accelerator.run(np.load(model.x))
    assert program.layers[0].removed["constant"] == 8
    np.testing.assert_array_equal(next(iter(outputs.values())), model.output)


def test_a_difference_is_located_in_what_was_computed(model):
    compiled = compile_model(model.path, preset("tiny"), keep_layers=True)
    x = np.load(model.x)
    golden = run_graph(compiled.graph, x)
    run = run_program(compiled, x, "golden", check=True)
    assert run.difference is None and run.layers_checked == 7
    program = compiled.kept
    layer = program.layers[0]
    key = program.tensors[layer.output].key
    places = {}
    for channel in (0, 12, REMOVED[0]):
        wrong = golden[key].copy()
        wrong[0, 1, 2, channel] ^= 1
        found, _ = first_difference(program, 0, {layer.output: golden[key]}, {key: wrong})
        assert found.coordinate == (0, 1, 2, channel)
        places[channel] = found.place
    assert places[REMOVED[0]] == "a removed channel, which nothing computes"
    assert "PE" in places[0] and "PE" in places[12]


def test_the_plain_run_compares_outputs_that_lost_channels(model):
    """Without layers kept, a model's output is compared as a whole tensor."""
    compiled = compile_model(model.path, preset("tiny"))
    result = run_program(compiled, np.load(model.x), "golden", check=True)
    assert result.layers_checked == 2
    keys = {compiled.program.tensors[layer.output].key for layer in compiled.program.layers}
    assert compiled.graph.outputs[1] in keys
