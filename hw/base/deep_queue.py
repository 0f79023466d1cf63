"""A deep first-in first-out buffer in a synchronous memory."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.base.block import Block
from hw.base.memory import Ram
from hw.base.queue import Queue


class DeepQueue(Block):
    """FIFO of `depth` words in block RAM, plus three in registers that hide the RAM's latency.

    One word a cycle in and out. Latency: 3 cycles through an empty queue.

    Members
    -------
    input : in, stream of width
        What enters.
    output : out, stream of width
        The same in the same order.
    """

    AHEAD = 3

    def __init__(self, *, width: int, depth: int):
        super().__init__(
            {"input": In(stream.Signature(width)), "output": Out(stream.Signature(width))}
        )
        self.width = width
        self.depth = depth

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = ram = Ram(width=self.width, depth=self.depth)
        m.submodules.queue = queue = Queue(self.width, depth=self.AHEAD)
        connect(m, queue.output, flipped(self.output))
        write, read = (Signal(range(max(self.depth, 2)), name=n) for n in ("write", "read"))
        level = Signal(range(self.depth + 1))
        # A word is on its way out of the memory for a cycle, so it is fetched only if a place in
        # the queue is set aside for it.
        credit = Signal(range(self.AHEAD + 1), init=self.AHEAD)
        pending = Signal()
        put, fetch = Signal(), Signal()
        m.d.comb += [
            self.input.ready.eq(level != self.depth),
            put.eq(self.input.valid & self.input.ready),
            fetch.eq((level != 0) & (credit != 0)),
            ram.write.en.eq(put),
            ram.write.addr.eq(write),
            ram.write.data.eq(self.input.payload),
            ram.read.en.eq(fetch),
            ram.read.addr.eq(read),
            queue.input.valid.eq(pending),
            queue.input.payload.eq(ram.read.data),
        ]
        m.d.sync += [
            level.eq(level + put - fetch),
            pending.eq(fetch),
            credit.eq(credit - fetch + (self.output.valid & self.output.ready)),
        ]
        for pointer, moves in ((write, put), (read, fetch)):
            with m.If(moves):
                m.d.sync += pointer.eq(Mux(pointer == self.depth - 1, 0, pointer + 1))
        return m
