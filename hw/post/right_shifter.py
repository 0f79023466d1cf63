"""Right shift of a long magnitude down to the few bits that a clamp can tell apart."""

from dataclasses import dataclass, fields

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from hw.base.block import Block

_WIDTH = 64
_RANKS = ((32, 16, 8), (4, 2, 1))


class RightShifter(Block):
    """Shifts 64 bits right by 0 to 63 and keeps what rounding and saturation need; one a cycle.

    The window has only `width` bits, so each step drops what cannot reach it: much smaller than a
    64-bit shifter.

    Latency: 2 enabled cycles.

    Timing
    ------
    13 / 8 and 12 / 8; a cycle without `en` in between.

        cycle      0   1   2   3   4
        en         1   1   0   1   1
        value     13  12   .   .   .
        amount     3   3   .   .   .
        quotient   .   .   1   1   1
        half       .   .   1   1   1
        sticky     .   .   1   1   0

    Parameters
    ----------
    width : int
        Bits of the quotient.

    Members
    -------
    en : in, 1
        Clock enable.
    value : in, _WIDTH
        Unsigned.
    amount : in, 6
        By how much it is shifted.
    quotient : out, width
        Low bits of value >> amount.
    half : out, 1
        The highest bit shifted out (0 for amount 0).
    sticky : out, 1
        Any lower bit that was shifted out is set.
    over : out, 1
        value >> amount does not fit `quotient`.
    """

    latency = len(_RANKS)

    def __init__(self, *, width: int):
        super().__init__(
            {
                "en": In(1),
                "value": In(_WIDTH),
                "amount": In(6),
                "quotient": Out(width),
                "half": Out(1),
                "sticky": Out(1),
                "over": Out(1),
            }
        )
        self.width = width

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A bit is appended below, so that the highest bit shifted out stays in the window.
        state = _Shift(Cat(0, self.value), self.amount, Const(0), Const(0))
        for rank, steps in enumerate(_RANKS):
            for step in steps:
                state = self._step(m, step, state)
            state = self._register(m, rank, state)
        m.d.comb += [
            self.half.eq(state.window[0]),
            self.quotient.eq(state.window[1:]),
            self.sticky.eq(state.sticky),
            self.over.eq(state.over),
        ]
        return m

    def _step(self, m: Module, step: int, state: "_Shift") -> "_Shift":
        """Shift by `step` or not; keep the bits that later, smaller steps can bring down."""
        value = state.window
        bit = state.amount[step.bit_length() - 1]
        keep = self.width + step
        window = Signal(keep, name=f"window_{step}")
        next_sticky = Signal(name=f"sticky_{step}")
        next_over = Signal(name=f"over_{step}")
        m.d.comb += [
            window.eq(Mux(bit, value[step:], value)),
            next_sticky.eq(state.sticky | (bit & value[:step].any())),
            next_over.eq(state.over | (~bit & value[keep:].any())),
        ]
        return _Shift(window, state.amount, next_sticky, next_over)

    def _register(self, m: Module, rank: int, state: "_Shift") -> "_Shift":
        """The state one enabled cycle later."""
        registers: dict[str, Value] = {}
        for field in fields(state):
            value = getattr(state, field.name)
            register = Signal(len(value), name=f"{field.name}_rank{rank}", reset_less=True)
            with m.If(self.en):
                m.d.sync += register.eq(value)
            registers[field.name] = register
        return _Shift(**registers)


@dataclass(frozen=True)
class _Shift:
    """A shift under way: the bits that are left of the value, and by how much they shift yet.

    `sticky`: a one has gone out below; `over`: one is above all that the quotient may still get.
    """

    window: Value
    amount: Value
    sticky: Value
    over: Value
