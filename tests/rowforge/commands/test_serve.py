"""The virtual board as a user meets it: the command, a client at a time, the digits model."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from hw.arch.config.file import config_hash, read_config
from rowforge.running.compilation import compile_model, digits_model
from rowforge.running.execution import run_program
from sw_driver.accelerator import Accelerator
from sw_driver.protocol.errors import LinkBusyError
from tests.rowforge.support import DIGITS, MODEL, rowforge
from tests.support.functional_board import BRIEF_SERVE

# A small array, and a simulator that is built fast: what is tested is the way to it.
CONFIG = """[array]
rows = 2
cols = 2
[noc]
ifmap = 2
filter = 4
psum_in = 2
psum_out = 2
[buffer]
depth = 256
[link]
width = 8
"""
IMAGES = 3


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("board") / "small.toml"
    path.write_text(CONFIG)
    return path


@contextmanager
def served(config_file, *line):
    """A virtual board in a process of its own; yields its URL and the process."""
    command = [sys.executable, "-c", BRIEF_SERVE, "--config", str(config_file), *line]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            assert process.wait(20) == 0
    assert "board off after" in rest


@pytest.fixture(scope="module")
def golden(config_file):
    compiled = compile_model(digits_model(), read_config(config_file))
    (expected,) = run_program(compiled, DIGITS.images[:IMAGES], "golden").outputs.values()
    return compiled.program, expected


@pytest.mark.slow
@pytest.mark.parametrize("line", [("--pty",), ("--tcp", "0")], ids=["pty", "tcp"])
def test_digits_over_every_line(config_file, golden, line):
    """The same driver code; bit-exact; the next client finds what a dead one left in order."""
    program, expected = golden
    with served(config_file, *line) as (url, process):
        dead = Accelerator.open(url)
        assert config_hash(dead.config) == config_hash(program.config)
        words = np.concatenate([step.words for step in program.steps if hasattr(step, "words")])
        dead.link.send(words[: len(words) // 3])
        dead.link._transport.write(b"\x55in mid-frame")
        dead.link._transport.close()
        with Accelerator.open(url) as device:
            with pytest.raises(LinkBusyError, match="in use by another client"):
                Accelerator.open(url)
            device.load(program)
            assert (device.run(DIGITS.images[:IMAGES]) == expected).all()
            assert device.link.statistics.damaged == 0
            assert len(device.counters()) > 5


@pytest.mark.slow
def test_the_commands_against_a_board(capsys, tmp_path, config_file, golden):
    with served(config_file, "--tcp", "0") as (url, process):
        saved = tmp_path / "board.toml"
        tested = rowforge(capsys, "selftest", "--target", url, "--save-config", saved)
        assert tested.status == 0, tested
        assert [row.split()[:2] for row in tested.out.splitlines()] == [
            [name, "ok"] for name in ("identity", "memory", "arithmetic", "network", "link")
        ]
        assert read_config(saved) == read_config(config_file)
        np.save(tmp_path / "x.npy", DIGITS.images[:1])
        run = ("run", MODEL, "--target", url, "--check", "--input", tmp_path / "x.npy")
        checked = rowforge(capsys, *run, "--output", tmp_path / "y.npy")
        assert checked.status == 0 and "check passed" in checked.out, checked
        assert (np.load(tmp_path / "y.npy") == golden[1][:1]).all()
        other = rowforge(capsys, *run, "--preset", "tiny")
        other.assert_refused("rows: 2 here, 4 there", "compile the model again", "--save-config")
        process.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        silent = rowforge(capsys, "selftest", "--target", url)
        assert time.monotonic() - start < 2.5
        assert silent.status == 1 and "unplugged" in silent.err
    gone = rowforge(capsys, "selftest", "--target", url)
    assert gone.status == 1 and "cannot connect" in gone.err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("serve", "--preset", "tiny"), ["--pty", "--tcp"]),
        (("serve", "--tcp", "0"), ["--preset", "--config"]),
        (("serve", "--preset", "tiny", "--tcp", "70000"), ["--tcp must be a port", "70000"]),
        (("serve", "--preset", "tiny", "--tcp", "0", "--pty"), ["not allowed"]),
        (("selftest",), ["--target"]),
        (("selftest", "--target", "golden"), ["needs a board"]),
        (("selftest", "--target", "usb:1"), ["target must be one of", "usb:1"]),
    ],
)
def test_bad_use_is_one_sentence(capsys, arguments, words):
    rowforge(capsys, *arguments).assert_refused(*words)
