"""What an image consists of: a header, records, and a CRC-32.

An image is what a RUN replays: command words as they are (INLINE), words of tensors that are
gathered from the memory (GATHER), and, beside them, where the words of data blocks go (SCATTER). It
begins with an `IMAGE` header. Its last word is the CRC-32 of all bytes before it, as in zlib.
"""

from enum import IntEnum

from hw.arch.fields import Field, Struct
from hw.arch.images.messages import MEMORY_ADDRESS
from hw.arch.images.sums import summed

IMAGE_VERSION = 1
RUN_BITS, ROWS_BITS, PITCH_BITS = 24, 16, 24

IMAGE = Struct(
    "image",
    (
        Field("version", 8, "version of the form of images"),
        Field("begins", 1, "a program begins: the replayer sends `MAGIC` and BEGIN first"),
        Field("ends", 1, "the program ends: the RUN ends with its status block"),
        Field("spare", 14, "0"),
        Field("blocks", 24, "result blocks that the commands cause, the status block apart"),
        Field("checksum", 16, "folded sum of the header with 0 here"),
        Field("hash", 64, "hash of the configuration that the image was made for"),
    ),
    "How an image begins.",
)


class RecordKind(IntEnum):
    """What a part of an image is; `RECORD` has the fields."""

    INLINE = 1  # `run` words of the command stream follow
    GATHER = 2  # `rows` rows of `run` units of the memory are words of the command stream
    SCATTER = 3  # where the `run` words of the next data block go
    WAIT = 4  # go on when the memory has taken `address` words of data blocks of this replay


class Base(IntEnum):
    """What an address in a record counts from."""

    ABSOLUTE = 0
    INPUT = 1
    OUTPUT = 2
    LINK = 3  # SCATTER: the block leaves by the link, header and all


RECORD = Struct(
    "image_record",
    (
        Field("record", 3, "what it is (`RecordKind`)"),
        Field("base", 2, "what `address` counts from (`Base`)"),
        Field("half", 1, "GATHER: the first unit is the upper half of a word"),
        Field("last", 1, "GATHER: the payload ends; an odd half is filled up with 0"),
        Field("spare", 9, "0"),
        Field("address", MEMORY_ADDRESS, "first word"),
        Field("checksum", 16, "folded sum of the record with 0 here"),
        Field("run", RUN_BITS, "words, or units of GATHER: the lesser of 64 and `buffer.width`"),
        Field("rows", ROWS_BITS, "GATHER: rows"),
        Field("pitch", PITCH_BITS, "GATHER: units from row to row"),
    ),
    "A part of an image.",
)


def image_header(*, config_hash: int, begins: bool, ends: bool, blocks: int) -> list[int]:
    """The words of an `IMAGE` header."""
    return summed(
        IMAGE,
        {
            "version": IMAGE_VERSION,
            "begins": begins,
            "ends": ends,
            "blocks": blocks,
            "hash": config_hash,
        },
    )


def record(kind: RecordKind, **fields: int) -> list[int]:
    """The words of a record."""
    return summed(RECORD, {"record": kind, **fields})
