"""A program in the form of the C runtime."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from hw.arch.commands import COMMAND_SET_VERSION
from hw.arch.errors import RowforgeError
from hw.arch.images.board_program import board_program
from hw.arch.program import Program, Words
from sw_driver.c.memory_plan import MemoryPlan, plan_memory, separate_states, touched
from sw_driver.c.pool import WordPool, real_bits
from sw_driver.c.records import (
    C_MAGIC,
    C_PROGRAM,
    C_STATE,
    C_STEP,
    C_TENSOR,
    C_VERSION,
    C_WALK,
    MOST_RANK,
    ElementType,
    StepKind,
)
from sw_driver.c.steps import (
    RuntimeStep,
    image_steps,
    memory_steps,
    replay_steps,
    stream_steps,
)

_MOST_TENSORS = (1 << 16) - 1


@dataclass(frozen=True)
class ExportedProgram:
    """A program for the C runtime.

    Attributes
    ----------
    name : of the program
    words : what the runtime reads
    memory : bytes of working memory that it needs
    host_steps : names of the host's steps, each once
    replayed : whether it is written to the board's memory and replayed from there
    """

    name: str
    words: Words
    memory: int
    host_steps: tuple[str, ...]
    replayed: bool


def export_program(
    program: Program, *, counters: bool = False, stream: bool = False
) -> ExportedProgram:
    """The words of a program for the C runtime.

    Parameters
    ----------
    program : Program
    counters : bool
        Keep the program's queries, whose counter blocks the runtime hands to its user.
    stream : bool
        Send the commands for every run also where the board has a memory for them.

    Raises
    ------
    RowforgeError
        If the program does not fit the board's memory, or has what the form cannot hold.
    """
    chosen = program if counters else program.uncounted()
    replayed = chosen.config.memory.present and not stream
    once = list(memory_steps(chosen))
    if replayed:
        board = board_program(chosen)
        once += image_steps(board)
        steps = list(replay_steps(board))
    else:
        steps = list(stream_steps(chosen))
    once, steps = joined(once), joined(steps)
    chosen, steps = separate_states(chosen, steps)
    _check(chosen, steps)
    plan = plan_memory(chosen, steps)
    words = _Writer(chosen, once, steps, plan).words()
    names = dict.fromkeys(step.host.op for step in steps if step.host is not None)
    return ExportedProgram(chosen.name, words, plan.size, tuple(names), replayed)


def joined(steps: Iterable[RuntimeStep]) -> list[RuntimeStep]:
    """The same steps, words that leave one after another as one step."""
    found: list[RuntimeStep] = []
    for step in steps:
        before = found[-1] if found else None
        if before is not None and before.kind is step.kind is StepKind.SEND and not step.wait:
            found[-1] = replace(before, words=np.concatenate([before.words, step.words]))
        else:
            found.append(step)
    return found


def _check(program: Program, steps: Sequence[RuntimeStep]) -> None:
    """Refuse what the form cannot hold, and a program that reads what it does not have."""
    tensors = program.tensors
    if len(tensors) > _MOST_TENSORS:
        raise RowforgeError(
            f"{program.name} has {len(tensors)} tensors: a program for the C runtime must have at "
            f"most {_MOST_TENSORS}"
        )
    for spec in tensors:
        if len(spec.shape) > MOST_RANK:
            raise RowforgeError(
                f"tensor {spec.name} has {len(spec.shape)} axes: the C runtime takes {MOST_RANK}"
            )
    there = {*program.inputs, *program.constants}
    for step in steps:
        read = step.host.inputs if step.host is not None else ()
        if step.kind is StepKind.PACK:
            read = (step.tensor,)
        missing = sorted(set(read) - there) + [t for t in touched(step) if t >= len(tensors)]
        if missing:
            raise RowforgeError(
                f"the program reads tensor {tensors[missing[0]].name} before it has one"
            )
        there |= set(touched(step))
    for tensor in (*program.outputs, *(state.write for state in program.states)):
        if tensor not in there:
            raise RowforgeError(f"the program never computes tensor {tensors[tensor].name}")


class _Writer:
    """Makes the words of a program."""

    def __init__(
        self,
        program: Program,
        once: Sequence[RuntimeStep],
        steps: Sequence[RuntimeStep],
        plan: MemoryPlan,
    ):
        self._program = program
        self._plan = plan
        self._number = {tensor: number for number, tensor in enumerate(plan.places)}
        self._once = len(once)
        self._steps = [*once, *steps]
        tables = (
            C_TENSOR.words * len(plan.places)
            + len(program.inputs)
            + len(program.outputs)
            + C_STATE.words * len(program.states)
            + C_STEP.words * len(self._steps)
        )
        self._pool = WordPool(C_PROGRAM.words + tables)

    def words(self) -> Words:
        """All words, with the header first and the checksum last."""
        tables = [
            *self._tensor_table(),
            *(self._number[tensor] for tensor in self._program.inputs),
            *(self._number[tensor] for tensor in self._program.outputs),
            *self._state_table(),
            *self._step_table(),
        ]
        pool = self._pool.words
        length = C_PROGRAM.words + len(tables) + len(pool) + 1
        header = C_PROGRAM.pack(
            {
                "magic": C_MAGIC,
                "version": C_VERSION,
                "command_set": COMMAND_SET_VERSION,
                "tensors": len(self._plan.places),
                "inputs": len(self._program.inputs),
                "outputs": len(self._program.outputs),
                "states": len(self._program.states),
                "words": length,
                "steps": len(self._steps),
                "once": self._once,
                "memory": self._plan.size,
            }
        )
        words = np.concatenate([np.array([*header, *tables], dtype=np.uint64), pool])
        return np.append(words, np.uint64(zlib.crc32(words.astype("<u8").tobytes())))

    def _tensor_table(self) -> Iterable[int]:
        for tensor, place in self._plan.places.items():
            spec, constant = self._program.tensors[tensor], self._program.constants.get(tensor)
            yield from C_TENSOR.pack(
                {
                    "type": ElementType[spec.dtype.upper()],
                    "rank": len(spec.shape),
                    "elements": prod(spec.shape),
                    "place": place,
                    "shape": self._pool.add(spec.shape),
                    "constant": 0 if constant is None else self._pool.add_array(constant),
                    "scale": real_bits(spec.scale),
                    "zero_point": spec.zero_point,
                }
            )

    def _state_table(self) -> Iterable[int]:
        for state in self._program.states:
            yield from C_STATE.pack(
                {"read": self._number[state.read], "write": self._number[state.write]}
            )

    def _step_table(self) -> Iterable[int]:
        own: set[int] = set()  # tensors that blocks have begun to fill
        stored: dict[int, int] = {}  # tensor: steps up to the last block that goes to it
        for number, step in enumerate(self._steps):
            clear = step.kind is StepKind.TAKE and step.tensor not in own
            after = stored.get(step.tensor, 0) if step.kind is StepKind.PACK else 0
            yield from C_STEP.pack(
                {
                    "kind": step.kind,
                    "block": step.block,
                    "tensor": self._number.get(step.tensor, 0),
                    "layer": step.layer,
                    "clear": clear,
                    "repeated": step.repeated,
                    "first": self._position(step),
                    "count": step.count or len(step.words),
                    "after": number if step.wait else after,
                    "skip": step.skip,
                }
            )
            if step.kind is StepKind.TAKE:
                own.add(step.tensor)
                stored[step.tensor] = number + 1
            elif step.host is not None:
                own -= set(step.host.outputs)

    def _position(self, step: RuntimeStep) -> int:
        if step.host is not None:
            host = step.host
            inputs, outputs = (
                [self._number[t] for t in side] for side in (host.inputs, host.outputs)
            )
            return self._pool.add_host_step(host.op, inputs, outputs, host.attributes)
        if step.walk:
            return self._pool.add_record(C_WALK, step.walk)
        return self._pool.add(step.words) if len(step.words) else 0
