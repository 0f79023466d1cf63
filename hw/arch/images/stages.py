"""A program's steps in stages: what is replayed in one go, and what the host computes between."""

from collections.abc import Iterable
from dataclasses import dataclass

from hw.arch.errors import RowforgeError
from hw.arch.program import Host, Load, Program, Send, Step, Store

Replayed = tuple[Step, ...]
Stage = Replayed | Host
"""Steps of the accelerator that need nothing of the host but what it has before the first of them;
or a step of the host."""


@dataclass(frozen=True)
class TensorSources:
    """Where the tensors of a program come from and go to.

    Attributes
    ----------
    stored : tensors that the accelerator stores
    loaded : tensors that it loads
    hosted : tensors that it stores and the host needs: as outputs or states, or for its steps
    """

    stored: frozenset[int]
    loaded: frozenset[int]
    hosted: frozenset[int]

    @classmethod
    def of(cls, program: Program) -> "TensorSources":
        """Those of a program."""
        stored = frozenset(step.tensor for step in program.steps if isinstance(step, Store))
        loaded = frozenset(step.tensor for step in program.steps if isinstance(step, Load))
        needed = {*program.outputs, *(state.write for state in program.states)}
        for step in program.steps:
            if isinstance(step, Host):
                needed |= set(step.inputs)
        return cls(stored, loaded, stored & needed)


def stages(program: Program, through_host: Iterable[int]) -> list[Stage]:
    """The stages of a program, in order.

    Steps of the host that need no result of the accelerator come first, others as late as they may:
    each of them costs a RUN of its own.

    Parameters
    ----------
    program : Program
    through_host : tensors that the accelerator stores but loads from the host
    """
    late = set(through_host) | {s.tensor for s in program.steps if isinstance(s, Store)}
    hosted = set(through_host)
    first: list[Stage] = []
    found: list[Stage] = []
    waiting: list[Host] = []
    pending: set[int] = set()  # tensors that the host has only after the present stage
    present: list[Step] = []
    for step in program.steps:
        if isinstance(step, Host):
            if late & set(step.inputs):
                late |= set(step.outputs)
                waiting.append(step)
                pending |= set(step.outputs)
            else:
                first.append(step)
            continue
        if isinstance(step, Load) and step.tensor in pending:
            found += [tuple(present), *waiting]
            present, waiting = [], []
            pending.clear()
        if isinstance(step, Store) and step.tensor in hosted:
            pending.add(step.tensor)
        present.append(step)
    return [*first, *found, tuple(present), *waiting]


def split_begin(steps: Replayed, length: int) -> Replayed:
    """The steps without the first words of the program, which the replayer sends itself."""
    first = steps[0]
    if not isinstance(first, Send) or len(first.words) < length:
        raise RowforgeError("a program must begin with the words that say whom it is for")
    rest = Send(first.words[length:], first.layer)
    return (rest, *steps[1:]) if len(rest.words) else steps[1:]
