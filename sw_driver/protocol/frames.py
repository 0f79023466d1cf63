"""Frames of the byte link as Python values; both ends of the link use this codec."""

import struct
import zlib
from dataclasses import dataclass

from hw.arch.fields import Struct
from hw.arch.frames import (
    CRC_BYTES,
    DELIMITER,
    FRAME,
    LINK_STATUS,
    REPLY,
    REPLY_WORDS,
    REQUEST_WORDS,
    line_bytes,
)
from hw.arch.version import LINK_PROTOCOL_VERSION
from sw_driver.protocol import cobs

WORD_BYTES = 8
_END = bytes([DELIMITER])
_LETTERS = {8: "B", 16: "H", 32: "I", 64: "Q"}


def _packer(record: Struct) -> struct.Struct:
    """The record's bytes as a `struct`; its fields are whole numbers of bytes without gaps."""
    total = sum(field.width for field in record.fields)
    gaps = 64 * record.words - total
    last = record.fields[-1]
    if record.offsets[last.name] + last.width != total or gaps % 8:
        raise ValueError(f"record {record.name} must have no gaps")
    letters = "".join(_LETTERS[field.width] for field in record.fields)
    return struct.Struct(f"<{letters}{gaps // 8}x")


_HEADER = _packer(FRAME)
_CRC = struct.Struct("<I")
_SMALLEST = _HEADER.size + CRC_BYTES


@dataclass(frozen=True, slots=True)
class Frame:
    """A request or a reply; fields as in `hw.arch.frames.FRAME`, payload as bytes."""

    opcode: int
    status: int = 0
    sequence: int = 0
    session: int = 0
    count: int = 0
    wait: int = 0
    payload: bytes = b""
    version: int = LINK_PROTOCOL_VERSION

    @property
    def is_reply(self) -> bool:
        """Whether a device sent it."""
        return bool(self.opcode & REPLY)


def encode_frame(frame: Frame) -> bytes:
    """The bytes on the line, delimiters included."""
    words, rest = divmod(len(frame.payload), WORD_BYTES)
    if rest:
        raise ValueError(f"a payload must be whole words, not {len(frame.payload)} bytes")
    header = _HEADER.pack(
        frame.version,
        frame.opcode,
        frame.status,
        0,
        frame.sequence,
        words,
        frame.session,
        frame.count,
        frame.wait,
    )
    body = header + frame.payload
    return _END + cobs.encode(body + _CRC.pack(zlib.crc32(body))) + _END


def decode_frame(raw: bytes) -> Frame | None:
    """The frame in the bytes between two delimiters; None if they are damaged."""
    data = cobs.decode(raw)
    if data is None or len(data) < _SMALLEST:
        return None
    (expected,) = _CRC.unpack_from(data, len(data) - CRC_BYTES)
    body = memoryview(data)[:-CRC_BYTES]
    if zlib.crc32(body) != expected:
        return None
    version, opcode, status, _, sequence, words, session, count, wait = _HEADER.unpack_from(data)
    payload = bytes(body[_HEADER.size :])
    if len(payload) != WORD_BYTES * words:
        return None
    return Frame(opcode, status, sequence, session, count, wait, payload, version)


class FrameReader:
    """Cuts a byte stream into frames.

    Attributes
    ----------
    damaged : how many frames could not be read so far
    """

    def __init__(self, *, longest: int = line_bytes(max(REQUEST_WORDS, REPLY_WORDS))):
        self.damaged = 0
        self._longest = longest
        self._tail = b""

    def feed(self, data: bytes) -> list[Frame | None]:
        """The frames that these bytes complete, None for each that is damaged.

        More bytes without a delimiter than a frame can have are dropped; the delimiter that ends
        them counts them as one damaged frame.
        """
        *whole, tail = (self._tail + data).split(_END)
        self._tail = tail[: self._longest + 1]
        frames = [decode_frame(raw) for raw in whole if raw]
        self.damaged += frames.count(None)
        return frames

    def clear(self) -> None:
        """Forget an unfinished frame."""
        self._tail = b""


def unpack_status(payload: bytes) -> dict[str, int]:
    """The fields of a STATUS reply's payload."""
    words = struct.unpack(f"<{LINK_STATUS.words}Q", payload[: WORD_BYTES * LINK_STATUS.words])
    return LINK_STATUS.unpack(words)
