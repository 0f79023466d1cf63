"""The end of a product whose result is a float number: integer sums become real ones."""

import numpy as np

from numerics.registry import Array, host_step

UNROUNDED = "its result is not quantised"
"""How the reason begins for which a layer ends with `finish_sums`; reports look for it."""


@host_step
def finish_sums(x: Array, *, scale: tuple[float, ...], addend: tuple[float, ...]) -> Array:
    """x * scale + addend in float64, rounded to float32: one of each for all columns or for each.

    Columns lie side by side in memory, whatever axis of `x` they are. No order of float32 additions
    comes closer to the real number.
    """
    rows = x.reshape(-1, max(len(scale), len(addend))).astype(np.float64)
    with np.errstate(over="ignore"):
        real = rows * np.asarray(scale) + np.asarray(addend)
        return np.asarray(real, dtype=np.float32).reshape(x.shape)
