"""Zeros in the inputs and filters of a case: how many, and in which shape they come."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DENSITIES = (0.0, 0.1, 0.5, 0.9, 1.0)
"""Shares of values that are not the zero point; with the last one, values stay as drawn."""

SHAPES = ("anywhere", "channels", "rows", "columns")
"""What is zero together: single values, or whole channels, rows or columns of an item."""


WEIGHT_DENSITIES = (0.0, 0.1, 0.3, 0.6, 1.0)
"""The same of weights, where filters may come as codes."""


def thinned(
    rng: np.random.Generator, values: Array, zero: int | Array, density: float, shape: str
) -> Array:
    """The values [..., C] with the zero point in the place of all but a share of `density`."""
    if density == 1:
        return values
    axes = {"channels": values.ndim - 1, "rows": 1, "columns": 2}
    axis = axes.get(shape, -1)
    if shape == "anywhere" or axis >= values.ndim:
        kept = rng.random(values.shape) < density
    else:
        sizes = [1] * values.ndim
        sizes[0], sizes[axis] = values.shape[0], values.shape[axis]
        kept = np.broadcast_to(rng.random(sizes) < density, values.shape)
    return np.where(kept, values, np.asarray(zero, values.dtype))
