"""Where each tensor lies in the working memory of the C runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from hw.arch.errors import RowforgeError
from hw.arch.images.placing import Lifetime, place
from hw.arch.program import Host, Program, ProgramState, TensorSpec
from sw_driver.c.records import ALIGNMENT, StepKind
from sw_driver.c.steps import RuntimeStep


@dataclass(frozen=True)
class MemoryPlan:
    """First byte of each tensor that has a place, and the bytes of all together.

    A tensor that lives on the accelerator alone has none.
    """

    places: Mapping[int, int]
    size: int


def plan_memory(
    program: Program, tensors: Sequence[TensorSpec], states: Sequence[ProgramState],
    steps: Sequence[RuntimeStep],
) -> MemoryPlan:  # fmt: skip
    """Tensors share memory unless they live at the same time.

    Constants and states keep their places from run to run; inputs are there when a run begins, and
    outputs when it has ended.

    Parameters
    ----------
    program : Program
    tensors, states : of the program, with those that the export has added
    steps : of a run
    """
    last = len(steps)
    spans: dict[int, tuple[int, int]] = {}

    def touch(tensor: int, step: int) -> None:
        first, end = spans.get(tensor, (step, step))
        spans[tensor] = min(first, step), max(end, step)

    for number, step in enumerate(steps):
        for tensor in touched(step):
            touch(tensor, number)
    for tensor in program.inputs:
        touch(tensor, -1)
    for tensor in (*program.outputs, *(state.write for state in states)):
        touch(tensor, last)
    for tensor in (set(program.constants) & set(spans)) | {state.read for state in states}:
        spans[tensor] = -1, last
    order = sorted(spans)
    starts, size = place([Lifetime(_units(tensors[tensor]), *spans[tensor]) for tensor in order])
    found = dict(zip(order, starts, strict=True))
    if size * ALIGNMENT >= 1 << 32:
        raise RowforgeError(
            f"{program.name} takes {size * ALIGNMENT} bytes of working memory, and the C runtime "
            "has at most 4 GiB: the model must be smaller"
        )
    places = {tensor: start * ALIGNMENT for tensor, start in found.items()}
    return MemoryPlan(places, size * ALIGNMENT)


def touched(step: RuntimeStep) -> tuple[int, ...]:
    """The tensors whose memory a step reads or writes."""
    if step.host is not None:
        return (*step.host.inputs, *step.host.outputs)
    return (step.tensor,) if step.kind in (StepKind.PACK, StepKind.TAKE) else ()


def separate_states(
    program: Program, steps: Sequence[RuntimeStep]
) -> tuple[list[TensorSpec], list[ProgramState], list[RuntimeStep]]:
    """Tensors, states and steps in which no state leaves its value where another one is found.

    The runtime copies states one after another when a run has ended, so that one must not overwrite
    what the next one copies. A value that does lie there is copied to a tensor of its own first.
    """
    tensors, more = list(program.tensors), list(steps)
    found = {state.read for state in program.states}
    states = []
    for state in program.states:
        if state.write in found:
            copy = len(tensors)
            tensors.append(tensors[state.write])
            host = Host("reshape", (state.write,), (copy,), {"shape": tensors[copy].shape})
            more.append(RuntimeStep(StepKind.HOST, host=host, wait=True))
            state = ProgramState(state.read, copy)
        states.append(state)
    return tensors, states, more


def _units(spec: TensorSpec) -> int:
    return -(-prod(spec.shape) * np.dtype(spec.dtype).itemsize // ALIGNMENT)
