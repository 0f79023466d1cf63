"""Weights of a convolution as the filter scratchpads can take them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.ir.ops import Conv
from hw.arch.config import Config
from hw.arch.errors import RowforgeError


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
