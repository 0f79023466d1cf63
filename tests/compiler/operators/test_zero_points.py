"""Zero points of 16 bits, which neither the array subtracts nor a field of the command holds."""

import numpy as np
import pytest

from compiler.operators.params import stage_output, stage_params
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, RoundingRule
from sim.functional.requantise import requantise as executed
from sim.golden.requantise import requantise as meant


def stage_of(scale: np.ndarray, zero_point: int, offset: np.ndarray | None = None) -> Requant:
    return Requant(
        scale=scale,
        offset=np.zeros(1) if offset is None else offset,
        fixed=True,
        rounding=RoundingRule.ORT,
        zero_point=zero_point,
        low=-(1 << 15),
        high=(1 << 15) - 1,
        dtype="int16",
    )


@pytest.mark.parametrize("zero_point", [-(1 << 15), -513, -512, -1, 0, 511, 512, 12345, 32767])
def test_the_command_computes_what_the_stage_means(zero_point: int) -> None:
    """Ties among them: half the scales are powers of two."""
    rng = np.random.default_rng(zero_point & 0xFFFF)
    scale = np.exp2(rng.integers(-10, 1, 60).astype(float))
    scale[1::2] *= rng.uniform(0.6, 1.0, 30)
    offset = rng.choice([0.0, 0.5, 2.0**-20, 0.999], 60)
    stage = stage_of(scale, zero_point, offset)
    bias = rng.integers(-(1 << 20), 1 << 20, 60)
    acc = np.rint(rng.uniform(-40000, 40000, (500, 60)) / scale).astype(np.int64)
    low, multiplier, shift, addend = stage_params(stage, bias, "n")
    output = stage_output(stage)
    assert -512 <= output["zero_point"] < 512
    assert np.all((addend >= 0) & (addend <= multiplier))
    found = executed(acc, low, multiplier, addend, shift, output)
    np.testing.assert_array_equal(found, meant(acc + bias, stage))


def test_a_scale_too_small_for_its_zero_point_is_refused() -> None:
    stage = stage_of(np.array([2.0**-18]), 9000)
    with pytest.raises(RowforgeError, match="at least 2\\^-16 beside a zero point of 9000"):
        stage_params(stage, np.zeros(1, np.int64), "n")
    stage_params(stage_of(np.array([2.0**-18]), 511), np.zeros(1, np.int64), "n")
