"""Runs programs on an accelerator behind a link."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from hw.arch.accesses import counter_block
from hw.arch.commands import ResultBlock
from hw.arch.config import Config
from hw.arch.config.file import RECOMPILE, config_hash, differences
from hw.arch.errors import RowforgeError
from hw.arch.images.board_program import INPUT_AREAS, BoardProgram, board_program
from hw.arch.program import Program, TensorSpec
from sw_driver.protocol.link import BoardLink, Link
from sw_driver.replaying import BoardMemory, ReplayRun
from sw_driver.results import ResultReader
from sw_driver.running import Array, ProgramRun, StreamRun
from sw_driver.states import CarriedStates

Inputs: TypeAlias = Array | Mapping[str, Array]
Progress: TypeAlias = Callable[[int, int], None]

_IN_FLIGHT = 2  # inputs on a board at once: one computes while the next one is on its way


@dataclass
class RunOutcome:
    """Results of a program for one or several inputs.

    Attributes
    ----------
    outputs : by tensor name; N in place of the batch dimension 1 for N inputs
    tensors : every tensor of the first input that the host knows, by tensor index, in the model's
        shape: inputs, constants, stored tensors, and results of host operators
    counters : hardware counters of the first input, by layer index (-1: the whole run) and counter
        name
    cycles : clock cycles of the first input, None if the link does not know; of a program in the
        board's memory those of its RUNs, as the board counts them
    memory_words : words of the command stream that filled the weight memory before the first input;
        0 where it held the program's filters already, or the program keeps none there
    image_words : words that brought the program's images to the board's memory before the first
        input; 0 where they were there already, or the board has none
    """

    outputs: dict[str, Array]
    tensors: dict[int, Array]
    counters: dict[int, dict[str, int]] = field(default_factory=dict)
    cycles: int | None = None
    memory_words: int = 0
    image_words: int = 0


class Runtime:
    """A link and the configuration of the accelerator behind it.

    After an error a board is reset, and connected to anew if the link broke, before the next run.
    The weight memory is filled when a program needs other contents than the session put there last;
    after an error it counts as empty. On a board with a memory of its own, programs are replayed
    from there. The states of a program live from run to run, until another
    program runs or `reset_states` is called. A run that fails leaves them as it found them.
    """

    def __init__(self, link: Link, config: Config):
        self.link = link
        self.config = config
        self._failed = False
        self._memory = self._empty()  # what the weight memory of every cluster holds
        self._board: BoardProgram | None = None  # of the program that ran last
        self._board_memory = BoardMemory(link) if config.memory.present else None
        self._states = CarriedStates()

    @property
    def board_memory(self) -> BoardMemory | None:
        """The memory from which programs are replayed, if the accelerator has one."""
        return self._board_memory

    def reset_states(self) -> None:
        """Let the next run find the initial values of its program's states."""
        self._states.reset()

    def run(
        self, program: Program, inputs: Inputs, *, progress: Progress | None = None
    ) -> RunOutcome:
        """Run a program once for every item of its inputs.

        Parameters
        ----------
        program : Program
        inputs : array, or mapping of arrays by tensor name
            An array serves a program with one input. Each has its tensor's element type and shape,
            with N in place of the batch dimension 1. The items of a program with states are
            consecutive steps.
        progress : callable or None
            Told the inputs done and the inputs in all, after each.

        Raises
        ------
        RowforgeError
            For a program of another configuration, or inputs that do not suit it.
        DriverError
            If the link fails, or the accelerator reports an error (`ProgramError`).
        """
        if config_hash(program.config) != config_hash(self.config):
            raise RowforgeError(
                "the program was compiled for another configuration: "
                + "; ".join(differences(self.config, program.config))
                + f"; {RECOMPILE}"
            )
        batches = split_inputs(program, inputs)
        if self._failed and isinstance(self.link, BoardLink):
            self.link.reset()
        if self._failed:
            self._memory = self._empty()
            if self._board_memory is not None:
                self._board_memory.forget()
        self._failed = True
        filled = self._fill_memory(program)
        written = self._hold_images(program)
        runs, states = self._run_all(program, batches, progress)
        self._failed = False
        self._states.keep(program, states)
        first = runs[0]
        outputs = {
            program.tensors[index].name: _join([run.tensors[index] for run in runs])
            for index in program.outputs
        }
        return RunOutcome(outputs, first.tensors, first.counters, first.cycles, filled, written)

    def _empty(self) -> list[bytes]:
        return [b""] * self.config.clusters.count

    def _fill_memory(self, program: Program) -> int:
        """Bring the program's filters into the weight memory; returns the words sent."""
        count = program.config.clusters.count
        images = [part.tobytes() for part in np.split(program.memory, count)]
        pairs = zip(self._memory, images, strict=True)
        if not all(held.startswith(image) for held, image in pairs):
            self._memory = self._empty()
            words = program.memory_stream()
            self.link.send(words)
            results = ResultReader(self.link)
            counters = counter_block(program.config).words
            for _ in images:
                results.expect(ResultBlock.COUNTERS, counters, lambda words: None)
            results.receive_until(results.expect(ResultBlock.STATUS, 1, lambda words: None))
            self._memory = images
            return len(words)
        return 0

    def _run_all(
        self, program: Program, batches: list[dict[int, Array]], progress: Progress | None
    ) -> tuple[list[ProgramRun], dict[int, Array]]:
        """One run for each input, and the states after the last one.

        On a board the next run starts before the last one ends, once it has left its states.
        """
        states = self._states.found_by(program)
        most = _IN_FLIGHT if isinstance(self.link, BoardLink) else 1
        results = ResultReader(self.link)
        runs: list[ProgramRun] = []
        under_way: deque[ProgramRun] = deque()
        for number, batch in enumerate([*batches, None]):
            while under_way and (batch is None or len(under_way) == most):
                runs.append(under_way.popleft().finish())
                if progress is not None:
                    progress(len(runs), len(batches))
            if batch is not None:
                run = self._one_run(program, batch | states, results, number).start()
                under_way.append(run)
                states = run.states()
        return runs, states

    def _one_run(
        self, program: Program, batch: dict[int, Array], results: ResultReader, number: int
    ) -> ProgramRun:
        """The run of an input, the `number`-th one."""
        if self._board_memory is None or self._board is None:
            return StreamRun(self.link, program, batch, results)
        area = number % INPUT_AREAS
        return ReplayRun(self._board_memory, self.link, self._board, batch, results, area)

    def _hold_images(self, program: Program) -> int:
        """Bring the program's images into the board's memory, if it has one; the words sent."""
        if self._board_memory is None:
            return 0
        if self._board is None or self._board.program is not program:
            self._board = board_program(program)
        return self._board_memory.hold(self._board)


def _join(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


# ---- inputs -----------------------------------------------------------------------------------


def split_inputs(program: Program, inputs: Inputs) -> list[dict[int, Array]]:
    """The input tensors of each run, by tensor index; `RowforgeError` if they do not suit."""
    names = [program.tensors[index].name for index in program.inputs]
    if not isinstance(inputs, Mapping):
        if len(names) != 1:
            raise RowforgeError(f"the program must have inputs by name: {', '.join(names)}")
        inputs = {names[0]: inputs}
    if set(inputs) != set(names):
        raise RowforgeError(
            f"inputs must be {', '.join(names) or 'none'}, not {', '.join(inputs) or 'none'}"
        )
    parts = {
        index: _items(program.tensors[index], inputs[program.tensors[index].name])
        for index in program.inputs
    }
    counts = {len(items) for items in parts.values()} or {1}
    if len(counts) > 1:
        raise RowforgeError(f"all inputs must have the same number of items, not {sorted(counts)}")
    return [{index: items[i] for index, items in parts.items()} for i in range(counts.pop())]


def _items(spec: TensorSpec, array: Array) -> list[Array]:
    if str(array.dtype) != spec.dtype:
        raise RowforgeError(f"input {spec.name} must be of type {spec.dtype}, not {array.dtype}")
    if array.shape == spec.shape:
        return [array]
    batched = spec.shape[:1] == (1,) and array.shape[1:] == spec.shape[1:] and array.size
    if not batched:
        wanted = ("N", *spec.shape[1:]) if spec.shape[:1] == (1,) else spec.shape
        shape = ", ".join(str(size) for size in wanted)
        raise RowforgeError(f"input {spec.name} must have shape ({shape}), not {array.shape}")
    return [array[i : i + 1] for i in range(len(array))]
