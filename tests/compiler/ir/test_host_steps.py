"""Host steps derived from nodes, and the ranges that clamps leave."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.ir.graph import Graph, Tensor
from compiler.ir.host_steps import mean_parameters, rescale_step, softmax_parameters
from compiler.ir.ops import Place, Rescale, Reshape
from compiler.ir.ranges import value_range
from hw.arch.errors import RowforgeError
from numerics.host import run_host
from numerics.quantisation import Requant, RoundingRule
from sim.golden.elementwise import rescale


def node(rounding: RoundingRule) -> Rescale:
    stage = Requant(
        scale=np.asarray([0.75]),
        rounding=rounding,
        zero_point=1,
        low=-100,
        high=90,
        dtype="int8",
    )
    return Rescale(
        name="rescale", op="QUANTIZE", inputs=("x",), output="y", input_zero_point=-9, stage=stage
    )


@pytest.mark.parametrize("rounding", [RoundingRule.TFLM, RoundingRule.SINGLE, RoundingRule.ORT])
def test_a_rescaling_on_the_host_equals_the_array(rounding: RoundingRule) -> None:
    step = rescale_step(node(rounding))
    x = np.arange(-128, 128).astype(np.int8)
    expected = rescale(node(rounding), x)
    np.testing.assert_array_equal(run_host(step.function, [x], step.parameters)[0], expected)
    assert step.place is Place.HOST


def test_a_rescaling_per_channel_stays_on_the_array() -> None:
    stage = replace(node(RoundingRule.TFLM).stage, scale=np.asarray([1.0, 2.0]))
    with pytest.raises(RowforgeError, match="per-channel"):
        rescale_step(replace(node(RoundingRule.TFLM), stage=stage))


def test_a_raw_rescaling_has_no_host_step() -> None:
    step = rescale_step(replace(node(RoundingRule.TFLM), stage=Requant.raw()))
    with pytest.raises(RowforgeError, match="rounding must be"):
        run_host(step.function, [np.zeros(1, dtype=np.int8)], step.parameters)


def test_softmax_parameters() -> None:
    # Scale 1/16: differences are multiplied by 2^22, that is 2^30 * 2^(23 - 31).
    assert softmax_parameters(1 / 16, 1.0) == {"multiplier": 1 << 30, "shift": 23, "least": -248}
    with pytest.raises(RowforgeError, match=r"2\^-26"):
        softmax_parameters(2.0**-27, 1.0)


def test_mean_parameters_truncate_the_quotient() -> None:
    parameters = mean_parameters((1, 3, 3, 8), (1, 2), 1.0, -5)
    assert parameters["offset"] == -45
    assert parameters["multiplier"] == (1 << 33) // 9
    assert parameters["shift"] == 1 - 3


def test_value_ranges_follow_clamps_through_reshapes() -> None:
    fixed = Tensor(name="c", key="c", shape=(2,), dtype="int8", data=np.array([3, -4], np.int8))
    tensors = {key: Tensor(name=key, key=key, shape=(1, 4), dtype="int8") for key in "xyz"}
    graph = Graph(
        name="ranges",
        tensors={**tensors, "c": fixed},
        nodes=(
            node(RoundingRule.TFLM),
            Reshape(name="z", op="RESHAPE", inputs=("y",), output="z"),
        ),
        inputs=("x",),
        outputs=("z",),
    )
    assert value_range(graph, "x") == (-128, 127)
    assert value_range(graph, "z") == (-100, 90)
    assert value_range(graph, "c") == (-4, 3)
