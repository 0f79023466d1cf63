"""Coverage as text, as JSON and as LCOV."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hw.arch.files import write_files
from rowforge.covering.merged import MergedCoverage, PointShare, share
from rowforge.covering.missed import missed_names
from rowforge.covering.waivers import WaiverReason
from rowforge.reports.texttable import Column, text_table
from sim.coverage.modules import CoveredModule
from sim.coverage.points import Hits, Point, PointKind

TEXT, JSON, LCOV = "coverage.txt", "coverage.json", "coverage.info"
_VERILOG = "coverage-verilog"
_COLUMNS = (
    Column("module", "module", left=True),
    Column("made by", "maker", left=True),
    Column("line", "line"),
    Column("branch", "branch"),
    Column("toggle", "toggle"),
    Column("missed", "missed"),
)


@dataclass(frozen=True, kw_only=True)
class CoverageReport:
    """What is to be reported.

    Attributes
    ----------
    title : str
        What was measured.
    coverage : MergedCoverage
    waived : mapping
        Points that need not be reached, with the reasons.
    functional : Counter of str or None
        Functional points and how often each was seen; None: they were not looked at.
    """

    title: str
    coverage: MergedCoverage
    waived: Mapping[Point, WaiverReason] = field(default_factory=dict)
    functional: Counter[str] | None = None

    def total(self, kind: PointKind) -> PointShare:
        """The share of a kind in all modules."""
        return share(self.coverage.hits, kind, self.waived)

    def text(self) -> str:
        """A line for each module and kind of total."""
        rows: list[dict[str, object]] = []
        for module, hits in self.coverage.split():
            rows.append(self._row(module.name, module.maker, hits))
        rows.append(self._row("total", "", self.coverage.hits))
        parts = [self.title, "", text_table(_COLUMNS, rows), ""]
        for kind in PointKind:
            total = self.total(kind)
            parts.append(
                f"{kind}: {total.hit} of {total.points} points, {total.waived} waived, "
                f"{total.missed} missed: {total.share:.2%} ({total.raw:.2%} of all)"
            )
        if self.functional is not None:
            seen = sum(map(bool, self.functional.values()))
            parts.append(f"functional: {seen} of {len(self.functional)} points")
            parts += [f"  not seen: {name}" for name in _unseen(self.functional)]
        if unseen := self.coverage.unseen():
            parts.append(f"modules that no run simulated: {', '.join(unseen)}")
        return "\n".join(parts) + "\n"

    def document(self) -> dict[str, object]:
        """The same, with every point that was missed, for JSON."""
        modules = []
        for module, hits in self.coverage.split():
            missed = missed_names(
                point for point, count in hits.items() if not count and point not in self.waived
            )
            kinds = {str(kind): _figures(share(hits, kind, self.waived)) for kind in PointKind}
            row = {"module": module.name, "maker": module.maker, **kinds, "missed": missed}
            modules.append(row)
        document: dict[str, object] = {
            "title": self.title,
            "total": {str(kind): _figures(self.total(kind)) for kind in PointKind},
            "waived": dict(sorted(Counter(map(str, self.waived.values())).items())),
        }
        if self.functional is not None:
            unseen = _unseen(self.functional)
            points = len(self.functional)
            document["functional"] = {
                "points": points,
                "seen": points - len(unseen),
                "missed": unseen,
            }
        return {**document, "unseen": self.coverage.unseen(), "modules": modules}

    def write(self, folder: Path) -> list[Path]:
        """Write all three forms, and for LCOV the Verilog of each module; returns the files.

        Raises `RowforgeError` if that fails.
        """
        files = {
            TEXT: self.text(),
            JSON: json.dumps(self.document(), indent=1) + "\n",
            LCOV: self._lcov(folder),
        }
        for module in self.coverage.modules:
            files[f"{_VERILOG}/{_file(module)}"] = module.text
        write_files(folder, files)
        return [folder / name for name in (TEXT, JSON, LCOV)]

    def _row(self, name: str, maker: str, hits: Hits) -> dict[str, object]:
        shares = {kind: share(hits, kind, self.waived) for kind in PointKind}
        row: dict[str, object] = {"module": name, "maker": maker}
        for kind, one in shares.items():
            row[str(kind)] = f"{one.share:.1%}" if one.points else ""
        row["missed"] = sum(one.missed for one in shares.values())
        return row

    def _lcov(self, folder: Path) -> str:
        """Lines and branches; LCOV has no toggles."""
        parts = []
        for module, hits in self.coverage.split():
            path = (folder / _VERILOG / _file(module)).resolve()
            parts += ["TN:", f"SF:{path}", *_lines(hits), *_branches(hits), "end_of_record"]
        return "\n".join(parts) + "\n"


def _file(module: CoveredModule) -> str:
    """Two modules of one name, of several designs, have files of their own."""
    return f"{module.name}-{module.identity[:6]}.v"


def _unseen(functional: Counter[str]) -> list[str]:
    return [name for name, count in functional.items() if not count]


def _figures(one: PointShare) -> dict[str, object]:
    return {
        "points": one.points,
        "hit": one.hit,
        "waived": one.waived,
        "share": round(one.share, 5),
    }


def _lines(hits: Hits) -> Sequence[str]:
    counts: Counter[int] = Counter()
    for point, count in hits.items():
        for line in point.covered_lines:
            counts[line] = max(counts[line], count)
    data = [f"DA:{line + 1},{count}" for line, count in sorted(counts.items())]
    return [*data, f"LF:{len(counts)}", f"LH:{sum(map(bool, counts.values()))}"]


def _branches(hits: Hits) -> Sequence[str]:
    """Branches of a line in the order of their columns."""
    points = sorted(point for point in hits if point.kind is PointKind.BRANCH)
    numbers: Counter[int] = Counter()
    data = []
    for point in points:
        data.append(f"BRDA:{point.line + 1},0,{numbers[point.line]},{hits[point]}")
        numbers[point.line] += 1
    hit = sum(bool(hits[point]) for point in points)
    return [*data, f"BRF:{len(points)}", f"BRH:{hit}"]
