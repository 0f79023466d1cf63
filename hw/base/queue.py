"""A small first-in first-out buffer between two streams."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.base.block import Block


class Queue(Block):
    """FIFO of `depth` items with registered flags: neither side sees the other combinationally.

    Latency: an item that enters an empty queue can leave in the next cycle. Full throughput from a
    depth of 2 on. A one-item queue passes an item every second cycle.

    Timing
    ------
    Two items wait, and leave while a third one comes.

        cycle           0  1  2  3  4  5  6
        input.valid     1  1  1  1  0  0  0
        input.payload   5  6  7  7  .  .  .
        input.ready     1  1  0  1  1  1  1
        output.valid    0  1  1  1  1  0  0
        output.payload  .  5  5  6  7  .  .
        output.ready    0  0  1  1  1  1  1

    Parameters
    ----------
    shape : shape-like
        What an item is.
    depth : int
        Items held, at least 1.
    registered : bool
        The output comes from registers also where the items are in a memory (a depth of 3 and
        more): more cells, but no memory is read in the path.

    Members
    -------
    input : in, stream of shape
        What enters.
    output : out, stream of shape
        The same in the same order.
    """

    def __init__(self, shape, *, depth: int, registered: bool = False):
        super().__init__(
            {"input": In(stream.Signature(shape)), "output": Out(stream.Signature(shape))}
        )
        self.shape = shape
        self.depth = depth
        self.registered = registered

    def elaborate(self, platform: object) -> Module:
        m = Module()
        level = Signal(range(self.depth + 1))
        put = Signal()
        take = Signal()
        m.d.comb += [
            # Both flags follow from a register: no handshake passes from one side to the other.
            self.input.ready.eq(level != self.depth),
            self.output.valid.eq(level != 0),
            put.eq(self.input.valid & self.input.ready),
            take.eq(self.output.valid & self.output.ready),
        ]
        m.d.sync += level.eq(level + put - take)
        if self.depth == 1:
            item = Signal(self.shape, reset_less=True)
            m.d.comb += self.output.payload.eq(item)
            with m.If(put):
                m.d.sync += item.eq(self.input.payload)
            return m
        if self.depth == 2:
            self._pair(m, level, put, take)
            return m
        self._ring(m, level, put, take)
        return m

    def _ring(self, m: Module, level: Signal, put: Signal, take: Signal) -> None:
        """A memory; where registered, the oldest item is in a register as well."""
        m.submodules.items = items = Memory(shape=self.shape, depth=self.depth, init=[])
        write, read = items.write_port(), items.read_port(domain="comb")
        m.d.comb += [
            write.data.eq(self.input.payload),
            write.en.eq(put),
        ]
        fetch = take
        if not self.registered:
            m.d.comb += self.output.payload.eq(read.data)
        else:
            first = Signal(self.shape, reset_less=True)
            beyond = Signal()  # the memory holds an item after the first one
            m.d.comb += [self.output.payload.eq(first), beyond.eq(level > 1)]
            with m.If(take | ~level.any()):
                m.d.sync += first.eq(
                    Mux(beyond, Value.cast(read.data), Value.cast(self.input.payload))
                )
            # Items pass through the memory unless they go straight to the register.
            m.d.comb += write.en.eq(put & ((level > 1) | (level.any() & ~take)))
            fetch = take & beyond
        for pointer, step in ((write.addr, write.en), (read.addr, fetch)):
            with m.If(step):
                m.d.sync += pointer.eq(_next(pointer, self.depth))

    def _pair(self, m: Module, level: Signal, put: Signal, take: Signal) -> None:
        """Two registers: the second one moves up. On FPGAs that is less than a memory."""
        first = Signal(self.shape, reset_less=True)
        second = Signal(self.shape, reset_less=True)
        m.d.comb += self.output.payload.eq(first)
        with m.If(put):
            m.d.sync += second.eq(self.input.payload)
        # `put` is left out, which comes late: an empty queue may load what is not valid.
        with m.If(take | ~level.any()):
            m.d.sync += first.eq(Mux(level[1], Value.cast(second), Value.cast(self.input.payload)))


def _next(pointer: Signal, depth: int):
    """The pointer after `pointer` in a ring of `depth` items."""
    return Mux(pointer == depth - 1, 0, pointer + 1)
