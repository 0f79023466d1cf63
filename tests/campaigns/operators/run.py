"""Every operator with the oracle it is compared with: `python -m tests.campaigns.operators.run`.

Runs the tests of the front ends, random graphs of both formats and the steps of ONNX Runtime's
arithmetic, and writes for each operator and type what it was compared with and where it ran, to
docs/results/operators.json. Then it writes the tables of docs/models.md. With `--page` it only
writes these, from the kept results. Exit status 1 if a test fails, or if the registry has an
operator that nothing compared.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rowforge.configs import preset
from tests.campaigns.fuzz_graph.run import FORMATS
from tests.campaigns.fuzz_graph.runner import run_case
from tests.campaigns.operators.observe import Observer, observe_tests
from tests.campaigns.operators.tables import REGISTRY, RESULTS, write_page
from tests.campaigns.ort_arithmetic.run import Tally, compare, draw
from tests.campaigns.ort_arithmetic.steps import STEPS
from tests.support.missed import conclude

COMMAND = "python -m tests.campaigns.operators.run"
TESTS = ("tests/compiler/frontends",)


def observe_graphs(observer: Observer, seed: int, n: int) -> None:
    """Random graphs of both formats, each of them executed too."""
    with observer.watching(), tempfile.TemporaryDirectory() as folder:
        for name, kind in FORMATS.items():
            for index in range(n):
                with observer.case(f"{name} {seed}:{index}") as passed:
                    outcome = run_case(kind.make(seed, index), kind, Path(folder), preset("tiny"))
                    passed.append(not outcome.message)


def observe_arithmetic(observer: Observer, seed: int, n: int) -> None:
    """Cases of every step of ONNX Runtime's arithmetic."""
    with observer.watching(), tempfile.TemporaryDirectory() as folder:
        for name, step in STEPS.items():
            for index in range(n):
                tally = Tally()
                with observer.case(f"{name} {seed}:{index}") as passed:
                    label = f"{seed}:{index}"
                    compare(name, draw(name, step, seed, index), Path(folder), tally, label)
                    passed.append(tally.compared > 0 and not tally.failures)


def records(observer: Observer) -> list[dict[str, Any]]:
    """What was seen of the operators that the registry has, in order."""
    return [
        {
            "format": suffix,
            "operator": operator,
            "type": dtype,
            "oracles": dict(sorted(tally.oracles.items())),
            "places": dict(sorted(tally.places.items())),
            "tests": sorted(tally.tests),
        }
        for (suffix, operator, dtype), tally in sorted(observer.tallies.items())
        if operator in REGISTRY[suffix]
    ]


def lacking(found: Sequence[dict[str, Any]]) -> list[str]:
    """Operators of the registry that nothing compared."""
    seen = {(one["format"], one["operator"]) for one in found}
    return [
        f"{suffix} {operator}"
        for suffix, operators in REGISTRY.items()
        for operator in sorted(operators)
        if (suffix, operator) not in seen
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.operators.run", description=__doc__)
    parser.add_argument("--n", type=int, default=300, help="random graphs of each format (300)")
    parser.add_argument("--cases", type=int, default=6, help="of each step of arithmetic (6)")
    parser.add_argument("--seed", type=int, default=1, help="of the graphs and cases (1)")
    parser.add_argument("--page", action="store_true", help="write the page from kept results")
    options = parser.parse_args(arguments)
    conditions = []
    if not options.page:
        started = time.monotonic()
        observer = Observer()
        status = observe_tests(observer, *TESTS)
        conditions.append((status == 0, f"tests: pytest's status is {status}"))
        observe_graphs(observer, options.seed, options.n)
        observe_arithmetic(observer, options.seed, options.cases)
        found = records(observer)
        without = lacking(found)
        conditions.append((not without, f"compared with nothing: {', '.join(without)}"))
        given = f"--n {options.n} --cases {options.cases} --seed {options.seed}"
        kept = {"command": f"{COMMAND} {given}", "operators": found}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(f"{len(found)} operators and types, {time.monotonic() - started:.0f} s")
    write_page()
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
