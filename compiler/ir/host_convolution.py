"""A convolution as a step on the host, for layers that an array cannot map.

The step (`numerics.host.convolution`) is called with the layer's tensors as arrays, so that a
program file keeps weights as it keeps every other array; `conv_step` makes both.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.ir.ops import Conv
from numerics.host.convolution import AFFINE
from numerics.quantisation import (
    RoundingRule,
    WindowStage,
    addends,
    float_scales,
    multipliers,
    short_multipliers,
)

Array = npt.NDArray[Any]
STEP = "conv"


@dataclass(frozen=True)
class ConvStep:
    """A convolution as a host step: constant operands after the activation, and parameters."""

    constants: dict[str, Array]
    parameters: dict[str, Any]


def conv_step(node: Conv, psum_width: int | None) -> ConvStep:
    """The step of a layer; `psum_width`: partial sums wrap to that many bits, None: they do not."""
    M = len(node.weights)
    stage = node.stage
    parameters: dict[str, Any] = {
        "image": node.image,
        "stride": node.stride,
        "pad": node.pad,
        "dilation": node.dilation,
        "groups": node.groups,
        "input_zero_point": node.input_zero_point,
        "psum_width": psum_width or 0,
        "low": stage.low,
        "high": stage.high,
        "dtype": stage.dtype,
    }
    if isinstance(stage, WindowStage):
        mode = "window"
        factors: Array = np.array([[stage.window], [stage.shift]], dtype=np.int64)
        parameters["zero_point"] = 0
    else:
        mode = stage.rounding.value
        parameters["zero_point"] = stage.zero_point
        if stage.affine:
            pair = multipliers(stage, M)
            mode, factors = AFFINE, np.stack([pair.multiplier, pair.shift, addends(stage, M)])
        elif stage.rounding is RoundingRule.ORT:
            factors = float_scales(stage, M).reshape(1, M)
        else:
            pair = (short_multipliers if stage.wide else multipliers)(stage, M)
            factors = np.stack([pair.multiplier, pair.shift])
    parameters["mode"] = mode
    constants = {
        "weights": node.weights,
        "weight zero point": node.weight_zero_point,
        "bias": node.bias,
        "factors": factors,
    }
    return ConvStep(constants, parameters)
