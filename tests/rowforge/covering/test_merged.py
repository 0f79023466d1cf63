"""Runs add up module by module, and shares leave out what is waived."""

from collections import Counter

from rowforge.covering.merged import MergedCoverage, share
from sim.coverage.modules import CoveredDesign
from sim.coverage.points import Hits, Point, PointKind


def design(top: str, *leaves: str) -> CoveredDesign:
    text = "".join(
        f"module {top}{'_' if leaf else ''}{leaf}(a);\n  wire w{leaf};\nendmodule\n"
        for leaf in ("", *leaves)
    )
    return CoveredDesign(text, top, {top: f"some.{top.title()}"})


def hits(of: CoveredDesign, *counts: int, kind: PointKind = PointKind.BRANCH) -> Hits:
    """A point a module, hit so often."""
    return Counter(
        {
            Point(module.identity, kind, 1, 2, "if"): count
            for module, count in zip(of.modules, counts, strict=True)
        }
    )


def test_equal_modules_of_several_designs_are_one() -> None:
    one, two = design("one", "queue"), design("two", "queue")
    coverage = MergedCoverage()
    coverage.add(hits(one, 0, 3), one)
    coverage.add(hits(two, 1, 4), two)
    assert [module.name for module in coverage.modules] == ["One", "queue"]  # equal tops, too
    assert sorted(coverage.hits.values()) == [1, 7]


def test_only_modules_of_a_fixed_design_count() -> None:
    one, two = design("one", "queue", "unseen"), design("two", "queue", "other")
    coverage = MergedCoverage(one)
    coverage.add(hits(two, 2, 5, 6), two)
    assert [module.name for module in coverage.modules] == ["One", "queue"]
    assert coverage.outside == {"other"}
    assert coverage.unseen() == ["unseen"]
    split = {module.name: list(found.values()) for module, found in coverage.split()}
    assert split == {"One": [2], "queue": [5]}


def test_shares() -> None:
    one = design("one", "b", "c", "d")
    found = hits(one, 0, 4, 0, 1)
    waived = [point for point, count in found.items() if not count][:1]
    result = share(found, PointKind.BRANCH, waived)
    assert (result.points, result.hit, result.waived, result.missed) == (4, 2, 1, 1)
    assert (result.raw, result.share) == (0.5, 2 / 3)
    assert share(found, PointKind.LINE).share == 1.0
