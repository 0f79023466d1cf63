"""The mapper's choice by the exact model: `python -m tests.campaigns.mapper.run --n 100`.

Random layers on the narrow presets. For each, the program of the mapping that the mapper chose is
weighed by the exact cycle model, and so are those of the mappings that its own cost finds cheapest.
Layers that are refused or come in several tiles are left out. Exit status 1 if a choice takes more
than 2 % more cycles than the best of them; the last line says how many do.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import mean

import numpy as np

from tests.campaigns.mapper.weighing import PRESETS, Weighed, random_layer, weigh
from tests.support.missed import conclude

MOST = 0.02


def weighed(seed: int, count: int) -> Iterator[Weighed]:
    """One random layer after another, the presets in turn."""
    rng = np.random.default_rng(seed)
    number = 0
    while True:
        found = weigh(PRESETS[number % len(PRESETS)], random_layer(rng), count)
        number += 1
        if found is not None:
            yield found


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100, help="layers")
    parser.add_argument("--count", type=int, default=50, help="mappings of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="a JSON file for the results")
    options = parser.parse_args(arguments)
    begin = time.monotonic()
    results = []
    for found in islice(weighed(options.seed, options.count), options.n):
        results.append(found)
        if found.loss > MOST:
            print(f"{found.name}: {found.chosen} cycles, {found.best} possible", flush=True)
    losses = [found.loss for found in results]
    print(f"{len(results)} layers, mean loss {mean(losses):.4f}, largest {max(losses):.4f}")
    if options.output:
        _write(options, results, time.monotonic() - begin)
    above = sum(loss > MOST for loss in losses)
    return conclude([(not above, f"{above} of {len(losses)} layers lose more than {MOST:.0%}")])


def _write(options: argparse.Namespace, results: Sequence[Weighed], seconds: float) -> None:
    losses = [found.loss for found in results]
    report = {
        "command": f"python -m tests.campaigns.mapper.run --n {options.n} --count {options.count} "
        f"--seed {options.seed}",
        "seconds": round(seconds),
        "report": {
            "layers": len(results),
            "within_2_percent": sum(loss <= MOST for loss in losses),
            "mean_loss": round(mean(losses), 4),
            "largest_loss": round(max(losses), 4),
            "above": [
                {"layer": found.name, "chosen": found.chosen, "best": found.best}
                for found in results
                if found.loss > MOST
            ],
        },
    }
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
