"""A delay of many cycles, kept in a memory instead of a chain of registers."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hw.base.block import Block
from hw.base.memory import Ram


class DelayLine(Block):
    """Repeats its `value` `delay` enabled cycles later; a memory used as a ring.

    Parameters
    ----------
    width : int
        Bits of a value.
    delay : int
        Enabled cycles from `value` to `delayed`, at least 2.

    Members
    -------
    en : in, 1
        Clock enable. While it is low, `delayed` is held.
    value : in, width
        What is delayed.
    delayed : out, width
        Undefined for the first `delay` enabled cycles.
    """

    def __init__(self, *, width: int, delay: int):
        if delay < 2:
            raise ValueError(f"delay must be at least 2 cycles, not {delay!r}")
        super().__init__({"en": In(1), "value": In(width), "delayed": Out(width)})
        self.width = width
        self.delay = delay

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ring = ram = Ram(width=self.width, depth=self.delay)
        place = Signal(range(self.delay))
        following = Signal(range(self.delay))
        m.d.comb += following.eq(Mux(place == self.delay - 1, 0, place + 1))
        with m.If(self.en):
            m.d.sync += place.eq(following)
        # The oldest word is the one that is overwritten next; its read takes the last cycle.
        m.d.comb += [
            ram.write.en.eq(self.en),
            ram.write.addr.eq(place),
            ram.write.data.eq(self.value),
            ram.read.en.eq(self.en),
            ram.read.addr.eq(following),
            self.delayed.eq(ram.read.data),
        ]
        return m
