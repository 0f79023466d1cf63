"""Programs run from the board's memory: what is written when, and what comes back."""

from dataclasses import replace

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from hw.arch.images.board_program import board_program
from hw.arch.program import Box, Load, ProgramState, Store
from sim.functional import FunctionalAccelerator
from sim.replay import FunctionalReplayer
from sw_driver.accelerator import Accelerator
from sw_driver.protocol.errors import DamagedImageError
from sw_driver.runtime import Runtime
from tests.support.functional_board import functional_board
from tests.sw_driver.scripted import CONFIG, SHAPE, make_program, make_spilling_program

MEMORY = CONFIG.with_values({"memory.kind": "ram", "memory.words": 1024})
PROGRAM = replace(make_program(), config=MEMORY)


def images(count):
    return np.random.default_rng(0).integers(-128, 128, (count, *SHAPE[1:])).astype(np.int8)


def spilling(*, hosted=False):
    return make_spilling_program(MEMORY, hosted=hosted)


def test_a_host_step_in_the_middle_makes_two_replays_and_inputs_alternate():
    device = FunctionalReplayer(MEMORY)
    x = images(5)
    outcome = Runtime(device, MEMORY).run(PROGRAM, x)
    assert (outcome.outputs["out"] == np.maximum(x, 0)[:, ::-1]).all()
    assert (outcome.tensors[1] == np.maximum(x[:1], 0)).all()
    assert sorted(outcome.counters) == [0, 2]
    first, second = board_program(PROGRAM).replays
    assert len({*first.areas, *second.areas}) == 4
    for stage, array in ((first, x), (second, np.maximum(x, 0)[:, ::-1])):
        for area, item in ((0, 4), (1, 3)):
            words = device.memory.read(stage.areas[area], stage.input_words)
            assert words.tobytes()[:4] == array[item, 0, 0, :4].tobytes()


@pytest.mark.parametrize("hosted", [False, True])
def test_what_is_stored_and_loaded_again_stays_in_the_memory(hosted):
    program, x = spilling(hosted=hosted), images(2)
    board = board_program(program)
    (stage,) = board.replays
    assert board.spilled == 12 and len(stage.kept) == 2 * hosted
    assert [step.tensor for step in stage.answers if isinstance(step, Store)] == [3]
    outcome = Runtime(FunctionalReplayer(MEMORY), MEMORY).run(program, x)
    assert (outcome.outputs["out"] == np.maximum(x, 0)).all()
    assert not hosted or (outcome.outputs["mid"] == np.maximum(x, 0)).all()


def test_what_cannot_be_gathered_goes_through_the_host():
    """A row of `mid` was never stored: the host knows that it is zero."""
    program = spilling()
    lowest = Box((0, 1), (2, 3), (0, 4), (0, 5))
    steps = tuple(step for step in program.steps if getattr(step, "box", None) != lowest)
    program = replace(program, steps=steps)
    board = board_program(program)
    assert len(board.replays) == 2 and not board.spilled
    x = images(2)
    outcome = Runtime(FunctionalReplayer(MEMORY), MEMORY).run(program, x)
    wanted = np.maximum(x, 0)
    wanted[:, 2] = 0
    assert (outcome.outputs["out"] == wanted).all()


def test_images_are_written_once_and_again_after_damage():
    device = FunctionalReplayer(MEMORY)
    session, x = Runtime(device, MEMORY), images(1)
    sent = session.run(PROGRAM, x).image_words
    stages = board_program(PROGRAM).replays
    assert sent > sum(len(stage.image) for stage in stages)
    assert session.run(PROGRAM, x).image_words == 0
    other = Runtime(device, MEMORY)
    assert other.run(PROGRAM, x).image_words == 0  # the digest says that they are there
    where = stages[0].address + len(stages[0].image) - 1
    device.memory.write(where, device.memory.read(where, 1) ^ np.uint64(1 << 40))
    with pytest.raises(DamagedImageError):
        other.run(PROGRAM, x)
    again = other.run(PROGRAM, x)
    assert again.image_words == sent
    assert (again.outputs["out"] == np.maximum(x, 0)[:, ::-1]).all()
    assert other.run(spilling(), x).image_words > 0


def test_a_program_that_the_memory_is_too_small_for_is_refused():
    constant = np.zeros((1, 3, 4, 5), dtype=np.int8)
    loads = [step for step in PROGRAM.steps if isinstance(step, Load)][:1] * 300
    steps = (PROGRAM.steps[0], *loads, *PROGRAM.steps[1:])
    program = replace(PROGRAM, steps=steps, constants={0: constant})
    with pytest.raises(RowforgeError, match="relu takes .* memory.words must be at least that"):
        board_program(program)


def test_states_go_through_the_host_from_run_to_run():
    """`out` is what the next run finds as `in`: three runs differ, and are those of a link."""
    start = np.arange(-30, 30, dtype=np.int8).reshape(SHAPE)
    fields = {"inputs": (), "states": (ProgramState(0, 3),), "constants": {0: start}}
    found = []
    for config, link in ((MEMORY, FunctionalReplayer), (CONFIG, FunctionalAccelerator)):
        program = replace(PROGRAM if config is MEMORY else make_program(), **fields)
        session = Runtime(link(config), config)
        found.append([session.run(program, {}).outputs["out"] for _ in range(3)])
    assert np.array_equal(*found)
    assert not np.array_equal(found[0][0], found[0][1])


def test_a_board_behind_the_framed_link_replays_with_two_inputs_in_flight(tmp_path):
    x = images(4)
    with functional_board(MEMORY, tmp_path) as url, Accelerator.open(url) as board:
        board.load(PROGRAM)
        for _ in range(2):
            assert (board.run(x) == np.maximum(x, 0)[:, ::-1]).all()


def test_after_blocks_are_read_behind_axi_the_run_block_is_asked_for_again():
    """A MEMORY block cannot say that an access failed: the RUN with the same number does."""
    config = CONFIG.with_values({"memory.kind": "axi", "memory.words": 1024})
    program, x = replace(spilling(hosted=True), config=config), images(2)
    device = FunctionalReplayer(config)
    sent, send = [], device.send
    device.send = lambda words: (sent.append(words.copy()), send(words))
    outcome = Runtime(device, config).run(program, x)
    assert (outcome.outputs["mid"] == np.maximum(x, 0)).all()
    assert sum(tuple(each) == tuple(sent[-1]) for each in sent) == 2
