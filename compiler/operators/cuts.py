"""Where an axis is cut into tiles: `AxisCuts`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import overload

Span = tuple[int, int]
"""Half-open range of positions along an axis."""


@dataclass(frozen=True)
class AxisCuts(Sequence[Span]):
    """The spans of an axis of which tiles have one each. Nothing is made for a span not asked for.

    size : positions of the axis
    nest : positions that a tile of fewer lies within; the axis begins with one
    part : positions of a tile; the last ones of a nest, and of the axis, may have fewer
    """

    size: int
    nest: int
    part: int

    @property
    def _whole(self) -> int:
        """Positions after which cuts begin anew."""
        return max(self.nest, self.part)

    @property
    def _each(self) -> int:
        """Spans of so many positions."""
        return ceil(self._whole / self.part)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        wholes, rest = divmod(self.size, self._whole)
        return wholes * self._each + ceil(rest / self.part)

    @overload
    def __getitem__(self, index: int) -> Span: ...
    @overload
    def __getitem__(self, index: slice) -> list[Span]: ...
    def __getitem__(self, index: int | slice) -> Span | list[Span]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        whole, place = divmod(index, self._each)
        first = whole * self._whole
        begin = first + place * self.part
        return begin, min(begin + self.part, first + self._whole, self.size)

    def lengths(self) -> dict[int, int]:
        """How many spans there are of each length."""
        return dict(self._lengths)

    @cached_property
    def _lengths(self) -> dict[int, int]:
        wholes, rest = divmod(self.size, self._whole)
        found: Counter[int] = Counter()
        for times, positions in ((wholes, self._whole), (1, rest)):
            parts, left = divmod(positions, self.part)
            found[self.part] += times * parts
            found[left] += times * (left > 0)
        return {length: times for length, times in found.items() if times}
