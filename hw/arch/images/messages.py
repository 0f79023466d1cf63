"""What the host tells the replayer, which stands before the decoder where there is a memory.

A message is `MEMORY_MAGIC` and a `MESSAGE` record; WRITE has words after it. It begins where a
program could begin: before the first one, or after the status block of the one before. All other
words go on to the decoder.
"""

from enum import IntEnum

from hw.arch.fields import Field, Struct
from hw.arch.images.sums import summed

MEMORY_MAGIC = int.from_bytes(b"ROWBOARD", "little")
"""The word that starts a message; no program starts with it."""

MEMORY_ADDRESS = 32  # bits of a memory word's address
MOST_WORDS = (1 << 24) - 1  # of a READ: the length of a result block


class Message(IntEnum):
    """What the replayer is to do."""

    WRITE = 1  # words follow, for the memory; no answer unless it is refused
    READ = 2  # answered by a MEMORY block of words of the memory, when no RUN is under way
    RUN = 3  # replay an image; answered by what leaves, and a RUN block at the end


MESSAGE = Struct(
    "message",
    (
        Field("message", 8, "what to do (`Message`)"),
        Field("spare", 8, "0"),
        Field("number", 16, "RUN: one with the number of the last is answered, not executed"),
        Field("repeat", 16, "RUN: how often the image is replayed again"),
        Field("checksum", 16, "folded sum of the record with 0 here, as that of commands"),
        Field("address", MEMORY_ADDRESS, "first word; RUN: of the image"),
        Field("words", MEMORY_ADDRESS, "words; RUN: of the image, its last word included"),
        Field("input", MEMORY_ADDRESS, "RUN: first word of the input area"),
        Field("output", MEMORY_ADDRESS, "RUN: first word of the output area"),
    ),
    "Follows `MEMORY_MAGIC`.",
)

RUN_ACCOUNT = Struct(
    "run_account",
    (
        Field("cycles", 40, "cycles from the message taken to this block offered"),
        Field("tag", 16, "tag of the command that an error is of"),
    ),
    "Last word of a RUN block; the first one is the offending value, as in a status block.",
)


class MemoryRange(IntEnum):
    """Whose words are not within the memory: the lowest byte of the value with BAD_RANGE.

    The number of the word after the last one is in the bytes above.
    """

    WRITE = 1
    READ = 2
    IMAGE = 3
    ABSOLUTE = 4
    INPUT = 5
    OUTPUT = 6


RANGE_BITS = 8


def message(kind: Message, **fields: int) -> list[int]:
    """The words of a message; those of a WRITE follow."""
    return [MEMORY_MAGIC, *summed(MESSAGE, {"message": kind, **fields})]
