"""Consistent overhead byte stuffing: frames without zeros, between zeros."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.arch.frames import COBS_BLOCK, DELIMITER
from hw.base.block import Block
from hw.base.memory import Ram
from hw.link.items import BYTE, DECODED

_FULL = COBS_BLOCK + 1  # code byte of a block that no zero follows


class CobsDecoder(Block):
    """Bytes of the line into bytes of frames. Empty frames vanish. No latency.

    Members
    -------
    input : in, stream of 8
        Bytes from the line.
    output : out, stream of DECODED
        Bytes of frames, and where frames end.
    """

    def __init__(self):
        super().__init__(
            {"input": In(stream.Signature(8)), "output": Out(stream.Signature(DECODED))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(8)  # bytes of the block still to come
        begun = Signal()  # a code byte was seen
        zero = Signal()  # the block ends with a zero, if another block follows
        byte, item = self.input.payload, self.output.payload
        delimiter, code = Signal(), Signal()
        m.d.comb += [
            delimiter.eq(byte == DELIMITER),
            code.eq(~delimiter & (left == 0)),
            item.data.eq(Mux(code, 0, byte)),
            item.end.eq(delimiter),
            item.broken.eq(delimiter & (left != 0)),
        ]
        # A code byte becomes the zero that ended the block before it, if there was one.
        shown = Mux(delimiter, begun, ~code | zero)
        m.d.comb += [
            self.output.valid.eq(self.input.valid & shown),
            self.input.ready.eq(self.output.ready | ~shown),
        ]
        with m.If(self.input.valid & self.input.ready):
            m.d.sync += [begun.eq(~delimiter), left.eq(left - 1)]
            with m.If(delimiter):
                m.d.sync += [left.eq(0), zero.eq(0)]
            with m.Elif(code):
                m.d.sync += [left.eq(byte - 1), zero.eq(byte != _FULL)]
        return m


class CobsEncoder(Block):
    """Bytes of frames into bytes of the line, with a delimiter before and after each frame.

    A block is gathered, then sent: two cycles a byte.

    Timing
    ------
    A frame of the bytes 7, 0: two blocks, of the codes 2 and 1, between delimiters.

        cycle               0  1  2  3  4  5  6  7  8  9
        input.valid         1  1  1  1  1  1  1  1  1  1
        input.payload.data  7  7  0  0  0  .  .  .  .  .
        input.payload.end   0  0  0  0  0  1  1  1  1  1
        input.ready         0  1  1  0  0  1  0  0  0  1
        output.valid        1  0  0  1  1  0  1  1  1  0
        output.payload      0  .  .  2  7  .  1  0  0  .
        output.ready        1  1  1  1  1  1  1  1  1  1

    Members
    -------
    input : in, stream of BYTE
        Bytes of frames, the last one of each marked.
    output : out, stream of 8
        Bytes for the line.
    """

    def __init__(self):
        super().__init__({"input": In(stream.Signature(BYTE)), "output": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.block = ram = Ram(width=8, depth=COBS_BLOCK)
        names = ("full", "bare", "ended")
        block = _Gathered(
            Signal(8, name="count"), Signal(8, name="sent"), *(Signal(name=name) for name in names)
        )
        count, sent = block.count, block.sent
        item = self.input.payload
        moves = self.output.valid & self.output.ready
        m.d.comb += [
            ram.write.addr.eq(count),
            ram.write.data.eq(item.data),
            ram.read.addr.eq(sent),
            ram.read.en.eq(moves),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [
                    self.output.valid.eq(self.input.valid),
                    self.output.payload.eq(DELIMITER),
                ]
                with m.If(moves):
                    m.d.sync += [count.eq(0), sent.eq(0), block.bare.eq(0), block.ended.eq(0)]
                    m.next = "GATHER"
            with m.State("GATHER"):
                m.d.comb += self.input.ready.eq(1)
                with m.If(self.input.valid):
                    self._gather(m, ram, block)
            with m.State("CODE"):
                m.d.comb += [self.output.valid.eq(1), self.output.payload.eq(count + 1)]
                with m.If(moves):
                    m.d.sync += sent.eq(1)
                    self._next(m, count == 0, block)
                with m.If(moves & (count != 0)):
                    m.next = "BYTES"
            with m.State("BYTES"):
                m.d.comb += [self.output.valid.eq(1), self.output.payload.eq(ram.read.data)]
                with m.If(moves):
                    m.d.sync += sent.eq(sent + 1)
                    self._next(m, sent == count, block)
            with m.State("END"):
                m.d.comb += [self.output.valid.eq(1), self.output.payload.eq(DELIMITER)]
                with m.If(moves):
                    m.next = "IDLE"
        return m

    def _gather(self, m: Module, ram: Ram, block: "_Gathered") -> None:
        """Take an item: another byte of the block, or what ends it."""
        item, count = self.input.payload, block.count
        zero = item.data == 0
        m.d.sync += [block.full.eq(0), block.ended.eq(item.end)]
        with m.If(item.end):
            m.next = "CODE"
            with m.If(block.bare & (count == 0)):
                m.next = "END"
        with m.Elif(zero):
            m.next = "CODE"
        with m.Else():
            m.d.comb += ram.write.en.eq(1)
            m.d.sync += count.eq(count + 1)
            with m.If(count == COBS_BLOCK - 1):
                m.d.sync += block.full.eq(1)
                m.next = "CODE"

    def _next(self, m: Module, done: Value, block: "_Gathered") -> None:
        """After the last byte of a block."""
        with m.If(done):
            m.d.sync += [block.count.eq(0), block.sent.eq(0), block.bare.eq(block.full)]
            m.next = "GATHER"
            with m.If(block.ended):
                m.next = "END"


@dataclass(frozen=True)
class _Gathered:
    """A block of COBS: bytes gathered, bytes sent, and what is known of it.

    `full`: no zero follows it; `bare`: such a block came before, so the frame may end without
    another one; `ended`: it is the frame's last one.
    """

    count: Signal
    sent: Signal
    full: Signal
    bare: Signal
    ended: Signal
