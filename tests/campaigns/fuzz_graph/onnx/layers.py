"""A random ONNX model while it grows: values in stored and in float form, and how they are made.

Scales are powers of two in `exact` models: float32 is exact there, so that a float operator between
DequantizeLinear and QuantizeLinear computes what integers give, ties included. In the others ONNX
Runtime rounds the float32 sums of such products.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.campaigns.fuzz_graph.case import Array, Feature
from tests.campaigns.fuzz_graph.idle import with_idle
from tests.support.onnx.models import ModelMaker

Quantisation = tuple[float, int, str]

TYPES = {False: ("int8", "uint8"), True: ("int16", "uint16")}
"""Of the stored values of a model, by whether they have 16 bits."""
_WIDE = 0.2  # models of 16 bits among all
_MIDDLE = {"int8": 0, "uint8": 128, "int16": 0, "uint16": 1 << 15}


@dataclass(frozen=True, kw_only=True)
class Value:
    """A quantised tensor; at least one of its forms, `stored` integers or `real` floats, exists."""

    shape: tuple[int, ...]
    q: Quantisation
    stored: str = ""
    real: str = ""

    @property
    def dtype(self) -> str:
        """Of the stored form."""
        return self.q[2]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Integers with scales and zero points, per tensor or along `axis`."""

    values: Array
    scale: Array
    zero: Array
    axis: int


class OnnxLayers:
    """Makes operators of a model and notes what they exercise."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.m = ModelMaker()
        self.features: set[Feature] = set()
        self.leaves: list[Value | str] = []  # outputs that nothing may be put on
        self.exact = self.chance(0.5)
        self.dtype = self.one("int8", "uint8")
        # A sequence of its own, so that other graphs stay what they are.
        aside = np.random.default_rng([seed, 16])
        self.wide = bool(aside.random() < _WIDE)
        self.m.opset = self.one(13, 13, 14, 19)
        self.carried = self.one(0.0, 0.5, 1.0)  # operators that carry their quantisation
        self.most_taps = 250  # sums of so many products of 9-bit numbers stay below 2^24
        self.finer = 1  # steps of ours in one of an 8-bit tensor of the same range
        if self.wide:
            self.dtype = str(aside.choice(TYPES[True]))
            self.m.opset = int(aside.choice((self.m.opset, 21)))
            self.carried, self.finer, self.most_taps = 0.0, 256, 2000

    # ---- choices ------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        """True so often."""
        return bool(self.random.random() < probability)

    def one(self, *choices: Any) -> Any:
        """One of these."""
        return choices[int(self.random.integers(len(choices)))]

    def below(self, low: int, high: int, count: int) -> list[int]:
        """Numbers of a half-open interval."""
        return [int(n) for n in self.random.integers(low, high, count)]

    def note(self, group: str, *items: str) -> None:
        """What the model exercises."""
        self.features.update((group, item) for item in items)

    def carries(self) -> bool:
        """Whether the next operator carries its quantisation."""
        return self.chance(self.carried)

    # ---- quantisation -------------------------------------------------------------------------

    def scale(self, low: float, high: float) -> float:
        """A scale, in exact models a power of two."""
        drawn = float(np.exp(self.random.uniform(np.log(low), np.log(high))))
        return float(2.0 ** np.round(np.log2(drawn))) if self.exact else float(np.float32(drawn))

    def quantisation(self, near: float, dtype: str = "") -> Quantisation:
        """A quantisation with a scale around `near`."""
        dtype = dtype or self.dtype
        info = np.iinfo(dtype)
        zero = self.one(int(info.min), int(info.max), _MIDDLE[dtype], None, None)
        if zero is None:
            zero = int(self.random.integers(info.min, info.max + 1))
        edges = {int(info.min): "lowest", int(info.max): "highest", 0: "0"}
        self.note("quantisation", f"zero point {edges.get(zero, 'other')}", f"{dtype} activations")
        return self.scale(near / 3, near * 3), zero, dtype

    def weights(self, shape: tuple[int, ...], axis: int, x: Value, *, single: bool) -> Weights:
        """Random weights; unsigned ones are asymmetric, `single` means one scale."""
        either = x.dtype == "uint8" or self.wide
        dtype = self.one("int8", "uint8") if either else "int8"
        info = np.iinfo(dtype)
        values = self.random.integers(info.min, info.max + 1, shape).astype(dtype)
        if self.wide and self.chance(0.6):  # large weights of one sign, whose sums are long
            values = self.random.integers(info.max - 20, info.max + 1, shape).astype(dtype)
        per_channel = not single and self.chance(0.5)
        count = shape[axis] if per_channel else 1
        scale = np.array([self.scale(0.002, 0.02) for _ in range(count)], np.float32)
        centre = 0 if dtype == "int8" else int(self.random.integers(118, 138))
        zero = np.full(count, centre).astype(dtype)
        inputs = 1 if axis == 0 else axis - 1
        values, shown = with_idle(self.random, values, centre, axis, inputs)
        self._note_sums(np.moveaxis(values, axis, 0).astype(np.int64) - centre, x.q)
        self.note("weights", *shown)
        self.note("quantisation", f"{dtype} weights")
        self.note("quantisation", "scale a channel" if per_channel else "scale a tensor")
        if not per_channel:
            scale, zero = scale[0], zero[0]
        return Weights(values=values, scale=scale, zero=zero, axis=axis)

    def _note_sums(self, filters: Array, q: Quantisation) -> None:
        """Whether a sum of all products can exceed 32 bits; filters [M, ...] less their zero."""
        info = np.iinfo(q[2])
        rows = filters.reshape(len(filters), -1)
        ends = [np.maximum(rows * (end - q[1]), 0).sum(axis=1) for end in (info.min, info.max)]
        if max(int(end.max()) for end in ends) >= 1 << 31:
            self.note("graph", "sums beyond 32 bits")

    def bias(self, x: Value, w: Weights, M: int) -> tuple[Array, Array]:
        """An int32 bias and the float32 number that a unit of it stands for."""
        unit = (np.float32(x.q[0]) * w.scale).astype(np.float32)
        return self.random.integers(-2000, 2000, M).astype(np.int32), unit

    def after(self, x: Value, w: Weights, taps: int) -> Quantisation:
        """A quantisation for a sum of this many products, so that its values spread."""
        spread = 74 * 74 * np.sqrt(taps) / 60
        return self.quantisation(float(x.q[0] * np.max(w.scale) * spread), x.dtype)

    # ---- forms of values ----------------------------------------------------------------------

    def given(self, shape: tuple[int, ...]) -> Value:
        """An input of the model: integers, or floats that are quantised at once."""
        name, q = f"x{len(self.m.inputs)}", self.quantisation(0.05 / self.finer)
        if self.chance(0.2):
            self.note("graph", "float32 input")
            batch = "batch" if shape[0] == 1 else shape[0]
            return self.rounded(self.m.input(name, (batch, *shape[1:])), shape, q)
        return Value(shape=shape, q=q, stored=self.m.input(name, shape, self.dtype))

    def real(self, value: Value) -> str:
        """The float form; exporters put one DequantizeLinear for all readers or one for each."""
        if value.real and (not value.stored or self.chance(0.5)):
            return value.real
        return str(self.m.dequantise(value.stored, value.q))

    def stored(self, value: Value) -> str:
        """The integers."""
        return value.stored or str(self.m.quantise(value.real, value.q))

    def rounded(self, name: str, shape: tuple[int, ...], q: Quantisation) -> Value:
        """A float tensor after QuantizeLinear, now and then with its DequantizeLinear."""
        value = Value(shape=shape, q=q, stored=self.m.quantise(name, q))
        return (
            replace(value, real=self.m.dequantise(value.stored, q)) if self.chance(0.4) else value
        )

    def kept(self, name: str, shape: tuple[int, ...], q: Quantisation) -> Value:
        """A float tensor of values that the scale holds already, rounded or left as it is."""
        if self.chance(0.5):
            return self.rounded(name, shape, q)
        self.note("graph", "no rounding between operators")
        return Value(shape=shape, q=q, real=name)

    def activated(self, name: str) -> str:
        """A Relu or Clip after a float operator, or nothing."""
        kind = self.one("none", "none", "Relu", "Clip")
        self.note("attribute", f"activation {kind}")
        if kind == "Relu":
            return str(self.m.op("Relu", name))
        if kind == "Clip":
            low, high = self.one((-0.5, 2.0), (0.0, 6.0), (-1.0, 1.0))
            bounds = (self.m.constant(np.float32(low)), self.m.constant(np.float32(high)))
            return str(self.m.op("Clip", name, *bounds))
        return name

    def dequantised(self, values: Array, scale: Array, zero: Array, axis: int) -> str:
        """DequantizeLinear of an initializer."""
        extra = {"axis": axis} if np.ndim(scale) else {}
        inputs = (self.m.constant(values), self.m.constant(scale), self.m.constant(zero))
        return str(self.m.op("DequantizeLinear", *inputs, **extra))

    def dequantised_weights(self, w: Weights) -> str:
        """Weights of a float operator."""
        return self.dequantised(w.values, w.scale, w.zero, w.axis)

    def dequantised_bias(self, bias: Array, unit: Array) -> str:
        """A bias of a float operator, in either form; floats only where they are exact."""
        if self.exact and self.chance(0.4):
            self.note("attribute", "float bias")
            return str(self.m.constant((bias * unit).astype(np.float32)))
        return self.dequantised(bias, unit, np.zeros(np.shape(unit), np.int32), 0)

    def product(self, name: str, shape: tuple[int, ...], q: Quantisation) -> Value:
        """The rounded output of a float product."""
        if not self.exact:
            self.note("graph", "float32 sums that round")
        return self.rounded(self.activated(name), shape, q)
