"""Random graphs: `python -m tests.campaigns.fuzz_graph.run --n 300`.

Each run is a random model file; the golden model's outputs, and of some of them the executed
program's, are compared with the interpreter's that defines the format, ONNX Runtime's without
graph optimisation. What ONNX Runtime itself gives otherwise with optimisation is counted and
listed. A run is named SEED:INDEX and repeated with `--only`. Exit status 1 if one fails, or if 300
or more leave a gap in the coverage table; the last lines say which of these.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rowforge.configs import preset
from tests.campaigns.fuzz_graph.case import Feature, Format
from tests.campaigns.fuzz_graph.onnx.format import ONNX
from tests.campaigns.fuzz_graph.runner import NOT_RUN, Outcome, run_case
from tests.campaigns.fuzz_graph.tflite.format import TFLITE
from tests.support.missed import Condition, conclude

FORMATS: dict[str, Format] = {"tflite": TFLITE, "onnx": ONNX}
EXECUTED = 5  # one of so many programs is executed as well
TARGETS = {600: 10, 300: 5}  # how often everything must come up in so many graphs


def target(n: int) -> int:
    """How often everything must come up in a campaign of n graphs."""
    return next((least for graphs, least in TARGETS.items() if n >= graphs), 0)


def missing(
    wanted: dict[str, tuple[str, ...]], counts: Counter[Feature], least: int
) -> list[Feature]:
    """What came up too seldom."""
    return [
        (group, item)
        for group, items in wanted.items()
        for item in items
        if counts[group, item] < least
    ]


def table(wanted: dict[str, tuple[str, ...]], counts: Counter[Feature]) -> list[str]:
    """How often everything came up, a line a group."""
    return [
        f"{group}: " + ", ".join(f"{item} {counts[group, item]}" for item in items)
        for group, items in wanted.items()
    ]


def at_edges(outcomes: Sequence[Outcome]) -> list[str]:
    """The values that differ because the interpreter's own sum misses a rounding edge."""
    return [f"at an edge {o.case.label} {line}" for o in outcomes for line in o.edges]


def between_levels(outcomes: Sequence[Outcome]) -> list[str]:
    """What the interpreter gives otherwise at its other optimisation level, and how often."""
    lines = [
        f"levels differ {outcome.case.label} {line}"
        for outcome in outcomes
        for line in outcome.levels
        if not line.startswith(NOT_RUN)
    ]
    refused = Counter(
        line.split(":", 1)[1].split("(node")[0].strip()
        for outcome in outcomes
        for line in outcome.levels
        if line.startswith(NOT_RUN)
    )
    lines += [f"other level not run {n} times: {why}" for why, n in sorted(refused.items())]
    differing = sum(outcome.differing for outcome in outcomes)
    graphs = sum(bool(outcome.differing) for outcome in outcomes)
    return [*lines, f"{differing} values of {graphs} graphs differ between levels"] if lines else []


def campaign(kind: Format, options: argparse.Namespace) -> tuple[list[Outcome], int]:
    """All outcomes, and how many programs were executed."""
    outcomes, executed = [], 0
    config = preset(options.preset)
    labels = [(options.seed, index) for index in range(options.n)]
    if options.only:
        seed, _, index = options.only.partition(":")
        labels = [(int(seed), int(index))]
    with tempfile.TemporaryDirectory() as folder:
        for seed, index in labels:
            execute = bool(options.only) or index % options.execute == 0
            executed += execute
            case = kind.make(seed, index)
            outcome = run_case(
                case, kind, Path(folder), config if execute else None, keep=options.keep
            )
            outcomes.append(outcome)
            if outcome.message:
                print(f"FAILED {case.label}: {outcome.message}", flush=True)
    return outcomes, executed


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.fuzz_graph.run", description=__doc__)
    parser.add_argument("--n", type=int, default=300, help="graphs of each format (300)")
    parser.add_argument("--seed", type=int, default=1, help="of the campaign (1)")
    parser.add_argument("--format", choices=sorted(FORMATS), help="one format only")
    parser.add_argument("--only", metavar="SEED:INDEX", help="repeat one graph")
    parser.add_argument("--execute", type=int, default=EXECUTED, help="execute one of so many (5)")
    parser.add_argument(
        "--preset", default="tiny", help="configuration of the executed ones (tiny)"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the models of failures here")
    options = parser.parse_args(arguments)
    conditions: list[Condition] = []
    for name, kind in FORMATS.items():
        if options.format not in (None, name):
            continue
        started = time.monotonic()
        outcomes, executed = campaign(kind, options)
        failures = [outcome for outcome in outcomes if outcome.message]
        count = f"{len(failures)} of {len(outcomes)} {name} graphs"
        conditions.append((not failures, f"{count} failed"))
        conditions.append((bool(outcomes), f"no {name} graph was run"))
        if not options.only:
            counts: Counter[Feature] = Counter(
                f for o in outcomes if not o.message for f in o.case.features
            )
            least = target(options.n)
            lacking = missing(kind.wanted, counts, least)
            print("\n".join(table(kind.wanted, counts)))
            said = ", ".join(" ".join(item) for item in lacking)
            print(f"compared fewer than {least} times: {said or 'none'}")
            conditions.append(
                (
                    not lacking,
                    f"{len(lacking)} items of {name} compared fewer than {least} times: {said}",
                )
            )
        for line in [*at_edges(outcomes), *between_levels(outcomes)]:
            print(line)
        for outcome in failures:
            print(
                f"replay: python -m tests.campaigns.fuzz_graph.run --format {name} "
                f"--only {outcome.case.label}"
            )
        values, inner, explained, floats = (
            sum(getattr(o, n) for o in outcomes) for n in ("values", "inner", "explained", "floats")
        )
        layers = f", {inner} values of layers on equal operands" if inner else ""
        proven = f"{layers}, {explained} of these at a proven edge" if layers else ""
        proven += f", {floats} floats within their bound" if floats else ""
        print(
            f"{len(outcomes)} {name} graphs, {executed} executed, {values} values compared{proven}"
            f", {len(failures)} failed, {time.monotonic() - started:.0f} s"
        )
    return conclude(conditions)


if __name__ == "__main__":
    sys.exit(main())
