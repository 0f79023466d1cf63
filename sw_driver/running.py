"""One run of a program: the host's part, and the steps sent as a command stream."""

from abc import ABC, abstractmethod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.accesses import counter_block
from hw.arch.commands import ResultBlock
from hw.arch.errors import RowforgeError
from hw.arch.program import Host, Load, Program, Query, Send, Step, Store, Words
from hw.arch.program.layout import box_words, link_words, store_box
from hw.arch.program.transfer import load_transfer, store_words
from numerics.host import run_host
from sw_driver.protocol.link import Link
from sw_driver.results import ResultReader

Array: TypeAlias = NDArray[Any]


class ProgramRun(ABC):
    """One pass through a program for one input.

    Words are sent as early as possible; results are received when a value is needed, and at the
    end.

    Attributes
    ----------
    tensors : what the host has, by tensor index
    counters : hardware counters by layer index (-1: the whole run) and name
    cycles : clock cycles, None before the end or if nothing counts them
    """

    def __init__(
        self, link: Link, program: Program, inputs: dict[int, Array], results: ResultReader
    ):
        self._link = link
        self._program = program
        self._results = results
        self._stored: dict[int, int] = {}  # tensor: number of the last block that stores into it
        self._own: set[int] = set()  # tensors in memory of the run's own, written by STOREs
        self.tensors: dict[int, Array] = {**program.constants, **inputs}
        self.counters: dict[int, dict[str, int]] = {}
        self.cycles: int | None = None

    @abstractmethod
    def start(self) -> "ProgramRun":
        """Do what can be done; results that no step needs are still to come."""

    @abstractmethod
    def finish(self) -> "ProgramRun":
        """Wait for the end."""

    def states(self) -> dict[int, Array]:
        """What the next run finds in its states; waits until this one has stored it."""
        return {
            state.read: self._value(state.write)
            .reshape(self._program.tensors[state.read].shape)
            .copy()  # it may be an array of the user's, who may change it
            for state in self._program.states
        }

    def _value(self, tensor: int) -> Array:
        """A host tensor in the model's shape, with everything that is stored into it."""
        if tensor in self._stored:
            self._results.receive_until(self._stored.pop(tensor))
        if tensor not in self.tensors:
            raise RowforgeError(
                f"the program reads tensor {self._program.tensors[tensor].name} before it has one"
            )
        return self.tensors[tensor]

    def _view(self, tensor: int) -> Array:
        return self._value(tensor).reshape(self._program.tensors[tensor].view)

    def _expect_block(self, step: Store, *, element_bits: int = 0) -> None:
        """The data block of a STORE will come; with `element_bits` perhaps as a code of those."""
        self._stored[step.tensor] = self._results.expect(
            ResultBlock.DATA,
            link_words(
                self._program.config, box_words(self._program.config, step.box, raw=step.raw)
            ),
            lambda words: self._fill(step, words),
            element_bits=element_bits,
        )

    def _fill(self, step: Store, words: Words) -> None:
        """A data block has come."""
        spec = self._program.tensors[step.tensor]
        if step.tensor not in self._own:
            self._own.add(step.tensor)
            self.tensors[step.tensor] = np.zeros(spec.shape, dtype=spec.dtype)
        view = self.tensors[step.tensor].reshape(spec.view)
        store_box(self._program.config, view, words, step.box, raw=step.raw)

    def _expect_counters(self, step: Query) -> None:
        """The counter blocks of a query will come, one of each cluster."""
        blocks: list[Words] = []
        for _ in range(self._program.config.clusters.count):
            self._results.expect(
                ResultBlock.COUNTERS,
                counter_block(self._program.config).words,
                lambda words: self._count(step.layer, blocks, words),
            )

    def _count(self, layer: int, blocks: list[Words], words: Words) -> None:
        """Add the counters of all clusters to what the layer has already, when the last comes.

        Clusters count cycles side by side: those of the layer are the slowest one's.
        """
        blocks.append(words)
        if len(blocks) < self._program.config.clusters.count:
            return
        block = counter_block(self._program.config)
        total = self.counters.setdefault(layer, dict.fromkeys(block.offsets, 0))
        counted = [block.unpack(each.tolist()) for each in blocks]
        for name in total:
            values = [each[name] for each in counted]
            total[name] += max(values) if name == "cycles" else sum(values)

    def _host(self, step: Host) -> None:
        inputs = [self._value(tensor) for tensor in step.inputs]
        results = run_host(step.op, inputs, step.attributes)
        if len(results) != len(step.outputs):
            raise RowforgeError(
                f"host operator {step.op} must have {len(results)} outputs, not {len(step.outputs)}"
            )
        for tensor, result in zip(step.outputs, results, strict=True):
            spec = self._program.tensors[tensor]
            if result.size != np.prod(spec.shape) or str(result.dtype) != spec.dtype:
                raise RowforgeError(
                    f"{spec.name} must be {spec.dtype} of shape {spec.shape}, not {result.dtype} "
                    f"of shape {result.shape}"
                )
            self.tensors[tensor] = result.reshape(spec.shape)
            self._own.discard(tensor)


class StreamRun(ProgramRun):
    """The steps are sent one after another as a command stream."""

    def start(self) -> "StreamRun":
        """Execute all steps."""
        for step in self._program.steps:
            self._step(step)
        self._end = self._results.expect(ResultBlock.STATUS, 1, lambda words: None)
        return self

    def finish(self) -> "StreamRun":
        """Wait for the status block."""
        self._results.receive_until(self._end)
        self.cycles = self._link.cycles()
        return self

    def _step(self, step: Step) -> None:
        match step:
            case Send():
                self._link.send(step.words)
            case Load():
                view, spec = self._view(step.tensor), self._program.tensors[step.tensor]
                sent = load_transfer(self._program.config, step, view, raw=spec.raw)
                self._link.send(np.concatenate([sent.head, sent.payload]))
            case Store():
                config, spec = self._program.config, self._program.tensors[step.tensor]
                coded = config.link.codes and not step.raw
                self._link.send(store_words(config, step, spec))
                self._expect_block(step, element_bits=config.array.data_width if coded else 0)
            case Query():
                self._link.send(step.words)
                self._expect_counters(step)
            case Host():
                self._host(step)
