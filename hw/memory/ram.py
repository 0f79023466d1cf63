"""A memory on the chip behind the memory port, for simulation and for small programs."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from hw.base.block import Block
from hw.base.memory import Ram
from hw.memory.port import MOST_BEATS, WORD_BITS, MemoryPort, MemoryRequest


class RamAdapter(Block):
    """On-chip memory behind a memory port: a beat every `pace` cycles once a burst has begun.

    Latency: the first beat of a burst is given or taken `latency` cycles after its request, or
    later if the burst before it has not ended. With a latency of 2 and more the next request is
    accepted, and its latency runs, while a burst is under way.

    Timing
    ------
    Two words are written, then read, with a latency of 1.

        cycle                         0  1  2  3  4  5
        port.request.valid            1  1  1  1  0  0
        port.request.payload.address  4  4  4  4  .  .
        port.request.payload.length   1  1  1  1  .  .
        port.request.payload.write    1  0  0  0  .  .
        port.request.ready            1  0  0  1  0  1
        port.write.valid              0  1  1  0  0  0
        port.write.payload            .  7  8  .  .  .
        port.write.ready              0  1  1  0  0  0
        port.read.valid               0  0  0  0  1  1
        port.read.payload             .  .  .  .  7  8

    Parameters
    ----------
    words : int
        Size, a power of two of at least 2.
    latency : int
        Cycles from a request to its first beat, at least 1.
    pace : int
        Cycles of a beat, at least 1: more stand for a memory that is narrower than a word.

    Members
    -------
    port : in, MemoryPort(exact_log2(words))
        The memory.
    """

    def __init__(self, *, words: int, latency: int = 1, pace: int = 1):
        super().__init__({"port": In(MemoryPort(exact_log2(words)))})
        self.words = words
        self.latency = latency
        self.pace = pace

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ram = ram = Ram(width=WORD_BITS, depth=self.words)
        port, asked = self.port, self._asked(m)
        address = Signal(exact_log2(self.words), reset_less=True)
        left = Signal(range(MOST_BEATS + 1))  # words to be fetched or taken
        writing, start, put, fetch, fetched = (Signal() for _ in range(5))
        request = asked.payload
        rest = Signal(range(self.pace))  # cycles until the next beat
        m.d.comb += [
            asked.ready.eq((left == 0) & (rest == 0)),
            start.eq(asked.valid & asked.ready),
            port.write.ready.eq((left != 0) & writing & (rest == 0)),
            put.eq(port.write.valid & port.write.ready),
            # The first word is fetched as its request comes, the others one after the other.
            fetch.eq((start & ~request.write) | ((left != 0) & ~writing & (rest == 0))),
            ram.read.en.eq(fetch),
            ram.read.addr.eq(Mux(start, request.address, address)),
            ram.write.en.eq(put),
            ram.write.addr.eq(address),
            ram.write.data.eq(port.write.payload),
            port.read.valid.eq(fetched),
            port.read.payload.eq(ram.read.data),
        ]
        m.d.sync += fetched.eq(fetch)
        if self.pace > 1:
            m.d.sync += rest.eq(Mux(put | fetch, self.pace - 1, rest - rest.any()))
        with m.If(start):
            m.d.sync += [
                writing.eq(request.write),
                left.eq(request.length + request.write),
                address.eq(request.address + ~request.write),
            ]
        with m.Elif(put | fetch):
            m.d.sync += [left.eq(left - 1), address.eq(address + 1)]
        return m

    def _asked(self, m: Module) -> stream.Interface:
        """Requests as they are served: each waits for all cycles of the latency but one."""
        if self.latency == 1:
            return self.port.request
        shape = MemoryRequest(exact_log2(self.words))
        asked = stream.Signature(shape).create()
        held = Signal()
        request = Signal(shape, reset_less=True)
        wait = Signal(range(max(self.latency - 1, 2)), reset_less=True)
        m.d.comb += [
            self.port.request.ready.eq(~held),
            asked.valid.eq(held & (wait == 0)),
            asked.payload.eq(request),
        ]
        with m.If(~held):
            m.d.sync += [
                held.eq(self.port.request.valid),
                request.eq(self.port.request.payload),
                wait.eq(self.latency - 2),
            ]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(asked.ready):
            m.d.sync += held.eq(0)
        return asked
