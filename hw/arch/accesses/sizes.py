"""How many bits words have, and the bytes that reports give."""

from collections.abc import Callable

from hw.arch.accesses.access import Access, Accesses, DataType, Direction, Level
from hw.arch.config import LINK_WORD_BITS, Config

_MOVED = ((DataType.IFMAP, Direction.WRITE), (DataType.OFMAP, Direction.READ))
"""What LOAD and STORE do at the buffer."""


def access_bits(config: Config, access: Access) -> int:
    """Bits of a word of this kind of access."""
    if access.level in (Level.LINK, Level.MEMORY):
        return LINK_WORD_BITS
    if access.data in (DataType.PSUM, DataType.HOP):
        return config.array.psum_width
    return config.array.data_width


def glb_bytes(config: Config, accesses: Accesses) -> int:
    """Bytes that array and vector engine read from and write to the buffer; rounded down.

    Not filters, and not what LOAD writes and STORE reads.
    """
    return _bytes(
        config,
        accesses,
        lambda a: (
            a.level is Level.BUFFER
            and a.data is not DataType.FILTER
            and (a.data, a.direction) not in _MOVED
        ),
    )


def link_bytes(config: Config, accesses: Accesses) -> int:
    """Bytes that cross the link, both ways together."""
    return _bytes(config, accesses, lambda a: a.level is Level.LINK)


def memory_bytes(config: Config, accesses: Accesses) -> int:
    """Bytes read from and written to the memory beside the buffer, without what images need."""
    return _bytes(config, accesses, lambda a: a.level is Level.MEMORY)


def resident_bytes(config: Config, accesses: Accesses) -> int:
    """Bytes of filters read on the chip, which would cross the link otherwise."""
    return _bytes(
        config,
        accesses,
        lambda a: (
            a.level is Level.BUFFER and a.data is DataType.FILTER and a.direction is Direction.READ
        ),
    )


def _bytes(config: Config, accesses: Accesses, counts: Callable[[Access], bool]) -> int:
    bits = sum(
        words * access_bits(config, access) for access, words in accesses.items() if counts(access)
    )
    return bits // 8
