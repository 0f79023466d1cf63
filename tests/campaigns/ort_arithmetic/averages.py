"""Averages and maxima over windows and images, of stored values and of floats."""

from functools import partial
from typing import Any

import numpy as np

from tests.campaigns.ort_arithmetic.case import (
    EIGHT_BIT_TAGS,
    QUANTISED_TAGS,
    ZERO_POINTS,
    Array,
    Case,
    Step,
    bounded,
    limits,
)
from tests.campaigns.ort_arithmetic.quantise import floats_at_edges

_AWKWARD = (np.nan, np.nan, np.inf, -np.inf, -0.0, 0.0)
_GLOBAL = ("GlobalMaxPool", "GlobalAveragePool", "ReduceMean", "QLinearGlobalAveragePool")
_OPSETS = (11, 13, 17, 19, 21, 22)


def _image(case: Case) -> tuple[int, ...]:
    rng = case.rng
    H, W = (int(n) for n in rng.integers(1, 12, 2))
    if rng.random() < 0.3:
        H = W = int(rng.choice([2, 4, 8]))  # means of 4, 16 and 64 values have ties
    if rng.random() < 0.05:
        H, W = (int(n) for n in rng.integers(20, 60, 2))
    C = int(rng.integers(1, 20))
    N = int(rng.choice([1, 1, 1, 2, 3]))
    return (N, C, W) if rng.random() < 0.15 else (N, C, H, W)


def _window(case: Case, spatial: tuple[int, ...]) -> dict[str, Any]:
    """Attributes of a pool whose windows all hold some of the image."""
    rng = case.rng
    taps = [int(rng.integers(1, size + 1)) for size in spatial]
    if rng.random() < 0.6:
        taps = [min(size, int(rng.choice([1, 2, 3]))) for size in spatial]
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


def _stored(
    case: Case, attributes: dict[str, Any], shape: tuple[int, ...], zero: int, dtype: str
) -> tuple[Array, float]:
    """Values of which many channels are alike, and the mean of the window in their first corner."""
    values = case.values(dtype, shape)
    if case.rng.random() < 0.5:
        values = np.ascontiguousarray(np.broadcast_to(values[:, :1], shape))
    taps = attributes.get("kernel_shape", shape[2:])
    pads = attributes.get("pads", [0] * len(taps))
    corner = values[(0, 0, *(slice(n - pad) for n, pad in zip(taps, pads, strict=False)))]
    return values, float((corner.astype(np.int64) - zero).mean())


def _dequantised(case: Case, *, operator: str) -> None:
    """An average between DequantizeLinear and QuantizeLinear."""
    maker = case.maker
    maker.opset = int(case.rng.choice(_OPSETS))
    shape, dtype, target = _image(case), case.dtype(), case.dtype()
    scale, zero = case.scale(), case.zero_point(dtype)
    attributes = _attributes(case, operator, shape)
    values, mean = _stored(case, attributes, shape, zero, dtype)
    stored = case.operand(values, "x")
    x = maker.op("DequantizeLinear", stored, *case.quantisation(scale, zero, dtype))
    y = maker.op(operator, x, **attributes)
    pair = case.quantisation(
        case.target(float(scale), float(scale) * mean), case.zero_point(target), target
    )
    case.outputs.append(maker.op("QuantizeLinear", y, *pair))


def _qlinear(case: Case, *, operator: str) -> None:
    maker = case.maker
    shape, dtype = _image(case), case.dtype()
    scale, zero = case.scale(), case.zero_point(dtype)
    attributes = _attributes(case, operator, shape)
    values, mean = _stored(case, attributes, shape, zero, dtype)
    x = case.operand(values, "x")
    pairs = (
        *case.quantisation(scale, zero, dtype),
        *case.quantisation(
            case.target(float(scale), float(scale) * mean), case.zero_point(dtype), dtype
        ),
    )
    case.outputs.append(maker.op(operator, x, *pairs, domain="com.microsoft", **attributes))


def _one_sum(case: Case) -> None:
    """QLinearAveragePool of windows that all have one sum, whose mean lies near an edge.

    A zero point that is large beside the mean decides then, since ONNX Runtime adds it in float32.
    """
    rng, maker, dtype = case.rng, case.maker, case.dtype()
    taps = int(rng.integers(1, 6))
    scale, zero = case.scale(), case.zero_point(dtype)
    low, high = limits(dtype)
    values = rng.integers(low, high + 1, (1, 3, 1, taps * 40))
    values[..., taps:] = np.tile(values[..., :taps], 39)
    total = int((values[0, 0, 0, :taps] - zero).sum()) or 1
    edge = float(scale) * abs(total) / taps / (int(rng.integers(0, 3)) + 0.5)
    moved = 1 + float(rng.choice([-1, 1])) * 2.0 ** -rng.uniform(15, 23)
    x = case.operand(values.astype(dtype), "x")
    pairs = (
        *case.quantisation(scale, zero, dtype),
        *case.quantisation(bounded(edge * moved), case.zero_point(dtype), dtype),
    )
    window = {"kernel_shape": [1, taps], "strides": [1, taps]}
    operator = "QLinearAveragePool"
    case.outputs.append(maker.op(operator, x, *pairs, domain="com.microsoft", **window))


def _floats(case: Case, *, operator: str) -> None:
    maker = case.maker
    maker.opset = int(case.rng.choice(_OPSETS))
    shape = _image(case)
    values = case.rng.standard_normal(shape).astype(np.float32)
    if case.rng.random() < 0.3:
        values = floats_at_edges(case, np.float32(1.0), shape)
    x = case.operand(values, "x")
    case.outputs.append(maker.op(operator, x, **_attributes(case, operator, shape)))


def _maxima(case: Case, *, operator: str) -> None:
    """MaxPool of floats, among them NaN, infinities and zeros of both signs."""
    rng, maker = case.rng, case.maker
    maker.opset = int(rng.choice(_OPSETS))
    shape = _image(case)
    values = rng.choice([-1.0, -0.0, 0.0, 1.0, 2.5], shape).astype(np.float32)
    if rng.random() < 0.7:
        rare = rng.random(shape) < rng.choice([0.05, 0.5])
        values[rare] = rng.choice(_AWKWARD, int(rare.sum()))
    attributes = _attributes(case, operator, shape)
    attributes.pop("count_include_pad", None)
    if operator == "MaxPool" and rng.random() < 0.15:
        taps = len(attributes["kernel_shape"])
        attributes.update(kernel_shape=[1] * taps, pads=[0] * (2 * taps), dilations=[2] * taps)
        if min(shape[2:]) > 2:
            attributes["kernel_shape"] = [2] * taps
    x = case.operand(values, "x")
    both = operator == "MaxPool" and rng.random() < 0.2
    if both and rng.random() < 0.5:
        attributes["storage_order"] = 1
    case.outputs.append(maker.op(operator, x, outputs=1 + both, **attributes))
    case.outputs.extend([f"{case.outputs[0]}_1"] if both else [])


STEPS = {
    **{
        f"{operator} of float32": Step(partial(_maxima, operator=operator))
        for operator in ("MaxPool", "GlobalMaxPool")
    },
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
    "QLinearAveragePool, one sum": Step(_one_sum, (*EIGHT_BIT_TAGS, *ZERO_POINTS)),
    **{
        f"{operator} of float32": Step(partial(_floats, operator=operator))
        for operator in ("AveragePool", "GlobalAveragePool", "ReduceMean")
    },
}
