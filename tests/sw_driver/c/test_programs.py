"""The C runtime against the Python driver: programs, links, memories, states, errors."""

import re
import subprocess
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hw.arch.config.file import config_hash
from hw.arch.images.board_program import board_program
from hw.arch.program import Host
from rowforge.configs import preset
from rowforge.demonstration import held_out_digits
from rowforge.running.compilation import compile_model, digits_model
from sim.framed_device import FramedDevice, LinkPort
from sim.functional import FunctionalAccelerator
from sim.replay import FunctionalReplayer, functional_link
from sw_driver.c.export import export_program
from sw_driver.c.records import StepKind
from sw_driver.c.steps import replay_steps
from tests.campaigns.c_runtime.faults import run_damaged
from tests.campaigns.link.channel import Faults, SimulatedTransport
from tests.support.c_runtime import running
from tests.support.c_runtime.build import LATE_TRANSFER, compiled
from tests.support.c_runtime.ends import LineEnd, WordsEnd
from tests.support.c_runtime.running import run_c, run_python, same
from tests.sw_driver.scripted import (
    CONFIG,
    SHAPE,
    block,
    make_program,
    make_spilling_program,
    make_stateful_program,
    stateful_outputs,
)

FIRST_HEADER = 3  # the word of a program that is the header of its first command
BAD = Faults(bit_error=2e-5, drop_bytes=0.05, drop=0.05, duplicate=0.05, reorder=0.05,
             truncate=0.05, garbage=0.05)  # fmt: skip


@cache
def digits(name):
    return compile_model(digits_model(), preset(name)).program


@cache
def expected_digits(count):
    return run_python(digits("tiny"), held_out_digits().images[:count])


def images(count):
    return np.random.default_rng(1).integers(-128, 128, (count, *SHAPE[1:])).astype(np.int8)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tiny", ""),
        ("tiny", "fo"),  # the program is read from its file
        ("tiny", "a"),  # by registers and a DMA
        ("tiny_mesh", ""),
        ("ulx3s_85f_sdram", ""),  # replayed from the board's memory
        ("ulx3s_85f_sdram", "o"),  # whose digest is asked for again
    ],
)
def test_digits_are_those_of_the_driver(name, options):
    x = held_out_digits().images[:2]
    ran = run_c(digits(name), x, options=options)
    assert same(ran, expected_digits(2))
    assert not ran.asked


@pytest.mark.parametrize("name", ["tiny", "ulx3s_85f_sdram"])
def test_a_bad_line_damages_nothing(name):
    program = digits(name)
    device = FramedDevice(
        LinkPort(lambda: functional_link(program.config)), config_hash=config_hash(program.config)
    )
    line = SimulatedTransport(device, BAD, "c runtime")
    ran = run_c(program, held_out_digits().images[:2], end=LineEnd(line), options="l")
    assert same(ran, expected_digits(2))
    assert len(line.out.faults) > 4 and len(line.back.faults) > 4
    assert device.counts["repeated"]


class Counting(FunctionalReplayer):
    """A replayer that takes some cycles."""

    def _block(self, block, words, **fields):
        super()._block(block, [words[0], words[1] | 1234] if len(words) == 2 else words, **fields)


def test_cycles_are_those_of_the_runs():
    program = digits("ulx3s_85f_sdram")
    ran = run_c(program, held_out_digits().images[:2], end=WordsEnd(Counting(program.config)))
    assert same(ran, expected_digits(2))
    assert ran.cycles == 1234 * len(board_program(program).replays)


@pytest.mark.parametrize("kind", ["ram", "axi"])
def test_a_run_whose_block_is_asked_for_again_is_counted_once(kind):
    """Behind AXI the RUN's message leaves twice, once more after `mid` was read."""
    config = CONFIG.with_values({"memory.kind": kind, "memory.words": 1024})
    program, x = make_spilling_program(config, hosted=True), images(2)
    asked = [step.kind for step in replay_steps(board_program(program))].count(StepKind.AGAIN)
    assert asked == (kind == "axi")
    ran = run_c(program, x, end=WordsEnd(Counting(config)))
    assert same(ran, run_python(program, x))
    assert ran.cycles == 1234


def test_a_transfer_that_comes_too_late_damages_nothing():
    """It is ended before the next one; what it brings until then is nobody's memory."""
    done = subprocess.run([compiled(*LATE_TRANSFER)], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    assert done.stdout.splitlines() == [
        "1 ended 1 reset",
        "1",  # a timeout
        "7 7",  # what the caller had there
        "2 ended 2 reset",
        "4",  # words of the next transfer
        "9 9",
    ]


def test_an_unplugged_line_is_told():
    line = SimulatedTransport(FramedDevice(LinkPort(lambda: None)), Faults(), "unplugged")
    line.unplugged = True
    ran = run_c(digits("tiny"), held_out_digits().images[:1], end=LineEnd(line), options="l")
    assert "the accelerator does not answer" in ran.said and ran.status == 12


def test_steps_of_the_user_are_called_with_their_parameters():
    x = images(3)
    ran = run_c(make_program(), x)
    assert same(ran, run_python(make_program(), x))
    assert ran.asked == ["slice"] * 3


def test_counters_are_those_of_the_accelerator():
    program = make_program()
    ran = run_c(program, images(1), counters=True)
    assert [layer for layer, index, _ in ran.counters if not index] == [0, 0, 2]
    assert [index for _, index, _ in ran.counters] == 3 * list(range(len(ran.counters) // 3))
    assert any(value for _, _, value in ran.counters)
    assert not run_c(program, images(1)).counters


def test_states_live_from_run_to_run():
    x = images(4)
    assert same(run_c(make_stateful_program(), x), {"out": stateful_outputs(x)})
    anew = np.concatenate([stateful_outputs(x[i : i + 1]) for i in range(4)])
    assert same(run_c(make_stateful_program(), x, options="s"), {"out": anew})


class Failing(FunctionalAccelerator):
    """An accelerator that is sent a damaged word, once."""

    def __init__(self, at):
        super().__init__(CONFIG)
        self._left = at

    def send(self, words):
        words = words.copy()
        if 0 <= self._left < len(words):
            words[self._left] ^= np.uint64(1 << 40)
        self._left -= len(words)
        super().send(words)


@pytest.mark.parametrize("options", ["k", "ka"])
def test_an_error_of_the_accelerator_is_told_and_the_next_run_is_good(options):
    x, program = images(3), make_program()
    ran = run_c(program, x, end=WordsEnd(Failing(FIRST_HEADER)), options=options)
    assert "the accelerator ended the program: the checksum of a command does not fit" in ran.said
    assert (ran.outputs["out"] == run_python(program, x)["out"][1:]).all()
    assert run_c(program, x[:1], end=WordsEnd(Failing(FIRST_HEADER))).status == 18


def test_a_failed_run_leaves_states_as_they_were():
    x, program = images(3), make_stateful_program()
    run = sum(len(step.words) for step in program.steps if not isinstance(step, Host)) + 12
    ran = run_c(program, x, end=WordsEnd(Failing(run + FIRST_HEADER)), options="k")
    assert (ran.outputs["out"] == stateful_outputs(x[[0, 2]])).all()


def test_a_program_of_another_configuration_is_refused_by_the_accelerator():
    program = digits("tiny")
    other = replace(program.config, buffer=replace(program.config.buffer, depth=512))
    ran = run_c(program, held_out_digits().images[:1], end=WordsEnd(functional_link(other)))
    assert "made for another configuration" in ran.said
    assert ran.status == 18


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        ("m", None, "error -6: the working memory is absent, not aligned to 8 bytes, or smaller"),
        ("c", None, "error -3: the program is damaged"),
        ("fc", None, "error -3: the program is damaged"),
        ("", (40, 1 << 3), "error -3: the program is damaged"),
        ("", (-1, 1 << 40), "error -3: the program is damaged"),
        ("", (0, 1), "error -1: the words are not a program"),
        ("", (1, 1), "error -2: the program was exported by another version of Rowforge"),
    ],
)
def test_what_cannot_be_loaded_is_told(options, change, said, monkeypatch):
    def damaged(program, **options):
        exported = export_program(program, **options)
        if change is not None:
            exported.words[change[0]] ^= np.uint64(change[1])
        return exported

    monkeypatch.setattr(running, "export_program", damaged)
    ran = run_c(make_program(), images(1), options=options)
    assert ran.said.startswith(said) and not ran.outputs


class Wrong(FunctionalAccelerator):
    """An accelerator that answers with a block of another kind."""

    def receive(self, count):
        words = super().receive(count)
        return np.where(words == block(2, [0] * 8)[0], block(6, [0] * 8)[0], words)


def test_a_block_that_was_not_called_for_is_told():
    ran = run_c(make_program(), images(1), end=WordsEnd(Wrong(CONFIG)))
    assert ran.status == 17
    assert ran.said.strip().endswith(
        "does not call for the accelerator's answer, block 6 of 8 words"
    )


def test_faulty_programs_leave_no_bounds():
    found = run_damaged(int(np.random.default_rng().integers(1 << 30)), 200)
    assert found.sound, found.said
    assert len(re.findall("of 200 loaded", found.said)) == 4


def test_a_host_step_that_nobody_computes_is_named_when_the_program_is_loaded():
    ran = run_c(make_program(), images(1), hosted=())
    assert ran.status == 7
    assert ran.said.strip() == (
        "error -7: neither the runtime nor a callback computes the host step slice"
    )
