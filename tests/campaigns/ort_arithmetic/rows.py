"""Softmax over rows, and concatenation of tensors of different scales."""

import numpy as np

from tests.campaigns.ort_arithmetic.case import EIGHT_BIT_TAGS, ZERO_POINTS, Case, Step, bounded


def _softmax(case: Case) -> None:
    rng, maker = case.rng, case.maker
    maker.opset = int(rng.choice([11, 13, 21]))
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 300)))
    spread = 10.0 ** rng.uniform(-3, 2.5)
    values = (rng.standard_normal(shape) * spread).astype(np.float32)
    if rng.random() < 0.1:
        values[rng.random(shape) < 0.3] = rng.choice([-np.inf, -3e38, 1e30, -0.0])
    x = case.operand(values, "x")
    case.outputs.append(maker.op("Softmax", x, axis=-1))


def _softmax_of_integers(case: Case) -> None:
    rng, maker = case.rng, case.maker
    maker.opset = int(rng.choice([11, 13]))
    dtype = case.dtype()
    shape = (int(rng.integers(1, 9)), int(rng.integers(2, 300)))
    scale = bounded(10.0 ** rng.uniform(-4, 1.5))
    usual = rng.random() < 0.4
    output = np.float32(2.0**-8) if usual else bounded(10.0 ** rng.uniform(-3, 0))
    x = case.operand(case.values(dtype, shape), "x")
    pairs = (
        *case.quantisation(scale, case.zero_point(dtype), dtype),
        *case.quantisation(output, case.zero_point(dtype), dtype),
    )
    case.outputs.append(
        maker.op("QLinearSoftmax", x, *pairs, domain="com.microsoft", axis=-1, opset=13)
    )


def _concat(case: Case) -> None:
    rng, maker = case.rng, case.maker
    dtype = case.dtype()
    inputs: list[str] = []
    scale, real = case.scale(), 0.0
    for place in range(int(rng.integers(2, 5))):
        mine = scale if place == 0 else np.float32(scale * 2.0 ** rng.uniform(-3, 3))
        zero, values = case.zero_point(dtype), case.values(dtype, (1, int(rng.integers(1, 99))))
        real = float(mine) * float(int(values[0, 0]) - zero)
        inputs.append(case.operand(values, f"x{place}"))
        inputs += case.quantisation(mine, zero, dtype)
    target = case.target(float(scale), real)
    pair = case.quantisation(target, case.zero_point(dtype), dtype)
    case.outputs.append(maker.op("QLinearConcat", *pair, *inputs, domain="com.microsoft", axis=1))


_TAGS = (*EIGHT_BIT_TAGS, *ZERO_POINTS)

STEPS = {
    "Softmax": Step(_softmax),
    "QLinearSoftmax": Step(_softmax_of_integers, _TAGS),
    "QLinearConcat": Step(_concat, _TAGS),
}
