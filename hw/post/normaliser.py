"""Left shift by a given amount, or by as much as the sign allows."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from hw.base.block import Block

_RANKS = ((16, 8), (4, 2, 1))


class Normaliser(Block):
    """32-bit left shifter that can find the amount by itself; one value a cycle.

    With `normalise` low the output is `value << amount` modulo 2^32. With it high the amount is the
    number of redundant sign bits, so that bit 31 and bit 30 of the output differ (0 and -1 shift by
    31): both uses share the multiplexers, and each step of 2^k asks only whether its top 2^k + 1
    bits are equal.

    Latency: 2 enabled cycles.

    Members
    -------
    en : in, 1
        Clock enable.
    value : in, signed 32
        What is shifted.
    amount : in, 5
        Left shift, unless `normalise`.
    normalise : in, 1
        Shift by as much as fits.
    shifted : out, signed 32
        `value` shifted left.
    shift : out, 5
        The amount by which `shifted` was shifted.
    """

    latency = len(_RANKS)

    def __init__(self) -> None:
        super().__init__(
            {
                "en": In(1),
                "value": In(signed(32)),
                "amount": In(5),
                "normalise": In(1),
                "shifted": Out(signed(32)),
                "shift": Out(5),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value, amount, normalise = self.value, self.amount, self.normalise
        for rank, steps in enumerate(_RANKS):
            taken = [amount[k] for k in range(5)]
            for step in steps:
                k = step.bit_length() - 1
                top = value[31 - step :]
                taken[k] = Signal(name=f"take_{step}")
                m.d.comb += taken[k].eq(Mux(normalise, top.all() | ~top.any(), amount[k]))
                shifted = Signal(signed(32), name=f"shift_{step}")
                m.d.comb += shifted.eq(Mux(taken[k], value << step, value))
                value = shifted
            next_value = Signal(signed(32), name=f"value_{rank}", reset_less=True)
            next_amount = Signal(5, name=f"amount_{rank}", reset_less=True)
            next_normalise = Signal(name=f"normalise_{rank}", reset_less=True)
            with m.If(self.en):
                m.d.sync += next_value.eq(value)
                m.d.sync += [next_amount[k].eq(bit) for k, bit in enumerate(taken)]
                m.d.sync += next_normalise.eq(normalise)
            value, amount, normalise = next_value, next_amount, next_normalise
        m.d.comb += [self.shifted.eq(value), self.shift.eq(amount)]
        return m
