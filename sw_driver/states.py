"""What the driver keeps of a program's states from one run to the next."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from numpy.typing import NDArray

from hw.arch.program import Program

Array: TypeAlias = NDArray[Any]


class CarriedStates:
    """The states of the program that ran last, by the tensors in which a run finds them.

    They change only when a run has ended well, so that one that failed can be repeated: it finds
    what it found before.
    """

    def __init__(self) -> None:
        self._program: Program | None = None
        self._values: dict[int, Array] = {}

    def found_by(self, program: Program) -> dict[int, Array]:
        """What the next run finds: initial values, if another program ran last or none."""
        if self._program is program:
            return dict(self._values)
        return {state.read: program.constants[state.read] for state in program.states}

    def keep(self, program: Program, values: Mapping[int, Array]) -> None:
        """Note what the next run of this program finds."""
        self._program, self._values = program, dict(values)

    def reset(self) -> None:
        """Let the next run find initial values."""
        self._program, self._values = None, {}
