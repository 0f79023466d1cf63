"""How many bits words have, and the bytes that reports give."""

from collections.abc import Callable

from hw.arch.accesses.access import Access, Accesses, DataType, Level
from hw.arch.config import LINK_WORD_BITS, Config


def access_bits(config: Config, access: Access) -> int:
    """Bits of a word of this kind of access."""
    if access.level is Level.LINK:
        return LINK_WORD_BITS
    if access.data is DataType.PSUM:
        return config.array.psum_width
    return config.array.data_width


def glb_bytes(config: Config, accesses: Accesses) -> int:
    """Bytes read from and written to the global buffer, filters apart; rounded down."""
    return _bytes(
        config, accesses, lambda a: a.level is Level.BUFFER and a.data is not DataType.FILTER
    )


def link_bytes(config: Config, accesses: Accesses) -> int:
    """Bytes that cross the link, both ways together."""
    return _bytes(config, accesses, lambda a: a.level is Level.LINK)


def resident_bytes(config: Config, accesses: Accesses) -> int:
    """Bytes of filters read on the chip, which would cross the link otherwise."""
    return _bytes(config, accesses, lambda a: a.level is Level.BUFFER and a.data is DataType.FILTER)


def _bytes(config: Config, accesses: Accesses, counts: Callable[[Access], bool]) -> int:
    bits = sum(
        words * access_bits(config, access) for access, words in accesses.items() if counts(access)
    )
    return bits // 8
