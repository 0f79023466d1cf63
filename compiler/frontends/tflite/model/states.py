"""The states of a model while its operators are converted."""

from collections.abc import Hashable

from compiler.ir.graph import GraphState
from compiler.ir.ops import Array


class StateTable:
    """States by whatever tells them apart: which tensor each is by now.

    A state is begun by an operator that needs what the inference before left, and each operator
    that changes it keeps another tensor. One that is kept before anything begins it needs nothing
    of the inference before.
    """

    def __init__(self) -> None:
        self._found: dict[Hashable, tuple[str, Array]] = {}
        self._now: dict[Hashable, str] = {}

    def __contains__(self, state: Hashable) -> bool:
        return state in self._now

    def __getitem__(self, state: Hashable) -> str:
        """The key of the tensor that a state is by now."""
        return self._now[state]

    def begin(self, state: Hashable, key: str, initial: Array) -> None:
        """A state is what the inference before left, in the tensor of this key."""
        self._found[state] = key, initial
        self._now[state] = key

    def keep(self, state: Hashable, key: str) -> None:
        """A state is the tensor of this key from here on, and for the next inference."""
        self._now[state] = key

    def of_graph(self) -> tuple[GraphState, ...]:
        """All that one inference leaves to the next."""
        return tuple(
            GraphState(read=key, write=self._now[state], initial=initial)
            for state, (key, initial) in self._found.items()
        )
