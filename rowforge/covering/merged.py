"""Coverage of several runs of several designs, added up module by module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sim.coverage.modules import CoveredDesign, CoveredModule
from sim.coverage.points import Hits, Point, PointKind, read_points


class MergedCoverage:
    """What runs reached.

    Parameters
    ----------
    design : CoveredDesign or None
        Only modules of this design count, by its names; None: those of all designs that ran.

    Attributes
    ----------
    hits : Hits
        Of all runs; instances of a module are one, and so are equal modules of several designs.
    outside : set of str
        Names of modules that ran and are not in the design.
    """

    def __init__(self, design: CoveredDesign | None = None) -> None:
        self._fixed = design is not None
        self._modules: dict[str, CoveredModule] = {}
        self.hits: Hits = Counter()
        self.outside: set[str] = set()
        if design is not None:
            self._take(design.modules)

    @property
    def modules(self) -> list[CoveredModule]:
        """The modules that have points, by name."""
        counted = {point.module for point in self.hits}
        found = (module for module in self._modules.values() if module.identity in counted)
        return sorted(found, key=lambda module: module.name)

    def unseen(self) -> list[str]:
        """Names of the modules that no run simulated, and that therefore have no points here."""
        counted = {point.module for point in self.hits}
        return sorted(m.name for m in self._modules.values() if m.identity not in counted)

    def add_file(self, path: Path, design: CoveredDesign) -> None:
        """Take a file that a bench's simulation of a design wrote."""
        self.add(read_points(path, design, from_reset=False), design)

    def add(self, hits: Hits, design: CoveredDesign) -> None:
        """Take what a simulation of a design reached."""
        if not self._fixed:
            self._take(design.modules)
        names = {module.identity: module.name for module in design.modules}
        for point, count in hits.items():
            if point.module in self._modules:
                self.hits[point] += count
            else:
                self.outside.add(names[point.module])

    def _by_module(self) -> dict[str, Hits]:
        found: dict[str, Hits] = {}
        for point, count in self.hits.items():
            found.setdefault(point.module, Counter())[point] = count
        return found

    def split(self) -> list[tuple[CoveredModule, Hits]]:
        """Each module with its points."""
        found = self._by_module()
        return [(module, found[module.identity]) for module in self.modules]

    def _take(self, modules: Sequence[CoveredModule]) -> None:
        for module in modules:
            self._modules.setdefault(module.identity, module)


@dataclass(frozen=True)
class PointShare:
    """How many points there are, are reached, and are waived.

    Attributes
    ----------
    points, hit, waived : int
        A waived point is never hit.
    """

    points: int
    hit: int
    waived: int

    @property
    def missed(self) -> int:
        """Points that are neither hit nor waived."""
        return self.points - self.hit - self.waived

    @property
    def raw(self) -> float:
        """PointShare of all points that is hit, 0 to 1."""
        return self.hit / self.points if self.points else 1.0

    @property
    def share(self) -> float:
        """PointShare of the points that are not waived, 0 to 1."""
        left = self.points - self.waived
        return self.hit / left if left else 1.0


def share(hits: Hits, kind: PointKind, waived: Iterable[Point] = ()) -> PointShare:
    """The share of the points of a kind."""
    counts = [count for point, count in hits.items() if point.kind is kind]
    without = sum(point.kind is kind and point in hits for point in waived)
    return PointShare(points=len(counts), hit=sum(map(bool, counts)), waived=without)
