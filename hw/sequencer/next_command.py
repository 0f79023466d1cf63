"""The CONV command after the one that is walked: its descriptor waits in a memory."""

from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2

from hw.arch.config import LINK_WORD_BITS
from hw.base.block import Block


def descriptor_port(words: int) -> Signature:
    """Writes words of a descriptor: {en: 1, index: ceil_log2(words), data: LINK_WORD_BITS}."""
    return Signature({"en": Out(1), "index": Out(ceil_log2(words)), "data": Out(LINK_WORD_BITS)})


class NextCommand(Block):
    """Lets the decoder go on with the next CONV, and its filters, while the walker is busy.

    While the walker is idle a descriptor goes straight to it. Otherwise its words are kept, and
    copied, a word a cycle, when the walk is over.

    Timing
    ------
    Three words come while the walker is busy, and wait for it.

        cycle              0  1  2  3  4  5  6  7  8  9
        input.en           1  1  1  0  0  0  0  0  0  0
        input.index        0  1  2  .  .  .  .  .  .  .
        input.data         5  6  7  .  .  .  .  .  .  .
        start              0  0  0  1  0  0  0  0  0  0
        walker_idle        0  0  0  0  0  1  1  1  1  0
        ready              1  1  1  1  0  0  0  0  0  1
        output.en          0  0  0  0  0  1  1  1  0  0
        output.index       .  .  .  .  .  0  1  2  .  .
        output.data        .  .  .  .  .  5  6  7  .  .
        walker_start       0  0  0  0  0  0  0  0  1  0
        idle               0  0  0  0  0  0  0  0  0  0

    Members
    -------
    input : in, descriptor_port(words)
        A descriptor while `ready`: words one after another.
    start : in, 1
        The descriptor is complete; at least a cycle after its last word.
    ready : out, 1
        A descriptor can be taken.
    output : out, descriptor_port(words)
        Words for the walker, which is idle.
    walker_start : out, 1
        The walker has its descriptor.
    walker_idle : in, 1
        The walk of the command before is over.
    idle : out, 1
        Neither a command waits nor is one walked.
    """

    def __init__(self, *, words: int):
        port = descriptor_port(words)
        super().__init__(
            {
                "input": In(port),
                "start": In(1),
                "ready": Out(1),
                "output": Out(port),
                "walker_start": Out(1),
                "walker_idle": In(1),
                "idle": Out(1),
            }
        )
        self.words = words

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=LINK_WORD_BITS, depth=self.words, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        kept = Signal()  # words of the descriptor that comes are in the memory
        waits = Signal()  # a whole one is
        place, last = (Signal(range(self.words), name=name) for name in ("place", "last"))
        copied = Signal()
        keeps, copies = Signal(), Signal()
        m.d.comb += [
            keeps.eq(kept | ~self.walker_idle),
            copies.eq(waits & self.walker_idle & ~copied),
            self.ready.eq(~waits),
            self.idle.eq(self.walker_idle & ~waits),
            write.en.eq(self.input.en & keeps),
            write.addr.eq(self.input.index),
            write.data.eq(self.input.data),
            read.addr.eq(place),
            self.output.en.eq(copies | (self.input.en & ~keeps)),
            self.walker_start.eq((waits & copied) | (self.start & ~kept)),
        ]
        with m.If(copies):
            m.d.comb += [self.output.index.eq(place), self.output.data.eq(read.data)]
            m.d.sync += [place.eq(place + 1), copied.eq(place == last)]
        with m.Else():
            m.d.comb += [
                self.output.index.eq(self.input.index),
                self.output.data.eq(self.input.data),
            ]
        with m.If(write.en):
            m.d.sync += [kept.eq(1), last.eq(self.input.index)]
            with m.If(~kept):
                m.d.sync += place.eq(self.input.index)
        with m.If(self.start & kept):
            m.d.sync += [kept.eq(0), waits.eq(1)]
        with m.If(copied):
            m.d.sync += [waits.eq(0), copied.eq(0)]
        return m
