"""What lets a memory outlive the one who asks it."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hw.base.block import Block
from hw.memory.port import LENGTH_BITS, WORD_BITS, MemoryPort

_BURSTS = 16  # of a direction that may be under way


class MemoryGuard(Block):
    """Ends the bursts of a client that is reset while its memory is not.

    A memory outside of the core goes on when the core is reset: an SDRAM would have to be
    initialised anew, and AXI forbids that a transfer is given up. From the cycle after `restart`
    on the client is cut off. The words of its bursts to read are dropped, and its bursts to write
    get the word that was offered last for all words that they lack. When none is under way and
    `restart` is over, the client is heard again.

    Latency: none; the client's streams pass in the same cycle.

    Timing
    ------
    A burst of two words is read by a client that is reset after the first one.

        cycle                         0  1  2  3  4  5
        restart                       0  0  1  0  0  0
        port.request.valid            1  0  0  1  1  1
        port.request.payload.address  4  .  .  8  8  8
        port.request.payload.length   1  .  .  0  0  0
        port.request.ready            1  1  1  0  0  1
        port.read.valid               0  1  0  0  0  0
        memory.request.valid          1  0  0  0  0  1
        memory.request.ready          1  1  1  1  1  1
        memory.read.valid             0  1  0  1  0  0

    Parameters
    ----------
    address_bits : int
        Bits of the address of a word.

    Members
    -------
    restart : in, 1
        The client is reset.
    port : in, MemoryPort(address_bits)
        The client, which has at most 16 bursts of a direction under way.
    memory : out, MemoryPort(address_bits)
        The memory.
    """

    def __init__(self, *, address_bits: int):
        port = MemoryPort(address_bits)
        super().__init__({"restart": In(1), "port": In(port), "memory": Out(port)})
        self.address_bits = address_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port, memory = self.port, self.memory
        bits = LENGTH_BITS + _BURSTS.bit_length()
        reads, writes = Signal(bits), Signal(bits)  # words of bursts under way
        cut = Signal()
        last = Signal(WORD_BITS, reset_less=True)
        request = memory.request
        asked, beats = Signal(), Signal(LENGTH_BITS + 1)
        m.d.comb += [
            request.payload.eq(port.request.payload),
            request.valid.eq(port.request.valid & ~cut),
            port.request.ready.eq(request.ready & ~cut),
            asked.eq(request.valid & request.ready),
            beats.eq(Mux(asked, request.payload.length + 1, 0)),
            # A word that is offered must not change before it is taken.
            memory.write.payload.eq(Mux(cut, last, port.write.payload)),
            memory.write.valid.eq(Mux(cut, writes != 0, port.write.valid)),
            port.write.ready.eq(memory.write.ready & ~cut),
            port.read.payload.eq(memory.read.payload),
            port.read.valid.eq(memory.read.valid & ~cut),
            memory.read.ready.eq(1),
        ]
        put = memory.write.valid & memory.write.ready
        m.d.sync += [
            last.eq(memory.write.payload),
            reads.eq(reads + Mux(request.payload.write, 0, beats) - memory.read.valid),
            writes.eq(writes + Mux(request.payload.write, beats, 0) - put),
        ]
        with m.If(self.restart):
            m.d.sync += cut.eq(1)
        with m.Elif((reads == 0) & (writes == 0)):
            m.d.sync += cut.eq(0)
        return m
