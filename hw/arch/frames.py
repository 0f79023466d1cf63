"""The framed link: how words reach the accelerator over a byte stream that may damage them.

A frame is a `FRAME` header (two words), `length` words of payload and a CRC-32 of both, all least
significant byte first, COBS-encoded and with a zero byte (`DELIMITER`) before and after it. Empty
frames mean nothing. The host sends requests, one at a time; the device answers each with a reply,
whose opcode is the request's plus `REPLY` and whose sequence number is the request's.

A session belongs to one client. Its frames carry its number: an epoch, which the device counts, and
a nonce, which the client draws. OPEN begins a session, whose epoch must follow the device's, and
resets the accelerator; requests of any other session are refused from then on. Within a session
each request has the next sequence number. The device decides each number once, keeps the reply,
and repeats it when the number comes again: nothing is done twice. STATUS is outside this order.
"""

from collections.abc import Mapping
from enum import IntEnum

from hw.arch.fields import Field, Struct

DELIMITER = 0
COBS_BLOCK = 254  # bytes without a zero that one COBS code byte stands before, at most
CRC_BYTES = 4
REPLY = 0x80

EPOCH_BITS = 8  # of a session number; the bits above are the client's nonce
SEQUENCE_BITS = 16
WAIT_CYCLES = 64
REQUEST_WORDS = 256  # room of the device's command buffer, unless it is built otherwise
REPLY_WORDS = 256  # likewise the most result words in a reply
NAK = 0
"""Opcode of the reply (less `REPLY`) to a frame that could not be read."""

CRC_WIDTH = 32
CRC_POLYNOMIAL = 0x04C11DB7
CRC_INITIAL = 0xFFFFFFFF
CRC_FINAL_XOR = 0xFFFFFFFF
CRC_RESIDUE = 0xDEBB20E3
"""CRC-32 as in Ethernet and zlib: bytes enter least significant bit first, result reflected."""


class LinkOpcode(IntEnum):
    """What a request asks for; `OPCODES` says what each does."""

    STATUS = 1
    OPEN = 2
    WRITE = 3
    READ = 4
    RESET = 5
    PING = 6


OPCODES: Mapping[LinkOpcode, str] = {
    LinkOpcode.STATUS: "who are you: answered with `link_status`, inside and outside of sessions",
    LinkOpcode.OPEN: "begin a session: resets the accelerator, forgets the session before",
    LinkOpcode.WRITE: "payload: words of the command stream, taken whole or not at all",
    LinkOpcode.READ: "answered with result words: those that come without a pause, at most `count`",
    LinkOpcode.RESET: "reset the accelerator, forget words on their way to it",
    LinkOpcode.PING: "nothing: decides the fate of a request of that number that got no answer",
}


class LinkStatus(IntEnum):
    """What became of a request; `STATUSES` says why. Nothing was done unless it is OK."""

    OK = 0
    BUSY = 1
    BAD_OPCODE = 2
    BAD_LENGTH = 3
    BAD_VERSION = 4
    BAD_SESSION = 5
    BAD_SEQUENCE = 6
    DAMAGED = 7
    IN_USE = 8


STATUSES: Mapping[LinkStatus, str] = {
    LinkStatus.OK: "it was done",
    LinkStatus.BUSY: "the command buffer has no room for so many words now",
    LinkStatus.BAD_OPCODE: "there is no such request",
    LinkStatus.BAD_LENGTH: "a payload where none belongs, or more than the device could ever take",
    LinkStatus.BAD_VERSION: "the request is of another protocol version",
    LinkStatus.BAD_SESSION: "the request is of another session than the one in the reply's header",
    LinkStatus.BAD_SEQUENCE: "the request is neither the next one nor the last one",
    LinkStatus.DAMAGED: "the frame could not be read (opcode 128, sequence number 0)",
    LinkStatus.IN_USE: "another client has the board (virtual board, on TCP)",
}


FRAME = Struct(
    "frame",
    (
        Field("version", 8, "protocol version"),
        Field("opcode", 8, "what to do (`LinkOpcode`), or what was asked for, plus 128"),
        Field("status", 8, "what became of it (`LinkStatus`); 0 in requests"),
        Field("spare", 8, "0"),
        Field("sequence", SEQUENCE_BITS, "number of the request"),
        Field("length", 16, "words of payload after the header"),
        Field("session", 32, "session number; in replies the device's"),
        Field("count", 16, "READ: words wanted at most; replies: words of room for the next WRITE"),
        Field(
            "wait",
            16,
            "READ: longest wait for the first result word, in units of 64 cycles",
        ),
    ),
    "Header of a frame of the byte link.",
)

LINK_STATUS = Struct(
    "link_status",
    (
        Field("magic", 64, "the magic word of programs"),
        Field("hash", 64, "hash of the accelerator's configuration"),
        Field("request_words", 16, "words that the command buffer holds: most in a WRITE"),
        Field("reply_words", 16, "most result words in a reply"),
        Field("sequence", SEQUENCE_BITS, "number of the last request of the session"),
        Field("refused", 16, "requests of another version or session, or out of sequence"),
        Field("frames", 16, "frames received whole (all counts are modulo 2^16)"),
        Field("damaged", 16, "frames that could not be read"),
        Field("repeated", 16, "requests answered from the kept reply"),
    ),
    "Payload of the reply to STATUS.",
)


def frame_bytes(words: int) -> int:
    """Bytes of a frame with so many words of payload, before COBS encoding."""
    return 8 * (FRAME.words + words) + CRC_BYTES


def line_bytes(words: int) -> int:
    """Bytes on the line for such a frame at most: COBS code bytes and both delimiters included."""
    size = frame_bytes(words)
    return size + size // COBS_BLOCK + 1 + 2


def next_epoch(session: int) -> int:
    """The epoch that an OPEN must have after this session."""
    return (session + 1) & ((1 << EPOCH_BITS) - 1)
