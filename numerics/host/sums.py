"""The end of a product whose result is a float number: integer sums become real ones."""

import numpy as np
import numpy.typing as npt

from numerics.registry import Array, host_step

UNROUNDED = "its result is not quantised"
"""How the reason begins for which a layer ends with `finish_sums`; reports look for it."""

IN_PARTS = "its sums may exceed 32 bits"
"""How the reason begins for which a layer ends with `round_sums`; reports look for it."""


@host_step
def finish_sums(*sums: Array, scale: tuple[float, ...], addend: tuple[float, ...]) -> Array:
    """x * scale + addend in float64, rounded to float32: one of each for all columns or for each.

    x is the sum of the inputs. Columns lie side by side in memory, whatever axis of `x` they are.
    No order of float32 additions comes closer to the real number.
    """
    with np.errstate(over="ignore"):
        return np.asarray(_real(sums, scale, addend), dtype=np.float32).reshape(sums[0].shape)


@host_step
def round_sums(
    *sums: Array,
    scale: tuple[float, ...],
    addend: tuple[float, ...],
    zero_point: int,
    low: int,
    high: int,
    dtype: str,
) -> Array:
    """As `finish_sums`, but rounded to integers, ties to even, and clamped: stored values."""
    rounded = np.rint(_real(sums, scale, addend)) + zero_point
    return np.asarray(np.clip(rounded, low, high), dtype=dtype).reshape(sums[0].shape)


def _real(
    sums: tuple[Array, ...], scale: tuple[float, ...], addend: tuple[float, ...]
) -> npt.NDArray[np.float64]:
    """[..., columns] in float64, which holds every sum of less than 2^53 exactly."""
    columns = max(len(scale), len(addend))
    total = np.zeros((sums[0].size // columns, columns))
    for part in sums:
        total += part.reshape(-1, columns)
    return np.asarray(total * np.asarray(scale) + np.asarray(addend))
