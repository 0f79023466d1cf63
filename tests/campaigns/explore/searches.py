"""Searches as users start them, killed and distributed, and what becomes of their fronts."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rowforge.configs import load_config
from rowforge.generation import generate
from sim.verilator import lint
from tests.support.missed import Condition

_WORKERS = 3


def command(space: Path, folder: Path, *options: str) -> list[str]:
    """A search as a user starts it."""
    words = ["-m", "rowforge", "explore", str(space), "-o", str(folder), *options]
    return [sys.executable, *words]


def front_of(folder: Path) -> object:
    """The front's table."""
    return json.loads((folder / "front.json").read_text("utf-8"))


def same_front(said: str, folder: Path, wanted: object) -> Condition:
    """Whether a search found the front that is wanted."""
    same = front_of(folder) == wanted
    print(f"{said}: {'the same' if same else 'another'} front", flush=True)
    return same, f"{said}: another front"


def trials_in(folder: Path) -> int:
    """Finished trials in a journal, by its lines that make one."""
    journal = folder / "journal.log"
    if not journal.is_file():
        return 0
    return sum('"op_code":4,' in line for line in journal.read_text("utf-8").splitlines())


def killed_at(
    process: "subprocess.Popen[bytes]", folder: Path, trials: int, later: float = 0
) -> bool:
    """Kill a search so many seconds after its journal has so many trials; False if it ends first.

    Trials are kept by whole generations: a little later it is in the middle of one.
    """
    while trials_in(folder) < trials:
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    time.sleep(later)
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGKILL)
    process.wait()
    return True


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, "list[subprocess.Popen[bytes]]"]]:
    """A scheduler's address and its workers, all on this machine."""
    address = folder / "scheduler.json"
    options = ["--port", "0", "--no-dashboard", "--scheduler-file", str(address)]
    started = [_dask("scheduler", *options)]
    try:
        deadline = time.monotonic() + 60
        while not address.is_file() and time.monotonic() < deadline:
            time.sleep(0.1)
        where = str(json.loads(address.read_text())["address"])
        # Without a nanny, which would start a killed worker anew.
        started += [
            _dask("worker", where, "--no-nanny", "--nthreads", "1") for _ in range(_WORKERS)
        ]
        yield where, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _dask(*words: str) -> "subprocess.Popen[bytes]":
    nothing = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
        stdout=nothing,
        stderr=nothing,
        env={**os.environ, "ROWFORGE_CACHE": ""},
    )


def linted(folder: Path, most: int | None) -> Iterator[Condition]:
    """Every configuration of a front, or so many, generates, and its Verilog has no warnings."""
    paths = sorted((folder / "front").glob("*.toml"))[:most]
    yield bool(paths), "the front is empty"
    for path in paths:
        with tempfile.TemporaryDirectory() as made:
            generate(load_config(path), made)
            found = lint(made)
        print(f"{path.name}: {len(found)} warnings", flush=True)
        yield not found, f"{path.name}: {found[:1]}"
