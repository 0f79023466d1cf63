"""Every step that imitates ONNX Runtime's arithmetic, beside ONNX Runtime itself, bit by bit.

`python -m tests.campaigns.ort_arithmetic.run --n 200 --seed 1` draws 200 cases of each step:
operators with random scales over many decades, zero points over the whole range and at its ends,
and output scales that put a value at an edge between two results, where the order and width of
every operation decide. Each case is compiled, and the golden model's outputs are compared with
those of ONNX Runtime on one thread without graph optimisation. One line a step says how many values
were compared, how many cases the compiler refused and how many ONNX Runtime did not run. `--step`
chooses steps by a part of their names, `--only 17` repeats the case of that number.

Exit status 1 if a value differs, if a step compared nothing or, from 150 cases of a step on, if
more than half of them did not run or a type, a kind of zero point or of scale came up less than
three times; the step is named.
"""

import argparse
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hw.arch.errors import RowforgeError
from sim.golden import run_graph
from tests.campaigns.ort_arithmetic.case import Array, Case, Step
from tests.campaigns.ort_arithmetic.steps import STEPS
from tests.support.missed import conclude
from tests.support.onnx.models import graph_of, oracle

FULL_CAMPAIGN = 150
_SHOWN = 3  # cases that differ, of a step
TARGET = 3  # how often everything must have come up in a full campaign
_LEAST_COMPARED = 0.5  # share of a step's cases


@dataclass
class Tally:
    """What the cases of one step have shown."""

    compared: int = 0
    cases: int = 0
    refused: int = 0
    unanswered: int = 0
    tags: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.cases} cases, {self.refused} refused, {self.unanswered} not run by ONNX "
            f"Runtime, {self.compared} values compared, {len(self.failures)} cases differ"
        )


def draw(name: str, step: Step, seed: int, index: int) -> Case:
    """The case that these numbers name."""
    case = Case(np.random.default_rng([seed, index, zlib.crc32(name.encode())]))
    with np.errstate(all="ignore"):
        step.make(case)
    return case


def differing(ours: Array, theirs: Array) -> int:
    """How many values differ in a bit; one NaN is as good as another."""
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return max(ours.size, theirs.size, 1)
    same = ours == theirs
    if ours.dtype.kind == "f":
        same = (same & (np.signbit(ours) == np.signbit(theirs))) | (
            np.isnan(ours) & np.isnan(theirs)
        )
    return int(ours.size - np.count_nonzero(same))


def compare(name: str, case: Case, folder: Path, tally: Tally, label: str) -> None:
    """Runs a case both ways and enters what came out."""
    tally.cases += 1
    try:
        graph = graph_of(case.model, folder)
    except RowforgeError as error:
        tally.refused += 1
        tally.reasons[str(error).rsplit(": ", 1)[-1]] += 1
        return
    ours = run_graph(graph, case.feeds)
    try:
        theirs = oracle(case.model, case.feeds, optimised=False)
    except Exception as error:  # ONNX Runtime's own, of no common class
        tally.unanswered += 1
        tally.reasons[str(error).rsplit(": ", 1)[-1]] += 1
        return
    tally.tags.update(case.tags)
    for key, expected in zip(case.outputs, theirs, strict=True):
        wrong = differing(ours[key], expected)
        tally.compared += expected.size
        if wrong:
            tally.failures.append(f"{name} {label}: {wrong} of {expected.size} values differ")


def missing(step: Step, tally: Tally) -> list[str]:
    """What the cases of a step lack."""
    lacking = [f"{tag} ({tally.tags[tag]})" for tag in step.wanted if tally.tags[tag] < TARGET]
    without = tally.refused + tally.unanswered
    if tally.cases - without < _LEAST_COMPARED * tally.cases:
        why = "; ".join(reason for reason, _ in tally.reasons.most_common(3))
        lacking.append(f"cases that are compared ({without} of {tally.cases} are not: {why})")
    return lacking


def campaign(name: str, n: int, seed: int, first: int = 0) -> Tally:
    """`n` cases of a step."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for index in range(first, first + n):
            case = draw(name, STEPS[name], seed, index)
            compare(name, case, Path(folder), tally, f"{seed}:{index}")
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.ort_arithmetic.run", description=__doc__)
    parser.add_argument("--n", type=int, default=FULL_CAMPAIGN, help="cases of each step (150)")
    parser.add_argument("--seed", type=int, default=1, help="of the campaign (1)")
    parser.add_argument("--step", default="", help="only steps whose name contains this")
    parser.add_argument("--only", metavar="INDEX", type=int, help="repeat one case of them")
    options = parser.parse_args(arguments)
    names = [name for name in STEPS if options.step in name]
    if not names:
        parser.error(f"no step's name contains {options.step!r}")
    started = time.monotonic()
    n, first = (options.n, 0) if options.only is None else (1, options.only)
    failed, total = [], 0
    for name in names:
        tally = campaign(name, n, options.seed, first)
        total += tally.compared
        print(f"{name}: {tally}", flush=True)
        wrong = tally.failures[:_SHOWN]
        if not tally.compared:
            wrong.append(f"{name}: no value was compared")
        if n >= FULL_CAMPAIGN and (lacking := missing(STEPS[name], tally)):
            wrong.append(f"{name}: below {TARGET}: {', '.join(lacking)}")
        for line in wrong:
            print(f"FAILED {line}", flush=True)
        failed += [name] * bool(wrong)
    seconds = time.monotonic() - started
    print(f"{len(names)} steps, {total} values compared, {seconds:.0f} s")
    return conclude([(not failed, f"{len(failed)} of {len(names)} steps: {', '.join(failed)}")])


if __name__ == "__main__":
    sys.exit(main())
