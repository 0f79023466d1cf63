"""Operators that the host computes between accelerator layers, found by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.errors import RowforgeError

Array: TypeAlias = NDArray[Any]
HostOp: TypeAlias = Callable[..., "Array | list[Array]"]


def reshape(x: Array, *, shape: Sequence[int]) -> Array:
    """The same elements in another shape; one size may be -1."""
    return x.reshape(tuple(shape))


def transpose(x: Array, *, permutation: Sequence[int]) -> Array:
    """Axis i of the result is axis permutation[i] of the input."""
    return np.ascontiguousarray(x.transpose(tuple(permutation)))


def concat(*inputs: Array, axis: int) -> Array:
    """The inputs one behind the other along an axis."""
    return np.concatenate(inputs, axis=axis)


def pad(x: Array, *, before: Sequence[int], after: Sequence[int], value: float = 0) -> Array:
    """Elements of `value` before and after each axis."""
    return np.pad(x, list(zip(before, after, strict=True)), constant_values=value)


def slice_(
    x: Array, *, start: Sequence[int], stop: Sequence[int], step: Sequence[int] | None = None
) -> Array:
    """Half-open ranges of every axis."""
    steps = [1] * x.ndim if step is None else step
    ranges = zip(start, stop, steps, strict=True)
    return np.ascontiguousarray(x[tuple(slice(*range_) for range_ in ranges)])


OPERATORS: dict[str, HostOp] = {
    "Reshape": reshape,
    "Transpose": transpose,
    "Concat": concat,
    "Pad": pad,
    "Slice": slice_,
}
"""Function of every operator: arrays by position, attributes by name, one array or a list back."""


def register_host_op(name: str, function: HostOp) -> None:
    """Make an operator known; `RowforgeError` if the name is taken by another function."""
    if OPERATORS.setdefault(name, function) is not function:
        raise RowforgeError(f"host operator {name} is registered already")


def run_host(op: str, inputs: Sequence[Array], attributes: Mapping[str, Any]) -> list[Array]:
    """Compute one operator.

    Raises `RowforgeError` for an unknown operator, or inputs and attributes that do not suit it.
    """
    if op not in OPERATORS:
        raise RowforgeError(f"host operator must be one of {', '.join(OPERATORS)}, not {op!r}")
    try:
        result = OPERATORS[op](*inputs, **attributes)
    except RowforgeError:
        raise
    except (TypeError, ValueError, IndexError) as error:
        raise RowforgeError(f"host operator {op} cannot be computed: {error}") from error
    return result if isinstance(result, list) else [result]
