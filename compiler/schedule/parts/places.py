"""Where the parts of an operand lie, one after another: `Places`, `TurnPlaces`, `SlidingPlaces`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from compiler.operators.operation import Operand, size_of
from compiler.schedule.parts.pieces import pieces, row_pieces
from compiler.schedule.parts.slots import Slots
from compiler.stream.surface import Surface, surface_words
from hw.arch.config import Config
from hw.arch.program import Box


class Places(ABC):
    """The places of successive parts of an operand.

    A part is loaded in two steps: what may come while the part before it is in use, and the rest.
    """

    @abstractmethod
    def part(self, number: int) -> Operand:
        """A part, where it lies."""

    @abstractmethod
    def early(self, number: int, count: int) -> list[Operand]:
        """What of a part may come while the one before is in use, in about `count` pieces."""

    @abstractmethod
    def late(self, number: int) -> list[Operand]:
        """What of a part overwrites the one before, or has no part before it."""


class TurnPlaces(Places):
    """Buffers that the parts take in turn.

    Parameters
    ----------
    boxes : of the parts
    slots : one buffer, or two, where a part comes while the one before is in use
    """

    def __init__(self, slots: Slots, boxes: Sequence[Box]) -> None:
        self._slots, self._boxes = slots, boxes

    def part(self, number: int) -> Operand:
        box = self._boxes[number]
        return Operand(box, self._slots.surface(number, size_of(box)))

    def early(self, number: int, count: int) -> list[Operand]:
        if not number or self._slots.count == 1:
            return []
        return list(pieces(self._slots.config, self.part(number), count))

    def late(self, number: int) -> list[Operand]:
        return [] if number and self._slots.count > 1 else [self.part(number)]


@dataclass(frozen=True)
class Slide:
    """Where a band of rows lies among the rows of its buffer.

    first : of the band; kept : rows that the band before has left there
    early : rows after these that no row of the band before lies under
    """

    first: int
    kept: int
    early: int


def slides(spans: Sequence[tuple[int, int]], rows: int, free: int = 0) -> Iterator[Slide]:
    """Places of bands that move down a map, in a buffer of so many rows.

    A band lies where its common rows with the one before are already. Where it would pass the end
    of the buffer, it begins at the top again, and is loaded whole.

    spans : half open, of the map's rows; the first begins a map
    free : rows at the top of the buffer that are not in use when the first one comes
    """
    place, before = free, (0, 0)
    for number, (begin, end) in enumerate(spans):
        moved = place + begin - before[0]
        follows = number > 0 and before[0] <= begin <= before[1] <= end
        if follows and moved + end - begin <= rows:
            place, kept, early = moved, before[1] - begin, end - before[1]
        else:
            kept, early = 0, min(place, end - begin)
            place = 0
        yield Slide(place, kept, early)
        before = begin, end


class SlidingPlaces(Places):
    """A buffer down which bands of rows of an item slide.

    A row of all channel blocks is followed by the next row. The rows that a band has in common
    with the one before are loaded once, unless the band begins at the top of the buffer again.

    Parameters
    ----------
    address : of the buffer; rows : that it has
    boxes : of the parts; bands of one strip of columns follow one another from the top down
    """

    def __init__(self, config: Config, address: int, rows: int, boxes: Sequence[Box]) -> None:
        self._config, self._address, self._boxes = config, address, boxes
        self._slides: list[Slide] = []
        free = 0
        for strip in _strips(boxes):
            line = self._line(strip[0])
            self._slides += slides([box.rows for box in strip], rows, free // line)
            free = self._slides[-1].first * line

    def part(self, number: int) -> Operand:
        box = self._boxes[number]
        _, height, width, channels = size_of(box)
        line = self._line(box)
        surface = Surface(
            address=self._address + self._slides[number].first * line,
            items=1,
            height=height,
            width=width,
            channels=channels,
            row_stride=line,
            plane_stride=width,
            item_stride=height * line,
        )
        return Operand(box, surface)

    def _line(self, box: Box) -> int:
        """Buffer words of a row of a band."""
        _, _, width, channels = size_of(box)
        return surface_words(self._config, (1, 1, width, channels))

    def early(self, number: int, count: int) -> list[Operand]:
        slide = self._slides[number]
        return list(row_pieces(self._config, self._rows(number, slide.kept, slide.early), count))

    def late(self, number: int) -> list[Operand]:
        slide = self._slides[number]
        first = slide.kept + slide.early
        rest = self._boxes[number].rows[1] - self._boxes[number].rows[0] - first
        return list(row_pieces(self._config, self._rows(number, first, rest), 1))

    def _rows(self, number: int, first: int, count: int) -> Operand:
        """So many rows of a part."""
        part = self.part(number)
        rows = (first, first + count)
        _, _, width, channels = size_of(part.box)
        surface = part.surface.window(self._config, rows, (0, width), (0, channels))
        above = part.box.rows[0]
        return Operand(replace(part.box, rows=(above + rows[0], above + rows[1])), surface)


def _strips(boxes: Sequence[Box]) -> Iterator[list[Box]]:
    """Boxes in runs that differ in their rows alone."""
    for _, strip in groupby(boxes, lambda box: (box.items, box.columns, box.channels)):
        yield list(strip)
