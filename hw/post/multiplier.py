"""The multiplier of a requantisation lane."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hw.base.block import Block


class Multiplier(Block):
    """Unsigned 32 x 32-bit multiplier of four 16 x 16-bit products; one product a cycle.

    The split is written out, since tools that split a 32-bit product for signed 18-bit DSP blocks
    by themselves may take more than four of them.

    With `more` bits, a factor may have them above its 32: b then has 16 bits, and the product of
    the upper halves, which is 0, makes place for theirs.

    Latency: 2 enabled cycles.

    Parameters
    ----------
    more : int
        0 to 16: bits of `above`.

    Members
    -------
    en : in, 1
        Clock enable.
    a, b : in, 32
        Unsigned factors.
    above : in, more, if more
        Bits 32 and up of a where `wide` is high.
    wide : in, 1, if more
        a has `above`, and the high 16 bits of b are 0.
    product : out, 64
        Their product.
    """

    latency = 2

    def __init__(self, *, more: int = 0) -> None:
        wide = {"above": In(more), "wide": In(1)} if more else {}
        super().__init__({"en": In(1), "a": In(32), "b": In(32), **wide, "product": Out(64)})
        self._more = more

    def elaborate(self, platform: object) -> Module:
        m = Module()
        low = Signal(32, reset_less=True)
        mixed = [Signal(32, name=f"mixed_{i}", reset_less=True) for i in range(2)]
        high = Signal(32, reset_less=True)
        product = Signal(64, reset_less=True)
        a_low, a_high = self.a[:16], self.a[16:]
        b_low, b_high = self.b[:16], self.b[16:]
        upper = a_high, b_high
        if self._more:
            upper = Mux(self.wide, self.above, a_high), Mux(self.wide, b_low, b_high)
        with m.If(self.en):
            m.d.sync += [
                low.eq(a_low * b_low),
                mixed[0].eq(a_low * b_high),
                mixed[1].eq(a_high * b_low),
                high.eq(upper[0] * upper[1]),
                product[:16].eq(low),
                product[16:].eq(Cat(low[16:], high) + (mixed[0] + mixed[1])),
            ]
        m.d.comb += self.product.eq(product)
        return m
