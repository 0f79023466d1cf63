"""COBS of the C runtime, byte for byte that of the Python driver."""

import random
import subprocess
from collections.abc import Iterator, Sequence

from hw.arch.frames import COBS_BLOCK
from sw_driver.protocol.cobs import decode, encode
from tests.support.c_runtime.build import STUFF, compiled

FULL = COBS_BLOCK + 1  # the code of a full block
LENGTHS = sorted(
    {0, 1, 2, *(blocks * COBS_BLOCK + more for blocks in (1, 2, 3) for more in range(-2, 5))}
)


def by_runtime(rows: Sequence[bytes], *arguments: str) -> list[bytes]:
    """What the runtime makes of rows of bytes."""
    sent = b"".join(len(row).to_bytes(4, "little") + row for row in rows)
    command = [compiled(*STUFF), *arguments]
    done = subprocess.run(command, input=sent, capture_output=True)
    assert not done.returncode, done.stderr.decode()
    found, at = [], 0
    while at < len(done.stdout):
        length = int.from_bytes(done.stdout[at : at + 4], "little")
        found.append(done.stdout[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def rows_of(length: int) -> Iterator[bytes]:
    """Rows without zeros, random ones, and ones with zeros where blocks end."""
    draw = random.Random(length)
    yield bytes([7]) * length
    yield bytes([FULL]) * length  # data that looks like the code of a full block
    yield draw.randbytes(length)
    yield bytes(length)
    for place in (1, 2, COBS_BLOCK - 1, COBS_BLOCK, COBS_BLOCK + 1, length - 1, length):
        for value in (7, FULL):
            if 0 < place <= length:
                row = bytearray([value]) * length
                row[place - 1] = 0
                yield bytes(row)
                row[-1] = 0
                yield bytes(row)


def test_stuffing_is_that_of_the_driver():
    rows = [row for length in LENGTHS for row in rows_of(length)]
    stuffed = by_runtime(rows)
    expected = [encode(row) for row in rows]
    wrong = [len(row) for row, a, b in zip(rows, stuffed, expected, strict=True) if a != b]
    assert not wrong, f"rows of {wrong} bytes differ"
    assert by_runtime(stuffed, "undo") == rows


def test_random_rows_of_few_values_are_equal_both_ways():
    """Zeros and bytes like the code of a full block meet at all distances."""
    draw = random.Random(1)
    rows = [
        bytes(draw.choices((0, 1, FULL), (draw.choice((0.3, 1, 5)), 500, 500), k=length))
        for length in (draw.randrange(240, 800) for _ in range(1500))
    ]
    stuffed = by_runtime(rows)
    assert [
        len(row) for row, found in zip(rows, stuffed, strict=True) if encode(row) != found
    ] == []
    assert by_runtime(stuffed, "undo") == rows


def test_what_no_encoder_makes_is_taken_as_by_the_driver():
    draw = random.Random(2)
    rows = [bytes(draw.choices((1, 2, 3, 9), k=draw.randrange(12))) for _ in range(500)]
    expected = [decode(row) for row in rows]
    assert None in expected and any(expected)
    assert by_runtime(rows, "undo") == [row or b"" for row in expected]
