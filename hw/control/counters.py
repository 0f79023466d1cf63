"""The performance counters."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arch.config import LINK_WORD_BITS
from hw.base.block import Block

COUNTER_BITS = 48


class Counters(Block):
    """One counter for every name in `widths`, in this order, each adding its increment every cycle.

    A counter has a few low bits of its own. They are added to its sum, in a memory, once in as many
    cycles as there are counters: one adder serves all of them.

    Members
    -------
    increments : in, data.StructLayout(dict(widths))
        What each counter gains in this cycle.
    clear : in, 1
        Set all counters to zero.
    hold : in, 1
        Stand still, to be read.
    index : in, ceil_log2(len(widths))
        Place in the counter block.
    value : out, LINK_WORD_BITS
        While `hold`, the counter at that place, a cycle after `index`.
    """

    def __init__(self, *, widths: tuple[tuple[str, int], ...]):
        super().__init__(
            {
                "increments": In(data.StructLayout(dict(widths))),
                "clear": In(1),
                "hold": In(1),
                "index": In(ceil_log2(len(widths))),
                "value": Out(LINK_WORD_BITS),
            }
        )
        self.widths = dict(widths)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        names = list(self.widths)
        turns = ceil_log2(len(names))
        m.submodules.sums = sums = Memory(shape=COUNTER_BITS, depth=1 << turns, init=[])
        read, write = sums.read_port(domain="comb"), sums.write_port()
        turn = Signal(turns)
        place = Signal(turns)
        begun = Signal(1 << turns)  # the sum in memory holds; else it is zero
        # A part grows for as many cycles as there are turns before the memory takes it.
        parts = [Signal(self.widths[name] + turns, name=name) for name in names]
        part = Array(parts)[place]
        total = Signal(COUNTER_BITS)
        m.d.comb += [
            place.eq(Mux(self.hold, self.index, turn)),
            read.addr.eq(place),
            total.eq(Mux(begun.bit_select(place, 1), read.data, 0) + part),
            write.addr.eq(turn),
            write.data.eq(total),
            write.en.eq(~self.hold),
        ]
        m.d.sync += self.value.eq(total)
        m.d.sync += turn.eq(turn + 1)
        with m.If(self.clear):
            # A memory cannot be cleared in one cycle: a sum that has not begun counts as zero.
            m.d.sync += begun.eq(0)
            m.d.sync += [signal.eq(0) for signal in parts]
        with m.Elif(~self.hold):
            m.d.sync += begun.bit_select(turn, 1).eq(1)
            for number, name in enumerate(names):
                gain = self.increments[name]
                m.d.sync += parts[number].eq(Mux(turn == number, 0, parts[number]) + gain)
        return m
