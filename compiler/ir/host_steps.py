"""The integers that host steps need, derived from scales as TensorFlow Lite Micro derives them."""

from math import floor, prod
from typing import Any

from compiler.ir.ops import HostStep, Rescale
from hw.arch.errors import RowforgeError
from numerics.quantisation import quantise_multiplier

_DIFFERENCE_INTEGER_BITS = 5  # differences to a row's maximum are scaled to Q5.26


def softmax_parameters(scale: float, beta: float) -> dict[str, int]:
    """Multiplier and shift to Q5.26 and the least difference that counts, for `softmax`."""
    fraction_bits = 31 - _DIFFERENCE_INTEGER_BITS
    real = min(beta * scale * 2.0**fraction_bits, 2.0**31 - 1.0)
    if real <= 1.0:
        raise RowforgeError(f"a softmax's scale * beta must exceed 2^-26, not {scale * beta!r}")
    multiplier, shift = quantise_multiplier(real)
    radius = ((1 << _DIFFERENCE_INTEGER_BITS) - 1) * 2.0 ** (fraction_bits - shift)
    return {"multiplier": multiplier, "shift": shift, "least": -floor(radius)}


def log_softmax_parameters(scale: float) -> dict[str, int]:
    """The same and the way back from Q5.26, for `numerics.host.tflm.log_softmax`."""
    parameters = softmax_parameters(scale, 1.0)
    real = 2.0 ** (31 - parameters["shift"]) / parameters["multiplier"]
    multiplier, shift = quantise_multiplier(real)
    return {**parameters, "back_multiplier": multiplier, "back_shift": shift}


def mean_parameters(
    shape: tuple[int, ...], axes: tuple[int, ...], scale: float, input_zero_point: int
) -> dict[str, Any]:
    """Axes, offset, multiplier and shift for `mean`; `scale` is input over output scale.

    The division by the n averaged values is folded into the multiplier: it is shifted left as far
    as n allows and divided, the quotient truncated.
    """
    count = prod(shape[axis] for axis in axes)
    multiplier, shift = quantise_multiplier(scale)
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    return {
        "axes": axes,
        "offset": input_zero_point * count,
        "multiplier": (multiplier << extra) // count,
        "shift": shift - extra,
    }


def rescale_step(node: Rescale) -> HostStep:
    """A rescaling served by the host instead of the array, in the node's own rounding mode."""
    stage = node.stage
    scale = float(stage.scale[0])
    if stage.channels != 1:
        raise RowforgeError(f"{node.name}: per-channel rescaling must stay on the array")
    if stage.affine:
        raise RowforgeError(f"{node.name}: rescaling with an offset must stay on the array")
    multiplier, shift = quantise_multiplier(scale)
    return HostStep(
        name=node.name,
        op=node.op,
        inputs=node.inputs,
        output=node.output,
        folded=node.folded,
        function="rescale",
        parameters={
            "input_zero_point": node.input_zero_point,
            "rounding_mode": stage.rounding.value,
            "scale": scale,
            "multiplier": multiplier,
            "shift": shift,
            "zero_point": stage.zero_point,
            "low": stage.low,
            "high": stage.high,
            "dtype": stage.dtype,
        },
    )
