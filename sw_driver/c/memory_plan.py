"""Where each tensor lies in the working memory of the C runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from hw.arch.errors import RowforgeError
from hw.arch.images.placing import Lifetime, place
from hw.arch.program import Host, Program, TensorSpec
from sw_driver.c.records import ALIGNMENT, StepKind
from sw_driver.c.steps import RuntimeStep


@dataclass(frozen=True)
class MemoryPlan:
    """First byte of each tensor that has a place, and the bytes of all together.

    A tensor that lives on the accelerator alone has none.
    """

    places: Mapping[int, int]
    size: int


def plan_memory(program: Program, steps: Sequence[RuntimeStep]) -> MemoryPlan:
    """Tensors share memory unless they live at the same time.

    Constants and states keep their places from run to run; inputs are there when a run begins, and
    outputs when it has ended.

    Parameters
    ----------
    program : Program
        As `separate_states` returns it.
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
    for tensor in (*program.outputs, *(state.write for state in program.states)):
        touch(tensor, last)
    for tensor in (set(program.constants) & set(spans)) | {state.read for state in program.states}:
        spans[tensor] = -1, last
    order = sorted(spans)
    starts, size = place(
        [Lifetime(_units(program.tensors[tensor]), *spans[tensor]) for tensor in order]
    )
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
) -> tuple[Program, list[RuntimeStep]]:
    """The program and its steps with copies of what lies where a run finds a state.

    When a run has ended, the runtime copies states one after another to where the next run finds
    them. Such a place must hold neither the source of another copy nor an output, which the user
    reads after that: these are copied to tensors of their own first.
    """
    tensors, more = list(program.tensors), list(steps)
    copies: dict[int, int] = {}

    def apart(tensor: int) -> int:
        if tensor not in found:
            return tensor
        if tensor not in copies:
            copies[tensor] = len(tensors)
            tensors.append(tensors[tensor])
            attributes = {"shape": tensors[tensor].shape}
            host = Host("reshape", (tensor,), (copies[tensor],), attributes)
            more.append(RuntimeStep(StepKind.HOST, host=host, wait=True))
        return copies[tensor]

    found = {state.read for state in program.states}
    states = tuple(replace(state, write=apart(state.write)) for state in program.states)
    outputs = tuple(apart(tensor) for tensor in program.outputs)
    return replace(program, tensors=tuple(tensors), states=states, outputs=outputs), more


def _units(spec: TensorSpec) -> int:
    return -(-prod(spec.shape) * np.dtype(spec.dtype).itemsize // ALIGNMENT)
