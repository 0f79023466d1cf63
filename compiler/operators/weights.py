"""Weights and bias of a convolution as the array can take them."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.ir.ops import Conv
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from numerics.gemmlowp import wrap
from numerics.quantisation import Requant

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class StoredWeights:
    """Signed stored weights [M, R, S, C/G] with the zero point that the PEs subtract."""

    values: NDArray[Any]
    zero: int


def stored_weights(config: Config, node: Conv) -> StoredWeights:
    """Weights as the filter scratchpad can take them.

    Less their zero points where that fits the data width; otherwise with one common offset, which
    the PEs subtract again.
    """
    dtype = np.int8 if config.array.data_width == 8 else np.int16
    if node.weights.dtype == dtype and not np.any(node.weight_zero_point):
        return StoredWeights(node.weights, 0)
    centred = node.weights.astype(np.int64) - node.weight_zero_point.reshape(-1, 1, 1, 1)
    limits = np.iinfo(dtype)
    low, high = min(int(centred.min()), 0), max(int(centred.max()), 0)
    if limits.min <= low and high <= limits.max:
        return StoredWeights(centred.astype(dtype), 0)
    if not config.pe.weight_zero_points:
        raise RowforgeError(
            f"{node.name}: pe.weight_zero_points must be true for weights of {low} to {high} less "
            f"their zero point, not false"
        )
    if high - low > limits.max - limits.min:
        raise RowforgeError(
            f"{node.name}: weights less their zero points must span "
            f"{config.array.data_width} bits, not {low} to {high}"
        )
    zero = limits.min - low
    return StoredWeights((centred + zero).astype(dtype), zero)


def array_zero_point(config: Config, node: Conv) -> int:
    """What the array subtracts from every activation: 16-bit operands have no bit for that."""
    return node.input_zero_point if config.array.data_width == 8 else 0


def array_bias(config: Config, node: Conv) -> Ints:
    """The bias [M] with what the zero point takes from a sum where the array does not subtract it.

    Without padding every window has all of a filter's weights. Sums of 32 bits wrap, and the bias
    with them.
    """
    zero = node.input_zero_point - array_zero_point(config, node)
    if zero == 0:
        return node.bias
    weights = node.weights.reshape(len(node.weights), -1).sum(axis=1, dtype=np.int64)
    weights = weights - node.weight_zero_point * node.weights[0].size
    bias: Ints = node.bias - zero * weights
    wide = isinstance(node.stage, Requant) and node.stage.wide
    return bias if wide else wrap(bias, 32)
