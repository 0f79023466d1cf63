"""A fuzzing campaign: `python -m tests.campaigns.fuzz.run --n 300`.

Each run is a random graph on a random configuration, compiled and executed; every tensor that
reaches the host is compared with the golden model. A run is named SEED:INDEX and repeated with
`--only`. Exit status 1 if a run fails, if fewer runs than asked for took place, if more than a
quarter of 40 or more cases were refused, or if 300 or more runs leave a gap in the coverage table;
the last lines say which of these. A small campaign need not cover everything.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

from tests.campaigns.fuzz.cases import CASES, make_case
from tests.campaigns.fuzz.coverage import TARGET, Feature, missing, table
from tests.campaigns.fuzz.runner import Outcome, run_case
from tests.support.missed import conclude

FULL_CAMPAIGN = 300  # runs from which on the coverage table has to be full
RUNS_EACH = 7  # executed runs that a configuration gets
_MOST_TRIES = 3  # times as many cases as executed runs before a configuration is left
_MOST_ROUNDS = 2  # times as many configurations as planned
_REFUSED_SHARE = 0.25
_SHARE_FROM = 40  # cases from which on the share of refusals says something
_MOST_LOOKED_AT = 400  # further cases that are searched for what came up too seldom


@dataclass
class Campaign:
    """Outcomes so far."""

    counts: Counter[Feature] = field(default_factory=Counter)
    executed: int = 0
    cycles: int = 0
    configs: set[int] = field(default_factory=set)
    refusals: list[Outcome] = field(default_factory=list)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take an outcome into the figures."""
        if outcome.status == "refused":
            self.refusals.append(outcome)
            return
        self.executed += 1
        self.configs.add(outcome.case.index // CASES)
        self.cycles += outcome.cycles
        self.counts.update(outcome.features)
        if outcome.status == "failed":
            self.failures.append(outcome)


def indices(configs: int, each: int, campaign: Campaign, wanted: int) -> Iterator[int]:
    """Cases of one configuration after the other, each until it has had its runs.

    Further configurations make up for those on which too much was refused.
    """
    for number in range(configs * _MOST_ROUNDS):
        goal = min(campaign.executed + each, wanted)
        for place in range(_MOST_TRIES * each):
            if campaign.executed >= goal:
                break
            yield number * CASES + place


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    campaign = Campaign()
    started = time.monotonic()
    if options.only:
        seed, _, index = options.only.partition(":")
        cases: Iterator[int] = iter([int(index)])
        options.seed, options.n = int(seed), 1
    else:
        configs = options.configs or ceil(options.n / RUNS_EACH)
        cases = indices(configs, ceil(options.n / configs), campaign, options.n)
    for index in cases:
        _run(campaign, options, index, started)
        if options.stop and campaign.failures:
            break
    if not (options.only or options.clusters) and options.n >= FULL_CAMPAIGN:
        for index in _lacking(campaign, options.seed):
            _run(campaign, options, index, started)
    _progress(campaign, 0, options.seed, 0, started)
    return _report(campaign, options, time.monotonic() - started)


def _run(campaign: Campaign, options: argparse.Namespace, index: int, started: float) -> None:
    _progress(campaign, options.n, options.seed, index, started)
    outcome = run_case(
        make_case(options.seed, index, clusters=options.clusters), rtl=options.engine == "rtl"
    )
    campaign.add(outcome)
    if outcome.status == "failed":
        _say(f"FAILED {outcome.label} ({outcome.case.theme}): {outcome.message}")
    elif options.verbose or options.only:
        _say(f"{outcome.status} {outcome.label} ({outcome.case.theme}) {outcome.message}")


def _lacking(campaign: Campaign, seed: int) -> Iterator[int]:
    """Further cases of the same configurations that show what came up too seldom."""
    numbers = sorted(campaign.configs)
    for count in range(_MOST_LOOKED_AT):
        lacking = set(missing(campaign.counts, campaign.executed))
        if not lacking:
            return
        place = _MOST_TRIES * RUNS_EACH + count // len(numbers)
        index = numbers[count % len(numbers)] * CASES + place
        outcome = run_case(make_case(seed, index), rtl=False)
        if lacking.intersection(outcome.features):
            yield index


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests.campaigns.fuzz.run", description="random layers against RTL"
    )
    parser.add_argument("--n", type=int, default=300, help="executed runs (300)")
    parser.add_argument("--seed", type=int, default=1, help="of the campaign (1)")
    parser.add_argument("--only", metavar="SEED:INDEX", help="repeat one run")
    parser.add_argument("--configs", type=int, help="configurations (one for every 7 runs)")
    parser.add_argument("--engine", choices=("rtl", "functional"), default="rtl")
    parser.add_argument("--clusters", action="store_true", help="on 1 to 3 by 1 to 3 clusters")
    parser.add_argument("--stop", action="store_true", help="end with the first failure")
    parser.add_argument("--verbose", action="store_true", help="a line for every run")
    return parser


def _say(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    print(line, flush=True)


def _progress(campaign: Campaign, wanted: int, seed: int, index: int, started: float) -> None:
    """One line on a terminal, nothing elsewhere; none at the end."""
    if not sys.stderr.isatty():
        return
    text = (
        f"{campaign.executed} of {wanted} runs, {len(campaign.refusals)} refused, "
        f"{len(campaign.failures)} failed, now {seed}:{index}, {time.monotonic() - started:.0f} s"
    )
    sys.stderr.write("\r\033[K" + (text if wanted else ""))
    sys.stderr.flush()


def _report(campaign: Campaign, options: argparse.Namespace, seconds: float) -> int:
    """Print the figures and what was missed; returns the exit status."""
    lacking: list[str] = []
    if not options.only:
        print("\n".join(table(campaign.counts)))
        lacking = [" ".join(item) for item in missing(campaign.counts, campaign.executed)]
        print(f"below the target: {', '.join(lacking) if lacking else 'none'}")
        kinds = Counter(_kind(outcome.message) for outcome in campaign.refusals)
        for kind, count in kinds.most_common():
            print(f"refused {count}: {kind}")
    for outcome in campaign.failures:
        print(
            f"replay: python -m tests.campaigns.fuzz.run --engine {options.engine} "
            f"--only {outcome.label}"
        )
    tried = campaign.executed + len(campaign.refusals)
    print(
        f"{campaign.executed} runs executed on {len(campaign.configs)} configurations "
        f"({options.engine}), {campaign.cycles} cycles, {len(campaign.refusals)} of {tried} refused"
        f" and confirmed, {len(campaign.failures)} failed, {seconds:.0f} s"
    )
    failures, refused = len(campaign.failures), len(campaign.refusals)
    conditions = [(not failures, f"{failures} of {campaign.executed} runs failed")]
    if not options.only:
        full = options.n >= FULL_CAMPAIGN
        conditions += [
            (
                campaign.executed >= options.n,
                f"{campaign.executed} runs executed, {options.n} asked for",
            ),
            (
                not full or not lacking,
                f"{len(lacking)} items came up fewer than {TARGET} times: {', '.join(lacking)}",
            ),
            (
                tried < _SHARE_FROM or refused <= _REFUSED_SHARE * tried,
                f"{refused} of {tried} cases refused, at most {_REFUSED_SHARE:.0%} may be",
            ),
        ]
    return conclude(conditions)


def _kind(message: str) -> str:
    """The sentence without layer and numbers."""
    _, _, sentence = message.partition(": ")
    return "".join("#" if c.isdigit() else c for c in sentence)


if __name__ == "__main__":
    sys.exit(main())
