"""The parts of an operand that is not resident, loaded as tiles need them: `Feed`."""

from bisect import bisect_right
from collections.abc import Sequence
from math import ceil

from compiler.operators.operation import Operand
from compiler.schedule.parts.places import Places
from compiler.stream.stream import StreamBuilder


class Feed:
    """Loads the parts of an operand, each before its first tile.

    Parameters
    ----------
    stream : takes the LOAD commands
    tensor : index of the host tensor
    places : of the parts
    first : number of the first tile that needs each part
    """

    def __init__(
        self, stream: StreamBuilder, tensor: int, places: Places, first: Sequence[int]
    ) -> None:
        self._stream, self._tensor, self._places, self._first = stream, tensor, places, first
        self._loaded = 0  # parts that are in the buffer
        self._begun = False  # pieces of the next part have been made
        self._pieces: list[Operand] = []  # what is left of them

    def part_of(self, tile: int) -> Operand:
        """Where the part that a tile needs will be."""
        return self._places.part(bisect_right(self._first, tile) - 1)

    def part(self, tile: int) -> Operand:
        """The part that a tile needs; what is not there yet is loaded now."""
        if self._loaded < len(self._first) and self._first[self._loaded] == tile:
            computing, self._stream.computing = self._stream.computing, False
            if not self._begun:
                self._pieces = self._places.early(self._loaded, 1)
            self._load([*self._pieces, *self._places.late(self._loaded)])
            self._pieces = []
            self._done()
            self._stream.computing = computing
        if self._loaded != bisect_right(self._first, tile) and not self._ahead(tile):
            raise AssertionError(f"the part that tile {tile} reads is not in the buffer")
        return self.part_of(tile)

    def prefetch(self, tile: int) -> None:
        """Some pieces of the next part, so that it is there when its first tile comes.

        tile : the newest one, which uses the part before
        """
        if self._loaded == len(self._first) or self._ahead(tile):
            return
        left = self._first[self._loaded] - tile  # tiles until then, this one included
        if not self._begun:
            self._pieces, self._begun = self._places.early(self._loaded, left), True
        count = ceil(len(self._pieces) / left)
        self._load(self._pieces[:count])
        self._pieces = self._pieces[count:]
        if not self._pieces and not self._places.late(self._loaded):
            self._done()

    def _ahead(self, tile: int) -> bool:
        """Whether a part is there that only later tiles need."""
        return self._loaded > 0 and self._first[self._loaded - 1] > tile

    def _done(self) -> None:
        self._loaded, self._begun = self._loaded + 1, False

    def _load(self, parts: Sequence[Operand]) -> None:
        for part in parts:
            self._stream.load(self._tensor, part.box, part.surface)
