"""States of a program: they live from run to run, and no frame steps twice."""

from dataclasses import replace

import numpy as np
import pytest

from hw.arch.program import Host
from hw.arch.program.file import save_program
from sim.functional import FunctionalAccelerator
from sw_driver import accelerator
from sw_driver.accelerator import Accelerator, Connection, register_transport
from sw_driver.protocol.errors import LinkError
from sw_driver.runtime import Runtime
from tests.sw_driver.scripted import (
    CONFIG,
    SHAPE,
    make_program,
    make_stateful_program,
    stateful_outputs,
)
from tests.sw_driver.test_framed import BAD, CLEAN, Board


@pytest.fixture(autouse=True)
def transports(monkeypatch):
    monkeypatch.setattr(accelerator, "_TRANSPORTS", {})


def frames(count, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (count, *SHAPE[1:])).astype(np.int8)


class FailingLink(FunctionalAccelerator):
    """An accelerator whose link breaks when the words of chosen results are received."""

    def __init__(self, *failures):
        super().__init__(CONFIG)
        self._failures = set(failures)
        self._received = 0

    def receive(self, count):
        self._received += 1
        if self._received in self._failures:
            raise LinkError("broken")
        return super().receive(count)


def connected(link):
    register_transport("test", lambda url: Connection(link, CONFIG))
    return Accelerator.open("test:")


def test_items_are_consecutive_steps_and_runs_go_on():
    x = frames(7)
    with connected(FunctionalAccelerator(CONFIG)) as device:
        device.load(make_stateful_program())
        parts = [device.run(x[:1]), device.run(x[1:5]), device.run(x[5:])]
    assert (np.concatenate(parts) == stateful_outputs(x)).all()
    assert not (stateful_outputs(x)[1:] == stateful_outputs(x[1:])).all()


def test_loading_and_reset_start_anew(tmp_path):
    x, program = frames(3), make_stateful_program()
    save_program(program, tmp_path / "ring.rfp")
    with connected(FunctionalAccelerator(CONFIG)) as device:
        device.reset()  # there is nothing to reset yet
        device.load(program)
        for start_anew in (
            device.reset,
            lambda: device.load(program),
            lambda: device.load(tmp_path / "ring.rfp"),
        ):
            assert (device.run(x) == stateful_outputs(x)).all()
            start_anew()
        assert (device.run(x) == stateful_outputs(x)).all()
    with pytest.raises(LinkError, match="is closed"):
        device.reset()


def test_another_program_in_between_starts_anew():
    x, program = frames(3), make_stateful_program()
    session = Runtime(FunctionalAccelerator(CONFIG), CONFIG)
    session.run(program, x)
    session.run(make_program(), x)
    assert (session.run(program, x).outputs["out"] == stateful_outputs(x)).all()


@pytest.mark.parametrize("failure", range(1, 9))
def test_a_frame_that_failed_is_stepped_once(failure):
    """Whenever the link breaks: a block has a header and a body, a frame two blocks."""
    x = frames(6)
    session = Runtime(FailingLink(4 + failure), CONFIG)  # in one of two frames after the first
    program = make_stateful_program()
    outputs = [session.run(program, x[:1]).outputs["out"]]
    with pytest.raises(LinkError):
        session.run(program, x[1:3])
    session.link = FunctionalAccelerator(CONFIG)
    outputs += [session.run(program, part).outputs["out"] for part in (x[1:3], x[3:])]
    assert (np.concatenate(outputs) == stateful_outputs(x)).all()


def test_the_users_array_may_change_between_steps():
    program = make_stateful_program()
    relabelled = replace(program.tensors[4], shape=SHAPE)
    direct = replace(
        program,
        tensors=(*program.tensors[:4], relabelled),
        steps=(
            *program.steps[:2],
            Host("reshape", (1,), (4,), {"shape": SHAPE}),
            program.steps[-1],
        ),
        states=(replace(program.states[0], write=0),),
    )
    session = Runtime(FunctionalAccelerator(CONFIG), CONFIG)
    x = frames(1)
    given = x.copy()
    session.run(direct, x)
    x[:] = 0
    assert (session.run(direct, x).outputs["out"] == given).all()


@pytest.mark.parametrize("faults", [CLEAN, BAD], ids=["clean", "bad"])
def test_steps_overlap_on_a_board(faults):
    """Frames are sent again by a bad line, and the next one is on its way: each steps once."""
    x = frames(12)
    target = Board(faults=faults)
    with target.open() as device:
        device.load(make_stateful_program())
        outputs = np.concatenate([device.run(x[:9]), device.run(x[9:])])
        futures = [device.submit(x[i : i + 1]) for i in range(3)]
        last = np.concatenate([future.result() for future in futures])
        statistics = device.link.statistics
    assert (outputs == stateful_outputs(x)).all()
    assert (last == stateful_outputs(x[:3], outputs[-1:])).all()
    assert (statistics.retries > 0) == (faults is BAD)
