"""Reports tell the same in three forms."""

import json
from collections import Counter
from pathlib import Path

import pytest

from hw.arch.errors import RowforgeError
from rowforge.covering.merged import MergedCoverage
from rowforge.covering.missed import missed_names, ranges
from rowforge.covering.report import CoverageReport
from rowforge.covering.waivers import WaiverReason
from sim.coverage.modules import CoveredDesign
from sim.coverage.points import Point, PointKind

DESIGN = CoveredDesign(
    "module x(a);\n  wire w;\nendmodule\nmodule x_q(a);\nendmodule\n", "x", {"x": "some.Block"}
)
TOP = DESIGN.modules[0].identity
IF = Point(TOP, PointKind.BRANCH, 1, 5, "if", (1, 1))
ELSE = Point(TOP, PointKind.BRANCH, 1, 6, "else")
LINE = Point(TOP, PointKind.LINE, 1, 2, "case", (1, 2))
BITS = [Point(TOP, PointKind.TOGGLE, 1, 8, f"w[{bit}]:0->1") for bit in (3, 4, 5, 7)]


@pytest.fixture
def report() -> CoverageReport:
    coverage = MergedCoverage(DESIGN)
    coverage.add(Counter({IF: 3, ELSE: 0, LINE: 2, **dict.fromkeys(BITS, 0)}), DESIGN)
    return CoverageReport(
        title="Of a test",
        coverage=coverage,
        waived={BITS[3]: WaiverReason.COUNTER},
        functional=Counter({"status OK": 2, "status WATCHDOG": 0}),
    )


def test_text(report: CoverageReport) -> None:
    lines = report.text().splitlines()
    assert lines[0] == "Of a test"
    (row,) = (line.split() for line in lines if line.startswith("Block"))
    assert row == ["Block", "some.Block", "100.0%", "50.0%", "0.0%", "4"]
    assert "branch: 1 of 2 points, 0 waived, 1 missed: 50.00% (50.00% of all)" in lines
    assert "toggle: 0 of 4 points, 1 waived, 3 missed: 0.00% (0.00% of all)" in lines
    assert lines[-3:] == [
        "functional: 1 of 2 points",
        "  not seen: status WATCHDOG",
        "modules that no run simulated: q",
    ]


def test_json(report: CoverageReport, tmp_path: Path) -> None:
    files = report.write(tmp_path)
    document = json.loads(files[1].read_text())
    assert document["total"]["branch"] == {"points": 2, "hit": 1, "waived": 0, "share": 0.5}
    assert document["waived"] == {"counter": 1}
    assert document["functional"] == {"points": 2, "seen": 1, "missed": ["status WATCHDOG"]}
    assert document["unseen"] == ["q"]
    (module,) = document["modules"]
    assert module["missed"] == ["branch 1:6:else", "toggle w[3-5]:0->1"]


def test_lcov_names_files_that_are_there(report: CoverageReport, tmp_path: Path) -> None:
    report.write(tmp_path)
    lines = (tmp_path / "coverage.info").read_text().splitlines()
    source = Path(lines[1].removeprefix("SF:"))
    assert source.read_text() == "module x(a);\n  wire w;\nendmodule\n"
    assert lines[2:] == [
        *("DA:2,3", "DA:3,2", "LF:2", "LH:2"),
        *("BRDA:2,0,0,3", "BRDA:2,0,1,0", "BRF:2", "BRH:1", "end_of_record"),
    ]


def test_a_folder_that_cannot_be_written(report: CoverageReport, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RowforgeError, match="output folder must be writable"):
        report.write(tmp_path / "file")


def test_bits_of_a_signal_are_together() -> None:
    assert ranges([7, 1, 2, 3, 9]) == "1-3,7,9"
    assert missed_names([*BITS, ELSE]) == ["branch 1:6:else", "toggle w[3-5,7]:0->1"]
