"""The performance counters."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from hw.arch.config import LINK_WORD_BITS
from hw.arch.counters import COUNTERS
from hw.elaboration import Block

COUNTER_BITS = 48


class Counters(Block):
    """One counter for every field of `COUNTERS`, each adding its increment every cycle.

    Members
    -------
    increments : {name: bits} what each counter gains; clear : back to zero;
    hold : stand still
    values : the counters, in block order
    """

    def __init__(self, *, widths: tuple[tuple[str, int], ...]):
        super().__init__(
            {
                "increments": In(data.StructLayout(dict(widths))),
                "clear": In(1),
                "hold": In(1),
                "values": Out(data.ArrayLayout(LINK_WORD_BITS, len(COUNTERS.fields))),
            }
        )
        self.widths = widths

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for i, field in enumerate(COUNTERS.fields):
            value = Signal(COUNTER_BITS, name=field.name)
            m.d.comb += self.values[i].eq(value)
            with m.If(self.clear):
                m.d.sync += value.eq(0)
            with m.Elif(~self.hold):
                m.d.sync += value.eq(value + self.increments[field.name])
        return m
