"""Searches for configurations: `python -m tests.campaigns.explore.run`.

The same space is searched by one process, by two that are killed twice and resumed, and by a Dask
cluster of three workers of which one is killed: all must find the same front. Every point of it is
generated and linted. Exit status 1 if something differs. `--space` takes another space.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rowforge.configs import load_config
from rowforge.generation import generate
from rowforge.running.compilation import digits_model
from sim.verilator import lint
from tests.support.missed import Condition, conclude

SPACE = f"""\
start = "tiny"
objectives = ["cycles", "area"]
trials = 40
generation = 8
seed = 11

[models]
"{digits_model()}" = 1

[space.array]
rows = [2, 3, 4, 6]
cols = [2, 4, 6]

[space.noc]
psum_out = [1, 2, 4]
filter = [2, 4, 8]

[budget]
multipliers = 24
"""
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


def killed_at(process: "subprocess.Popen[bytes]", folder: Path, trials: int) -> bool:
    """Kill a search as soon as its journal has so many trials; False if it ends before."""
    while trials_in(folder) < trials:
        if process.poll() is not None:
            return False
        time.sleep(0.05)
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


def on_processes(space: Path, folder: Path, wanted: object) -> Iterator[Condition]:
    """Two processes; killed after the first and the third generation, and resumed."""
    for trials in (8, 24):
        process = subprocess.Popen(command(space, folder, "--jobs", "2"), stdout=subprocess.DEVNULL)
        killed = killed_at(process, folder, trials)
        print(f"killed with {trials_in(folder)} trials kept", flush=True)
        yield killed, "a search ended before it could be killed"
    subprocess.run(command(space, folder, "--jobs", "2"), check=True, stdout=subprocess.DEVNULL)
    yield same_front("killed and resumed", folder, wanted)


def on_dask(space: Path, folder: Path, wanted: object) -> Iterator[Condition]:
    """Three workers, of which one is killed while it works."""
    folder.mkdir()
    with cluster(folder) as (address, workers):
        options = ("--scheduler", address)
        process = subprocess.Popen(command(space, folder, *options), stdout=subprocess.DEVNULL)
        while trials_in(folder) < 8 and process.poll() is None:
            time.sleep(0.05)
        alive = process.poll() is None
        workers[0].kill()
        print(f"a worker killed with {trials_in(folder)} trials kept", flush=True)
        yield alive, "the search ended before a worker could be killed"
        yield process.wait() == 0, "a search on a cluster failed"
    yield same_front("a cluster", folder, wanted)


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", type=Path, help="a space in place of the one here")
    parser.add_argument("--lint", type=int, help="points of the front that are linted, if not all")
    options = parser.parse_args(arguments)
    conditions: list[Condition] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        space = options.space or folder / "space.toml"
        if options.space is None:
            space.write_text(SPACE, encoding="utf-8")
        subprocess.run(command(space, folder / "one", "--jobs", "1"), check=True)
        wanted = front_of(folder / "one")
        conditions += on_processes(space, folder / "two", wanted)
        conditions += on_dask(space, folder / "dask", wanted)
        conditions += linted(folder / "one", options.lint)
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
