"""Pattern memory: holds patterns, and copies one into a pass table word by word."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2

from hw.arch.config import LINK_WORD_BITS
from hw.arch.patterns import PATTERN
from hw.base.block import Block
from hw.base.layouts import layout
from hw.base.memory import Ram


class PatternLoader(Block):
    """Memory of patterns of at least two words, and at most `words`.

    The first field of a pattern's first word says how many words it has (`PATTERN`, `COLUMNS`). A
    copy takes two cycles more; one that the table already holds takes none.

    Timing
    ------
    Pattern 1, of two words, is written and copied; asked for again, it is there.

        cycle          0  1  2  3  4  5  6  7
        write.en       1  1  0  0  0  0  0  0
        write.pattern  1  1  .  .  .  .  .  .
        write.index    0  1  .  .  .  .  .  .
        write.data     2  6  .  .  .  .  .  .
        copy           0  0  1  1  1  1  0  1
        pattern        .  .  1  1  1  1  1  1
        word.en        0  0  0  1  1  0  0  0
        word.index     .  .  .  0  1  .  .  .
        word.data      .  .  .  2  6  .  .  .
        current        0  0  0  0  0  1  1  1

    Members
    -------
    write : in, {en: 1, pattern: ceil_log2(patterns), index: ceil_log2(words), data: LINK_WORD_BITS}
        Fills the memory and makes all copies stale.
    copy : in, 1
        Bring the table `bank` to hold `pattern`.
    pattern : in, ceil_log2(patterns)
        The pattern to be copied.
    bank : in, 1
        The table that gets it.
    current : out, 1
        The table `bank` holds `pattern`.
    word : out, {en: 1, index: ceil_log2(words), data: LINK_WORD_BITS}
        The words of the copy in order.
    """

    def __init__(self, *, patterns: int, words: int):
        index = ceil_log2(words)
        select = ceil_log2(patterns)
        super().__init__(
            {
                "write": In(
                    Signature(
                        {
                            "en": Out(1),
                            "pattern": Out(select),
                            "index": Out(index),
                            "data": Out(LINK_WORD_BITS),
                        }
                    )
                ),
                "copy": In(1),
                "pattern": In(select),
                "bank": In(1),
                "current": Out(1),
                "word": Out(
                    Signature({"en": Out(1), "index": Out(index), "data": Out(LINK_WORD_BITS)})
                ),
            }
        )
        self.patterns = patterns
        self.words = words

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stride = 1 << ceil_log2(self.words)  # a power of two, so that an address is a concatenation
        ram = Ram(width=LINK_WORD_BITS, depth=self.patterns * stride)
        m.submodules.memory = ram
        held = [Signal.like(self.pattern, name=f"held_{bank}") for bank in range(2)]
        valid = Signal(2)
        position = Signal(range(self.words + 1))
        last = Signal(range(self.words + 1), init=self.words)  # word after the pattern's end
        reading = Signal()
        m.d.comb += [
            self.current.eq((held[0] == self.pattern) & valid[0]),
            ram.write.en.eq(self.write.en),
            ram.write.addr.eq(self.write.pattern * stride + self.write.index),
            ram.write.data.eq(self.write.data),
            ram.read.en.eq(reading),
            ram.read.addr.eq(self.pattern * stride + position),
            self.word.data.eq(ram.read.data),
        ]
        with m.If(self.bank):
            m.d.comb += self.current.eq((held[1] == self.pattern) & valid[1])
        m.d.comb += reading.eq(self.copy & ~self.current & (position < last))
        # The memory answers a cycle later, and so does what says where the word belongs.
        m.d.sync += [self.word.en.eq(reading), self.word.index.eq(position)]
        with m.If(reading):
            m.d.sync += position.eq(position + 1)
        # The length is known while the second word is read.
        with m.If(self.word.en & (self.word.index == 0)):
            m.d.sync += last.eq(layout(PATTERN)(ram.read.data).words)
        with m.If(self.word.en & (self.word.index + 1 == last)):
            m.d.sync += [position.eq(0), last.eq(self.words), valid.bit_select(self.bank, 1).eq(1)]
            with m.If(self.bank):
                m.d.sync += held[1].eq(self.pattern)
            with m.Else():
                m.d.sync += held[0].eq(self.pattern)
        with m.If(self.write.en):
            # The pattern may be one that a table holds. Patterns are written seldom, so both are
            # stale.
            m.d.sync += valid.eq(0)
        return m
