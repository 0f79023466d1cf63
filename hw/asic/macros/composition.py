"""A memory out of a process's macros: which, how many, and how they are arranged."""

from collections.abc import Sequence
from dataclasses import dataclass

from hw.arch.errors import RowforgeError
from hw.asic.macros.macro import Macro
from hw.base.geometry import MemoryGeometry

MOST_ROWS = 16
"""Macros one below the other: each more is another input of the multiplexer of what was read."""


@dataclass(frozen=True)
class Composition:
    """Macros that make a memory.

    Attributes
    ----------
    geometry : of the memory
    macro : the one kind of macro that it is made of
    rows : macros one below the other; a row holds `macro.depth` words
    slices : for each column of macros the first bit of the word and the number of bits in it
    """

    geometry: MemoryGeometry
    macro: Macro
    rows: int
    slices: tuple[tuple[int, int], ...]

    @property
    def area(self) -> float:
        """Of all macros, in µm²."""
        return self.rows * len(self.slices) * self.macro.area

    @property
    def instances(self) -> list[str]:
        """Names of the macros in the memory's module."""
        columns = range(len(self.slices))
        return [f"ram_{row}_{column}" for row in range(self.rows) for column in columns]


def compose(geometry: MemoryGeometry, macros: Sequence[Macro], process: str) -> Composition:
    """The composition of the least area, then of the fewest macros.

    Raises `RowforgeError` if none of the macros serves such ports, or the deepest would have to be
    stacked more than `MOST_ROWS` times.
    """
    fitting = [macro for macro in macros if macro.serves(geometry.ports)]
    if not fitting:
        raise RowforgeError(f"process {process} has no macro for memories of {geometry.ports}")
    found = [
        Composition(geometry, macro, rows, _slices(geometry, macro))
        for macro in fitting
        if (rows := -(-geometry.depth // macro.depth)) <= MOST_ROWS
    ]
    if not found:
        deepest = max(macro.depth for macro in fitting)
        raise RowforgeError(
            f"memory of {geometry.depth} words of {geometry.width} bits must have at most "
            f"{MOST_ROWS * deepest} words on process {process}, {MOST_ROWS} times its deepest "
            "macro: a smaller buffer.depth, more buffer.banks or another process helps"
        )
    return min(found, key=lambda c: (c.area, c.rows * len(c.slices), c.macro.name))


def _slices(geometry: MemoryGeometry, macro: Macro) -> tuple[tuple[int, int], ...]:
    """The word cut into pieces as wide as the macro.

    Lanes may share a macro only if its mask tells them apart.
    """
    shared = geometry.lanes == 1 or geometry.lane_width % macro.mask_bits == 0
    piece = geometry.width if shared else geometry.lane_width
    return tuple(
        (start + offset, min(macro.width, piece - offset))
        for start in range(0, geometry.width, piece)
        for offset in range(0, piece, macro.width)
    )
