"""Block RAMs of a configuration, counted: `block_rams`; and the memories that are none.

yosys makes a memory of block RAMs, which have 18,432 bits and up to 36 in a word, or a small one of
distributed memories of 16 x 4 bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hw.arch.commands import Rounding
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.config.modes import rounding_modes
from hw.arch.entries import PARAM, TABLE
from hw.arch.patterns import col_pattern_words, row_pattern_words

_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))  # words, bits
_PARITY = 9  # a lane of 8 bits takes that many where words have them
_MOST_SMALL = 20  # distributed memories in place of a block RAM: 18 were seen, 24 were not
_SMALL_WORDS, _SMALL_BITS = 16, 4
_LINK_BYTES = LINK_WORD_BITS // 8


@dataclass(frozen=True)
class MemorySize:
    """A memory.

    Attributes
    ----------
    words, bits : its size
    lane : bits that are written together, 0 if that are all of them
    """

    words: int
    bits: int
    lane: int = 0

    @property
    def small(self) -> int:
        """Distributed memories that it takes, if it is made of such."""
        return -(-self.words // _SMALL_WORDS) * -(-self.bits // _SMALL_BITS)

    @property
    def block_rams(self) -> int:
        """Block RAMs that it takes; 0 if it is small enough for distributed ones."""
        count = self._block_rams
        return 0 if self.small <= _MOST_SMALL * count else count

    @property
    def _block_rams(self) -> int:
        words, bits = next((shape for shape in _SHAPES if self.words <= shape[0]), _SHAPES[-1])
        rows = -(-self.words // words)
        lane = self.lane or self.bits
        lanes = self.bits // lane
        if lane > bits or bits < _PARITY:
            return rows * lanes * -(-lane // bits)
        together = bits // (_PARITY * -(-lane // _PARITY)) if self.lane else 1
        return rows * -(-lanes // max(together, 1))


def filter_spad(config: Config) -> MemorySize:
    """The filter scratchpad of a PE."""
    rows = config.filter_half // config.noc.filter
    return MemorySize(2 * rows, config.noc.filter * config.weight_width)


def shared_memories(config: Config) -> Iterator[MemorySize]:
    """All memories outside of the PEs that may be block RAMs."""
    buffer, post, control = config.buffer, config.post, config.control
    for _ in range(buffer.banks):
        yield MemorySize(buffer.depth, buffer.width, config.array.data_width)
    yield MemorySize(buffer.filter_prefetch // _LINK_BYTES, LINK_WORD_BITS)
    if buffer.weight_memory:
        yield MemorySize(buffer.weight_memory // _LINK_BYTES, LINK_WORD_BITS)
    for patterns, words in (
        (control.row_patterns, row_pattern_words(config.array.rows)),
        (control.col_patterns, col_pattern_words(config.array.cols)),
    ):
        yield MemorySize(patterns << (words - 1).bit_length(), LINK_WORD_BITS)
    entry = _entry_bits(config)
    yield MemorySize(post.channels // post.units, post.units * entry, entry)
    if config.array.data_width == 8:
        for field in TABLE.fields:
            for _ in range(post.units):
                yield MemorySize(256, field.width)


def _entry_bits(config: Config) -> int:
    """Of the parameters of a channel: without an addend where no rounding mode reads it."""
    modes = rounding_modes(config)
    addend = not modes.isdisjoint({Rounding.AFFINE, Rounding.SCALE16})
    return sum(field.width for field in PARAM.fields if addend or field.name != "addend")


def block_rams(config: Config) -> int:
    """All block RAMs."""
    pes = config.array.rows * config.array.cols
    shared = sum(memory.block_rams for memory in shared_memories(config))
    return pes * filter_spad(config).block_rams + shared
