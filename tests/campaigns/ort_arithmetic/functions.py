"""Functions of single values: between DequantizeLinear and QuantizeLinear, and of floats."""

from functools import partial
from typing import Any

import numpy as np

from tests.campaigns.ort_arithmetic.case import QUANTISED_TAGS, Case, Step, limits
from tests.campaigns.ort_arithmetic.quantise import floats_at_edges

FUNCTIONS = (
    *("Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "ThresholdedRelu", "Tanh", "Exp", "Erf"),
    *("Gelu", "QuickGelu", "Sqrt", "Reciprocal", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round"),
)
_NUMBERS = {
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "QuickGelu": ("alpha",),
}
EXPRESSIONS = ("x Sigmoid(x)", "HardSwish in parts", "Gelu in parts", "constants", "PRelu of one")


def _function(case: Case, name: str, x: str) -> str:
    """The operator with attributes of any size, or none of them."""
    given: dict[str, Any] = {}
    for key in _NUMBERS.get(name, ()):
        if case.rng.random() < 0.8:
            given[key] = float(np.float32(case.rng.choice([0.01, 0.2, 1.0, -0.3, 3.0])))
    case.maker.opset = 14 if name == "HardSwish" else 13
    if name == "Gelu":
        case.maker.opset = 20
        given["approximate"] = str(case.rng.choice(["none", "tanh"]))
    domain = "com.microsoft" if name == "QuickGelu" else ""
    return str(case.maker.op(name, x, domain=domain, **given))


def _parts(case: Case, form: str, x: str) -> str:
    """An expression of one tensor as exporters write it."""
    maker = case.maker

    def number(value: float) -> str:
        return maker.constant(np.float32(value))

    if form == "x Sigmoid(x)":
        return maker.op("Mul", x, maker.op("Sigmoid", x))
    if form == "HardSwish in parts":
        bounds = number(0.0), number(6.0)
        shifted = maker.op("Clip", maker.op("Add", x, number(3.0)), *bounds)
        return maker.op("Div", maker.op("Mul", x, shifted), number(6.0))
    if form == "Gelu in parts":
        inner = maker.op("Erf", maker.op("Div", x, number(np.sqrt(2.0))))
        outer = maker.op("Mul", x, maker.op("Add", inner, number(1.0)))
        return maker.op("Mul", outer, number(0.5))
    if form == "PRelu of one":
        return maker.op("PRelu", x, maker.constant(np.float32([case.rng.normal()])))
    kinds = case.rng.choice(["Add", "Sub", "Mul", "Div", "Relu", "Clip", "Abs"], 3)
    for kind in kinds:
        value = number(float(case.rng.normal() * 3))
        if kind in ("Relu", "Abs"):
            x = maker.op(kind, x)
        elif kind == "Clip":
            x = maker.op(kind, x, *((value,) if case.rng.random() < 0.5 else ("", value)))
        else:
            x = maker.op(kind, *((x, value) if case.rng.random() < 0.6 else (value, x)))
    return x


def _between(case: Case, *, name: str) -> None:
    """All 256 values of a type through the function, to any other scale."""
    rng, maker = case.rng, case.maker
    source, target = case.dtype(), case.dtype()
    scale, zero = case.scale(), case.zero_point(source)
    if rng.random() < 0.5:  # where the function bends
        scale = np.float32(rng.choice([0.01, 0.02, 0.0625, 0.1]) * rng.uniform(0.5, 2))
    low, high = limits(source)
    values = np.arange(low, high + 1).astype(source)[None]
    values = np.concatenate([values[:, : int(rng.integers(1, 256))], values], axis=1)
    x = case.operand(values, "x")
    x = maker.op("DequantizeLinear", x, *case.quantisation(scale, zero, source))
    y = _parts(case, name, x) if name in EXPRESSIONS else _function(case, name, x)
    if rng.random() < 0.2:
        y = maker.op("Relu", y)
    unit = float(rng.choice([1 / 256, 1 / 128, float(scale), float(scale) ** 2]))
    output = case.target(unit, unit * int(rng.integers(-99, 99)))
    pair = case.quantisation(output, case.zero_point(target), target)
    case.outputs.append(maker.op("QuantizeLinear", y, *pair))


def _of_floats(case: Case, *, name: str) -> None:
    shape = (1, int(case.rng.integers(1, 300)))
    x = case.operand(floats_at_edges(case, case.scale(), shape), "x")
    case.outputs.append(_function(case, name, x))


def _carried(case: Case, *, name: str) -> None:
    """QLinearSigmoid and QLinearLeakyRelu."""
    dtype, scale = case.dtype(), case.scale()
    low, high = limits(dtype)
    x = case.operand(np.arange(low, high + 1).astype(dtype)[None], "x")
    output = case.target(1 / 256 if name == "Sigmoid" else float(scale), float(scale))
    given = {"alpha": float(case.rng.choice([0.01, 0.1, -0.2]))} if name == "LeakyRelu" else {}
    inputs = (
        *case.quantisation(scale, case.zero_point(dtype), dtype),
        *case.quantisation(output, case.zero_point(dtype), dtype),
    )
    y = case.maker.op(f"QLinear{name}", x, *inputs, domain="com.microsoft", **given)
    case.outputs.append(y)


def _prelu(case: Case, *, stored: bool) -> None:
    """Slopes for each channel, as floats or dequantised."""
    rng, maker = case.rng, case.maker
    shape = (1, *(int(n) for n in rng.integers(1, 9, rng.integers(1, 4))))
    slopes = (shape[1], *(1,) * (len(shape) - 2))
    slope = (rng.standard_normal(slopes) * 0.3).astype(np.float32)
    if not stored:
        x = case.operand(floats_at_edges(case, case.scale(), shape), "x")
        case.outputs.append(maker.op("PRelu", x, maker.constant(slope)))
        return
    source, target = case.dtype(), case.dtype()
    scale = case.scale()
    x = case.operand(case.values(source, shape), "x")
    pair = case.quantisation(scale, case.zero_point(source), source)
    x = maker.op("DequantizeLinear", x, *pair)
    weight = maker.constant(slope)
    if rng.random() < 0.5:
        own = case.quantisation(np.float32(1 / 64), 0, "int8")
        values = np.clip(np.rint(slope * 64), -128, 127).astype(np.int8)
        weight = maker.op("DequantizeLinear", maker.constant(values), *own)
    output = case.target(float(scale), float(scale) * int(rng.integers(1, 99)))
    pair = case.quantisation(output, case.zero_point(target), target)
    case.outputs.append(maker.op("QuantizeLinear", maker.op("PRelu", x, weight), *pair))


STEPS = {
    **{
        f"{name} between DQ and Q": Step(partial(_between, name=name), QUANTISED_TAGS)
        for name in (*FUNCTIONS, *EXPRESSIONS)
    },
    **{f"{name} of float32": Step(partial(_of_floats, name=name)) for name in FUNCTIONS},
    **{
        f"QLinear{name}": Step(partial(_carried, name=name), QUANTISED_TAGS)
        for name in ("Sigmoid", "LeakyRelu")
    },
    "PRelu of float32": Step(partial(_prelu, stored=False)),
    "PRelu between DQ and Q": Step(partial(_prelu, stored=True), QUANTISED_TAGS),
}
