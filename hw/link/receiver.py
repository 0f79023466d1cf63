"""Takes frames apart and checks them."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.arch.frames import CRC_BYTES, FRAME
from hw.base.block import Block
from hw.base.layouts import layout
from hw.link.crc import CrcByte
from hw.link.items import DECODED, RECEIVED

_HEADER_BYTES = 8 * FRAME.words


class FrameReceiver(Block):
    """Frames into header and verdict; payload bytes leave as they come, before the verdict.

    Members
    -------
    input : in, stream of DECODED
        Bytes of frames, and where frames end.
    put : out, 1
        There is a byte of payload.
    data : out, 8
        The byte.
    frame : out, stream of RECEIVED
        Headers of whole frames; bytes of the next frame wait until one is taken.
    """

    def __init__(self):
        super().__init__(
            {
                "input": In(stream.Signature(DECODED)),
                "put": Out(1),
                "data": Out(8),
                "frame": Out(stream.Signature(RECEIVED)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checksum = crc = CrcByte()
        item = self.input.payload
        held = Signal()
        header = Signal(_HEADER_BYTES * 8)
        missing = Signal(range(_HEADER_BYTES + 1), init=_HEADER_BYTES)  # bytes of the header
        left = Signal(16 + 3)  # bytes of payload
        trailer = Signal(range(CRC_BYTES + 2))  # bytes after the payload, at most one too many
        good = Signal()
        byte = self.input.valid & ~held & ~item.end
        in_header = missing != 0
        in_payload = ~in_header & (left != 0)
        m.d.comb += [
            self.input.ready.eq(~held),
            self.frame.valid.eq(held),
            self.frame.payload.header.eq(header),
            self.frame.payload.good.eq(good),
            self.put.eq(byte & in_payload),
            self.data.eq(item.data),
            crc.data.eq(item.data),
            crc.en.eq(byte),
        ]
        shifted = Cat(header[8:], item.data)
        with m.If(byte & in_header):
            m.d.sync += [header.eq(shifted), missing.eq(missing - 1)]
            # Wrong until the header's last byte is in its place, but not looked at before.
            m.d.sync += left.eq(layout(FRAME)(shifted).length << 3)
        with m.Elif(byte & in_payload):
            m.d.sync += left.eq(left - 1)
        with m.Elif(byte):
            # One byte too many is as wrong as a thousand, so the count may stop there.
            m.d.sync += trailer.eq(Mux(trailer > CRC_BYTES, trailer, trailer + 1))
        with m.If(self.input.valid & ~held & item.end):
            whole = ~item.broken & (trailer == CRC_BYTES)
            m.d.sync += [held.eq(1), good.eq(whole & crc.match)]
        with m.If(held & self.frame.ready):
            m.d.comb += crc.start.eq(1)
            m.d.sync += [held.eq(0), missing.eq(_HEADER_BYTES), left.eq(0), trailer.eq(0)]
        return m
