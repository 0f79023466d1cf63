"""Points that need not be reached, each with one of four reasons: lines of `waivers.txt`.

A line is `CONFIG MODULE KIND POINT REASON`. CONFIG is a preset or `*`, MODULE and
POINT are as reports print them; in POINT `*` stands for any text.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

from hw.arch.errors import RowforgeError
from rowforge.covering.merged import MergedCoverage
from sim.coverage.points import Point, PointKind

MOST_WAIVED = 0.03  # of the points of a kind
_FIELDS = 5


class WaiverReason(StrEnum):
    """Why a point cannot or need not be reached."""

    TIED = "tied"  # the configuration holds it at one value
    COUNTER = "counter"  # a bit of a counter above the longest run
    PROVEN = "proven"  # `make prove` shows that the branch is unreachable
    DEFAULT = "default"  # the emitter's default arm


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A line of the file.

    Attributes
    ----------
    config, module, kind, point, reason
        Its columns.
    line : int
        Of the file.
    """

    config: str
    module: str
    kind: PointKind
    point: str
    reason: WaiverReason
    line: int

    def matches(self, point: Point) -> bool:
        """Whether it means a point of its module."""
        pattern = re.escape(self.point).replace(r"\*", ".*")
        return point.kind is self.kind and re.fullmatch(pattern, str(point)) is not None


def shipped_waivers() -> list[Waiver]:
    """The lines of the file of this package."""
    return parse_waivers((resources.files("rowforge.covering") / "waivers.txt").read_text("utf-8"))


def parse_waivers(text: str) -> list[Waiver]:
    """Waivers of a text; `#` begins a comment. Raises `RowforgeError` for a line that is wrong."""
    waivers = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        if len(fields) != _FIELDS:
            raise RowforgeError(
                f"waiver in line {number} must be CONFIG MODULE KIND POINT REASON, not {line!r}"
            )
        config, module, kind, point, reason = fields
        kinds, reasons = list(map(str, PointKind)), list(map(str, WaiverReason))
        for name, value, known in (("kind", kind, kinds), ("reason", reason, reasons)):
            if value not in known:
                raise RowforgeError(
                    f"{name} of the waiver in line {number} must be {', '.join(known)}, "
                    f"not {value!r}"
                )
        waivers.append(
            Waiver(
                config=config,
                module=module,
                kind=PointKind(kind),
                point=point,
                reason=WaiverReason(reason),
                line=number,
            )
        )
    return waivers


def waived_points(
    coverage: MergedCoverage, waivers: Iterable[Waiver], config: str
) -> tuple[dict[Point, WaiverReason], list[str]]:
    """The points that waivers of a configuration take out, and what is wrong with the waivers.

    Wrong is a waiver whose point was hit, one that means no point, and more than `MOST_WAIVED` of
    the points of a kind.
    """
    waived: dict[Point, WaiverReason] = {}
    wrong: list[str] = []
    split = {module.name: hits for module, hits in coverage.split()}
    for waiver in waivers:
        if waiver.config not in ("*", config):
            continue
        points = [point for point in split.get(waiver.module, ()) if waiver.matches(point)]
        said = f"waiver in line {waiver.line} ({waiver.module} {waiver.point})"
        if not points:
            wrong.append(f"{said} means no point")
        for point in points:
            if coverage.hits[point]:
                wrong.append(f"{said}: {point} was hit {coverage.hits[point]} times")
            else:
                waived[point] = waiver.reason
    return waived, [*wrong, *_too_many(coverage, list(waived))]


def _too_many(coverage: MergedCoverage, waived: Sequence[Point]) -> list[str]:
    wrong = []
    for kind in PointKind:
        points = sum(point.kind is kind for point in coverage.hits)
        count = sum(point.kind is kind for point in waived)
        if count > MOST_WAIVED * points:
            wrong.append(
                f"{count} of {points} {kind} points are waived, at most {MOST_WAIVED:.0%} may be"
            )
    return wrong
