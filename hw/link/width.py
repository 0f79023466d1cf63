"""Between the 64-bit words of the streams and a narrower link."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.arch.config import LINK_WORD_BITS
from hw.base.block import Block


class WordAssembler(Block):
    """Link beats of `width` bits into words, least significant beat first.

    The last beat passes straight through: a word takes 64 / `width` cycles and no more.

    Timing
    ------
    The last beat of a word waits for its taker.

        cycle          0  1  2  3  4  5
        beats.valid    1  1  1  1  1  0
        beats.payload  1  0  0  2  0  .
        beats.ready    1  0  1  1  1  1
        words.valid    0  1  1  0  1  0
        words.payload  .  1  1  .  2  .
        words.ready    1  0  1  1  1  1

    Members
    -------
    beats : in, stream of width
        Beats of the link.
    words : out, stream of LINK_WORD_BITS
        The words that they make up.
    """

    def __init__(self, *, width: int):
        super().__init__(
            {
                "beats": In(stream.Signature(width)),
                "words": Out(stream.Signature(LINK_WORD_BITS)),
            }
        )
        self.width = width

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = LINK_WORD_BITS // self.width
        held = Signal(LINK_WORD_BITS - self.width)  # the beats before, the newest on top
        position = Signal(range(count))
        final = position == count - 1
        m.d.comb += [
            self.words.payload.eq(Cat(held, self.beats.payload)),
            self.words.valid.eq(self.beats.valid & final),
            self.beats.ready.eq(self.words.ready | ~final),
        ]
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += [
                held.eq(Cat(held, self.beats.payload)[self.width :]),
                position.eq(Mux(final, 0, position + 1)),
            ]
        return m


class WordSplitter(Block):
    """Words into link beats of `width` bits, least significant beat first.

    Members
    -------
    words : in, stream of LINK_WORD_BITS
        Words.
    beats : out, stream of width
        The beats that they are made up of.
    """

    def __init__(self, *, width: int):
        super().__init__(
            {
                "words": In(stream.Signature(LINK_WORD_BITS)),
                "beats": Out(stream.Signature(width)),
            }
        )
        self.width = width

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = LINK_WORD_BITS // self.width
        position = Signal(range(count))
        final = position == count - 1
        m.d.comb += [
            self.beats.payload.eq(self.words.payload.word_select(position, self.width)),
            self.beats.valid.eq(self.words.valid),
            self.words.ready.eq(self.beats.ready & final),
        ]
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += position.eq(Mux(final, 0, position + 1))
        return m
