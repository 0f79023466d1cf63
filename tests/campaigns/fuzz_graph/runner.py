"""Runs a case: front end and golden model, compiler and executor, each against the oracle."""

import traceback
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from compiler.ir.ops import Reshape
from hw.arch.config import Config
from rowforge.running.targets import register
from sim.functional import FunctionalAccelerator
from sim.golden import initial_states, next_states, run_graph
from sw_driver.runtime import Runtime
from tests.campaigns.fuzz_graph.case import Array, Case, Format
from tests.campaigns.fuzz_graph.idle import removal_faults
from tests.support.onnx.layerwise import LayerFindings, differing, is_signed_form_of

NOT_RUN = "not run"
_LISTED = 8  # elements of an output that are written out


@dataclass(frozen=True)
class Outcome:
    """A case and what went wrong with it, empty if nothing did.

    `values` are compared, `inner` more of every layer on the interpreter's own operands, of which
    `explained` lie at a proven edge, listed in `edges`, and `floats` differ within their bound;
    `levels` lists where the interpreter itself differs between its optimisation levels, in
    `differing` values.
    """

    case: Case
    message: str = ""
    values: int = 0
    inner: int = 0
    explained: int = 0
    floats: int = 0
    edges: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    differing: int = 0


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
        ours = [golden[key] for key in graph.outputs]
        if faults := removal_faults(graph, named, golden):
            raise _DifferenceError(f"removal: {', '.join(faults)} differ")
        layers = LayerFindings()
        if kind.layers is not None:
            layers = kind.layers(graph, case.content, case.inputs)
        if layers.wrong:
            raise _DifferenceError(f"golden, layer by layer: {'; '.join(layers.wrong)}")
        _compare("golden", graph, ours, expected, after(graph, layers.reasons))
        if config is not None:
            config = case.config or config
            register()
            program = compile_graph(graph, config)
            outputs = Runtime(FunctionalAccelerator(config), config).run(program, named).outputs
            _compare("executor", graph, list(outputs.values()), ours)
        values = sum(array.size for array in expected)
        if case.further:
            values += _check_steps(graph, case, kind, config)
        levels, differing = _between_levels(graph, case, kind, expected)
    except _DifferenceError as error:
        return _failed(case, kind, keep, str(error))
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        return _failed(
            case, kind, keep, f"{type(error).__name__}: {error} ({at.filename}:{at.lineno})"
        )
    return Outcome(
        case,
        values=values,
        inner=layers.values,
        explained=layers.at_an_edge,
        floats=sum(layers.floats.values()),
        edges=tuple(f"{name}: {', '.join(at)}" for name, at in layers.edges.items()),
        levels=levels,
        differing=differing,
    )


def _check_steps(graph: Graph, case: Case, kind: Format, config: Config | None) -> int:
    """Consecutive steps from the first on; the values that were compared."""
    assert kind.steps is not None
    steps = [case.inputs, *case.further]
    session = None if config is None else Runtime(FunctionalAccelerator(config), config)
    program = None if config is None else compile_graph(graph, config)
    states, compared = initial_states(graph), 0
    for number, (inputs, expected) in enumerate(
        zip(steps, kind.steps(case.content, steps), strict=True)
    ):
        keys = zip(graph.inputs, inputs, strict=True)
        named = {graph.tensors[key].name: array for key, array in keys}
        golden = run_graph(graph, named, states=states)
        states = next_states(graph, golden)
        ours = [golden[key] for key in graph.outputs]
        _compare(f"golden, step {number}", graph, ours, expected)
        if session is not None and program is not None:
            outputs = session.run(program, named).outputs
            _compare(f"executor, step {number}", graph, list(outputs.values()), ours)
        compared += sum(array.size for array in ours)
    return compared


def after(graph: Graph, names: Iterable[str]) -> set[str]:
    """The keys of tensors of these names and of all that is computed from them."""
    named = set(names)
    reached = {key for key, tensor in graph.tensors.items() if tensor.name in named}
    # A reshape's source holds the same values, and other nodes may read them there; so they do
    # with the int16 form of a uint16 tensor.
    reached |= {
        node.inputs[0]
        for node in graph.nodes
        if (isinstance(node, Reshape) or is_signed_form_of(node)) and node.output in reached
    }
    for node in graph.nodes:
        if any(key in reached for key in node.inputs):
            reached.add(node.output)
    return reached


def _compare(
    engine: str,
    graph: Graph,
    actual: list[Array],
    expected: list[Array],
    excused: Collection[str] = (),
) -> None:
    """Raises for the first output that is not the oracle's in type, shape and values.

    The values of `excused` outputs follow from a value that differs for a proven reason.
    """
    if len(actual) != len(expected):
        raise _DifferenceError(f"{engine}: {len(actual)} outputs instead of {len(expected)}")
    pairs = zip(graph.outputs, actual, expected, strict=True)
    for key, ours, theirs in pairs:
        if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            raise _DifferenceError(
                f"{engine}: {key} is {ours.dtype} {ours.shape}, not {theirs.dtype} {theirs.shape}"
            )
        wrong = int(np.sum(differing(ours, theirs)))
        if wrong and key not in excused:
            raise _DifferenceError(f"{engine}: {wrong} of {ours.size} values of {key} differ")


def _between_levels(
    graph: Graph, case: Case, kind: Format, expected: list[Array]
) -> tuple[tuple[str, ...], int]:
    """Outputs that the interpreter gives otherwise at its other level, with their elements."""
    if kind.other_level is None:
        return (), 0
    others = kind.other_level(case.content, case.inputs)
    if isinstance(others, str):
        return (f"{NOT_RUN}: {others}",), 0
    found, differing = [], 0
    for key, plain, other in zip(graph.outputs, expected, others, strict=True):
        places = np.argwhere(plain != other)
        differing += len(places)
        if len(places):
            listed = ", ".join(
                f"{tuple(place.tolist())} {plain[tuple(place)]} / {other[tuple(place)]}"
                for place in places[:_LISTED]
            )
            more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
            found.append(f"{key}: {len(places)} of {plain.size}: {listed}{more}")
    return tuple(found), differing


def _failed(case: Case, kind: Format, keep: Path | None, message: str) -> Outcome:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{case.label.replace(':', '_')}{kind.suffix}").write_bytes(case.content)
    return Outcome(case, message)
