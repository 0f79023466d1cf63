"""Bit-exact records: one description packs words for software and shapes signals for gateware.

A `Struct` is an ordered list of `Field`s. Fields are placed from bit 0 upwards and never straddle a
64-bit word: one that does not fit starts the next word. `pack` and `unpack` serve software; the
gateware derives its Amaranth layout from the same offsets (`hw.base.layouts`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from hw.arch.errors import RowforgeError

WORD_BITS = 64
_WORD_MASK = (1 << WORD_BITS) - 1


@dataclass(frozen=True)
class Field:
    """One field of a record: its name, width in bits, signedness and meaning.

    `on_map`: rows or columns of a map, of which the hardware holds at most
    `control.map_bits` bits.
    """

    name: str
    width: int
    doc: str = ""
    signed: bool = False
    on_map: bool = False

    @property
    def low(self) -> int:
        """The smallest value that fits."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The largest value that fits."""
        return (1 << (self.width - 1 if self.signed else self.width)) - 1


@dataclass(frozen=True)
class Struct:
    """A record of fields packed into 64-bit words, least significant word first."""

    name: str
    fields: tuple[Field, ...]
    doc: str = ""

    @cached_property
    def offsets(self) -> dict[str, int]:
        """The bit offset of every field from bit 0 of word 0."""
        result: dict[str, int] = {}
        position = 0
        for field in self.fields:
            if position // WORD_BITS != (position + field.width - 1) // WORD_BITS:
                position = -(-position // WORD_BITS) * WORD_BITS
            result[field.name] = position
            position += field.width
        return result

    @cached_property
    def words(self) -> int:
        """The number of 64-bit words that the record occupies."""
        last = self.fields[-1]
        return -(-(self.offsets[last.name] + last.width) // WORD_BITS)

    def pack(self, values: Mapping[str, int]) -> list[int]:
        """The record's words; a field that is not named is 0.

        Raises `RowforgeError` for an unknown field or a value out of range.
        """
        places = self._places
        total = 0
        for name, given in values.items():
            if name not in places:
                raise RowforgeError(f"{self.name} has no field {name!r}")
            low, high, mask, offset = places[name]
            value = int(given)
            if not low <= value <= high:
                raise RowforgeError(f"{self.name}.{name} must be {low} to {high}, not {value}")
            total |= (value & mask) << offset
        return [(total >> (WORD_BITS * i)) & _WORD_MASK for i in range(self.words)]

    @cached_property
    def _places(self) -> dict[str, tuple[int, int, int, int]]:
        """(lowest, highest value, mask, offset) of every field."""
        return {
            field.name: (field.low, field.high, (1 << field.width) - 1, self.offsets[field.name])
            for field in self.fields
        }

    def unpack(self, words: Sequence[int]) -> dict[str, int]:
        """The fields' values in the given words (the inverse of `pack`)."""
        total = sum(int(word) << (WORD_BITS * i) for i, word in enumerate(words[: self.words]))
        result = {}
        for field in self.fields:
            value = (total >> self.offsets[field.name]) & ((1 << field.width) - 1)
            if field.signed and value > field.high:
                value -= 1 << field.width
            result[field.name] = value
        return result
