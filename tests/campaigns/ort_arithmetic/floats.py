"""Arithmetic on floats and 32-bit integers that exist, and on constants when the model is read."""

from functools import partial

import numpy as np

from tests.campaigns.ort_arithmetic.case import EIGHT_BIT_TAGS, ZERO_POINTS, Array, Case, Step
from tests.campaigns.ort_arithmetic.quantise import floats_at_edges

_OPERATORS = ("Add", "Sub", "Mul", "Div")


def _numbers(case: Case, shape: tuple[int, ...], dtype: str) -> Array:
    if dtype == "float32":
        return floats_at_edges(case, case.scale(), shape)
    values = case.values(dtype, shape) >> np.int32(case.rng.integers(0, 31))
    return np.where(values == 0, 1, values).astype(dtype)  # as a divisor 0 ends the process


def _arithmetic(case: Case, *, operator: str, dtype: str) -> None:
    rng = case.rng
    C, H, W = (int(n) for n in rng.integers(1, 9, 3))
    shape = (1, C, H, W)
    small = [shape, (), (1,), (W,), (C, 1, 1), (H, W)][rng.integers(6)]
    x = case.operand(_numbers(case, shape, dtype), "x")
    y = case.operand(_numbers(case, small, dtype), "y", constant=rng.random() < 0.7)
    order = (x, y) if rng.random() < 0.5 else (y, x)
    case.outputs.append(case.maker.op(operator, *order))


def _constants(case: Case) -> None:
    """Constants through an operator, QuantizeLinear and DequantizeLinear, then to an input."""
    rng, maker = case.rng, case.maker
    C = int(rng.integers(1, 20))
    dtype, channels = case.dtype(), rng.random() < 0.5
    scales = np.asarray([case.scale() for _ in range(C if channels else 1)], np.float32)
    zeros = np.asarray([case.zero_point(dtype) for _ in scales], dtype=dtype)
    values = floats_at_edges(case, np.float32(1.0), (1, C, 5)) * scales.reshape(-1, 1)
    w = maker.constant(values.astype(np.float32))
    kind = str(rng.choice([*_OPERATORS, "Neg", "Sqrt", "Relu", "Identity"]))
    case.tags.add(f"constant {kind}")
    if kind in _OPERATORS:
        factor = np.float32(rng.choice([1.0, 0.5, 3.0, 1.0 / 3.0]))
        w = maker.op(kind, w, maker.constant(factor))
    else:
        w = maker.op(kind, w)
    pair = [maker.constant(part if channels else part[0]) for part in (scales, zeros)]
    axis = {"axis": 1} if channels else {}
    w = maker.op("DequantizeLinear", maker.op("QuantizeLinear", w, *pair, **axis), *pair, **axis)
    x = case.operand(np.zeros((1, C, 5), dtype=np.float32), "x")
    case.outputs.append(maker.op("Add", x, w))


STEPS = {
    **{
        f"{operator} of {dtype}": Step(partial(_arithmetic, operator=operator, dtype=dtype))
        for operator in _OPERATORS
        for dtype in ("float32", "int32")
    },
    "constants": Step(
        _constants,
        (
            *EIGHT_BIT_TAGS,
            *ZERO_POINTS,
            *(f"constant {kind}" for kind in (*_OPERATORS, "Neg", "Sqrt", "Relu")),
        ),
    ),
}
