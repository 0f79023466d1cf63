"""Records: placement, range checks, round trips."""

import random

import pytest

from hw.arch import commands
from hw.arch.counters import COUNTERS
from hw.arch.errors import RowforgeError
from hw.arch.fields import Field, Struct

STRUCTS = [value for value in vars(commands).values() if isinstance(value, Struct)] + [COUNTERS]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.name)
def test_fields_neither_overlap_nor_straddle_words(struct):
    taken = set()
    for field in struct.fields:
        bits = range(struct.offsets[field.name], struct.offsets[field.name] + field.width)
        assert bits[0] // 64 == bits[-1] // 64
        assert taken.isdisjoint(bits)
        taken.update(bits)
    assert max(taken) < 64 * struct.words


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.name)
def test_pack_and_unpack_are_inverse(struct):
    rng = random.Random(struct.name)
    for _ in range(20):
        values = {
            field.name: rng.choice([field.low, field.high, rng.randint(field.low, field.high)])
            for field in struct.fields
        }
        words = struct.pack(values)
        assert len(words) == struct.words
        assert all(0 <= word < 1 << 64 for word in words)
        assert struct.unpack(words) == values


def test_a_field_that_does_not_fit_starts_the_next_word():
    struct = Struct("three", (Field("a", 40), Field("b", 25, signed=True), Field("c", 39)))
    assert struct.offsets == {"a": 0, "b": 64, "c": 89}
    assert struct.pack({"b": -1}) == [0, (1 << 25) - 1]


def test_refusals_name_field_and_range():
    struct = Struct("one", (Field("a", 3, signed=True),))
    with pytest.raises(RowforgeError, match="one.a must be -4 to 3, not 4"):
        struct.pack({"a": 4})
    with pytest.raises(RowforgeError, match="one has no field 'b'"):
        struct.pack({"b": 0})


def test_checksum_sees_every_quarter_of_header_and_descriptor():
    words = commands.command(commands.Opcode.LOAD, [1 << 48, 2 << 32], length=5, tag=3)
    header = commands.HEADER.unpack(words[:1])
    assert header["checksum"] == commands.checksum(words[0], words[1:])
    for position in range(0, 192, 16):
        changed = list(words)
        changed[position // 64] ^= 1 << (position % 64)
        same = commands.checksum(changed[0], changed[1:]) == header["checksum"]
        assert same == (position == commands.HEADER.offsets["checksum"])


def test_every_command_has_a_descriptor_length():
    assert set(commands.DESCRIPTOR_WORDS) == set(commands.Opcode)


def test_a_program_starts_with_readable_bytes():
    words = commands.begin(0x1234)
    assert words[0].to_bytes(8, "little") == b"ROWFORGE"
    assert commands.BEGIN.unpack(words[1:]) == {
        "version": commands.COMMAND_SET_VERSION,
        "hash": 0x1234,
    }
