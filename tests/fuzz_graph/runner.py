"""Runs a case: front end and golden model, compiler and executor, each against the oracle."""

import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.graph import Graph
from hw.arch.config import Config
from rowforge.targets import register
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sw_driver.runtime import Session
from tests.fuzz_graph.case import Array, Case, Format


@dataclass(frozen=True)
class Outcome:
    """A case and what went wrong with it, empty if nothing did."""

    case: Case
    message: str = ""


class _DifferenceError(Exception):
    """A wrong result."""


def run_case(
    case: Case, kind: Format, folder: Path, config: Config | None, *, keep: Path | None = None
) -> Outcome:
    """Compare the outputs of a case; with a configuration, of the executed program too."""
    path = folder / f"model{kind.suffix}"
    path.write_bytes(case.content)
    try:
        expected = kind.oracle(case.content, case.inputs)
        graph = load_model(path)
        named = {
            graph.tensors[key].name: array
            for key, array in zip(graph.inputs, case.inputs, strict=True)
        }
        golden = run_graph(graph, named)
        _compare("golden", graph, [golden[key] for key in graph.outputs], expected)
        if config is not None:
            register()
            program = compile_graph(graph, config)
            outputs = Session(FunctionalAccelerator(config), config).run(program, named).outputs
            _compare("executor", graph, list(outputs.values()), expected)
    except _DifferenceError as error:
        return _failed(case, kind, keep, str(error))
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        return _failed(
            case, kind, keep, f"{type(error).__name__}: {error} ({at.filename}:{at.lineno})"
        )
    return Outcome(case)


def _compare(engine: str, graph: Graph, actual: list[Array], expected: list[Array]) -> None:
    """Raises for the first output that is not the oracle's in every bit, type and shape."""
    if len(actual) != len(expected):
        raise _DifferenceError(f"{engine}: {len(actual)} outputs instead of {len(expected)}")
    for key, ours, theirs in zip(graph.outputs, actual, expected, strict=True):
        if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            raise _DifferenceError(
                f"{engine}: {key} is {ours.dtype} {ours.shape}, not {theirs.dtype} {theirs.shape}"
            )
        wrong = int(np.sum(ours != theirs))
        if wrong:
            raise _DifferenceError(f"{engine}: {wrong} of {ours.size} values of {key} differ")


def _failed(case: Case, kind: Format, keep: Path | None, message: str) -> Outcome:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{case.label.replace(':', '_')}{kind.suffix}").write_bytes(case.content)
    return Outcome(case, message)
