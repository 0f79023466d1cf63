"""Searches for configurations: `python -m tests.campaigns.explore.run`.

The same space is searched by one process, by two that are killed twice and resumed, and by a Dask
cluster of three workers of which one is killed: all must find the same front. Every point of it is
generated and linted. Exit status 1 if something differs. `--space` takes another space.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rowforge.running.compilation import digits_model
from tests.campaigns.explore.searches import (
    cluster,
    command,
    front_of,
    killed_at,
    linted,
    same_front,
    trials_in,
)
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
