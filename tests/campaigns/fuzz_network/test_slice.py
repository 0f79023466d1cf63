"""Some graphs of the campaign, and that it finds, shrinks, replays and counts what it says."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.operators.operation import Operation, Shape4, size_of
from compiler.schedule import tiling
from compiler.stream.surface import surface_words
from hw.arch.config import Config
from hw.arch.program import Box
from tests.campaigns.fuzz_network.cases import EACH, NetworkCase, make_case, small_configuration
from tests.campaigns.fuzz_network.coverage import WANTED, made_of, missed, targets
from tests.campaigns.fuzz_network.run import Campaign, main
from tests.campaigns.fuzz_network.runner import Finding, check, described
from tests.campaigns.fuzz_network.shrink import shrink
from tests.thorough import thorough

SEED = 1
# Of configurations whose simulators are quickly built, which takes most of the time.
SIMULATED = thorough([54, 55], [0, 1, 54, 55])


@pytest.mark.parametrize("number", [0, 1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_both_schedules_equal_the_golden_model(number: int) -> None:
    for place in range(2):
        finding = check(make_case(11, number * EACH + place), rtl=False)
        assert finding.status != "failed", f"{finding.label}: {finding.message}"


@pytest.mark.slow
@pytest.mark.parametrize("index", SIMULATED)
def test_the_rtl_equals_the_golden_model(index: int) -> None:
    case = make_case(SEED, index)
    assert case.simulated
    finding = check(case)
    assert finding.status == "passed", finding.message
    assert finding.cycles > 0


def test_a_case_follows_from_its_name() -> None:
    first, second = make_case(3, 25), make_case(3, 25)
    assert first.config == second.config
    assert described(first.graph) == described(second.graph)
    for name, array in first.inputs[0].items():
        assert np.array_equal(array, second.inputs[0][name])


def test_graphs_have_two_to_a_dozen_operators_and_buffers_a_few_hundred_words() -> None:
    for number in range(30):
        config = small_configuration(SEED, number)
        assert 100 <= config.act_banks * config.buffer.depth <= 2500
        case = make_case(SEED, number * EACH)
        # A step may bring a reshape or a branch with it, the last one beyond the dozen.
        assert 2 <= len(case.graph.nodes) <= 14
        assert case.simulated == (number % 3 == 0 and not config.control.microcontroller)


# ---- the old fault ------------------------------------------------------------------------------


def sampled_words(
    config: Config, operation: Operation, size: Shape4, operand: int, *, channels: int | None = None
) -> int:
    """What the compiler once took for the largest part: that of the first, middle and last tile."""
    most = 0
    _, E, F, M = operation.target
    starts = range(0, M, size[3]) if operation.follows_channels else (0,)
    for rows in ((at, at + size[1]) for at in (0, (E - size[1]) // 2, E - size[1])):
        for columns in ((at, at + size[2]) for at in (0, (F - size[2]) // 2, F - size[2])):
            for first in starts:
                span = (first, min(first + size[3], M))
                box = Box((0, size[0]), rows, columns, span)
                part = size_of(operation.reach(box, operand))
                most = max(most, surface_words(config, (*part[:3], channels or part[3])))
    return most


@pytest.mark.slow
def test_the_campaign_finds_slots_of_sampled_sizes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The fault that gave this campaign its reason, put back; the smallest graph fails, too."""
    monkeypatch.setattr(tiling, "operand_words", sampled_words)
    run = ["--engine", "functional", "--jobs", "1"]
    status = main([*run, "--n", "100", "--stop", "--shrink", "3", "--keep", str(tmp_path)])
    said = capsys.readouterr().out
    assert status == 1
    assert "missed: 1 cases failed" in said
    assert "CONCATENATION(" in said
    found = re.search(r"FAILED 1:(\d+): ", said)
    assert found is not None
    assert main([*run, "--only", f"1:{found[1]}", "--shrink", "0"]) == 1
    (kept,) = tmp_path.iterdir()
    assert main([*run, "--file", str(kept), "--shrink", "0"]) == 1
    capsys.readouterr()
    monkeypatch.undo()
    assert main([*run, "--file", str(kept)]) == 0


# ---- shrinking ----------------------------------------------------------------------------------


def test_a_case_shrinks_while_it_fails() -> None:
    """Whatever has a concatenation counts as failing: one of two operands of one pixel is left."""

    def fails(case: NetworkCase) -> bool:
        return any(node.op == "CONCATENATION" for node in case.graph.nodes)

    cases = (make_case(SEED, index) for index in range(200))
    case = next(case for case in cases if fails(case) and len(case.graph.nodes) > 3)
    smallest = shrink(case, fails, seconds=10.0)
    (node,) = smallest.graph.nodes
    assert len(node.inputs) == 2
    assert check(smallest, rtl=False).status == "passed"
    assert all(smallest.graph.tensors[key].elements <= 4 for key in node.inputs)


# ---- what a campaign demands ------------------------------------------------------------------


def finding(index: int, status: str, shown: Sequence[tuple[str, str]] = ()) -> Finding:
    return Finding(make_case(SEED, index), status, shown=tuple(shown))


def test_a_campaign_says_what_it_missed() -> None:
    campaign = Campaign(2)
    campaign.add(finding(0, "passed"))
    campaign.add(finding(1, "refused"))
    assert campaign.missed(only=False) == [
        "1 of 2 cases were executed",
        "1 of 2 cases were refused, over a quarter",
    ]
    campaign = Campaign(300)
    campaign.executed = 300
    assert len(campaign.missed(only=False)) == len(targets())
    campaign.counts.update(targets())
    assert campaign.missed(only=False) == []
    campaign.counts["campaign", "spilling"] -= 1
    assert campaign.missed(only=False) == ["campaign: spilling 59 of 60"]
    campaign.add(finding(2, "failed"))
    assert campaign.missed(only=True) == ["1 cases failed"]


def test_refused_and_failed_cases_show_nothing() -> None:
    campaign = Campaign(3)
    shown = [("operator", "add")]
    for status, count in (("refused", 0), ("failed", 0), ("passed", 1)):
        campaign.add(finding(0, status, shown))
        assert campaign.counts["operator", "add"] == count


def test_everything_demanded_comes_up() -> None:
    """A third of a campaign's graphs have every item: nothing is demanded that never comes."""
    counts: Counter[tuple[str, str]] = Counter()
    for index in range(0, 300, 3):
        counts.update(made_of(make_case(SEED, index).graph))
    wanted = {(group, item) for group, items in WANTED.items() for item in items}
    assert wanted <= set(counts)
    assert any("of 40" in reason for reason in missed(counts))
