"""CRC-32 as in Ethernet and zlib, a byte a cycle; `hw.arch.frames` has its parameters."""

from amaranth.hdl import Module, Signal
from amaranth.lib import crc, stream
from amaranth.lib.wiring import In, Out

from hw.arch.frames import (
    CRC_BYTES,
    CRC_FINAL_XOR,
    CRC_INITIAL,
    CRC_POLYNOMIAL,
    CRC_WIDTH,
)
from hw.base.block import Block
from hw.link.items import BYTE

ALGORITHM = crc.Algorithm(
    crc_width=CRC_WIDTH,
    polynomial=CRC_POLYNOMIAL,
    initial_crc=CRC_INITIAL,
    reflect_input=True,
    reflect_output=True,
    xor_output=CRC_FINAL_XOR,
)


class CrcByte(Block):
    """The CRC of bytes so far.

    Members
    -------
    start : in, 1
        Forget all bytes; may come with a byte, which is the first one then.
    en : in, 1
        There is a byte.
    data : in, 8
        The byte.
    value : out, CRC_WIDTH
        The CRC of all bytes before this cycle.
    match : out, 1
        They end with their own CRC, least significant byte first.
    """

    def __init__(self):
        super().__init__(
            {"start": In(1), "en": In(1), "data": In(8), "value": Out(CRC_WIDTH), "match": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.processor = processor = ALGORITHM(data_width=8).create()
        m.d.comb += [
            processor.start.eq(self.start),
            processor.valid.eq(self.en),
            processor.data.eq(self.data),
            self.value.eq(processor.crc),
            self.match.eq(processor.match_detected),
        ]
        return m


class Sealer(Block):
    """Puts the CRC of a frame before its end, least significant byte first.

    Members
    -------
    input : in, stream of BYTE
        Bytes of frames without a CRC.
    output : out, stream of BYTE
        The same with a CRC after each frame.
    """

    def __init__(self):
        super().__init__(
            {"input": In(stream.Signature(BYTE)), "output": Out(stream.Signature(BYTE))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checksum = crc_byte = CrcByte()
        place = Signal(range(CRC_BYTES + 1))  # bytes of the CRC sent
        ending = self.input.payload.end
        # The frame's end waits at the input while the CRC goes out in front of it.
        seal = ending & (place != CRC_BYTES)
        moves = self.output.valid & self.output.ready
        m.d.comb += [
            self.output.valid.eq(self.input.valid),
            self.output.payload.eq(self.input.payload),
            self.input.ready.eq(self.output.ready & ~seal),
            crc_byte.data.eq(self.input.payload.data),
            crc_byte.en.eq(moves & ~ending),
            crc_byte.start.eq(moves & ending & ~seal),
        ]
        with m.If(seal):
            m.d.comb += [
                self.output.payload.end.eq(0),
                self.output.payload.data.eq(crc_byte.value.word_select(place, 8)),
            ]
        with m.If(moves & ending):
            m.d.sync += place.eq(0)
            with m.If(seal):
                m.d.sync += place.eq(place + 1)
        return m
