"""A buffer that takes a packet byte by byte and keeps it only if told so."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.base.block import Block
from hw.base.memory import Ram
from hw.base.queue import Queue

_WORD_BYTES = 8


class PacketFifo(Block):
    """FIFO of bytes whose newest ones can be taken back.

    Timing
    ------
    Two bytes are kept, one is dropped.

        cycle           0  1  2  3  4  5  6  7
        put             1  1  0  1  0  0  0  0
        data            5  6  .  7  .  .  .  .
        keep            0  0  1  0  0  0  0  0
        drop            0  0  0  0  1  0  0  0
        output.valid    0  0  0  0  0  1  1  0
        output.payload  .  .  .  .  .  5  6  .
        output.ready    0  0  0  0  0  1  1  1
        room            1  1  1  0  0  1  1  1

    Parameters
    ----------
    words : int
        Capacity in words of eight bytes, a power of two.

    Members
    -------
    put : in, 1
        There is a byte; it is lost, with `overflow` raised, when there is no room.
    data : in, 8
        The byte.
    keep : in, 1
        The bytes put since the last `keep` or `drop` may leave now.
    drop : in, 1
        They are forgotten, and `overflow` falls.
    clear : in, 1
        Everything is forgotten but what was put since; hold it for four cycles.
    overflow : out, 1
        A byte of the packet was lost.
    room : out, range(words + 1)
        Words that fit after what was kept.
    output : out, stream of 8
        The bytes kept.
    """

    AHEAD = 3  # bytes in registers, which hide the memory's latency

    def __init__(self, *, words: int):
        super().__init__(
            {
                "put": In(1),
                "data": In(8),
                "keep": In(1),
                "drop": In(1),
                "clear": In(1),
                "overflow": Out(1),
                "room": Out(range(words + 1)),
                "output": Out(stream.Signature(8)),
            }
        )
        self.words = words

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self.words * _WORD_BYTES
        bits = exact_log2(depth)
        m.submodules.memory = ram = Ram(width=8, depth=depth)
        ahead = Module()
        ahead.submodules.queue = queue = Queue(8, depth=self.AHEAD)
        m.submodules.ahead = ResetInserter(self.clear)(ahead)
        connect(m, queue.output, flipped(self.output))
        # Pointers have a bit more than addresses: their difference is a level.
        write, kept, read = (Signal(bits + 1, name=name) for name in ("write", "kept", "read"))
        used = Signal(bits + 1)
        credit = Signal(range(self.AHEAD + 1), init=self.AHEAD)
        pending, full, fetch = Signal(), Signal(), Signal()
        m.d.comb += [
            used.eq(kept - read),
            # Compared with `read`: bytes that were kept and have not left count too.
            full.eq((write - read)[: bits + 1] == depth),
            self.room.eq((depth - used) >> exact_log2(_WORD_BYTES)),
            ram.write.en.eq(self.put & ~full),
            ram.write.addr.eq(write[:bits]),
            ram.write.data.eq(self.data),
            fetch.eq((used != 0) & (credit != 0)),
            ram.read.en.eq(fetch),
            ram.read.addr.eq(read[:bits]),
            queue.input.valid.eq(pending),
            queue.input.payload.eq(ram.read.data),
        ]
        m.d.sync += [
            pending.eq(fetch),
            read.eq(read + fetch),
            credit.eq(credit - fetch + (self.output.valid & self.output.ready)),
        ]
        with m.If(self.put):
            m.d.sync += [write.eq(write + (~full & 1)), self.overflow.eq(self.overflow | full)]
        with m.If(self.keep):
            m.d.sync += [kept.eq(write), self.overflow.eq(0)]
        with m.Elif(self.drop):
            m.d.sync += [write.eq(kept), self.overflow.eq(0)]
        with m.If(self.clear):
            m.d.sync += [read.eq(kept), pending.eq(0), credit.eq(self.AHEAD)]
        return m
