"""Averages over windows and images, of stored values and of floats."""

from functools import partial
from typing import Any

import numpy as np

from tests.ort_arithmetic.case import QUANTISED_TAGS, Case, Step
from tests.ort_arithmetic.quantise import floats_at_edges

_GLOBAL = ("GlobalAveragePool", "ReduceMean", "QLinearGlobalAveragePool")
_OPSETS = (11, 13, 17, 19, 21, 22)


def _image(case: Case) -> tuple[int, ...]:
    rng = case.rng
    H, W = (int(n) for n in rng.integers(1, 12, 2))
    if rng.random() < 0.3:
        H = W = int(rng.choice([2, 4, 8]))  # means of 4, 16 and 64 values have ties
    if rng.random() < 0.05:
        H, W = (int(n) for n in rng.integers(20, 60, 2))
    C = int(rng.integers(1, 20))
    return (1, C, W) if rng.random() < 0.15 else (1, C, H, W)


def _window(case: Case, spatial: tuple[int, ...]) -> dict[str, Any]:
    """Attributes of a pool whose windows all hold some of the image."""
    rng = case.rng
    taps = [int(rng.integers(1, size + 1)) for size in spatial]
    if rng.random() < 0.5:
        taps = [min(size, int(rng.choice([2, 4]))) for size in spatial]
    pads = [int(rng.integers(0, max(1, (n + 1) // 2))) for n in (*taps, *taps)]
    attributes: dict[str, Any] = {
        "kernel_shape": taps,
        "strides": [int(n) for n in rng.integers(1, 4, len(taps))],
        "pads": pads if rng.random() < 0.5 else [0] * len(pads),
    }
    if rng.random() < 0.3:
        attributes["count_include_pad"] = 1
    if rng.random() < 0.2:
        attributes["ceil_mode"] = 1
    return attributes


def _attributes(case: Case, operator: str, shape: tuple[int, ...]) -> dict[str, Any]:
    if operator == "ReduceMean":
        case.maker.opset = 13
        return {"axes": list(range(2, len(shape))), "keepdims": int(case.rng.integers(2))}
    return {} if operator in _GLOBAL else _window(case, shape[2:])


def _dequantised(case: Case, *, operator: str) -> None:
    """An average between DequantizeLinear and QuantizeLinear."""
    maker = case.maker
    maker.opset = int(case.rng.choice(_OPSETS))
    shape, dtype, target = _image(case), case.dtype(), case.dtype()
    scale, zero = case.scale(), case.zero_point(dtype)
    values = case.values(dtype, shape)
    stored = case.operand(values, "x")
    x = maker.op("DequantizeLinear", stored, *case.quantisation(scale, zero, dtype))
    y = maker.op(operator, x, **_attributes(case, operator, shape))
    mean = float(scale) * float((values[0, 0].astype(np.int64) - zero).mean())
    pair = case.quantisation(case.target(float(scale), mean), case.zero_point(target), target)
    case.outputs.append(maker.op("QuantizeLinear", y, *pair))


def _qlinear(case: Case, *, operator: str) -> None:
    maker = case.maker
    shape, dtype = _image(case), case.dtype()
    scale, zero = case.scale(), case.zero_point(dtype)
    values = case.values(dtype, shape)
    mean = float(scale) * float((values[0, 0].astype(np.int64) - zero).mean())
    x = case.operand(values, "x")
    pairs = (
        *case.quantisation(scale, zero, dtype),
        *case.quantisation(case.target(float(scale), mean), case.zero_point(dtype), dtype),
    )
    attributes = _attributes(case, operator, shape)
    case.outputs.append(maker.op(operator, x, *pairs, domain="com.microsoft", **attributes))


def _floats(case: Case, *, operator: str) -> None:
    maker = case.maker
    maker.opset = int(case.rng.choice(_OPSETS))
    shape = _image(case)
    values = case.rng.standard_normal(shape).astype(np.float32)
    if case.rng.random() < 0.3:
        values = floats_at_edges(case, np.float32(1.0), shape)
    x = case.operand(values, "x")
    case.outputs.append(maker.op(operator, x, **_attributes(case, operator, shape)))


STEPS = {
    **{
        f"{operator} between DQ and Q": Step(
            partial(_dequantised, operator=operator), QUANTISED_TAGS
        )
        for operator in ("AveragePool", "GlobalAveragePool", "ReduceMean")
    },
    **{
        operator: Step(partial(_qlinear, operator=operator), QUANTISED_TAGS)
        for operator in ("QLinearAveragePool", "QLinearGlobalAveragePool")
    },
    **{
        f"{operator} of float32": Step(partial(_floats, operator=operator))
        for operator in ("AveragePool", "GlobalAveragePool", "ReduceMean")
    },
}
