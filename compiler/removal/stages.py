"""What output stages make of known numbers, by the arithmetic of the host's steps."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from compiler.ir.host_convolution import STEP, conv_step
from compiler.ir.ops import Add, Conv
from numerics.host import run_host
from numerics.quantisation import Requant, WindowStage, add_multipliers
from numerics.rounding import add_fixed

Ints = NDArray[np.int64]


def stage_values(accumulators: Ints, stage: Requant | WindowStage) -> Ints:
    """Stored values [M] of accumulators [M], bias included, that have not wrapped yet."""
    node = Conv(
        name="stage",
        op="CONV_2D",
        inputs=("x",),
        output="y",
        image=(1, 1, 1),
        weights=np.zeros((len(accumulators), 1, 1, 1), dtype=np.int8),
        weight_zero_point=np.zeros(1, dtype=np.int64),
        bias=accumulators,
        input_zero_point=0,
        stage=stage,
    )
    step = conv_step(node, None)
    nothing = np.zeros((1, 1, 1, 1), dtype=np.int8)
    values = run_host(STEP, [nothing, *step.constants.values()], step.parameters)[0]
    return values.reshape(-1).astype(np.int64)


def smaller_stage(stage: Requant | WindowStage, flags: NDArray[np.bool_]) -> Requant | WindowStage:
    """An output stage for the channels of `flags` alone."""
    if not isinstance(stage, Requant):
        return stage
    scale, offset = (a if a.size == 1 else a[flags] for a in (stage.scale, stage.offset))
    return replace(stage, scale=scale, offset=offset)


def sum_values(node: Add, a: Ints, b: Ints) -> Ints:
    """Stored values of the sums of two operands' stored values."""
    integers = add_multipliers(*node.scales, node.output_scale)
    first, second = node.zero_points
    total = add_fixed(a - first, b - second, integers) + node.output_zero_point
    return np.asarray(np.clip(total, node.low, node.high))
