"""The weight memory: filters that stay on the chip between runs."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2

from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.base.memory import Ram


def weight_words(config: Config) -> int:
    """64-bit words of the weight memory; 0 if there is none."""
    return config.buffer.weight_memory * 8 // LINK_WORD_BITS


class WeightMemory(Block):
    """Filter words of networks that stay on the chip; read from any word on, one word a cycle.

    The first word is there in the cycle after `seek`; the memory's own output register holds it.

    Timing
    ------
    The memory is filled, then read from word 1 on.

        cycle          0  1  2  3  4  5  6  7
        write.en       1  1  1  0  0  0  0  0
        write.index    0  1  2  .  .  .  .  .
        write.data     5  6  7  .  .  .  .  .
        seek           0  0  0  1  0  0  0  0
        address        .  .  .  1  .  .  .  .
        words.valid    0  0  0  0  1  1  1  1
        words.payload  .  .  .  .  6  6  7  0
        words.ready    0  0  0  0  0  1  1  0

    Members
    -------
    write : in, {en: 1, index: ceil_log2(max(depth, 2)), data: LINK_WORD_BITS}
        Fills a word.
    seek : in, 1
        Go on from `address`.
    address : in, ceil_log2(max(depth, 2))
        Word to go on from.
    words : out, stream of LINK_WORD_BITS
        The words from there on, without end.
    """

    def __init__(self, *, depth: int):
        index = ceil_log2(max(depth, 2))
        super().__init__(
            {
                "write": In(
                    Signature({"en": Out(1), "index": Out(index), "data": Out(LINK_WORD_BITS)})
                ),
                "seek": In(1),
                "address": In(index),
                "words": Out(stream.Signature(LINK_WORD_BITS)),
            }
        )
        self.depth = depth

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = ram = Ram(width=LINK_WORD_BITS, depth=self.depth)
        following = Signal.like(self.address)  # the word after the one shown
        place = Signal.like(self.address)
        m.d.comb += [
            ram.write.en.eq(self.write.en),
            ram.write.addr.eq(self.write.index),
            ram.write.data.eq(self.write.data),
            # The word after the one shown is read as soon as that is taken: no pause between words.
            place.eq(Mux(self.seek, self.address, following)),
            ram.read.addr.eq(place),
            ram.read.en.eq(self.seek | (self.words.valid & self.words.ready)),
            self.words.payload.eq(ram.read.data),
        ]
        with m.If(ram.read.en):
            m.d.sync += following.eq(Mux(place == self.depth - 1, 0, place + 1))
        with m.If(self.seek):
            m.d.sync += self.words.valid.eq(1)
        return m
