"""The one registry of host steps: operators that the host computes between accelerator layers.

A step is a function of arrays by position and plain parameters by name. It stands in the registry
under its own name as soon as its module is imported, and `numerics.host` imports them all.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from numpy.typing import NDArray

from hw.arch.errors import RowforgeError

Array: TypeAlias = NDArray[Any]
StepFunction: TypeAlias = Callable[..., "Array | list[Array]"]
_F = TypeVar("_F", bound=Callable[..., Any])

STEPS: dict[str, StepFunction] = {}


def host_step(function: _F) -> _F:
    """Decorator: registers a step under the function's name, less a trailing underscore.

    Raises `RowforgeError` if another function has that name already.
    """
    name = function.__name__.rstrip("_")
    if STEPS.setdefault(name, function) is not function:
        raise RowforgeError(f"host step {name} is registered already")
    return function


def run_host(step: str, inputs: Sequence[Array], parameters: Mapping[str, Any]) -> list[Array]:
    """The outputs of one step.

    Raises `RowforgeError` for an unknown step (of a program of another version, or not registered),
    and for inputs and parameters that do not suit it.
    """
    if step not in STEPS:
        raise RowforgeError(f"host step must be one of {', '.join(sorted(STEPS))}, not {step!r}")
    try:
        result = STEPS[step](*inputs, **parameters)
    except RowforgeError:
        raise
    except (TypeError, ValueError, IndexError) as error:
        raise RowforgeError(f"host step {step} cannot be computed: {error}") from error
    return result if isinstance(result, list) else [result]
