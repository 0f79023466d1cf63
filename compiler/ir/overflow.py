"""Proof that no partial sum of a layer leaves the psum width."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.ir.ops import Conv
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, WindowStage, integer_range

Ints: TypeAlias = NDArray[np.int64]

_FILTERS_AT_ONCE = 64  # a large layer's weights do not fit memory as 64-bit numbers
ACCUMULATOR_BITS = 32  # integer layers wrap here by definition: TensorFlow Lite Micro's int32


def bits_needed(node: Conv, input_dtype: str) -> int:
    """Signed bits that hold every partial sum of a layer, in whatever order its products add up.

    A partial sum adds a subset of a window's products, each of which takes any value between that
    of the lowest and that of the highest input (and 0, for padding). The extremes of such sums are
    those of all products that are negative, and of all that are positive, at their worst.
    """
    low, high = sum_range(node, input_dtype)
    return max(1, _signed_bits(int(low.min())), _signed_bits(int(high.max())))


def sum_range(node: Conv, input_dtype: str) -> tuple[Ints, Ints]:
    """Lowest and highest partial sum [M] of every filter, bias not included."""
    parts = [
        _extremes(node, input_dtype, slice(first, first + _FILTERS_AT_ONCE))
        for first in range(0, len(node.weights), _FILTERS_AT_ONCE)
    ]
    low, high = zip(*parts, strict=True)
    return np.concatenate(low), np.concatenate(high)


def check_overflow(config: Config, node: Conv, input_dtype: str, *, wrap: bool) -> None:
    """Refuses a layer whose psums might wrap, unless `wrap` says that wrapping is meant.

    With 32 bits or more, psums of integer layers wrap modulo 2^32 as the layer's own definition
    does (the output stage reduces wider ones), so that nothing has to be proved. Sums of 64 bits
    never wrap by their definition, and `wrap` does not change that.
    """
    whole = isinstance(node.stage, Requant) and node.stage.wide
    if wrap and not whole:
        return
    wide = config.array.psum_width >= ACCUMULATOR_BITS
    if wide and isinstance(node.stage, Requant) and not whole:
        return
    need = bits_needed(node, input_dtype)
    if need > config.array.psum_width:
        remedy = "a configuration with wider psums helps" if whole else "--wrap lets them wrap"
        raise RowforgeError(
            f"{node.name}: array.psum_width must be at least {need} (its partial sums take {need} "
            f"bits), "
            f"not {config.array.psum_width}; {remedy}"
        )


def _extremes(node: Conv, input_dtype: str, filters: slice) -> tuple[Ints, Ints]:
    """Lowest and highest partial sum of some filters, bias not included; an entry a filter."""
    least, most = (bound - node.input_zero_point for bound in integer_range(input_dtype))
    least, most = min(least, 0), max(most, 0)
    zeros = np.broadcast_to(node.weight_zero_point, len(node.weights))[filters]
    weights = node.weights[filters].astype(np.int64) - zeros.reshape(-1, 1, 1, 1)
    window = node.stage.window if isinstance(node.stage, WindowStage) else 0
    ends = [(weights * least) >> window, (weights * most) >> window]
    flat = [np.reshape(end, (len(weights), -1)) for end in ends]
    low, high = np.minimum(*flat), np.maximum(*flat)
    if window:
        # A small negative product is rounded down to -1 whatever the input.
        low = np.minimum(low, np.where(np.reshape(weights, low.shape) != 0, -1, 0))
    return np.minimum(low, 0).sum(axis=1), np.maximum(high, 0).sum(axis=1)


def _signed_bits(value: int) -> int:
    return (value if value >= 0 else ~value).bit_length() + 1
