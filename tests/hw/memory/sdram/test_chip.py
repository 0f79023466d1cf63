"""Controllers and memories in the RTL simulator: a slice of the memories' campaign.

All memories are translated together and once. What a chip finds is known from a faulty controller.
"""

from dataclasses import replace

import pytest

from sim.memory.bench import BurstOutcome, BurstTraffic, MemoryBench
from sim.memory.cases import RamCase, SdramCase
from tests.campaigns.memory.cases import MEMORIES, TRAFFIC, X16, X32, faults, full_bursts
from tests.campaigns.memory.run import LEAST_BEATS

CASES = (
    X16,
    X32,
    MEMORIES["ram, latency 1"],
    RamCase(words=1 << 12, latency=8, pace=4),
    faults()["ACTIVATE"].case,
)
FAULTY = len(CASES) - 1


def outcomes(which: int, *traffic: BurstTraffic) -> list[BurstOutcome]:
    """What becomes of some traffic on one of the cases."""
    with MemoryBench(CASES, which, seed=7, optimise="-O0") as bench:
        return [bench.run(each) for each in traffic]


def test_words_and_cycles_are_right_and_times_are_kept() -> None:
    for which in range(FAULTY):
        found = outcomes(which, *(replace(traffic, bursts=300) for traffic in TRAFFIC.values()))
        for outcome in found:
            assert (outcome.mismatches, outcome.differences, outcome.found) == (0, 0, [])
            assert outcome.words > 3000
        assert isinstance(CASES[which], SdramCase) == (sum(o.refreshes for o in found) > 50)


@pytest.mark.parametrize("which", [0, 1])
def test_full_bursts_fill_the_pins(which: int) -> None:
    case = CASES[which]
    assert isinstance(case, SdramCase)
    traffic = [replace(each, bursts=100) for each in full_bursts(case).values()]
    _, *found = outcomes(which, BurstTraffic(bursts=1), *traffic)
    for outcome in found:
        assert outcome.words * case.chip.beats >= LEAST_BEATS * outcome.cycles


def test_a_chip_finds_what_is_too_early() -> None:
    (outcome,) = outcomes(FAULTY, replace(TRAFFIC["neighbours"], bursts=100))
    assert outcome.found == ["tRCD"] and outcome.violations > 10


def test_an_idle_memory_is_refreshed_in_time() -> None:
    """Bursts with long pauses: every interval has its refresh, and none is late."""
    for which in (0, 1):
        first, outcome = outcomes(
            which, BurstTraffic(bursts=1), BurstTraffic(bursts=20, beats=1, pauses=999)
        )
        case = CASES[which]
        assert isinstance(case, SdramCase)
        assert outcome.found == [] and outcome.cycles > 5000
        assert abs(outcome.refreshes - outcome.cycles / case.timing.interval) < 9
