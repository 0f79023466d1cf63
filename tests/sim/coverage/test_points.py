"""Coverage files are read point by point."""

from pathlib import Path

import pytest

from sim.coverage.modules import CoveredDesign
from sim.coverage.points import Hits, Point, PointKind, read_points

DESIGN = CoveredDesign(
    "\n\nmodule x(a);\n  reg r = 0;\n  if (a) b = 1;\n  always @* begin\nendmodule\n", "x", {}
)
MODULE = DESIGN.modules[0].identity


def entry(line: int, column: int, kind: str, what: str, count: int, span: str = "") -> str:
    keys = {"f": "x.v", "l": line, "n": column, "t": kind, "page": f"v_{kind}/x", "o": what}
    if span:
        keys["S"] = span
    keys["h"] = "rtl.x"
    return "C '" + "".join(f"\1{key}\2{value}" for key, value in keys.items()) + f"' {count}\n"


def read(folder: Path, *entries: str, from_reset: bool = True) -> Hits:
    path = folder / "a.dat"
    path.write_text("# SystemC::Coverage-3\n" + "".join(entries))
    return read_points(path, DESIGN, from_reset=from_reset)


def test_a_point_has_its_place_in_the_module(tmp_path: Path) -> None:
    hits = read(tmp_path, entry(5, 3, "branch", "if", 4, "5,7-8"), entry(5, 4, "branch", "else", 0))
    first, second = sorted(hits, key=lambda point: point.column)
    assert first == Point(MODULE, PointKind.BRANCH, 2, 3, "if", (2, 2, 4, 5))
    assert first.covered_lines == [2, 4, 5]
    assert str(first) == "2:3:if"
    assert (hits[first], hits[second]) == (4, 0)


def test_instances_of_a_module_are_one(tmp_path: Path) -> None:
    hits = read(tmp_path, *(entry(5, 3, "branch", "if", count) for count in (0, 2, 5)))
    assert list(hits.values()) == [7]


def test_initial_values_are_no_lines_and_processes_have_run(tmp_path: Path) -> None:
    entries = entry(4, 7, "line", "block", 0), entry(6, 3, "line", "block", 0)
    hits = read(tmp_path, *entries)
    assert [(point.line, count) for point, count in hits.items()] == [(3, 1)]
    assert list(read(tmp_path, *entries, from_reset=False).values()) == [0]


def test_signals_have_their_names(tmp_path: Path) -> None:
    edges = ("0->1", "1->0")
    hits = read(tmp_path, *(entry(4, 7, "toggle", f"cmd___05Fdata[3]:{e}", 1) for e in edges))
    assert [str(point) for point in hits] == [f"cmd__data[3]:{edge}" for edge in edges]


def test_a_step_from_an_initial_value_is_no_toggle(tmp_path: Path) -> None:
    rises, falls = "r[0]:0->1", "r[0]:1->0"

    def counts(up: int, down: int, *, from_reset: bool) -> list[int]:
        entries = entry(4, 7, "toggle", rises, up), entry(4, 7, "toggle", falls, down)
        return list(read(tmp_path, *entries, from_reset=from_reset).values())

    assert counts(1, 0, from_reset=False) == [0, 0]
    assert counts(0, 1, from_reset=False) == [0, 0]
    assert counts(1, 1, from_reset=False) == [1, 1]
    assert counts(1, 0, from_reset=True) == [1, 0]


@pytest.mark.parametrize("from_reset", [True, False])
def test_an_edge_without_its_opposite_does_not_count(tmp_path: Path, from_reset: bool) -> None:
    """Reached or not, it is neither hit nor missed."""
    pair = [entry(4, 7, "toggle", f"r[0]:{edge}", 2) for edge in ("0->1", "1->0")]
    alone = [entry(4, 7, "toggle", "r[1]:0->1", 0), entry(5, 7, "toggle", "s[0]:1->0", 1)]
    hits = read(tmp_path, *pair, *alone, from_reset=from_reset)
    assert {str(point) for point in hits} == {"r[0]:0->1", "r[0]:1->0"}
