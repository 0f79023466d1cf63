"""A campaign over random graphs: `python -m tests.campaigns.fuzz_network.run --n 300 --seed 1`.

Each case is a graph of 2 to 12 operators on a random configuration with a buffer of a few hundred
words. Its program with every layer kept and its program without are executed and compared with the
golden model; every third configuration's cases are simulated too. A case is named SEED:INDEX and
repeated with `--only`; a failing one is made smaller while it fails, and printed.

Exit status 1 if a case fails, if fewer cases than asked for took place, if more than a quarter were
refused, or if 300 or more did not show all that `tests/campaigns/fuzz_network/coverage.py` demands.
"""

import argparse
import pickle
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from multiprocessing import get_context
from pathlib import Path

from tests.campaigns.fuzz_network.cases import EACH, NetworkCase, make_case
from tests.campaigns.fuzz_network.coverage import Feature, missed, table
from tests.campaigns.fuzz_network.runner import Finding, check, described
from tests.campaigns.fuzz_network.shrink import SECONDS, shrink
from tests.support.missed import conclude

FULL_CAMPAIGN = 300  # cases from which on everything wanted must have been shown
_MOST_ROUNDS = 2  # times as many configurations as planned
_REFUSED_SHARE = 0.25


@dataclass
class Campaign:
    """Findings so far."""

    wanted: int
    counts: Counter[Feature] = field(default_factory=Counter)
    executed: int = 0
    cycles: int = 0
    configs: set[int] = field(default_factory=set)
    refusals: list[Finding] = field(default_factory=list)
    failures: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Take a finding into the figures; only what was compared counts as shown."""
        if finding.status == "refused":
            self.refusals.append(finding)
            return
        self.executed += 1
        if finding.status == "failed":
            self.failures.append(finding)
            return
        number = finding.case.index // EACH
        if number not in self.configs:
            self.configs.add(number)
            self.counts["campaign", "configurations"] += 1
        self.cycles += finding.cycles
        self.counts.update(finding.shown)

    def missed(self, *, only: bool) -> list[str]:
        """Every condition that the campaign did not meet, with its figures."""
        found = [f"{len(self.failures)} cases failed"] if self.failures else []
        if only:
            return found
        if self.executed < self.wanted:
            found.append(f"{self.executed} of {self.wanted} cases were executed")
        tried = self.executed + len(self.refusals)
        if len(self.refusals) > _REFUSED_SHARE * tried:
            found.append(f"{len(self.refusals)} of {tried} cases were refused, over a quarter")
        return found + (missed(self.counts) if self.wanted >= FULL_CAMPAIGN else [])


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()
    only = bool(options.only or options.file)
    campaign = Campaign(1 if only else options.n)
    rtl = options.engine == "rtl"
    for finding in _findings(options, campaign, rtl=rtl):
        campaign.add(finding)
        if finding.status == "failed":
            _failed(finding, options)
            if options.stop:
                break
        elif options.verbose or only:
            print(f"{finding.status} {finding.label} {finding.message}", flush=True)
        _progress(campaign, started)
        if campaign.executed >= campaign.wanted:
            break
    return _report(campaign, options, time.monotonic() - started, only=only)


def _findings(options: argparse.Namespace, campaign: Campaign, *, rtl: bool) -> Iterator[Finding]:
    if options.file:
        yield check(pickle.loads(Path(options.file).read_bytes()), rtl=rtl)
    elif options.only:
        seed, _, index = options.only.partition(":")
        yield check(make_case(int(seed), int(index)), rtl=rtl)
    elif options.jobs == 1:
        for number in range(_MOST_ROUNDS * ceil(options.n / EACH)):
            yield from (check(make_case(options.seed, index), rtl=rtl) for index in _cases(number))
    else:
        yield from _parallel(options, rtl=rtl)


def _cases(number: int) -> range:
    """The cases of a configuration."""
    return range(number * EACH, (number + 1) * EACH)


def _parallel(options: argparse.Namespace, *, rtl: bool) -> Iterator[Finding]:
    """The findings in order; a process takes all cases of a configuration, and its simulator."""
    most = _MOST_ROUNDS * ceil(options.n / EACH)
    under_way: list[Future[list[Finding]]] = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        try:
            for number in count():
                while number + len(under_way) < most and len(under_way) <= 2 * options.jobs:
                    ahead = number + len(under_way)
                    under_way.append(pool.submit(_configuration, options.seed, ahead, rtl))
                if not under_way:
                    return
                yield from under_way.pop(0).result()
        finally:
            for future in under_way:
                future.cancel()


def _configuration(seed: int, number: int, rtl: bool) -> list[Finding]:
    return [check(make_case(seed, index), rtl=rtl) for index in _cases(number)]


# ---- failures -----------------------------------------------------------------------------------


def _failed(finding: Finding, options: argparse.Namespace) -> None:
    """Say what failed, and the smallest graph that fails so; keep it if asked to."""
    _clear()
    print(f"FAILED {finding.label}: {finding.message}", flush=True)
    print(f"replay: {_replay(finding, options)}", flush=True)
    rtl = "rtl: " in finding.message
    case: NetworkCase = finding.case
    if options.shrink > 0:
        case = shrink(case, lambda c: check(c, rtl=rtl).status == "failed", seconds=options.shrink)
        smallest = check(case, rtl=rtl)
        print(f"the smallest graph that fails, of {len(case.graph.nodes)} operators:")
        print("\n".join(f"    {line}" for line in described(case.graph)))
        print(f"    {smallest.message}", flush=True)
    if options.keep:
        folder = Path(options.keep)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{finding.case.seed}_{finding.case.index}.pickle"
        path.write_bytes(pickle.dumps(case))
        print(
            f"replay the smallest: python -m tests.campaigns.fuzz_network.run --file {path}",
            flush=True,
        )


def _replay(finding: Finding, options: argparse.Namespace) -> str:
    engine = "" if options.engine == "rtl" else f"--engine {options.engine} "
    return f"python -m tests.campaigns.fuzz_network.run {engine}--only {finding.label}"


# ---- the command line ---------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests.campaigns.fuzz_network.run", description="random graphs"
    )
    parser.add_argument("--n", type=int, default=300, help="executed cases (300)")
    parser.add_argument("--seed", type=int, default=1, help="of the campaign (1)")
    parser.add_argument("--only", metavar="SEED:INDEX", help="repeat one case")
    parser.add_argument("--file", metavar="FILE", help="repeat a case that --keep has written")
    parser.add_argument("--keep", metavar="DIR", help="write the smallest failing cases there")
    parser.add_argument("--engine", choices=("rtl", "functional"), default="rtl")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--stop", action="store_true", help="end with the first failure")
    parser.add_argument("--verbose", action="store_true", help="a line for every case")
    parser.add_argument(
        "--shrink", type=float, default=SECONDS, help=f"seconds for a failing case ({SECONDS:.0f})"
    )
    return parser


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()


def _progress(campaign: Campaign, started: float) -> None:
    """One line on a terminal, nothing elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(
            f"\r\033[K{campaign.executed} of {campaign.wanted} cases, {len(campaign.refusals)} "
            f"refused, {len(campaign.failures)} failed, {time.monotonic() - started:.0f} s"
        )
        sys.stderr.flush()


def _report(campaign: Campaign, options: argparse.Namespace, seconds: float, *, only: bool) -> int:
    """Print the figures and what was missed; returns the exit status."""
    _clear()
    if not only:
        print("\n".join(table(campaign.counts)))
        kinds = Counter(_kind(finding.message) for finding in campaign.refusals)
        for kind, number in kinds.most_common():
            print(f"refused {number}: {kind}")
    for finding in campaign.failures:
        print(f"replay: {_replay(finding, options)}")
    tried = campaign.executed + len(campaign.refusals)
    print(
        f"{campaign.executed} graphs executed on {len(campaign.configs)} configurations, "
        f"{campaign.counts['campaign', 'simulated']} of them simulated for {campaign.cycles} "
        f"cycles, {len(campaign.refusals)} of {tried} refused and confirmed, "
        f"{len(campaign.failures)} failed, {seconds:.0f} s"
    )
    return conclude((False, reason) for reason in campaign.missed(only=only))


def _kind(message: str) -> str:
    """The sentence without schedule, layer and numbers."""
    sentence = message.split(": ", 2)[-1]
    return "".join("#" if c.isdigit() else c for c in sentence)


if __name__ == "__main__":
    sys.exit(main())
