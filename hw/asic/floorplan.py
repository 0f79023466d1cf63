"""A floor plan: macros along the sides, cells between them, the PEs' grid as a hint.

The macros of single-port memories, which are the banks of the global buffer, are stacked along the
left side, all others along the right side, from the bottom up and in as many columns as it takes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.asic.hierarchy import DesignHierarchy
from hw.asic.macros.composition import Composition
from hw.asic.macros.macro import Macro
from hw.asic.process import LayoutFacts

MARGIN = 40.0
"""µm between the die's edge and the core, and between a macro and anything else."""

DENSITY = 0.5
"""Share of the area for cells that they take; routing and buffers take the rest."""


@dataclass(frozen=True)
class DiePart:
    """A part of the die, in µm: lower left corner, and upper right one."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "DiePart") -> bool:
        """Whether they share more than an edge."""
        across = self.left < other.right and other.left < self.right
        return across and self.bottom < other.top and other.bottom < self.top

    def contains(self, other: "DiePart") -> bool:
        """Whether the other is inside, edges included."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.bottom <= other.bottom and other.top <= self.top


@dataclass(frozen=True)
class PlacedMacro:
    """A macro at a place, unrotated.

    Attributes
    ----------
    path : of its instance in the flattened design, with points between the names
    macro : which
    left, bottom : of its lower left corner, in µm
    """

    path: str
    macro: Macro
    left: float
    bottom: float

    @property
    def rectangle(self) -> DiePart:
        """What it covers."""
        width, height = self.macro.size
        return DiePart(self.left, self.bottom, self.left + width, self.bottom + height)


@dataclass(frozen=True)
class Floorplan:
    """Places of everything that has one.

    Attributes
    ----------
    die, core : outlines
    macros : all of them
    cells : between the macros
    regions : by path of a PE, a part of `cells`: a hint only
    """

    die: DiePart
    core: DiePart
    macros: tuple[PlacedMacro, ...]
    cells: DiePart
    regions: Mapping[str, DiePart]


def floorplan(
    hierarchy: DesignHierarchy, compositions: Mapping[str, Composition], layout: LayoutFacts
) -> Floorplan:
    """Plan a design.

    Parameters
    ----------
    hierarchy : the design without its wrappers
    compositions : by module of a memory
    layout : the process's
    """
    found = [
        (f"{path}.{name}", compositions[module])
        for path, module in hierarchy.instances()
        if module in compositions
        for name in compositions[module].instances
    ]
    banks = [(path, c.macro) for path, c in found if c.geometry.ports == "1rw"]
    others = [(path, c.macro) for path, c in found if c.geometry.ports != "1rw"]
    cell_area = hierarchy.register_bits * layout.bit_area / DENSITY
    height = _height([macro for _, macro in (*banks, *others)], cell_area)
    grid = _Grid(layout)
    left, banks_end = _stack(banks, MARGIN, height, grid)
    middle = grid.across(banks_end + cell_area / height)
    right, core_end = _stack(others, middle + MARGIN, height, grid)
    core = DiePart(
        grid.across(MARGIN), grid.up(MARGIN), grid.across(core_end), grid.up(MARGIN + height)
    )
    cells = DiePart(banks_end, core.bottom, middle, core.top)
    return Floorplan(
        die=DiePart(0.0, 0.0, grid.across(core.right + MARGIN), grid.up(core.top + MARGIN)),
        core=core,
        macros=(*left, *right),
        cells=cells,
        regions=_regions(hierarchy, cells),
    )


@dataclass(frozen=True)
class _Grid:
    """Rounds up to the process's grid."""

    layout: LayoutFacts

    def across(self, x: float) -> float:
        return self._rounded(x, self.layout.grid[0])

    def up(self, y: float) -> float:
        return self._rounded(y, self.layout.grid[1])

    @staticmethod
    def _rounded(value: float, step: int) -> float:
        return -(-round(value * 1000) // step) * step / 1000


def _height(macros: Sequence[Macro], cell_area: float) -> float:
    """Of a core that comes out about square, with the highest macro in it at least."""
    bloated = sum((m.size[0] + MARGIN) * (m.size[1] + MARGIN) for m in macros)
    tallest = max((macro.size[1] for macro in macros), default=0.0)
    return float(max((bloated + cell_area) ** 0.5, tallest + 2 * MARGIN))


def _stack(
    macros: Sequence[tuple[str, Macro]], start: float, height: float, grid: _Grid
) -> tuple[list[PlacedMacro], float]:
    """Columns of macros from `start` to the right; returns where they end, with the margin."""
    placed: list[PlacedMacro] = []
    left, bottom, widest = start, MARGIN, 0.0
    # The widest first: columns of one kind waste least.
    for path, macro in sorted(macros, key=lambda item: (-item[1].size[0], item[1].name)):
        width, tall = macro.size
        if bottom > MARGIN and grid.up(bottom) + tall > MARGIN + height:
            left, bottom, widest = left + widest + MARGIN, MARGIN, 0.0
        placed.append(PlacedMacro(path, macro, grid.across(left), grid.up(bottom)))
        bottom, widest = grid.up(bottom) + tall + MARGIN, max(widest, width)
        left = grid.across(left)
    return placed, (left + widest + MARGIN if placed else start)


def _regions(hierarchy: DesignHierarchy, cells: DiePart) -> dict[str, DiePart]:
    """The area for cells in equal parts for the PEs, row by row from the top."""
    places = {}
    for path, _ in hierarchy.instances():
        if found := re.search(r"(?:^|\.)pe_(\d+)_(\d+)$", path):
            places[path] = int(found[1]), int(found[2])
    if not places:
        return {}
    rows = 1 + max(row for row, _ in places.values())
    cols = 1 + max(col for _, col in places.values())
    wide, tall = (cells.right - cells.left) / cols, (cells.top - cells.bottom) / rows
    return {
        path: DiePart(
            round(cells.left + col * wide, 2),
            round(cells.top - (row + 1) * tall, 2),
            round(cells.left + (col + 1) * wide, 2),
            round(cells.top - row * tall, 2),
        )
        for path, (row, col) in places.items()
    }
