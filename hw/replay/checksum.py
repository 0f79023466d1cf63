"""CRC-32 of memory words, eight bytes a cycle; `hw.arch.frames` has its parameters."""

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from hw.arch.frames import CRC_WIDTH
from hw.base.block import Block
from hw.link.crc import ALGORITHM
from hw.memory.port import WORD_BITS


class ImageChecksum(Block):
    """The CRC of words so far, least significant byte first.

    Members
    -------
    start : in, 1
        Forget all words.
    en : in, 1
        There is a word.
    data : in, WORD_BITS
        The word.
    value : out, CRC_WIDTH
        The CRC of all words before this cycle.
    """

    def __init__(self):
        super().__init__(
            {"start": In(1), "en": In(1), "data": In(WORD_BITS), "value": Out(CRC_WIDTH)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.processor = processor = ALGORITHM(data_width=WORD_BITS).create()
        m.d.comb += [
            processor.start.eq(self.start),
            processor.valid.eq(self.en),
            processor.data.eq(self.data),
            self.value.eq(processor.crc),
        ]
        return m
