"""The bench of a proof: a block with free inputs, what is assumed of them and what is claimed."""

from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import (
    Assert,
    Assume,
    ClockDomain,
    Fragment,
    Module,
    ShapeLike,
    Signal,
    Value,
    ValueLike,
)
from amaranth.lib.wiring import In

from hw.base.block import Block, signature_ports
from hw.properties.harness.inside import Inside

TOP = "bench"


class ProofBench:
    """A module in the making: blocks, free inputs, assumptions and claims.

    The solver chooses every free input anew in each cycle. There is no reset: registers begin with
    their initial values. What is given to `claim` must hold in every cycle.

    Attributes
    ----------
    m : Module
        Where further logic goes.
    started : Signal, 1
        Low in the first cycle.
    claims : list of str
        The sentences claimed.
    """

    def __init__(self) -> None:
        self.m = Module()
        self._clock = ClockDomain("sync", reset_less=True)
        self.m.domains.sync = self._clock
        self._inputs: list[Signal] = [self._clock.clk]
        self.claims: list[str] = []
        self.started = Signal()
        self.m.d.sync += self.started.eq(1)

    def place(self, block: Block, *, name: str = "dut", driven: tuple[str, ...] = ()) -> Inside:
        """Put a block on the bench; its inputs are free but for those that begin as in `driven`."""
        inside = Inside(block)
        self.m.submodules[name] = inside.module
        for port, signal, flow in signature_ports(block):
            if flow is In and not any(port.startswith(begin) for begin in driven):
                self._inputs.append(signal)
        return inside

    def free(self, shape: ShapeLike, name: str) -> Any:
        """An input of the shape."""
        made = Signal(shape, name=name)
        self._inputs.append(Value.cast(made))
        return made

    def constant(self, shape: ShapeLike, name: str) -> Any:
        """A free input that keeps its value for ever."""
        made = self.free(shape, name)
        self.hold(made, name)
        return made

    def hold(self, value: ValueLike, name: str, *, when: ValueLike = 1) -> None:
        """Assume that a value is as in the cycle before wherever `when` was set in that one."""
        bits = Value.cast(value)
        before, held = Signal(len(bits), name=f"{name}_before"), Signal(name=f"{name}_held")
        self.m.d.sync += [before.eq(bits), held.eq(when)]
        self.assume(~held | (before == bits.as_unsigned()))

    def past(self, value: ValueLike, name: str) -> Signal:
        """The value in the cycle before, 0 in the first one."""
        bits = Value.cast(value)
        before = Signal(len(bits), name=f"{name}_past")
        self.m.d.sync += before.eq(bits)
        return before

    def assume(self, condition: ValueLike) -> None:
        """Let the solver look at runs alone in which the condition holds in every cycle."""
        self.m.d.comb += Assume(Value.cast(condition).bool())

    def claim(self, sentence: str, condition: ValueLike) -> None:
        """Claim that the condition holds in every cycle; the sentence says it in words."""
        self.claims.append(sentence)
        self.m.d.comb += Assert(Value.cast(condition).bool(), sentence)

    def polite(self, stream: Any, name: str) -> None:
        """Assume the rule of streams of a source: what is offered stays until it is taken."""
        waits = stream.valid & ~stream.ready
        self.hold(stream.payload, f"{name}_payload", when=waits)
        was = self.past(waits, f"{name}_waits")
        self.assume(~was | stream.valid)

    def steady(self, stream: Any, name: str) -> None:
        """Claim the same rule of a stream that a block drives."""
        waits = self.past(stream.valid & ~stream.ready, f"{name}_waits")
        payload = self.past(stream.payload, f"{name}_payload")
        self.claim(f"{name} stays valid until it is taken", ~waits | stream.valid)
        same = payload == Value.cast(stream.payload).as_unsigned()
        self.claim(f"{name} keeps its payload until it is taken", ~waits | same)

    def rtlil(self) -> str:
        """The bench as RTLIL, its top module called `TOP`."""
        fragment = Fragment.get(self.m, None)
        return str(rtlil.convert(fragment, name=TOP, ports=self._inputs, emit_src=False))


def implies(condition: ValueLike, consequence: ValueLike) -> Value:
    """One bit: where the condition holds, so does the consequence."""
    return ~Value.cast(condition).bool() | Value.cast(consequence).bool()
