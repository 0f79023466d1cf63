"""Zero points of 16 bits, which neither the array subtracts nor a field of the command holds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.ir.ops import Conv
from compiler.operators.params import stage_output, stage_params
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, RoundingRule
from rowforge.configs import preset
from sim.functional import FunctionalAccelerator
from sim.functional.requantise import requantise as executed
from sim.golden import run_graph
from sim.golden.requantise import requantise as meant
from sw_driver.runtime import Runtime
from tests.compiler.support import single


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
    with pytest.raises(RowforgeError, match="at least 2\\^-16 beside .* 9000, not 3.81469"):
        stage_params(stage, np.zeros(1, np.int64), "n")
    stage_params(stage_of(np.array([2.0**-18]), 511), np.zeros(1, np.int64), "n")


@pytest.mark.parametrize(
    ("scale", "changes", "words"),
    [
        (2.0**30, {}, "below 2\\^30 where .*, not 1073741824.0"),
        (200.0, {"rounding": RoundingRule.REDUCED, "fixed": False}, "below 2\\^7, not 200.0"),
    ],
)
def test_refused_scales_are_told_as_plain_numbers(
    scale: float, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RowforgeError, match=words):
        replace(stage_of(np.array([1.0]), 0), scale=np.array([scale]), **changes)


def graph_of(bias: int) -> Graph:
    """16 products of int16 values by 127, scaled by 2^-10; the output's zero point is 30,000."""
    node = Conv(
        name="n",
        op="Conv",
        inputs=("x",),
        output="y",
        image=(1, 2, 16),
        weights=np.full((1, 1, 1, 16), 127, np.int8),
        weight_zero_point=np.zeros(1, np.int64),
        bias=np.array([bias]),
        input_zero_point=0,
        stage=stage_of(np.array([2.0**-10]), 30_000),
    )
    return single(node, {"x": (1, 1, 2, 16)}, "int16", (1, 1, 2, 1))


def test_sums_that_wrap_with_the_zero_point_alone_are_refused() -> None:
    """They are defined to wrap before it is added: the largest sum that fits, and one more."""
    largest = 16 * 127 * 32767 + 30_000 * 1024
    config = preset("tiny_16x8")
    graph = graph_of((1 << 31) - 1 - largest)
    program = compile_graph(graph, config)
    x = np.full((1, 1, 2, 16), 32767, np.int16)
    x[0, 0, 1] = -32768
    found = Runtime(FunctionalAccelerator(config), config).run(program, x).outputs["y"]
    assert found.reshape(-1).tolist() == run_graph(graph, x)["y"].reshape(-1).tolist()
    with pytest.raises(
        RowforgeError, match="must fit 32 bits together with .* not reach 2147483648"
    ):
        compile_graph(graph_of((1 << 31) - largest), config)
