"""Sums, differences, products and quotients of two stored tensors."""

from functools import partial

import numpy as np

from tests.campaigns.ort_arithmetic.case import (
    EIGHT_BIT_TAGS,
    QUANTISED_TAGS,
    Array,
    Case,
    Step,
    all_pairs,
)

# Which operand serves several elements of the other; "odd" lengths leave a tail after the vectors.
FORMS = (
    "tensors",
    "odd",
    "scalar first",
    "scalar second",
    "channels first",
    "channels second",
    "both",
)
_SCALARS: tuple[tuple[int, ...], ...] = ((), (1,), (1, 1))
_SINGLE = 0.2  # share of tensors whose last axes are 1


def _operands(case: Case, form: str, first: str, second: str) -> tuple[Array, Array]:
    """The values of both operands, in a form; they broadcast to one of the two shapes."""
    rng = case.rng
    if form == "tensors":
        return all_pairs(first, second)
    small: tuple[int, ...]
    if form == "odd":
        wide = small = (1, int(rng.integers(1, 80)), *(1,) * int(rng.integers(2)))
    elif form.startswith("scalar"):
        wide, small = (1, int(rng.integers(1, 300))), _SCALARS[rng.integers(len(_SCALARS))]
    elif form == "both":
        N, C, H, W = (int(n) for n in rng.integers(1, 9, 4))
        return case.values(first, (N, C, 1, 1)), case.values(
            second, (H, W) if N > 4 else (1, 1, H, W)
        )
    else:
        C, H, W = (int(n) for n in rng.integers(1, 20, 3))
        if rng.random() < _SINGLE:
            H = W = 1
        wide, small = (1, C, H, W), (C, 1, 1)
    if rng.random() < _SINGLE and form.startswith("scalar"):
        wide = (*wide, 1)
    shapes = (small, wide) if form.endswith("first") else (wide, small)
    return case.values(first, shapes[0]), case.values(second, shapes[1])


def _constants(case: Case, form: str) -> tuple[bool, bool]:
    """Which operand is a constant of the model, at most one."""
    choices = [(False, False), (True, False), (False, True)]
    chosen = choices[case.rng.integers(3)]
    if form.endswith("first"):
        chosen = chosen[0], False
    elif form.endswith("second"):
        chosen = False, chosen[1]
    case.tags.add("constant" if any(chosen) else "no constant")
    return chosen


def _scales(case: Case) -> tuple[np.float32, np.float32]:
    first = case.scale()
    near = case.rng.random() < 0.7
    return first, np.float32(first * 2.0 ** case.rng.uniform(-5, 5)) if near else case.scale()


def _real(case: Case, operator: str, scales: Array, centred: tuple[Array, Array]) -> float:
    """The real result of some pair of operands."""
    x, y = np.broadcast_arrays(*centred)
    index = case.rng.integers(x.size)
    a, b = float(scales[0]) * float(x.flat[index]), float(scales[1]) * float(y.flat[index])
    if operator == "Add":
        return a + b
    if operator == "Sub":
        return a - b
    return a * b if operator == "Mul" or b == 0 else a / b


def _unit(operator: str, scales: Array) -> float:
    first, second = (float(scale) for scale in scales)
    if operator in ("Add", "Sub"):
        return max(first, second)
    return first * second if operator == "Mul" else first / second


def _qlinear(case: Case, *, operator: str, form: str) -> None:
    dtype = case.dtype()
    values = _operands(case, form, dtype, dtype)
    constants = _constants(case, form)
    zeros = case.zero_point(dtype), case.zero_point(dtype)
    scales = np.asarray(_scales(case))
    centred = tuple(v.astype(np.int64) - zero for v, zero in zip(values, zeros, strict=True))
    real = _real(case, operator, scales, (centred[0], centred[1]))
    output = case.target(_unit(operator, scales), real)
    inputs: list[str] = []
    for place, name in enumerate("ab"):
        inputs.append(case.operand(values[place], name, constant=constants[place]))
        inputs.extend(case.quantisation(scales[place], zeros[place], dtype))
    inputs.extend(case.quantisation(output, case.zero_point(dtype), dtype))
    result = case.maker.op(f"QLinear{operator}", *inputs, domain="com.microsoft")
    case.outputs.append(result)


def _dequantised(case: Case, *, operator: str, form: str) -> None:
    types = case.dtype(), case.dtype()
    values = _operands(case, form, *types)
    constants = _constants(case, form)
    zeros = case.zero_point(types[0]), case.zero_point(types[1])
    scales = np.asarray(_scales(case))
    centred = tuple(v.astype(np.int64) - zero for v, zero in zip(values, zeros, strict=True))
    target = case.target(
        _unit(operator, scales), _real(case, operator, scales, (centred[0], centred[1]))
    )
    reals = []
    for place, name in enumerate("ab"):
        stored = case.operand(values[place], name, constant=constants[place])
        pair = case.quantisation(scales[place], zeros[place], types[place])
        reals.append(case.maker.op("DequantizeLinear", stored, *pair))
    result = case.maker.op(operator, *reals)
    if case.rng.random() < 0.3:
        result = case.maker.op("Relu", result)
    dtype = case.dtype()
    pair = case.quantisation(target, case.zero_point(dtype), dtype)
    case.outputs.append(case.maker.op("QuantizeLinear", result, *pair))


_CONSTANT = ("constant", "no constant")

STEPS = {
    **{
        f"QLinear{operator}, {form}": Step(
            partial(_qlinear, operator=operator, form=form), (*QUANTISED_TAGS, *_CONSTANT)
        )
        for operator in ("Add", "Mul")
        for form in FORMS
    },
    **{
        f"{operator} between DQ and Q, {form}": Step(
            partial(_dequantised, operator=operator, form=form), (*EIGHT_BIT_TAGS, *_CONSTANT)
        )
        for operator in ("Add", "Sub", "Mul", "Div")
        for form in FORMS
    },
}
