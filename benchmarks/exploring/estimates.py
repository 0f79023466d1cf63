"""Seconds of an estimate: `python -m benchmarks.exploring.estimates --models DIR`.

The four models of MLPerf Tiny on the ULX3S's preset, as a search evaluates them: by a process that
has estimated another model before. First nothing is in the cache, then, in another process, all of
it is. The figures are seconds of one processor. Exit status 1 if the mean of the models exceeds a
second the first time, or 0.05 s the second. Results go to docs/results/estimates.json.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

from benchmarks.results import RESULTS, commit, tools
from rowforge.configs import preset
from rowforge.estimation import estimate
from rowforge.running.compilation import digits_model
from tests.support.missed import Condition, conclude

PRESET = "ulx3s_85f"
MODELS = 4
MOST = {"new": 1.0, "known": 0.05}
PATH = RESULTS / "estimates.json"


def seconds(models: Sequence[str], cache: str) -> dict[str, float]:
    """Seconds of the processor that an estimate of each model takes here."""
    config = preset(PRESET)
    os.environ["ROWFORGE_CACHE"] = cache
    estimate(str(digits_model()), config)  # imports what estimates need, and reads the sources
    found = {}
    for model in models:
        begin = time.process_time()
        estimate(model, config)
        found[Path(model).name] = round(time.process_time() - begin, 4)
    return found


def measured(models: Sequence[str]) -> dict[str, dict[str, float]]:
    """Both times, each by a process of its own that shares the cache with the other."""
    with tempfile.TemporaryDirectory() as cache:
        found = {}
        for name in MOST:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                found[name] = pool.submit(seconds, models, cache).result()
    return found


def conditions(found: Mapping[str, Mapping[str, float]]) -> list[Condition]:
    """What the means must not exceed."""
    means = {name: mean(each.values()) for name, each in found.items()}
    return [
        (means[name] <= most, f"{means[name]:.3f} s a model when {name}, more than {most:g} s")
        for name, most in MOST.items()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of the four models")
    options = parser.parse_args(arguments)
    models = sorted(str(path) for path in options.models.resolve().rglob("*.tflite"))
    if len(models) != MODELS:
        parser.error(f"--models must name a folder with {MODELS} models, not {len(models)}")
    found = measured(models)
    result = {
        "command": "python -m benchmarks.exploring.estimates --models DIR",
        "commit": commit(),
        "tools": tools(simulated=False),
        "report": {"preset": PRESET, "seconds": found},
    }
    PATH.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["report"], indent=1))
    return conclude(conditions(found))


if __name__ == "__main__":
    sys.exit(main())
