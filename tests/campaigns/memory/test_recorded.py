"""What the memories' campaign recorded, and that it would say what is missed."""

import copy
import json
from typing import Any

import pytest

from tests.campaigns.memory.cases import MEMORIES, X16, X32, faults
from tests.campaigns.memory.run import PARTS, conditions
from tests.support.packages import ROOT


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """The report in docs/results."""
    text = (ROOT / "docs" / "results" / "memory.json").read_text(encoding="utf-8")
    return {part: recorded["report"] for part, recorded in json.loads(text).items()}


def missed(report: dict[str, Any]) -> list[str]:
    """What does not hold."""
    return [said for holds, said in conditions(report) if not holds]


def test_everything_is_recorded_and_holds(report: dict[str, Any]) -> None:
    assert set(report) == set(PARTS)
    assert set(report["memories"]) == set(MEMORIES)
    for name, case in MEMORIES.items():
        assert report["memories"][name]["bursts"] >= (1_000_000 if case in (X16, X32) else 100_000)
    assert report["axi"]["bursts"] >= 100_000
    assert set(report["faults"]) == set(faults())
    assert missed(report) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("memories", "x32, 60.75 MHz", "mismatches"), 2, "x32, 60.75 MHz: 2 mismatches"),
        (("memories", "ram, latency 8", "differences"), 1, "ram, latency 8: 1 differences"),
        (("memories", "x16, 50 MHz", "violations"), 1, "x16, 50 MHz: 1 violations"),
        (("beats_a_cycle", "x16, 50 MHz", "anywhere, both"), 0.89, "0.89 beats a cycle"),
        (("faults", "ACTIVATE"), ["tRP"], "fault ACTIVATE: not tRCD but"),
    ],
)
def test_what_is_wrong_is_said(
    report: dict[str, Any], path: tuple[str, ...], value: object, said: str
) -> None:
    changed = copy.deepcopy(report)
    *outer, last = path
    place = changed
    for name in outer:
        place = place[name]
    place[last] = value
    (only,) = missed(changed)
    assert said in only
