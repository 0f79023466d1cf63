"""Property 11: a requantisation lane gives what its formula says, for operands of few bits."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Mux, Signal, Value, signed

from hw.arch.commands import Rounding
from hw.base.block import Block
from hw.post.requantise import Requantiser, lane_latency
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.property import Property

_SUM = 3  # bits of accumulator and bias
_FACTOR = 2  # bits of the multiplier from its top; of the addend
_SHIFT = 2  # bits of the shift
_TOP = 31  # a multiplier of 1 << _TOP stands for 1
_WIDE = 64


@dataclass(frozen=True)
class LaneComputes(Property):
    """A `Requantiser` built for `modes`, in the one that `mode` names."""

    number = 11
    title = "a requantisation lane equals its formula"
    inductive = False

    acc_width: int
    data_width: int
    modes: tuple[Rounding, ...]
    mode: Rounding

    @classmethod
    def of(cls, block: Block) -> Iterator["LaneComputes"]:
        """All modes but ORT, whose formula is in floating point."""
        if isinstance(block, Requantiser):
            modes = tuple(sorted(block.modes))
            for mode in modes:
                if mode is not Rounding.ORT:
                    yield cls(block.acc_width, block.data_width, modes, mode)

    @property
    def subject(self) -> str:
        sizes = f"{self.acc_width} to {self.data_width} bits"
        return f"Requantiser, {sizes}, built for {len(self.modes)} modes, mode {self.mode.name}"

    @property
    def reduced(self) -> str:
        factors = f"the multiplier's top {_FACTOR}"
        return f"sums of {_SUM} bits, {factors}, shifts of {_SHIFT} stand for all"

    @property
    def bound(self) -> int:  # type: ignore[override]
        """Until the first input has left; the clock may be held once."""
        return lane_latency(frozenset(self.modes)) + 2

    def build(self, bench: ProofBench) -> None:
        m = bench.m
        lane = Requantiser(acc_width=self.acc_width, data_width=self.data_width, modes=self.modes)
        bench.place(lane, driven=("acc", "params", "cfg"))
        acc, bias = (bench.free(signed(_SUM), name) for name in ("acc", "bias"))
        factor, shift = bench.free(_FACTOR, "factor"), bench.free(signed(_SHIFT), "shift")
        added = bench.free(_FACTOR, "addend")
        multiplier = Cat(Const(0, _TOP - _FACTOR), factor)
        addend = added & factor  # never more than the multiplier
        age = Signal(range(lane.latency + 2))
        # Zeros follow the input that is looked at: else the solver multiplies in every cycle.
        with m.If(age == 0):
            m.d.comb += [
                lane.acc.eq(acc),
                lane.params.bias.eq(bias),
                lane.params.multiplier.eq(multiplier),
                lane.params.shift.eq(shift),
                lane.params.addend.eq(Cat(Const(0, _TOP - _FACTOR), addend)),
            ]
        # The layer of the first input; the other bank's is anything.
        layer, other = (bench.constant(lane.cfg.shape().elem_shape, n) for n in ("layer", "other"))
        bank = bench.constant(1, "first_bank")
        m.d.comb += [
            lane.cfg[0].eq(Mux(bank, Value.cast(other), Value.cast(layer))),
            lane.cfg[1].eq(Mux(bank, Value.cast(layer), Value.cast(other))),
        ]
        most = (1 << self.data_width) - 1
        bench.assume(
            (layer.mode == self.mode)
            & (layer.low <= layer.high)
            & ((layer.low >= 0) | (layer.high <= most >> 1))
            & (layer.low >= -(most >> 1) - 1)
            & (layer.high <= most)
        )
        bench.assume(implies(~bench.started, lane.bank == bank))
        if self.mode is Rounding.WIDE16:
            bench.assume(shift <= 0)
        if self.mode is Rounding.DIVIDE:
            bench.assume(bias >= 0)
        first = age == 0
        wanted = Signal(signed(_WIDE))
        with m.If(lane.en & (age != lane.latency + 1)):
            m.d.sync += age.eq(age + 1)
        with m.If(first):
            m.d.sync += wanted.eq(self._formula(acc, bias, multiplier, shift, lane))
        leaves = age == lane.latency
        bench.assume(lane.en)
        if self.mode is Rounding.RAW:
            bench.claim("the sum is as it was", implies(leaves, lane.raw == wanted[:32]))
            return
        placed = wanted + layer.zero_point
        clamped = Mux(placed < layer.low, layer.low, Mux(placed > layer.high, layer.high, placed))
        bench.claim(
            "the result is the formula's",
            implies(leaves, lane.result == clamped[: self.data_width]),
        )

    def _formula(self, acc: Value, bias: Value, multiplier: Value, shift: Value, lane) -> Value:
        """What is rounded, as the docstring of `Requantiser` says, of sums that do not wrap."""
        total = (acc + bias).as_signed()
        right = (_TOP - shift).as_unsigned()[:6]
        match self.mode:
            case Rounding.RAW:
                return total
            case Rounding.WIDE16:
                return _half_up(total, (-shift).as_unsigned()[:6])
            case Rounding.SINGLE:
                return _half_up(total * multiplier, right)
            case Rounding.AFFINE:
                return _half_even(total * multiplier + lane.params.addend, right)
            case Rounding.DIVIDE:
                size = Mux(acc < 0, -acc, acc) + bias
                scaled = (size * multiplier) >> right
                return Mux(acc < 0, -scaled, scaled)
        up = Mux(shift > 0, shift, 0).as_unsigned()[:_SHIFT]
        down = Mux(shift < 0, -shift, 0).as_unsigned()[: _SHIFT + 1]
        once = ((total << up)[:32].as_signed() * multiplier + (1 << (_TOP - 1))) >> _TOP
        size = _half_up(Mux(once < 0, -once, once), down)
        return Mux(once < 0, -size, size)


def _half_up(value: Value, right: Value) -> Value:
    """The value divided by a power of two; half goes up."""
    return ((value << 1 >> right) + 1) >> 1


def _half_even(value: Value, right: Value) -> Value:
    """The value divided by a power of two; half goes to the even neighbour."""
    doubled = value << 1 >> right
    rest = value & ((Const(1, _WIDE) << right)[:_WIDE] - 1)
    exact = (rest << 1)[:_WIDE] == (Const(1, _WIDE) << right)[:_WIDE]
    return (doubled + (1 - (exact & ~doubled[1] & doubled[0]))) >> 1
