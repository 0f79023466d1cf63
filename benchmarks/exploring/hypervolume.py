"""How good the front of a search is: `python -m benchmarks.exploring.hypervolume --models DIR`.

A space of 216 configurations is enumerated whole, so that its true front is known. Then it is
searched with 100 trials by each sampler, and 100 random configurations are drawn, with three seeds
each. The figure is the front's hypervolume (cycles and LUTs, up to the worst of all points) as a
share of the true front's. Exit status 1 if the mean of the default sampler's is below 95 %, or not
above that of random ones. Results go to docs/results/hypervolume.json.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, commit, tools
from rowforge.configs import preset
from rowforge.exploring.budget import CellBudget
from rowforge.exploring.evaluation import Job
from rowforge.exploring.evaluators import Evaluator, evaluator
from rowforge.exploring.front import Point, hypervolume, signed
from rowforge.exploring.objectives import OBJECTIVES
from rowforge.exploring.search import Trial, search
from rowforge.exploring.space import SAMPLERS, SearchSpace
from tests.support.missed import Condition, conclude

MODEL = "kws_ref_model.tflite"
TRIALS, SEEDS, LEAST = 100, (1, 2, 3), 0.95
VALUES: dict[str, tuple[int, ...]] = {
    "array.rows": (4, 6, 8),
    "array.cols": (4, 6, 8),
    "noc.ifmap": (1, 2),
    "noc.filter": (1, 2, 4),
    "noc.psum_in": (1, 2),
    "noc.psum_out": (1, 2),
}


def space_of(model: Path) -> SearchSpace:
    """The space of one model."""
    return SearchSpace(
        models=((str(model), 1.0),),
        start=preset("ulx3s_85f"),
        values=VALUES,
        objectives=(OBJECTIVES["cycles"], OBJECTIVES["area"]),
        budget=CellBudget({}),
        technology=None,
        clock=None,
        trials=TRIALS,
        generation=20,
        seed=0,
        sampler=SAMPLERS[0],
    )


def enumerated(space: SearchSpace, chosen: Evaluator) -> list[Trial]:
    """Every configuration of a space."""
    points = [dict(zip(VALUES, each, strict=True)) for each in product(*VALUES.values())]
    jobs = [
        Job(values={**space.start.values(), **values}, models=space.models) for values in points
    ]
    results = chosen.evaluated(jobs, lambda done: None)
    return [Trial(n, dict(v), r) for n, (v, r) in enumerate(zip(points, results, strict=True))]


def points_of(space: SearchSpace, trials: Sequence[Trial]) -> list[Point]:
    """Objectives of those that can be built and run the model."""
    return [signed(space, trial) for trial in trials if trial.fits(space)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help=f"folder of {MODEL}")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    found = list(options.models.resolve().rglob(MODEL))
    if len(found) != 1:
        parser.error(f"--models must name a folder with one {MODEL}, not {len(found)}")
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, not {options.jobs}")
    (model,) = found
    space = space_of(model)
    shares: dict[str, list[float]] = {name: [] for name in (*SAMPLERS, "random")}
    with evaluator(options.jobs, None) as chosen, tempfile.TemporaryDirectory() as folder:
        every = enumerated(space, chosen)
        points = points_of(space, every)
        worst = tuple(max(values) * 1.01 for values in zip(*points, strict=True))
        whole = hypervolume(points, worst)
        for seed in SEEDS:
            for sampler in SAMPLERS:
                searched = replace(space, sampler=sampler, seed=seed)
                trials = search(searched, Path(folder) / f"{sampler}{seed}.log", chosen)
                shares[sampler].append(hypervolume(points_of(space, trials), worst) / whole)
            drawn = np.random.default_rng(seed).permutation(len(every))[:TRIALS]
            some = points_of(space, [every[number] for number in drawn])
            shares["random"].append(hypervolume(some, worst) / whole)
    report: dict[str, Any] = {
        "model": MODEL,
        "configurations": len(every),
        "possible": len(points),
        "trials": TRIALS,
        "shares": {name: [round(share, 4) for share in found] for name, found in shares.items()},
    }
    result = {
        "command": "python -m benchmarks.exploring.hypervolume --models DIR",
        "commit": commit(),
        "tools": tools(simulated=False),
        "report": report,
    }
    (RESULTS / "hypervolume.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))
    return conclude(_conditions({name: mean(found) for name, found in shares.items()}))


def _conditions(means: Mapping[str, float]) -> list[Condition]:
    """What the default sampler must reach."""
    share, drawn = means[SAMPLERS[0]], means["random"]
    return [
        (share >= LEAST, f"{share:.1%} of the true front's hypervolume"),
        (share > drawn, f"{share:.2%} by the search, {drawn:.2%} at random"),
    ]


if __name__ == "__main__":
    sys.exit(main())
