"""One requantisation lane: accumulator to output value in any of the rounding modes."""

from collections.abc import Iterable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from hw.arch.commands import Rounding
from hw.arch.errors import RowforgeError
from hw.base.block import Block
from hw.base.pipeline import Pipeline
from hw.post.layouts import BANKS, PARAM_LAYOUT, lane_config_layout, of_bank
from hw.post.multiplier import Multiplier
from hw.post.normaliser import Normaliser
from hw.post.right_shifter import RightShifter

ALL_MODES = frozenset(Rounding)
TWO_STEP = frozenset({Rounding.TFLM, Rounding.ORT})  # modes that round the product, then the result
ADDING = TWO_STEP | {Rounding.AFFINE}  # modes that add something to the product
WIDE = frozenset({Rounding.WIDE16, Rounding.SCALE16})  # modes in which the sum keeps all its bits
MULTIPLYING = ADDING | {Rounding.SINGLE, Rounding.DIVIDE, Rounding.SCALE16}
WIDE_BIAS = 40
"""Bits of a bias in mode SCALE16, those of its addend included."""

_FLOAT_FRACTION = 23
_FLOAT_DROPPED = 7  # bits of a normalised 31-bit magnitude that a float32 does not hold
_FLOAT_SHIFT = 127 + _FLOAT_FRACTION  # right shift of the integer significand for exponent field 0
_HIGH_MUL_SHIFT = 31
_SHORT_MUL_SHIFT = 15  # of SCALE16's multiplier
_BELOW_HALF = _HIGH_MUL_SHIFT - 1  # low ones: one less than half of the first rounding's unit


def lane_latency(modes: frozenset[Rounding]) -> int:
    """Latency of a lane built for these modes, in enabled cycles."""
    ranks = 1 + 1 + RightShifter.latency + 2  # bias; magnitude; shift; zero point and clamp
    if not modes.isdisjoint(MULTIPLYING):
        ranks += Multiplier.latency
    if not modes.isdisjoint(TWO_STEP):
        ranks += Normaliser.latency
    if not modes.isdisjoint(ADDING):
        ranks += 1  # the sum with the product
    return ranks


class Requantiser(Block):
    """Bias, scaling, rounding, zero point and clamp of one accumulator a cycle.

    With sum = acc + bias, n / 2^s rounded as said, and the result clamp(rounded + zero_point):

    - `TFLM`: x = int32(sum) << max(shift, 0) modulo 2^32; p = x * multiplier / 2^31 rounded half
      up, then p / 2^max(-shift, 0) rounded half away from zero. This is
      MultiplyByQuantizedMultiplier of TensorFlow Lite (tensorflow/lite/kernels/internal/common.cc)
      for multiplier 0 to 2^31 - 1 and shift -31 to 31. Smaller shifts give 0: the compiler writes
      multiplier 0 instead.
    - `ORT`: rint(float32(float32(int32(sum)) * scale)) with every step rounded to nearest, ties to
      even, as ONNX Runtime's MLAS requantises. `multiplier` holds the bits of the positive normal
      float32 scale (exponent field 0 flushes to 0); `shift` is not used.
    - `SINGLE`: int32(sum) * multiplier / 2^(31 - shift) rounded half up; shift -31 to 30.
    - `AFFINE`: (int32(sum) * multiplier + addend) / 2^(31 - shift) rounded half to even;
      multiplier 0 to 2^31 - 1, addend 0 to multiplier, shift -31 to 30.
    - `WIDE16`: sum / 2^-shift rounded half up, in full precision; shift -31 to 0. Saturation to 16
      bits is the clamp's: low and high lie within them.
    - `SCALE16`: (sum + high * 2^32) * multiplier / 2^(15 - shift) rounded half up, in full
      precision, with the low 8 bits of `addend` as high; bias + high * 2^32 counts modulo 2^40, as
      a signed number; multiplier 0 to 2^16 - 1, shift -31 to 15. This is what TensorFlow Lite's
      MultiplyByQuantizedMultiplier does to 64-bit sums, with its multiplier already shortened.
    - `DIVIDE`: sign(acc) * floor((|acc| + bias) * multiplier / 2^(31 - shift)) with the entry of
      `hw.arch.reciprocal`: acc / count, halves away from zero; |acc| + bias < 2^31.
    - `RAW`: int32(sum) as it is, on `raw`; no zero point, no clamp.

    int32() wraps. Everything between sum and result is done on magnitudes: half up becomes a carry
    that is withheld for negative ties; half to even and half away from zero are symmetric. AFFINE
    needs no second sign for its addend: a negative sum has the magnitude (|sum| - 1) * multiplier +
    (multiplier - addend), of two terms that are not negative, and |sum| - 1 is ~sum.

    Latency: `latency` enabled cycles, for all modes alike; 11 with every mode. It takes a new
    input in every enabled cycle and holds all registers while `en` is low.

    Timing
    ------
    Mode SINGLE with a factor of 1 and a bias of 1; the lane rests in cycle 3.

        cycle    0   1   2   3   4   5   6   7   8   9  10  11  12  13
        en       1   1   1   0   1   1   1   1   1   1   1   1   1   1
        acc      5   6   .   .   .   .   .   .   .   .   .   .   .   .
        result   .   .   .   .   .   .   .   .   .   .   .   .   6   7

    Parameters
    ----------
    acc_width : int
        Accumulator bits, 16 to 40.
    data_width : int
        8 or 16: width of stored outputs.
    modes : iterable of Rounding
        Modes that are built; another mode in the configuration gives an undefined result. Without
        ORT the float rounding disappears, without TFLM and ORT the left shifter, without those,
        SINGLE, AFFINE, DIVIDE and SCALE16 the multiplier.

    Members
    -------
    en : in, 1
        Clock enable of the whole lane.
    acc : in, signed acc_width
        The accumulator.
    params : in, PARAM_LAYOUT
        The channel's entry, together with `acc`.
    bank : in, 1
        Which of the two configurations holds for `acc`.
    cfg : in, array of BANKS lane_config_layout(data_width)
        Constant while values of its bank are in the lane.
    result : out, data_width
        Low bits of the clamped result; undefined in mode RAW.
    raw : out, 32
        Result of mode RAW; undefined in others.

    Raises
    ------
    RowforgeError
        For a width or a set of modes out of range.
    """

    def __init__(
        self, *, acc_width: int = 32, data_width: int = 8, modes: Iterable[Rounding] = ALL_MODES
    ):
        if acc_width not in range(16, 41):
            raise RowforgeError(f"accumulator width must be 16 to 40 bits, not {acc_width!r}")
        if data_width not in (8, 16):
            raise RowforgeError(f"data width must be 8 or 16 bits, not {data_width!r}")
        self.modes = frozenset(modes)
        if not self.modes or not self.modes <= ALL_MODES:
            raise RowforgeError(f"modes must be a choice of rounding modes, not {modes!r}")
        self.acc_width = acc_width
        self.data_width = data_width
        self._multiplies = not self.modes.isdisjoint(MULTIPLYING)
        self._two_step = not self.modes.isdisjoint(TWO_STEP)
        self._adds = not self.modes.isdisjoint(ADDING)
        self._added = ("addend",) if self._adds else ()
        self._total_width = 1 + max(acc_width, WIDE_BIAS if Rounding.SCALE16 in self.modes else 32)
        # Just enough that a saturated quotient plus any zero point is beyond every clamp bound.
        self._quotient_width = {8: 10, 16: 17}[data_width]
        super().__init__(
            {
                "en": In(1),
                "acc": In(signed(acc_width)),
                "params": In(PARAM_LAYOUT),
                "bank": In(1),
                "cfg": In(data.ArrayLayout(lane_config_layout(data_width), BANKS)),
                "result": Out(data_width),
                "raw": Out(32),
            }
        )

    @property
    def latency(self) -> int:
        """Enabled cycles from `acc` to `result` and `raw`."""
        return lane_latency(self.modes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipe = Pipeline(m, self.en)
        pipe.put(bank=self.bank, multiplier=self.params.multiplier)
        if self._adds:
            pipe.put(addend=self._addend(pipe))
        self._add_bias(m, pipe)
        self._choose_addend(m, pipe)
        self._scale_up(m, pipe)
        self._take_magnitude(m, pipe)
        self._multiply(m, pipe)
        self._round_product(m, pipe)
        self._shift_right(m, pipe)
        self._add_zero_point(m, pipe)
        self._clamp(m, pipe)
        assert pipe.rank == self.latency
        return m

    def _mode_is(self, pipe: Pipeline, *modes: Rounding) -> Value:
        """Whether the value in the pipeline's current rank is in one of these modes."""
        built = self.modes.intersection(modes)
        if built == self.modes:
            return Const(1)
        mode = of_bank(self.cfg, pipe["bank"]).mode
        return Cat(mode == kind for kind in sorted(built)).any() if built else Const(0)

    def _addend(self, pipe: Pipeline) -> Value:
        """The parameter's addend, which never exceeds a multiplier of 31 bits; 0 but for AFFINE."""
        return Mux(self._mode_is(pipe, Rounding.AFFINE), self.params.addend[:_HIGH_MUL_SHIFT], 0)

    def _add_bias(self, m: Module, pipe: Pipeline) -> None:
        """sum, left shift and right shift; in DIVIDE, |acc| + bias with the sign of acc."""
        shift = self.params.shift
        total = Signal(signed(self._total_width), name="total")
        opposed = Signal()
        m.d.comb += [
            opposed.eq(self._mode_is(pipe, Rounding.DIVIDE) & self.acc[-1]),
            total.eq(self.acc + self._bias(pipe, opposed) + opposed),
        ]
        upwards = Signal()
        left = Signal(5)
        right = Signal(6)
        base = Mux(self._mode_is(pipe, Rounding.WIDE16), 0, _HIGH_MUL_SHIFT)
        base = Mux(self._mode_is(pipe, Rounding.SCALE16), _SHORT_MUL_SHIFT, base)
        m.d.comb += [
            upwards.eq(self._mode_is(pipe, Rounding.TFLM) & (shift > 0)),
            left.eq(Mux(upwards, shift, 0)),
            right.eq(base - Mux(upwards, 0, shift)),
        ]
        pipe.put(total=total, left=left, right=right)
        pipe.advance("bank", "multiplier", *self._added, "total", "left", "right")

    def _bias(self, pipe: Pipeline, opposed: Value) -> Value:
        """The bias, inverted where the accumulator is; in SCALE16 with the high bits of its own."""
        bias = (self.params.bias ^ opposed.replicate(32))[:32].as_signed()
        if Rounding.SCALE16 not in self.modes:
            return bias
        scales = self._mode_is(pipe, Rounding.SCALE16)
        high = self.params.addend[: WIDE_BIAS - 32] & scales.replicate(WIDE_BIAS - 32)
        upper = bias[-1].replicate(WIDE_BIAS - 32) + high
        return Cat(bias, upper[: WIDE_BIAS - 32]).as_signed()

    def _choose_addend(self, m: Module, pipe: Pipeline) -> None:
        """What `_round_product` adds: below a half for two-step modes, AFFINE's addend, or nothing.

        In mode AFFINE nothing is shifted to the left, so that the sign of the sum is known here.
        """
        if not self._adds:
            return
        multiplier, addend = pipe["multiplier"], pipe["addend"]
        below_half = self._mode_is(pipe, *TWO_STEP).replicate(_BELOW_HALF)
        chosen = Signal(_HIGH_MUL_SHIFT, name="chosen_addend")
        m.d.comb += chosen.eq(addend | below_half)
        with m.If(self._mode_is(pipe, Rounding.AFFINE) & pipe["total"][31]):
            m.d.comb += chosen.eq(multiplier - addend)
        pipe.put(addend=chosen)

    def _scale_up(self, m: Module, pipe: Pipeline) -> None:
        """x: int32(sum) shifted left as TFLM wants, or normalised for ORT."""
        total = pipe["total"]
        pipe.put(x=total[:32].as_signed(), above=total[32:].as_signed(), shift=Const(0, 5))
        if not self._two_step:
            return
        m.submodules.normaliser = normaliser = Normaliser()
        m.d.comb += [
            normaliser.en.eq(self.en),
            normaliser.value.eq(pipe["x"]),
            normaliser.amount.eq(pipe["left"]),
            normaliser.normalise.eq(self._mode_is(pipe, Rounding.ORT)),
        ]
        pipe.advance("bank", "multiplier", *self._added, "above", "right", ranks=normaliser.latency)
        pipe.put(x=normaliser.shifted, shift=normaliser.shift)

    def _take_magnitude(self, m: Module, pipe: Pipeline) -> None:
        """Sign and the factors a and b; for ORT, a is rounded to 24 significant bits.

        ~x + 1 and the float rounding share one adder: the magnitude of floor(x) + up, with x
        negative, is ~floor(x) + (1 - up), and ones below the float's last bit hand the carry on.
        For a negative sum in mode AFFINE, a is ~x.
        """
        x, above = pipe["x"], pipe["above"]
        wide = self._mode_is(pipe, *WIDE)
        plain = self._mode_is(pipe, Rounding.RAW)
        ort = self._mode_is(pipe, Rounding.ORT)
        negative = Signal()
        m.d.comb += negative.eq(Mux(wide, above[-1], x[-1]) & ~plain)
        dropped = x[:_FLOAT_DROPPED]
        up = dropped[-1] & (dropped[:-1].any() | x[_FLOAT_DROPPED])
        ones = Signal(_FLOAT_DROPPED)
        flipped = Signal(len(x) + len(above))
        magnitude = Signal(len(flipped))
        m.d.comb += [
            ones.eq(ort.replicate(_FLOAT_DROPPED)),
            flipped.eq(Cat(x, above) ^ negative.replicate(len(flipped))),
            flipped[:_FLOAT_DROPPED].eq((dropped ^ negative.replicate(_FLOAT_DROPPED)) | ones),
        ]
        with m.If(~wide):
            m.d.comb += flipped[32:].eq(0)
        one = negative & ~self._mode_is(pipe, Rounding.AFFINE)
        m.d.comb += magnitude.eq(flipped + Mux(ort, up ^ negative, one))
        a = Cat(magnitude[:_FLOAT_DROPPED] & ~ones, magnitude[_FLOAT_DROPPED:32])
        pipe.put(negative=negative, a=a, above=magnitude[32:])
        self._choose_factor(m, pipe)
        pipe.advance("bank", "negative", *self._added, "a", "b", "above", "right")

    def _choose_factor(self, m: Module, pipe: Pipeline) -> None:
        """b and the right shift: the fixed-point multiplier, the float's significand, or 1."""
        multiplier = pipe["multiplier"]
        b = Signal(32)
        right = Signal(6)
        m.d.comb += [b.eq(multiplier), right.eq(pipe["right"])]
        if Rounding.ORT in self.modes:
            fraction = multiplier[:_FLOAT_FRACTION]
            exponent = multiplier[_FLOAT_FRACTION:31]
            amount = Signal(signed(10))
            m.d.comb += amount.eq(_FLOAT_SHIFT + pipe["shift"] - exponent)
            with m.If(self._mode_is(pipe, Rounding.ORT)):
                # A product is below 2^55: shifts beyond 62 leave less than a half, and those below
                # 0 leave a value beyond any clamp, as 0 does.
                m.d.comb += [
                    b.eq(Cat(fraction, 1)),
                    right.eq(Mux(amount < 0, 0, Mux(amount > 62, 62, amount))),
                ]
        with m.If(self._mode_is(pipe, Rounding.WIDE16, Rounding.RAW)):
            m.d.comb += b.eq(1)
        pipe.put(b=b, right=right)

    def _multiply(self, m: Module, pipe: Pipeline) -> None:
        """value = a * b, where a has all bits of its magnitude in modes that keep them."""
        if not self._multiplies:
            pipe.put(value=Cat(pipe["a"], pipe["above"]))
            return
        above = pipe["above"] if self.modes & WIDE else Const(0, 0)
        m.submodules.multiplier = multiplier = Multiplier(more=len(above))
        if len(above):
            m.d.comb += [
                multiplier.above.eq(above),
                multiplier.wide.eq(self._mode_is(pipe, *WIDE)),
            ]
        m.d.comb += [
            multiplier.en.eq(self.en),
            multiplier.a.eq(pipe["a"]),
            multiplier.b.eq(pipe["b"]),
        ]
        pipe.advance("bank", "negative", *self._added, "right", ranks=multiplier.latency)
        pipe.put(value=multiplier.product)

    def _round_product(self, m: Module, pipe: Pipeline) -> None:
        """First rounding of TFLM and ORT, the product to a multiple of 2^31; the addend of AFFINE.

        For ORT the product is in [2^53, 2^55), and a multiple of 2^31 has the 24 significant bits
        of a float32, or one of 2^30 if the product is below 2^54. One adder serves all: adding a
        half, or one less if ties go down, carries into the multiples exactly what is rounded up.
        """
        if not self._adds:
            return
        product = pipe["value"]
        ort = self._mode_is(pipe, Rounding.ORT)
        two_step = self._mode_is(pipe, *TWO_STEP)
        finer = Signal()  # the unit is 2^30
        withheld = Signal()  # a tie goes down: negative in TFLM, even in ORT
        even = ~Mux(finer, product[_HIGH_MUL_SHIFT - 1], product[_HIGH_MUL_SHIFT])
        m.d.comb += [
            finer.eq(ort & ~product[54]),
            withheld.eq(Mux(ort, even, pipe["negative"])),
        ]
        addend = Signal(_HIGH_MUL_SHIFT, name="addend_now")
        m.d.comb += addend.eq(pipe["addend"])
        with m.If(finer):
            m.d.comb += addend[_BELOW_HALF - 1].eq(0)
        # A bit below both terms carries `up` into the adder.
        up = two_step & ~withheld
        total = (Cat(1, product) + Cat(up, addend))[1:65]
        dropped = Cat(two_step.replicate(_HIGH_MUL_SHIFT - 1), two_step & ~finer)
        low, high = total[:_HIGH_MUL_SHIFT], total[_HIGH_MUL_SHIFT:]
        pipe.put(value=Cat(low & ~dropped, high))
        pipe.advance("bank", "negative", "value", "right")

    def _shift_right(self, m: Module, pipe: Pipeline) -> None:
        """Quotient and what was cut off of it; from here on RAW values go a way of their own."""
        m.submodules.right_shifter = shifter = RightShifter(width=self._quotient_width)
        pipe.put(raw=pipe["value"][:32])
        m.d.comb += [
            shifter.en.eq(self.en),
            shifter.value.eq(pipe["value"]),
            shifter.amount.eq(pipe["right"]),
        ]
        pipe.advance("bank", "negative", "raw", ranks=shifter.latency)
        pipe.put(
            quotient=shifter.quotient, half=shifter.half, sticky=shifter.sticky, over=shifter.over
        )

    def _add_zero_point(self, m: Module, pipe: Pipeline) -> None:
        """Last rounding, sign and zero point in one adder.

        -(quotient + up) = ~quotient + (1 - up), hence the exclusive ors.
        """
        quotient, negative = pipe["quotient"], pipe["negative"]
        to_even = self._mode_is(pipe, Rounding.ORT, Rounding.AFFINE)
        even = ~pipe["sticky"] & ~quotient[0] & to_even
        down = ~pipe["sticky"] & negative & self._mode_is(pipe, Rounding.SINGLE, *WIDE)
        up = pipe["half"] & ~even & ~down & ~self._mode_is(pipe, Rounding.DIVIDE)
        signed_quotient = Cat(quotient ^ negative.replicate(len(quotient)), negative).as_signed()
        value = Signal(signed(self._quotient_width + 2), name="value_sum")
        zero_point = of_bank(self.cfg, pipe["bank"]).zero_point
        m.d.comb += value.eq(signed_quotient + zero_point + (up ^ negative))
        pipe.put(value=value)
        pipe.advance("bank", "negative", "raw", "value", "over")

    def _clamp(self, m: Module, pipe: Pipeline) -> None:
        """The stored bits: within the bounds, or the bound on the side of an overflow."""
        value, over, negative = pipe["value"], pipe["over"], pipe["negative"]
        config = of_bank(self.cfg, pipe["bank"])
        result = Signal(self.data_width, name="clamped")
        m.d.comb += result.eq(value)
        with m.If((over & negative) | (~over & (value < config.low))):
            m.d.comb += result.eq(config.low)
        with m.Elif(over | (value > config.high)):
            m.d.comb += result.eq(config.high)
        pipe.put(result=result)
        pipe.advance("result", "raw")
        m.d.comb += [self.result.eq(pipe["result"]), self.raw.eq(pipe["raw"])]
