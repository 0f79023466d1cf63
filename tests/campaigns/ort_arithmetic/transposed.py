"""ConvTranspose between DequantizeLinear and QuantizeLinear, and BatchNormalization of floats.

Scales of the former are powers of two: float32 adds up its products without rounding, so that
every bit is determined.
"""

from typing import Any

import numpy as np

from tests.campaigns.ort_arithmetic.case import EIGHT_BIT_TAGS, ZERO_POINTS, Case, Step
from tests.campaigns.ort_arithmetic.quantise import floats_at_edges


def _window(case: Case, rank: int, spatial: list[int], taps: list[int]) -> dict[str, Any]:
    """Attributes that leave something of the output."""
    rng = case.rng
    strides = [int(n) for n in rng.integers(1, 4, rank)]
    dilations = [int(n) for n in rng.choice([1, 1, 2], rank)]
    reach = [(t - 1) * d for t, d in zip(taps, dilations, strict=True)]
    given: dict[str, Any] = {"strides": strides, "dilations": dilations}
    case.tags.add("stride" if max(strides) > 1 else "no stride")
    extra = [int(rng.integers(0, s)) for s in strides]
    full = [(n - 1) * s + r + 1 for n, s, r in zip(spatial, strides, reach, strict=True)]
    kind = str(rng.choice(["pads", "pads", "pads", "shape", "none"]))
    case.tags.add(kind)
    if kind == "pads":
        most = [(whole - 1) // 2 for whole in full]
        given["pads"] = [int(rng.integers(0, min(n, 4) + 1)) for n in (*most, *most)]
    if kind == "shape":
        given["output_shape"] = [int(rng.integers(max(1, n - 4), n + 1)) for n in full]
        given["auto_pad"] = str(rng.choice(["NOTSET", "SAME_UPPER", "SAME_LOWER"]))
    elif rng.random() < 0.4:
        given["output_padding"] = extra
        case.tags.add("output padding")
    return given


def _transposed(case: Case) -> None:
    rng, maker = case.rng, case.maker
    maker.opset = int(rng.choice([11, 13]))
    dtype, target = case.dtype(), case.dtype()
    rank = int(rng.choice([1, 2, 2, 2]))
    groups = int(rng.choice([1, 1, 2, 3]))
    C, M = groups * int(rng.integers(1, 4)), int(rng.integers(1, 4))
    spatial = [int(n) for n in rng.integers(1, 7, rank)]
    taps = [int(n) for n in rng.integers(1, 5, rank)]
    values = case.values(dtype, (int(rng.integers(1, 3)), C, *spatial))
    scale = np.float32(2.0 ** rng.integers(-6, 3))
    x = maker.op(
        "DequantizeLinear",
        case.operand(values, "x"),
        *case.quantisation(scale, case.zero_point(dtype), dtype),
    )
    weights = rng.integers(-128, 128, (C, M, *taps)).astype(np.int8)
    channels = groups == 1 and rng.random() < 0.4
    unit = (2.0 ** rng.integers(-7, 0, M if channels else 1)).astype(np.float32)
    case.tags.add("scale a channel" if channels else "scale a tensor")
    pair = maker.constant(unit), maker.constant(np.zeros(unit.size, np.int8))
    if not channels:
        pair = maker.constant(unit[0]), maker.constant(np.int8(0))
    maker.opset = 13 if channels else maker.opset
    along = {"axis": 1} if channels else {}
    w = maker.op("DequantizeLinear", maker.constant(weights), *pair, **along)
    given = _window(case, rank, spatial, taps)
    operands = [x, w]
    if rng.random() < 0.5:
        bias = rng.integers(-999, 999, M * groups) * float(scale) * float(unit.min())
        operands.append(maker.constant(bias.astype(np.float32)))
    y = maker.op("ConvTranspose", *operands, group=groups, **given)
    if rng.random() < 0.3:
        y = maker.op("Relu", y)
    output = np.float32(float(scale) * float(unit.max()) * 2.0 ** rng.integers(2, 9))
    pair = case.quantisation(output, case.zero_point(target), target)
    case.outputs.append(maker.op("QuantizeLinear", y, *pair))


def _normalised(case: Case) -> None:
    rng, maker = case.rng, case.maker
    maker.opset = int(rng.choice([11, 14, 15]))
    shape = tuple(int(n) for n in rng.integers(1, 9, rng.integers(2, 5)))
    x = case.operand(floats_at_edges(case, case.scale(), shape), "x")
    C = shape[1]
    parts = [*(rng.standard_normal((3, C)) * 2), rng.uniform(0.01, 4, C)]
    parameters = (maker.constant(part.astype(np.float32)) for part in parts)
    given = {"epsilon": float(rng.choice([1e-5, 1e-3]))} if rng.random() < 0.7 else {}
    y = maker.op("BatchNormalization", x, *parameters, **given)
    dtype = case.dtype()
    pair = case.quantisation(case.scale(), case.zero_point(dtype), dtype)
    case.outputs += [y, maker.op("QuantizeLinear", y, *pair)]


STEPS = {
    "ConvTranspose": Step(
        _transposed,
        (
            *EIGHT_BIT_TAGS,
            *ZERO_POINTS,
            *("stride", "pads", "shape", "none", "output padding", "scale a channel"),
        ),
    ),
    "BatchNormalization of float32": Step(_normalised),
}
