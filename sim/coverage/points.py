"""Reads the coverage files that simulations of Verilator write: what can happen, how often it did.

A file has a line for each point: keys and values between two control characters, a space, a count.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from sim.coverage.modules import CoveredDesign

_ENTRY = re.compile(r"C '(.*)' (\d+)", re.DOTALL)
_PROCESS = "block"
_OPPOSITE = {"0->1": "1->0", "1->0": "0->1"}


class PointKind(StrEnum):
    """What a point counts."""

    LINE = "line"  # a statement or an arm of a case was reached
    BRANCH = "branch"  # an `if` or a conditional operator went one way
    TOGGLE = "toggle"  # a bit of a signal rose, or fell


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One thing that can happen in a module.

    Attributes
    ----------
    module : str
        Identity of the module (`CoveredModule.identity`).
    kind : PointKind
    line, column : int
        Where it stands; the module's first line is 0.
    what : str
        Which of the things there: `if`, `else`, `cond_then`, or a bit and its edge, `held[3]:0->1`.
    span : tuple of int
        First and last line, in turn, of the lines that are reached with it.
    """

    module: str
    kind: PointKind
    line: int
    column: int
    what: str
    span: tuple[int, ...] = ()

    @property
    def covered_lines(self) -> list[int]:
        """The lines that are reached with it."""
        pairs = zip(self.span[::2], self.span[1::2], strict=True)
        return [line for first, last in pairs for line in range(first, last + 1)]

    def __str__(self) -> str:
        """As waivers name it."""
        if self.kind is PointKind.TOGGLE:
            return self.what
        return f"{self.line}:{self.column}:{self.what}"


Hits = Counter[Point]
"""How often each point was hit; one that was not is there, with 0."""


def read_points(path: Path, design: CoveredDesign, *, from_reset: bool) -> Hits:
    """The points of a run and how often each was hit, all instances of a module together.

    Parameters
    ----------
    path : Path
        What the simulation wrote.
    design : CoveredDesign
        Whose text it simulated.
    from_reset : bool
        The counts began after the first reset. If not, an edge seen once counts only if the
        opposite edge was seen, too: it may be the step from the simulator's initial value.
    """
    counts: Hits = Counter()
    with open(path, encoding="latin-1", newline="\n") as file:
        for entry in file:
            found = _ENTRY.match(entry)
            if found is None:
                continue
            point = _point(found[1], design)
            if point is None:
                continue
            # Every process is evaluated at the start, before the counts begin.
            started = from_reset and point.what == _PROCESS
            counts[point] += max(int(found[2]), started)
    _drop_unpaired(counts)
    if not from_reset:
        _drop_first_steps(counts)
    return counts


def _point(text: str, design: CoveredDesign) -> Point | None:
    """The point of an entry; None for a declaration's initial value, which is no statement."""
    values = dict(item.split("\2", 1) for item in text.split("\1") if item)
    line = int(values["l"])
    if values["o"] == _PROCESS and design.declares(line):
        return None
    module = design.at(line)
    return Point(
        module=module.identity,
        kind=PointKind(values["t"]),
        line=line - module.first,
        column=int(values["n"]),
        what=values["o"].replace("___05F", "__"),
        span=_span(values.get("S", ""), module.first),
    )


def _span(ranges: str, first: int) -> tuple[int, ...]:
    """Lines such as "7-8,12" as numbers from the module's first line."""
    found: list[int] = []
    for part in filter(None, ranges.split(",")):
        low, _, high = part.partition("-")
        found += [int(low) - first, int(high or low) - first]
    return tuple(found)


def _drop_unpaired(counts: Hits) -> None:
    """Leave out the edges whose opposite one is no point: such a bit never goes back and forth."""
    edges = Counter(_bit(point) for point in counts if point.kind is PointKind.TOGGLE)
    for point in list(counts):
        if point.kind is PointKind.TOGGLE and edges[_bit(point)] == 1:
            del counts[point]


def _bit(point: Point) -> tuple[str, int, int, str]:
    """What a toggle's two edges have in common."""
    return point.module, point.line, point.column, point.what.rpartition(":")[0]


def _drop_first_steps(counts: Hits) -> None:
    """Forget the edges that were seen once while the opposite one was not."""
    for point, count in counts.items():
        if point.kind is not PointKind.TOGGLE or count != 1:
            continue
        bit, _, edge = point.what.rpartition(":")
        opposite = replace(point, what=f"{bit}:{_OPPOSITE[edge]}")
        if not counts[opposite]:
            counts[point] = 0
