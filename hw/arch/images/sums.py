"""Checksums of records that have one: the folded sum that commands have."""

from collections.abc import Mapping, Sequence

from hw.arch.commands import checksum
from hw.arch.fields import Struct


def summed(struct: Struct, values: Mapping[str, int]) -> list[int]:
    """A record's words with its checksum, which is the top quarter of its first word."""
    words = struct.pack(values)
    return [words[0] | checksum(words[0], words[1:]) << struct.offsets["checksum"], *words[1:]]


def is_sound(struct: Struct, words: Sequence[int]) -> bool:
    """Whether the checksum of a record's words is right."""
    values = [int(word) for word in words[: struct.words]]
    return checksum(values[0], values[1:]) == struct.unpack(values)["checksum"]
