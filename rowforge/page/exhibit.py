"""What the page shows of one model on one configuration: `gather`."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from compiler.cache.kept import kept
from compiler.cache.source import COMPILER
from compiler.compile import timing_program
from compiler.ir.graph import Graph
from compiler.options import DEFAULTS, CompileOptions
from hw.arch.config import Config
from hw.arch.energy import Technology
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.estimation import Timed, estimate, model_graph
from sim.cycles.trace import SLICE, TOUCH, Trace, trace

SLICES = 4_000
"""Slices of a schedule on the page, about: as many as stay quick to draw."""


@dataclass(frozen=True)
class Subject:
    """A model on a configuration.

    Attributes
    ----------
    model : path of a file or name of a shape list
    configuration : what the user calls it
    config : Config
    """

    model: str
    configuration: str
    config: Config

    @property
    def title(self) -> str:
        """Both names."""
        return f"{Path(self.model).name} on {self.configuration}"


@dataclass(frozen=True)
class Exhibit:
    """A subject with all that the page shows of it.

    Attributes
    ----------
    subject : Subject
    estimate : what `rowforge estimate --json` prints
    graph : of the model
    names : of the program's layers, by index
    traced : the plain program by the exact model
    accuracy : share of right classes, None where no labels were given
    suggestions : see `rowforge.page.suggest`
    """

    subject: Subject
    estimate: dict[str, Any]
    graph: Graph
    names: list[str]
    traced: Trace
    accuracy: float | None = None
    suggestions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The layers of the estimate."""
        return list(self.estimate["layers"])

    @property
    def slowest(self) -> list[dict[str, Any]]:
        """The five layers that take most cycles, or fewer, the slowest first."""
        counted = [row for row in self.rows if row["cycles"]]
        return sorted(counted, key=lambda row: -row["cycles"])[:5]


def gather(
    subjects: Sequence[Subject],
    options: CompileOptions = DEFAULTS,
    table: Technology | None = None,
) -> list[Exhibit]:
    """Estimates and traces subjects; errors are those of `estimate`.

    A program is made once for both, and traced beside the estimates of the subjects after it: the
    exact model runs outside the interpreter.
    """
    gathered = []
    with ThreadPoolExecutor() as pool:
        try:
            for subject in subjects:
                program = _Once()
                document = estimate(
                    subject.model, subject.config, options, table=table, timed=program
                )
                graph = model_graph(subject.model, subject.config)
                traced = pool.submit(_traced, options, subject, graph, program)
                gathered.append((subject, document, graph, traced))
        except RowforgeError:
            pool.shutdown(cancel_futures=True)
            raise
        return [
            Exhibit(subject, document, graph, *traced.result())
            for subject, document, graph, traced in gathered
        ]


class _Once:
    """`timing_program` for one subject: made when first asked for, and then known."""

    def __init__(self) -> None:
        self._made: Program | None = None

    def __call__(self, graph: Graph, config: Config, options: CompileOptions) -> Program:
        if self._made is None:
            self._made = timing_program(graph, config, options)
        return self._made


def _traced(
    options: CompileOptions, subject: Subject, graph: Graph, program: Timed
) -> tuple[list[str], Trace]:
    return kept(
        "schedule",
        (subject.config, options, graph),
        lambda: _trace(program(graph, subject.config, options)),
        pack=_packed,
        unpack=_unpacked,
        code=(*COMPILER, "sim/cycles"),
    )


def _trace(program: Program) -> tuple[list[str], Trace]:
    return [layer.name for layer in program.layers], trace(program, dry=True, most=SLICES)


def _packed(pair: tuple[list[str], Trace]) -> list[Any]:
    names, found = pair
    running = [[layer, counts.tolist()] for layer, counts in found.running.items()]
    return [names, found.slices.tolist(), found.touches.tolist(), running, found.cycles]


def _unpacked(entry: list[Any]) -> tuple[list[str], Trace]:
    names, slices, touches, running, cycles = entry
    return names, Trace(
        slices=np.array(slices, np.int64).reshape(-1, len(SLICE)),
        touches=np.array(touches, np.int64).reshape(-1, len(TOUCH)),
        running={layer: np.array(counts, np.int64) for layer, counts in running},
        cycles=cycles,
    )
