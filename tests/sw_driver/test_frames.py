"""Byte stuffing, frames, and cutting a stream into frames."""

import zlib
from random import Random

import pytest

from hw.arch.frames import CRC_RESIDUE, FRAME, LINK_STATUS, line_bytes, next_epoch
from sw_driver.protocol import cobs
from sw_driver.protocol.frames import Frame, FrameReader, decode_frame, encode_frame, unpack_status

FULL = bytes(range(1, 255))
KNOWN = [
    (b"", b"\x01"),
    (b"\0", b"\x01\x01"),
    (b"\0\0", b"\x01\x01\x01"),
    (b"\x11\x22\0\x33", b"\x03\x11\x22\x02\x33"),
    (b"\x11\0\0\0", b"\x02\x11\x01\x01\x01"),
    (FULL, b"\xff" + FULL),
    (b"\0" + FULL, b"\x01\xff" + FULL),
    (FULL + b"\xff", b"\xff" + FULL + b"\x02\xff"),
    (FULL + b"\0", b"\xff" + FULL + b"\x01\x01"),
    (FULL[1:] + b"\0", b"\xfe" + FULL[1:] + b"\x01"),
]


def random_bytes(random: Random) -> bytes:
    size = random.choice([0, 1, 2, 253, 254, 255, 507, 508, 509, random.randrange(2000)])
    zeros = random.choice([0.0, 0.004, 0.5, 1.0])
    return bytes(0 if random.random() < zeros else random.randrange(1, 256) for _ in range(size))


@pytest.mark.parametrize("plain, stuffed", KNOWN)
def test_published_examples_of_byte_stuffing(plain, stuffed):
    assert cobs.encode(plain) == stuffed
    assert cobs.decode(stuffed) == plain


def test_byte_stuffing_is_undone():
    random = Random(1)
    for _ in range(500):
        data = random_bytes(random)
        stuffed = cobs.encode(data)
        assert 0 not in stuffed
        assert len(stuffed) <= len(data) + len(data) // 254 + 1
        assert cobs.decode(stuffed) == data


def test_bytes_that_nothing_encodes_are_refused():
    for stuffed in (b"\x02", b"\x05abc", b"\xff" + FULL[1:]):
        assert cobs.decode(stuffed) is None


def random_frame(random: Random) -> Frame:
    return Frame(
        opcode=random.randrange(256),
        status=random.randrange(256),
        sequence=random.randrange(1 << 16),
        session=random.randrange(1 << 32),
        count=random.randrange(1 << 16),
        wait=random.randrange(1 << 16),
        payload=random_bytes(random)[: 8 * random.randrange(256)],
    )


def whole(frame: Frame) -> Frame:
    words = len(frame.payload) // 8
    return Frame(
        frame.opcode,
        frame.status,
        frame.sequence,
        frame.session,
        frame.count,
        frame.wait,
        frame.payload[: 8 * words],
    )


def test_frames_come_back():
    random = Random(2)
    for _ in range(200):
        frame = whole(random_frame(random))
        line = encode_frame(frame)
        assert line[0] == line[-1] == 0 and 0 not in line[1:-1]
        assert len(line) <= line_bytes(len(frame.payload) // 8)
        assert decode_frame(line[1:-1]) == frame


def test_the_header_is_the_record():
    frame = Frame(3, 4, 5, 6, 7, 8, b"", 9)
    data = cobs.decode(encode_frame(frame)[1:-1])
    words = [int.from_bytes(data[i : i + 8], "little") for i in (0, 8)]
    values = {"version": 9, "opcode": 3, "status": 4, "spare": 0, "sequence": 5, "length": 0}
    assert FRAME.unpack(words) == {**values, "session": 6, "count": 7, "wait": 8}
    assert zlib.crc32(data) ^ 0xFFFFFFFF == CRC_RESIDUE


def test_every_single_error_is_seen():
    line = encode_frame(Frame(3, sequence=77, session=5, payload=bytes(range(16))))[1:-1]
    for bit in range(8 * len(line)):
        damaged = bytearray(line)
        damaged[bit // 8] ^= 1 << bit % 8
        if 0 not in damaged:
            assert decode_frame(bytes(damaged)) is None
    for cut in range(len(line)):
        assert decode_frame(line[:cut]) is None


def test_a_length_that_does_not_fit_is_damage():
    body = cobs.decode(encode_frame(Frame(3, payload=bytes(16)))[1:-1])[:-4]
    short = body[:-8]
    assert decode_frame(cobs.encode(short + zlib.crc32(short).to_bytes(4, "little"))) is None


def test_a_reader_finds_frames_wherever_the_stream_is_cut():
    random = Random(3)
    frames = [whole(random_frame(random)) for _ in range(40)]
    stream = b"".join(map(encode_frame, frames))
    for most in (1, 7, 500):
        reader, found, position = FrameReader(), [], 0
        while position < len(stream):
            size = random.randint(1, most)
            found += reader.feed(stream[position : position + size])
            position += size
        assert found == frames
        assert reader.damaged == 0


def test_a_reader_finds_its_place_behind_garbage():
    reader = FrameReader()
    frame = Frame(1, sequence=9)
    assert reader.feed(b"\x07garbage" + encode_frame(frame)) == [None, frame]
    assert reader.feed(b"x" * 100_000) == []
    assert reader.feed(encode_frame(frame)) == [None, frame]
    assert reader.damaged == 2


def test_a_payload_is_whole_words():
    with pytest.raises(ValueError, match="whole words, not 9 bytes"):
        encode_frame(Frame(3, payload=bytes(9)))


def test_status_is_unpacked():
    values = {field.name: number + 3 for number, field in enumerate(LINK_STATUS.fields)}
    payload = b"".join(word.to_bytes(8, "little") for word in LINK_STATUS.pack(values))
    assert unpack_status(payload) == values


def test_epochs_wrap():
    assert next_epoch(0) == 1
    assert next_epoch(0x1234_56FF) == 0
