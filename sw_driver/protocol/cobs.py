"""Consistent overhead byte stuffing: bytes without zeros, so that a zero can end a frame."""

from hw.arch.frames import COBS_BLOCK

_FULL = COBS_BLOCK + 1
_CODES = [bytes([code]) for code in range(256)]


def encode(data: bytes) -> bytes:
    """`data` without zero bytes, at most one byte in 254 longer plus one."""
    parts: list[bytes] = []
    for piece in data.split(b"\0"):
        if len(piece) < COBS_BLOCK:
            parts += (_CODES[len(piece) + 1], piece)
        else:
            _long(piece, parts)
    if parts[-2:] == [_CODES[1], b""] and len(data) and data[-1]:
        del parts[-2:]  # the data ended with a full block, which needs no end of its own
    return b"".join(parts)


def _long(piece: bytes, parts: list[bytes]) -> None:
    """A piece without zeros that may fill several blocks."""
    whole = len(piece) // COBS_BLOCK * COBS_BLOCK
    for start in range(0, whole, COBS_BLOCK):
        parts += (_CODES[_FULL], piece[start : start + COBS_BLOCK])
    parts += (_CODES[len(piece) - whole + 1], piece[whole:])


def decode(data: bytes) -> bytes | None:
    """The inverse of `encode`; None for bytes that no encoder makes. `data` has no zero byte."""
    parts: list[bytes] = []
    position, end = 0, len(data)
    while position < end:
        code = data[position]
        parts.append(data[position + 1 : position + code])
        position += code
        if code != _FULL and position < end:
            parts.append(b"\0")
    return b"".join(parts) if position == end else None
