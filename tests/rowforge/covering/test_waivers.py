"""Waivers take out what they mean, and are wrong where they mean what was hit, or nothing."""

from collections import Counter

import pytest

from hw.arch.errors import RowforgeError
from rowforge.configs import preset_names
from rowforge.covering.merged import MergedCoverage
from rowforge.covering.waivers import (
    WaiverReason,
    parse_waivers,
    shipped_waivers,
    waived_points,
)
from sim.coverage.modules import CoveredDesign
from sim.coverage.points import Point, PointKind

DESIGN = CoveredDesign("module x(a);\nendmodule\n", "x", {"x": "some.Block"})
IDENTITY = DESIGN.modules[0].identity


def coverage(points: int = 100) -> MergedCoverage:
    """Toggles of a counter whose upper half was not reached, and a branch that was."""
    merged = MergedCoverage(DESIGN)
    bits = {
        Point(IDENTITY, PointKind.TOGGLE, 3, 4, f"count[{bit}]:0->1"): int(bit < points - 2)
        for bit in range(points)
    }
    merged.add(Counter({**bits, Point(IDENTITY, PointKind.BRANCH, 7, 5, "else"): 9}), DESIGN)
    return merged


def waive(text: str, points: int = 100) -> tuple[dict[str, WaiverReason], list[str]]:
    found, wrong = waived_points(coverage(points), parse_waivers(text), "tiny")
    return {str(point): reason for point, reason in found.items()}, wrong


def test_a_waiver_takes_out_a_point_that_was_missed() -> None:
    found, wrong = waive("# why\ntiny Block toggle count[99]:0->1 counter\n")
    assert found == {"count[99]:0->1": WaiverReason.COUNTER}
    assert wrong == []


def test_a_star_stands_for_any_text() -> None:
    found, wrong = waive("* Block toggle count[9*]:* counter")
    assert set(found) == {"count[98]:0->1", "count[99]:0->1"}
    assert len(wrong) == 9 and all("was hit 1 times" in sentence for sentence in wrong)


def test_a_waiver_whose_point_is_hit_is_wrong() -> None:
    found, wrong = waive("tiny Block branch 7:5:else proven")
    assert found == {}
    assert wrong == ["waiver in line 1 (Block 7:5:else): 7:5:else was hit 9 times"]


@pytest.mark.parametrize("line", ["toggle other*", "branch 7:5:if", "line 7:5:else"])
def test_a_waiver_that_means_nothing_is_wrong(line: str) -> None:
    found, wrong = waive(f"tiny Block {line} tied")
    assert found == {} and len(wrong) == 1 and wrong[0].endswith("means no point")


def test_waivers_of_other_configurations_say_nothing() -> None:
    assert waive("ulx3s_85f Block branch 7:5:else proven") == ({}, [])


def test_too_many_are_wrong() -> None:
    assert waive("* Block toggle count[9*]:* tied", 20)[1][-1].endswith("was hit 1 times")
    _, wrong = waive("* Block toggle count[19]:* tied\n* Block toggle count[18]:* tied", 20)
    assert wrong == ["2 of 20 toggle points are waived, at most 3% may be"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tiny Block toggle a", "waiver in line 2 must be CONFIG MODULE KIND POINT REASON"),
        ("tiny Block toggled a tied", "kind of the waiver in line 2 must be line, branch, toggle"),
        ("tiny Block toggle a lazy", "must be tied, counter, proven, default, not 'lazy'"),
    ],
)
def test_a_line_that_is_wrong_is_refused(line: str, said: str) -> None:
    with pytest.raises(RowforgeError, match=said):
        parse_waivers(f"\n{line}\n")


def test_shipped_waivers_are_of_presets() -> None:
    assert {waiver.config for waiver in shipped_waivers()} <= {"*", "link", *preset_names()}
