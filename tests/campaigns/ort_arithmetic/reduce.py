"""Reductions, extremes and choices, of stored values, integers and floats."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.campaigns.ort_arithmetic.case import EIGHT_BIT_TAGS, Case, Step
from tests.campaigns.ort_arithmetic.quantise import floats_at_edges

_SIZES = (1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 19)
Shape = tuple[int, ...]


def _shape(case: Case, most: int = 5) -> Shape:
    rank = int(case.rng.integers(1, most))
    return tuple(int(n) for n in case.rng.choice(_SIZES, rank))


def _finite(case: Case, shape: Shape) -> np.ndarray:
    values = floats_at_edges(case, np.float32(0.37), shape)
    return np.where(np.isfinite(values), values, np.float32(1.5))


def _reduced(case: Case, operator: str, x: str, shape: Shape) -> str:
    """The operator over some axes, which are attributes or an operand as the operator set says."""
    rng, maker = case.rng, case.maker
    rank = len(shape)
    given: dict[str, Any] = {"keepdims": int(rng.integers(2))}
    axes = sorted(rng.permutation(rank)[: int(rng.integers(1, rank + 1))].tolist())
    if rng.random() < 0.5:
        axes = [axis - rank for axis in axes]
    if rng.random() < 0.15:
        return str(maker.op(operator, x, **given))
    if maker.opset >= 18 or operator == "ReduceSum":
        return str(maker.op(operator, x, maker.constant(np.asarray(axes)), **given))
    return str(maker.op(operator, x, axes=axes, **given))


def _place(case: Case, operator: str, x: str, shape: Shape) -> str:
    given = {"keepdims": int(case.rng.integers(2)), "select_last_index": int(case.rng.integers(2))}
    axis = int(case.rng.integers(-len(shape), len(shape)))
    return str(case.maker.op(operator, x, axis=axis, **given))


def _of_floats(case: Case, *, operator: str, make: Callable[..., str]) -> None:
    case.maker.opset = int(case.rng.choice([13, 18]))
    shape = _shape(case)
    values = _finite(case, shape)
    if operator in ("ReduceSum", "ReduceMean"):
        values = case.rng.standard_normal(shape).astype(np.float32)
    case.outputs.append(make(case, operator, case.operand(values, "x"), shape))


def _of_stored(case: Case, *, operator: str, make: Callable[..., str], form: str) -> None:
    """Of integers, or dequantised before and, at the same scale or another, quantised after."""
    rng, maker = case.rng, case.maker
    maker.opset = int(rng.choice([13, 18]))
    shape, dtype = _shape(case), case.dtype()
    values = case.values(dtype, shape)
    if rng.random() < 0.3:
        values = (values.astype(np.int64) // 64).astype(dtype)  # several have one value
    x = case.operand(values, "x")
    if len(shape) == 4 and rng.random() < 0.5:  # so that channels lie innermost
        x = maker.op("MaxPool", x, kernel_shape=[1, 1])
    if form == "integers":
        case.outputs.append(make(case, operator, x, shape))
        return
    scale, zero = case.scale(), case.zero_point(dtype)
    pair = case.quantisation(scale, zero, dtype)
    x = maker.op("DequantizeLinear", x, *pair)
    if form == "after a function":
        x = maker.op("Tanh", x)
    y = make(case, operator, x, shape)
    if make is _place:
        case.outputs.append(y)
        return
    if rng.random() < 0.6:
        target = case.target(float(scale), float(scale) * int(rng.integers(1, 99)))
        pair = case.quantisation(target, case.zero_point(dtype), dtype)
    case.outputs.append(maker.op("QuantizeLinear", y, *pair))


def _pair_shapes(case: Case) -> tuple[Shape, Shape]:
    """Two shapes that broadcast, often both of them."""
    whole = _shape(case)
    rng = case.rng
    first = tuple(1 if rng.random() < 0.2 else n for n in whole)
    second = tuple(1 if rng.random() < 0.2 else n for n in whole)
    return first, second[int(rng.integers(0, len(whole))) :] if rng.random() < 0.3 else second


def _extreme(case: Case, *, operator: str, form: str) -> None:
    """Min or Max of two or three tensors, one of them a constant now and then."""
    rng, maker = case.rng, case.maker
    maker.opset = 13
    shapes = [*_pair_shapes(case)]
    if rng.random() < 0.3:
        shapes.append(())
    constant = int(rng.integers(-2, len(shapes)))
    dtype = case.dtype()
    scale, zero = case.scale(), case.zero_point(dtype)
    names = []
    for place, shape in enumerate(shapes):
        held = place == constant or not shape
        if form == "floats":
            held = place > 0
        if form == "floats":
            values = _finite(case, shape)
            if held:  # between zeros of both signs ONNX Runtime chooses by their place
                values = np.where(values == 0, np.float32(0.5), values)
            names.append(case.operand(values, f"x{place}", constant=held))
            continue
        if held and rng.random() < 0.5:
            names.append(maker.constant(floats_at_edges(case, scale, shape)))
            continue
        x = case.operand(case.values(dtype, shape), f"x{place}", constant=held)
        if form == "scales" and rng.random() < 0.5:
            own = case.quantisation(np.float32(scale * 1.7), case.zero_point(dtype), dtype)
        else:
            own = case.quantisation(scale, zero, dtype)
        names.append(maker.op("DequantizeLinear", x, *own))
    y = maker.op(operator, *names)
    if form == "floats":
        case.outputs.append(y)
        return
    pair = case.quantisation(scale, zero, dtype)
    if form == "scales":
        target = case.target(float(scale), float(scale) * int(rng.integers(1, 99)))
        pair = case.quantisation(target, case.zero_point(dtype), dtype)
    case.outputs.append(maker.op("QuantizeLinear", y, *pair))


def _where(case: Case, *, quantised: bool) -> None:
    rng, maker = case.rng, case.maker
    whole = _shape(case)
    shapes = [tuple(1 if rng.random() < 0.3 else n for n in whole) for _ in range(3)]
    condition = case.operand(rng.random(shapes[0]) < 0.5, "c")
    if not quantised:
        dtype, scale = case.dtype(), case.scale()
        pairs = [case.quantisation(scale, case.zero_point(dtype), dtype) for _ in range(2)]
        sides = []
        for number, shape in enumerate(shapes[1:]):
            x = case.operand(case.values(dtype, shape), f"x{number}")
            own = pairs[number if rng.random() < 0.5 else 0]
            sides.append(maker.op("DequantizeLinear", x, *own))
        case.outputs.append(
            maker.op("QuantizeLinear", maker.op("Where", condition, *sides), *pairs[0])
        )
        return
    case.tags.add("type uint8")
    inputs = [condition]
    scale = case.scale()
    for number, shape in enumerate(shapes[1:]):
        inputs.append(case.operand(case.values("uint8", shape), f"x{number}"))
        own = np.float32(scale * rng.choice([1.0, 0.7, 3.0]))
        inputs += case.quantisation(own, case.zero_point("uint8"), "uint8")
    inputs += case.quantisation(np.float32(scale * 1.3), case.zero_point("uint8"), "uint8")
    case.outputs.append(maker.op("QLinearWhere", *inputs, domain="com.microsoft"))


_REDUCTIONS = {
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"), _reduced),
    **dict.fromkeys(("ArgMax", "ArgMin"), _place),
}
_SUMS = ("ReduceSum", "ReduceMean")

STEPS = {
    **{
        f"{operator} of floats, any axes": Step(partial(_of_floats, operator=operator, make=make))
        for operator, make in _REDUCTIONS.items()
        if operator not in ("ReduceMax", "ReduceMin")
    },
    **{
        f"{operator}, {form}": Step(
            partial(_of_stored, operator=operator, make=make, form=form), EIGHT_BIT_TAGS
        )
        for operator, make in _REDUCTIONS.items()
        for form in ("between DQ and Q", "after a function", "integers")
        if operator not in _SUMS or form == "between DQ and Q"
        if make is not _place or form != "after a function"
    },
    **{
        f"{operator}, {form}": Step(
            partial(_extreme, operator=operator, form=form),
            () if form == "floats" else EIGHT_BIT_TAGS,
        )
        for operator in ("Min", "Max")
        for form in ("floats", "one scale", "scales")
    },
    "Where between DQ and Q": Step(partial(_where, quantised=False), EIGHT_BIT_TAGS),
    "QLinearWhere": Step(partial(_where, quantised=True)),
}
