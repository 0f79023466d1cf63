"""A search as large as users make them: `python -m tests.campaigns.explore.board --models DIR`.

500 configurations for the four models of MLPerf Tiny and the part of the ULX3S, in stages that can
be chosen by name. Each that misses nothing leaves its figures in docs/results/search.json; a
rehearsal with fewer `--trials` leaves none. Exit status 1 if a stage misses what it must show.

search
    Two processes, killed in the middle of a generation after half of the trials, and resumed: at
    most 30 minutes. Nothing is known before.
dask
    Three workers of a Dask cluster, of which one is killed, and which keep nothing: the same front.
lint
    Every point of the front generates, and its Verilog has no warnings.
best
    The three points with the fewest cycles, synthesised: LUTs within 10 % of the model of areas,
    block RAMs and multipliers exact.
place
    The same three points placed and routed for the ULX3S: all are routed, and the figures are kept.
    Only by name: it needs nextpnr (`pip install 'rowforge[boards]'`) and takes hours.
rtl
    The four models on the RTL of these points: cycles are those of the exact model.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, commit
from rowforge.configs import load_config
from rowforge.running.compilation import compile_model
from rowforge.running.execution import run_once
from rowforge.running.inputs import drawn_input
from sim.cycles.predict import predict
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

SPACE = """\
start = "ulx3s_85f"
board = "ulx3s-85f"
objectives = ["cycles", "area"]
trials = {trials}
generation = {generation}
seed = 1

[models]
{models}

[space.array]
rows = [4, 6, 8, 10, 12]
cols = [4, 6, 8, 10, 12]

[space.pe]
filter_spad = [512, 1024]
psum_spad = [8, 16, 32]

[space.noc]
ifmap = [1, 2]
filter = [1, 2, 4]
psum_in = [1, 2]
psum_out = [1, 2]

[space.buffer]
banks = [8, 16]
depth = [1024, 2048, 4096]
"""
MOST_SECONDS = 30 * 60
MOST_OFF = 0.10
BEST = 3
TRIALS = 500
PATH = RESULTS / "search.json"


def write_space(models: Path, trials: int, folder: Path) -> Path:
    """The space's file, in a folder that is made if absent."""
    paths = sorted(models.rglob("*.tflite"))
    if len(paths) != 4:
        raise SystemExit(f"{models} must hold the four models of MLPerf Tiny, not {len(paths)}")
    listed = "\n".join(f'"{path.resolve()}" = 1' for path in paths)
    folder.mkdir(parents=True, exist_ok=True)
    space = folder / "space.toml"
    generation = min(25, max(2, trials // 4))
    text = SPACE.format(trials=trials, generation=generation, models=listed)
    space.write_text(text, encoding="utf-8")
    return space


class Stages:
    """The stages of a search in a folder.

    Attributes
    ----------
    figures : of the stage that ran
    """

    def __init__(self, folder: Path, models: Path, trials: int) -> None:
        self._folder, self._models, self._trials = folder, models, trials
        self._space = write_space(models, trials, folder)
        self._found = folder / "found"
        self.figures: dict[str, Any] = {}

    def search(self) -> Iterator[Condition]:
        """By two processes, killed and resumed."""
        words = command(self._space, self._found, "--jobs", "2")
        environment = {**os.environ, "ROWFORGE_CACHE": str(self._folder / "cache")}
        begin = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=environment)
        killed = killed_at(process, self._found, self._trials // 2, later=10)
        kept, first = trials_in(self._found), time.monotonic() - begin
        yield killed, "the search ended before it could be killed"
        subprocess.run(words, check=True, env=environment)
        seconds = time.monotonic() - begin
        self.figures |= {
            "trials": trials_in(self._found),
            "killed_with": kept,
            "seconds": round(seconds),
            "seconds_until_killed": round(first),
            "front": len(self._front()),
            "start_on_the_front": any(row["trial"] == 0 for row in self._front()),
        }
        yield seconds <= MOST_SECONDS, f"the search took {seconds:.0f} s"

    def dask(self) -> Iterator[Condition]:
        """By three workers, of which one is killed."""
        folder = self._folder / "dask"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        begin = time.monotonic()
        with cluster(folder) as (address, workers):
            words = command(self._space, folder, "--scheduler", address)
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
            while trials_in(folder) < self._trials // 2 and process.poll() is None:
                time.sleep(0.05)
            yield process.poll() is None, "the search ended before a worker could be killed"
            workers[0].kill()
            kept = trials_in(folder)
            yield process.wait() == 0, "a search on a cluster failed"
        self.figures |= {
            "dask_seconds": round(time.monotonic() - begin),
            "dask_worker_killed_with": kept,
        }
        yield same_front("a cluster", folder, front_of(self._found))

    def lint(self) -> Iterator[Condition]:
        """Every point of the front."""
        conditions = list(linted(self._found, None))
        self.figures |= {"linted": len(self._front())}
        yield from conditions

    def best(self) -> Iterator[Condition]:
        """Syntheses of the points with the fewest cycles."""
        words = command(self._space, self._found, "--jobs", "1", "--synth", str(BEST))
        subprocess.run(words, check=True)
        rows = json.loads((self._found / "synthesis.json").read_text("utf-8"))
        self.figures |= {"synthesised": rows}
        yield len(rows) == BEST, f"{len(rows)} points were synthesised"
        for row in rows:
            number, made, model = row["trial"], row["synthesised"], row["modelled"]
            said = f"trial {number}: {made} by yosys, {model} by the model"
            yield abs(row["off"]) <= MOST_OFF, said
            exact = all(made[name] == model[name] for name in ("block_rams", "multipliers"))
            yield exact, said

    def place(self) -> Iterator[Condition]:
        """The same points by nextpnr."""
        words = command(self._space, self._found, "--jobs", "1", "--synth", str(BEST), "--place")
        subprocess.run(words, check=True)
        rows = json.loads((self._found / "placement.json").read_text("utf-8"))
        self.figures |= {"placed": rows}
        yield len(rows) == BEST, f"{len(rows)} points were placed"
        for row in rows:
            yield not row["refusal"], f"trial {row['trial']}: {row['refusal']}"

    def rtl(self) -> Iterator[Condition]:
        """Cycles of the four models on the RTL and by the exact model."""
        runs = []
        for row in self._front()[:BEST]:
            config = load_config(self._found / row["file"])
            for path in sorted(self._models.rglob("*.tflite")):
                compiled = compile_model(str(path), config)
                found = run_once(compiled, drawn_input(compiled.program), "rtl")
                cycles = predict(compiled.program).cycles
                run = {"trial": row["trial"], "model": path.name}
                runs.append({**run, "rtl_cycles": found.cycles, "model_cycles": cycles})
                print(runs[-1], flush=True)
                yield found.difference is None, f"{path.name}: {found.difference}"
                yield found.cycles == cycles, f"{runs[-1]}"
        self.figures |= {"runs": runs}

    def _front(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = front_of(self._found)["front"]
        return rows


STAGES: dict[str, Callable[[Stages], Iterator[Condition]]] = {
    "search": Stages.search,
    "dask": Stages.dask,
    "lint": Stages.lint,
    "best": Stages.best,
    "place": Stages.place,
    "rtl": Stages.rtl,
}
USUAL = [name for name in STAGES if name != "place"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, required=True, help="folder of the models")
    parser.add_argument("--trials", type=int, default=TRIALS, help="fewer are a rehearsal")
    parser.add_argument("--folder", type=Path, default=Path("build/search"), help="of the search")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=USUAL)
    options = parser.parse_args(arguments)
    if not 8 <= options.trials <= TRIALS:
        parser.error(f"--trials must be 8 to {TRIALS}, not {options.trials}")
    stages = Stages(options.folder.resolve(), options.models, options.trials)
    conditions: list[Condition] = []
    for name in options.stages:
        begin = time.monotonic()
        found = list(STAGES[name](stages))
        conditions += found
        print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)
        figures, stages.figures = stages.figures, {}
        print(json.dumps(figures), flush=True)
        if options.trials == TRIALS and all(holds for holds, _ in found):
            record(figures)
    return conclude(conditions)


def record(figures: dict[str, Any]) -> None:
    """Add figures to those of other stages; the commit is that of the newest stage."""
    before = json.loads(PATH.read_text("utf-8"))["report"] if PATH.is_file() else {}
    result = {
        "command": "python -m tests.campaigns.explore.board --models DIR",
        "commit": commit(),
        "report": {**before, **figures},
    }
    PATH.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
