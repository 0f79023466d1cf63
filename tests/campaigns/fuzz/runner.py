"""Runs a case: compiler, executor without time, RTL, each against the golden model."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.running.check import first_difference
from sim.golden.run import run_graph
from sim.link import RtlLink
from sim.outside.behaviour import AxiBehaviour
from sim.replay import functional_link
from sw_driver.protocol.link import Link
from sw_driver.runtime import RunOutcome, Runtime
from tests.campaigns.fuzz.cases import CASES, Case
from tests.campaigns.fuzz.coverage import features
from tests.campaigns.fuzz.refusals import confirmed

ByKey = dict[str, NDArray[Any]]

OPTIMISE = "-O0"  # a short build matters more than a short run
_PATIENCE = 300_000  # cycles without a word on either stream
_FIRMWARE = 100  # times the cycles of engines, which takes a faster simulator


@dataclass
class Outcome:
    """What became of a case: "passed", "refused" or "failed", and what there is to say of it.

    `program` is what ran, None if the case was refused or failed.
    """

    case: Case
    status: str
    message: str = ""
    cycles: int = 0
    program: Program | None = None
    features: list[tuple[str, str]] = field(default_factory=list)

    @property
    def label(self) -> str:
        """How the case is named on the command line."""
        return f"{self.case.seed}:{self.case.index}"


class _FailureError(Exception):
    """A wrong result."""


def run_case(case: Case, *, rtl: bool) -> Outcome:
    """Compile, execute and, with `rtl`, simulate a case; every tensor is compared."""
    try:
        try:
            program = compile_graph(case.graph, case.config, CompileOptions(**case.options))
        except RowforgeError as error:
            if confirmed(case, str(error)):
                return Outcome(case, "refused", str(error))
            return Outcome(case, "failed", f"refused without need: {error}")
        _execute(case, program, "functional", partial(functional_link, program=program))
        cycles = 0
        if rtl:
            with closing_link(case) as link:
                cycles = _execute(case, program, "rtl", lambda _: link)
        shown = features(case, program)
        return Outcome(case, "passed", cycles=cycles, program=program, features=shown)
    except _FailureError as error:
        return Outcome(case, "failed", str(error))
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{at.filename}:{at.lineno}"
        return Outcome(case, "failed", f"{type(error).__name__}: {error} ({where})")


def run_on(case: Case, link: Link) -> None:
    """Compile a case and run it on an accelerator that is there already; every tensor is compared.

    Raises `RowforgeError` if the case is refused, `AssertionError` for the first wrong result.
    """
    program = compile_graph(case.graph, case.config, CompileOptions(**case.options))
    try:
        _execute(case, program, "rtl", lambda _: link)
    except _FailureError as error:
        raise AssertionError(f"{case.theme} {case.seed}:{case.index}: {error}") from None


def behaviour(case: Case) -> AxiBehaviour:
    """How a memory behind AXI treats the cases of a configuration: mostly with random pauses."""
    rng = np.random.default_rng([case.seed, case.index // CASES, 11])
    return AxiBehaviour(latency=int(rng.integers(1, 60)), pauses=int(rng.choice((0, 3, 9, 14))))


@contextmanager
def closing_link(case: Case) -> Iterator[RtlLink]:
    """A simulation of the case's configuration, with random register contents."""
    link = RtlLink(
        case.config,
        stall_seed=case.stall_seed,
        seed=case.index + 1,
        patience=_PATIENCE * (_FIRMWARE if case.config.control.microcontroller else 1),
        optimise="-O2" if case.config.control.microcontroller else OPTIMISE,
        rate=case.config.link.rate,
        memory=behaviour(case),
    )
    try:
        yield link
    finally:
        link.close()


def _execute(case: Case, program: Program, engine: str, connect: Callable[[Config], Link]) -> int:
    """Run all inputs one after the other on one accelerator; returns the cycles of the last."""
    session = Runtime(connect(case.config), case.config)
    outcome = None
    for item, arrays in enumerate(case.inputs):
        outcome = session.run(program, arrays)
        psum_width = case.config.array.psum_width if case.wrap else None
        _compare(
            program, item, outcome, run_graph(case.graph, arrays, psum_width=psum_width), engine
        )
    return (outcome.cycles or 0) if outcome else 0


def _compare(program: Program, item: int, outcome: RunOutcome, golden: ByKey, engine: str) -> None:
    """Raises for the first tensor that is not the golden model's, layers first."""
    difference, _ = first_difference(program, item, outcome.tensors, golden)
    if difference is not None:
        raise _FailureError(f"{engine}: {difference}")
    for index in {*program.outputs, *outcome.tensors}:
        if index not in outcome.tensors:
            raise _FailureError(f"{engine}: output {program.tensors[index].name} never arrived")
        key = program.tensors[index].key
        actual = outcome.tensors[index].reshape(-1)
        if key in golden and not np.array_equal(actual, golden[key].reshape(-1)):
            raise _FailureError(f"{engine}: input {item}: tensor {key} differs")
