"""The contract over random layers: `python -m tests.campaigns.contract.run --n 300`.

The cases are those of the fuzzer, without stalls and with a counter block for every layer. A case
is named SEED:INDEX and repeated with `--only`. Then random networks are replayed from memories of
each kind (`--replays`; `--only-replay` repeats one).

Exit status 1 if a layer or a replay is beyond the contract or a single access was counted
differently, if PEs that skip zeros are more than 32 cycles and 1 % slower than dense ones, or if
fewer layers, configurations or replays than asked for were compared; the last lines say which of
these.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from hw.arch.errors import RowforgeError
from tests.campaigns.contract.compare import LayerResult, ProgramResult, compare
from tests.campaigns.contract.replay_campaign import ReplayCampaign
from tests.campaigns.contract.replays import MEMORIES
from tests.campaigns.fuzz.cases import CASES, make_case
from tests.support.missed import Condition, conclude

CONFIGS = 25  # configurations of a campaign
_MOST_TRIES = 40  # cases that are looked at for each configuration

_BINS = (0, 4, 16, 64)  # upper ends, cycles


@dataclass
class Campaign:
    """Results so far."""

    layers: list[LayerResult] = field(default_factory=list)
    programs: list[ProgramResult] = field(default_factory=list)
    configs: set[int] = field(default_factory=set)
    refused: int = 0
    beyond: list[str] = field(default_factory=list)

    def add(self, label: str, number: int, result: ProgramResult) -> None:
        """Take a program's results."""
        self.layers += result.layers
        self.programs.append(result)
        self.configs.add(number)
        if result.slower:
            self.beyond.append(f"{label}: {result.rtl} cycles, {result.dense} with dense PEs")
        for layer in result.layers:
            if not layer.holds:
                self.beyond.append(f"{label} {layer.name}: {layer.model} for {layer.rtl} cycles")
            if layer.others:
                self.beyond.append(f"{label} {layer.name}: {layer.others}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    campaign, replays = Campaign(), ReplayCampaign()
    started = time.monotonic()
    if options.only_replay:
        seed, _, index = options.only_replay.partition(":")
        replays.compare(int(seed), int(index), verbose=True)
        return conclude(replays.conditions(0))
    if options.only:
        seed, _, index = options.only.partition(":")
        _run(campaign, int(seed), int(index), verbose=True, clusters=options.clusters)
        return conclude([_within(campaign)])
    configs = min(options.configs, options.n)
    for number in range(configs):
        goal = -(-options.n * (number + 1) // configs)
        for place in range(_MOST_TRIES):
            if len(campaign.layers) >= goal and number in campaign.configs:
                break
            _run(
                campaign,
                options.seed,
                number * CASES + place,
                verbose=options.verbose,
                clusters=options.clusters,
            )
    replays.run(options.seed, options.replays, verbose=options.verbose)
    _report(campaign, options.seed, time.monotonic() - started)
    replays.report()
    return conclude(
        [
            _within(campaign),
            (
                len(campaign.layers) >= options.n,
                f"{len(campaign.layers)} layers compared, {options.n} asked for",
            ),
            (
                len(campaign.configs) >= configs,
                f"{len(campaign.configs)} configurations compared, {configs} asked for "
                f"({_MOST_TRIES} cases tried on each of the others)",
            ),
            *replays.conditions(options.replays),
        ]
    )


def _within(campaign: Campaign) -> Condition:
    count = len(campaign.beyond)
    return not count, f"{count} of {len(campaign.layers)} layers are beyond the contract"


def _run(campaign: Campaign, seed: int, index: int, *, verbose: bool, clusters: bool) -> None:
    case = make_case(seed, index, clusters=clusters)
    label = f"{seed}:{index}"
    try:
        result = compare(case)
    except RowforgeError as error:
        campaign.refused += 1
        if verbose:
            print(f"{label} {case.theme} refused: {error}", flush=True)
        return
    campaign.add(label, index // CASES, result)
    if verbose or not result.exact:
        print(f"{label} {case.theme} run {result.model - result.rtl:+} of {result.rtl}", flush=True)
        for layer in result.layers:
            print(f"  {layer.name} {layer.op} {layer.difference:+} of {layer.rtl} {layer.others}")


def _report(campaign: Campaign, seed: int, seconds: float) -> None:
    """Print the distribution of the differences."""
    counts: Counter[str] = Counter()
    for layer in campaign.layers:
        distance = abs(layer.difference)
        counts[next((f"<= {end}" for end in _BINS if distance <= end), f"> {_BINS[-1]}")] += 1
    for name in (*(f"<= {end}" for end in _BINS), f"> {_BINS[-1]}"):
        print(f"{name:>6} cycles apart: {counts[name]} layers")
    others = sum(bool(layer.others) for layer in campaign.layers)
    runs = sum(result.model != result.rtl for result in campaign.programs)
    cycles = sum(layer.rtl for layer in campaign.layers)
    print(f"layers with another counter that differs: {others}")
    print(f"whole runs whose cycles differ: {runs} of {len(campaign.programs)}")
    skipping = [result for result in campaign.programs if result.dense is not None]
    dense = sum(result.dense or 0 for result in skipping)
    rtl = sum(result.rtl for result in skipping)
    print(f"{len(skipping)} runs with PEs that skip zeros: {rtl} cycles, {dense} with dense ones")
    for line in campaign.beyond:
        print(f"BEYOND the contract: {line}")
    print(
        f"{len(campaign.layers)} layers on {len(campaign.configs)} configurations, {cycles} cycles,"
        f" seed {seed}, {campaign.refused} cases refused, {len(campaign.beyond)} beyond the"
        f" contract, {seconds:.0f} s"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests.campaigns.contract.run", description="model against RTL"
    )
    parser.add_argument("--n", type=int, default=300, help="layers (300)")
    parser.add_argument("--seed", type=int, default=1, help="of the campaign (1)")
    parser.add_argument("--configs", type=int, default=CONFIGS, help=f"number ({CONFIGS})")
    count = len(MEMORIES)
    parser.add_argument(
        "--replays", type=int, default=count, help=f"configurations with a memory ({count})"
    )
    parser.add_argument("--only", metavar="SEED:INDEX", help="repeat one case")
    parser.add_argument("--clusters", action="store_true", help="on 1 to 3 by 1 to 3 clusters")
    parser.add_argument("--only-replay", metavar="SEED:INDEX", help="repeat a case from its memory")
    parser.add_argument("--verbose", action="store_true", help="a line for every layer")
    return parser


if __name__ == "__main__":
    sys.exit(main())
