"""Sessions: steps in order, results when they are needed, errors as exceptions."""

from dataclasses import replace

import numpy as np
import pytest

from hw.arch.commands import ResultBlock, Status
from hw.arch.config import Config
from hw.arch.counters import COUNTERS
from hw.arch.errors import RowforgeError
from hw.arch.program import Host, Load, TensorSpec
from sim.functional import FunctionalAccelerator
from sw_driver.protocol import errors
from sw_driver.runtime import Runtime
from tests.sw_driver.scripted import CONFIG, SHAPE, ScriptedLink, block, make_program, status


def images(count, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (count, *SHAPE[1:])).astype(np.int8)


def test_a_program_runs_for_every_input():
    session = Runtime(FunctionalAccelerator(CONFIG), CONFIG)
    x = images(3)
    outcome = session.run(make_program(), x)
    expected = np.maximum(x, 0)[:, ::-1]
    assert (outcome.outputs["out"] == expected).all()
    assert sorted(outcome.tensors) == [0, 1, 2, 3]
    assert (outcome.tensors[1] == np.maximum(x[:1], 0)).all()
    assert outcome.tensors[3].shape == SHAPE
    assert outcome.cycles is None
    again = session.run(make_program(), {"in": x[1:2]})
    assert (again.outputs["out"] == expected[1:2]).all()


def test_counters_of_a_layer_are_added():
    outcome = Runtime(FunctionalAccelerator(CONFIG), CONFIG).run(make_program(), images(1))
    assert sorted(outcome.counters) == [0, 2]
    assert list(outcome.counters[0]) == list(COUNTERS.offsets)
    sent = sum(len(step.words) for step in make_program().steps[:8]) + 12
    assert outcome.counters[0]["link_in_words"] == sent
    assert outcome.counters[0]["link_out_words"] == (1 + 8) + (1 + 4)


def scripted_answers():
    counters = block(ResultBlock.COUNTERS, range(16))
    data = [block(ResultBlock.DATA, [0] * size) for size in (8, 4, 12)]
    return [data[0], data[1], counters, counters, data[2], counters, status()]


def test_words_are_sent_before_results_are_received():
    link = ScriptedLink(*scripted_answers())
    outcome = Runtime(link, CONFIG).run(make_program(), images(1))
    steps = make_program().steps
    first_half = sum(len(step.words) for step in steps[:8]) + 12
    everything = first_half + sum(len(step.words) for step in steps[9:]) + 12
    assert link.sent_before == [first_half] * 4 + [everything] * 10
    assert len(link.sent) == everything
    assert outcome.cycles == 1234
    assert outcome.counters[0]["macs"] == 2 * 2


@pytest.mark.parametrize(
    "code, kind, words",
    [
        (Status.UNKNOWN_COMMAND, errors.ProgramError, "unknown command 0x2a"),
        (Status.BAD_CHECKSUM, errors.ProgramError, "checksum"),
        (Status.BAD_LENGTH, errors.ProgramError, "payload that does not fit"),
        (Status.BAD_ADDRESS, errors.ProgramError, "out of range: 0x2a .after command tag 6"),
        (Status.BAD_FIELD, errors.ProgramError, "field"),
        (Status.BAD_VERSION, errors.VersionError, "another command set"),
        (Status.BAD_CONFIGURATION, errors.ConfigurationError, "another configuration"),
        (Status.WATCHDOG, errors.WatchdogError, "watchdog"),
        (200, errors.ProtocolError, "unknown status 200"),
    ],
)
def test_error_blocks_become_exceptions(code, kind, words):
    answers = scripted_answers()
    link = ScriptedLink(*answers[:2], status(code, 42, 6))
    with pytest.raises(kind, match=words) as caught:
        Runtime(link, CONFIG).run(make_program(), images(1))
    if isinstance(caught.value, errors.ProgramError):
        assert (caught.value.status, caught.value.value, caught.value.tag) == (code, 42, 6)


def test_every_status_has_a_meaning():
    assert set(errors.MEANINGS) == set(Status) - {Status.OK}


@pytest.mark.parametrize("place, answer", [(0, status()), (1, block(ResultBlock.DATA, [1, 2]))])
def test_other_blocks_are_refused(place, answer):
    answers = scripted_answers()
    answers[place] = answer
    with pytest.raises(errors.ProtocolError, match="must answer with a DATA block of"):
        Runtime(ScriptedLink(*answers), CONFIG).run(make_program(), images(1))


def test_the_next_program_runs_after_an_error():
    accelerator = FunctionalAccelerator(CONFIG)
    session = Runtime(accelerator, CONFIG)
    program = make_program()
    steps = list(program.steps)
    spoilt = steps[3].words.copy()
    spoilt[0] ^= np.uint64(1 << 50)
    steps[3] = replace(steps[3], words=spoilt)
    with pytest.raises(errors.ProgramError, match="checksum"):
        session.run(replace(program, steps=tuple(steps)), images(1))
    x = images(1, 3)
    assert (session.run(program, x).outputs["out"] == np.maximum(x, 0)[:, ::-1]).all()


def test_unsuitable_inputs_are_refused():
    session = Runtime(ScriptedLink(), CONFIG)
    program = make_program()
    for inputs, words in (
        (images(1).astype(np.uint8), "input in must be of type int8, not uint8"),
        (images(1)[..., :4], r"shape \(N, 3, 4, 5\), not \(1, 3, 4, 4\)"),
        (images(0), r"shape \(N, 3, 4, 5\), not \(0, 3, 4, 5\)"),
        ({"x": images(1)}, "inputs must be in, not x"),
        ({}, "inputs must be in, not none"),
    ):
        with pytest.raises(RowforgeError, match=words):
            session.run(program, inputs)
    two = replace(program, inputs=(0, 2))
    with pytest.raises(RowforgeError, match="inputs by name: in, rev"):
        session.run(two, images(1))
    with pytest.raises(RowforgeError, match=r"same number of items, not \[1, 2\]"):
        session.run(two, {"in": images(1), "rev": images(2)})
    with pytest.raises(RowforgeError, match="rows: 3 here, 4 there"):
        Runtime(ScriptedLink(), Config.of({"array.rows": 3})).run(program, images(1))
    assert session.link.sent == []


def test_a_tensor_without_batch_dimension_is_one_input():
    program = make_program()
    tensors = list(program.tensors)
    tensors[0] = TensorSpec("in", "in", (60,), SHAPE, "int8")
    flat = replace(program, tensors=tuple(tensors))
    session = Runtime(FunctionalAccelerator(CONFIG), CONFIG)
    x = images(1)
    outcome = session.run(flat, x.reshape(60))
    assert (outcome.outputs["out"] == np.maximum(x, 0)[:, ::-1]).all()
    with pytest.raises(RowforgeError, match=r"shape \(60\), not \(2, 60\)"):
        session.run(flat, np.concatenate([x, x]).reshape(2, 60))


def test_wrong_steps_are_refused():
    program = make_program()
    session = Runtime(FunctionalAccelerator(CONFIG), CONFIG)
    early = (program.steps[0], replace(program.steps[2], tensor=3))
    assert isinstance(early[1], Load)
    with pytest.raises(RowforgeError, match="reads tensor out before it has one"):
        session.run(replace(program, steps=early), images(1))
    for host, words in (
        (Host("reshape", (0,), (1, 2), {"shape": (60,)}), "must have 1 outputs, not 2"),
        (Host("concat", (0, 0), (1,), {"axis": 0}), "mid must be int8 of shape"),
    ):
        with pytest.raises(RowforgeError, match=words):
            session.run(replace(program, steps=(host,)), images(1))
