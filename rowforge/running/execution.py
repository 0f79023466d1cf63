"""Runs compiled programs on a target, layer by layer beside the golden model if asked to.

Up to three runs answer three questions, so that none changes what another one counts. The plain
run gives outputs and cycles: tensors stay in the buffer, layers follow one another back to back.
The counted run is the same for the first input with the counters read after every layer of the
array, which empties the pipeline each time. For a check or a dump every layer comes to the host in
a run of a program of its own. A check compares all three.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.ir.graph import Graph
from hw.arch.errors import RowforgeError
from hw.arch.program import Program, Query
from numerics.quantisation import RoundingRule
from rowforge.running.check import Difference, first_difference
from rowforge.running.compilation import Compiled
from rowforge.running.progress import Progress, stage
from rowforge.running.targets import GOLDEN, open_target
from sim.golden import initial_states, next_states, run_batch, run_graph
from sim.golden.edges import Edges, has_edges
from sw_driver.accelerator import Accelerator
from sw_driver.runtime import Inputs, split_inputs

Array: TypeAlias = NDArray[Any]
ByIndex: TypeAlias = dict[int, Array]
ByKey: TypeAlias = dict[str, Array]

PLAIN_RUN, COUNTED_RUN, KEPT_RUN = "plain run", "counted run", "run with every layer kept"

_BATCH = 64  # inputs that the golden model computes at once, at most
_BATCH_ELEMENTS = 1 << 25  # of all tensors of a batch together: bounds its memory


@dataclass
class Result:
    """What a run yields.

    Attributes
    ----------
    outputs : by tensor name; N in place of the batch dimension 1 for N inputs; of the plain run
    tensors : operators' outputs of the first input by tensor key, as far as the host has them
    counters : hardware counters of the first input, by layer index and name, of the counted run
    cycles : clock cycles of the first input in the plain run, None where no clock ran
    inputs : how many inputs ran
    layers_checked : layers compared with the golden model, summed over the inputs, in the run that
        brings most of them to the host
    difference : the first value that differs, None if there is none or nothing was compared
    edge_values : by name of a layer that imitates float32 sums, how many of its values over all
        inputs these may round the other way (`sim.golden.edges`): None where nothing counted them,
        which takes the golden model; None altogether for a program file, which does not say which
        layers these are
    edge_steps : by name of such a layer, how many steps of its output they may be off at most
    """

    outputs: dict[str, Array] = field(default_factory=dict)
    tensors: ByKey = field(default_factory=dict)
    counters: dict[int, dict[str, int]] = field(default_factory=dict)
    cycles: int | None = None
    inputs: int = 0
    layers_checked: int = 0
    difference: Difference | None = None
    edge_values: Mapping[str, int | None] | None = None
    edge_steps: Mapping[str, int] = field(default_factory=dict)


def run_program(
    compiled: Compiled, inputs: Inputs, target: str = "rtl", *, check: bool = False
) -> Result:
    """Run a program for one or several inputs.

    Parameters
    ----------
    compiled : Compiled
        With `keep_layers`, if all layers are to be compared, or to be in `Result.tensors`.
    inputs : array, or arrays by name
        Of the program's input shape, with N in place of the batch dimension 1.
    target : str
        "golden" (the NumPy model; for a program file the command stream without time), "rtl", or a
        URL.
    check : bool
        Compare every layer that reaches the host with the golden model, in every run; a program
        file, which has no graph, with the command stream executed without time. Each run stops at
        its first difference.

    Raises
    ------
    RowforgeError
        For inputs that do not suit the program, an unknown target, or a check without a reference.
    DriverError
        If the link fails or the accelerator reports an error.
    """
    items = split_inputs(compiled.program, inputs)
    if target == GOLDEN and compiled.graph is not None and not check:
        return _golden(compiled, compiled.graph, items)
    if target == GOLDEN and check and compiled.graph is None:
        raise RowforgeError("--check with target golden needs a model: a program file has no graph")
    with open_target(target) as accelerator:
        return _run(compiled, items, accelerator, check, counted=target != GOLDEN)


def run_once(compiled: Compiled, inputs: Inputs, target: str = "rtl") -> Result:
    """Run `compiled.program` as it is, queries included, once for each input, and check it.

    Parameters and exceptions are those of `run_program`; cycles and counters are of this one run.
    """
    items = split_inputs(compiled.program, inputs)
    with open_target(target) as accelerator:
        return _run_program(compiled, compiled.program, items, accelerator, check=True)


# ---- the golden model -----------------------------------------------------------------------


def _golden(compiled: Compiled, graph: Graph, items: list[ByIndex]) -> Result:
    program, psum_width = compiled.program, _psum_width(compiled)
    parts: list[ByKey] = []
    progress = Progress()
    batch, edges = _batch(graph), Edges()
    states = initial_states(graph)
    for start in range(0, len(items), batch):
        progress.show(f"golden model: input {start + 1} of {len(items)}", start / len(items))
        chunk = items[start : start + batch]
        arrays = _by_key(program, {i: _join([item[i] for item in chunk]) for i in chunk[0]})
        if len(chunk) == 1:
            values = run_graph(graph, arrays, psum_width=psum_width, edges=edges, states=states)
            states = next_states(graph, values)
            parts.append({key: values[key] for key in graph.outputs})
        else:
            values = run_batch(graph, arrays, psum_width=psum_width, edges=edges)
            parts.append({key: values[key] for key in graph.outputs})
    first = run_graph(graph, _by_key(program, items[0]), psum_width=psum_width)
    progress.clear()
    outputs = {graph.tensors[key].name: _join([p[key] for p in parts]) for key in graph.outputs}
    tensors = {node.output: first[node.output] for node in graph.nodes}
    return Result(
        outputs=outputs,
        tensors=tensors,
        inputs=len(items),
        edge_values=_edge_values(compiled, edges.values),
        edge_steps=edges.steps,
    )


def _edge_values(
    compiled: Compiled, counted: Mapping[str, int] | None
) -> Mapping[str, int | None] | None:
    """`Result.edge_values` from what the golden model counted, None if it did not run."""
    if compiled.graph is None:
        return None if compiled.program.rounding == RoundingRule.ORT.value else {}
    layers = [node.name for node in compiled.graph.nodes if has_edges(node)]
    return {name: None if counted is None else counted[name] for name in layers}


def _batch(graph: Graph) -> int:
    if graph.states:
        return 1
    elements = sum(graph.tensors[node.output].elements for node in graph.nodes)
    return max(1, min(_BATCH, _BATCH_ELEMENTS // max(elements, 1)))


def _psum_width(compiled: Compiled) -> int | None:
    """Width to which the golden model's psums wrap: only where wrapping is meant."""
    return compiled.program.config.array.psum_width if compiled.wrap else None


def _by_key(program: Program, arrays: ByIndex) -> ByKey:
    return {program.tensors[index].key: array for index, array in arrays.items()}


def _join(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


# ---- an accelerator ---------------------------------------------------------------------------


def _run(
    compiled: Compiled, items: list[ByIndex], accelerator: Accelerator, check: bool, counted: bool
) -> Result:
    """All runs of a program: see the head of this module."""
    kept = None
    if compiled.kept is not None:
        with stage(KEPT_RUN):
            chosen = items if check else items[:1]
            kept = _run_program(compiled, compiled.kept, chosen, accelerator, check)
    edges = Edges() if check else None
    with stage(PLAIN_RUN):
        plain = compiled.program.uncounted()
        result = _run_program(compiled, plain, items, accelerator, check, edges)
    result.edge_values = _edge_values(compiled, None if edges is None else edges.values)
    result.edge_steps = {} if edges is None else edges.steps
    faults = [] if kept is None else [kept.difference]
    faults.append(_only_in(PLAIN_RUN, result.difference, kept))
    steps = compiled.program.steps
    if counted and any(isinstance(step, Query) and step.layer >= 0 for step in steps):
        with stage(COUNTED_RUN):
            found = _run_program(compiled, compiled.program, items[:1], accelerator, check)
        result.counters = found.counters
        faults.append(_only_in(COUNTED_RUN, found.difference, kept))
    if kept is not None:
        result.tensors, result.layers_checked = kept.tensors, kept.layers_checked
    result.difference = next((fault for fault in faults if fault is not None), None)
    return result


def _only_in(name: str, fault: Difference | None, kept: Result | None) -> Difference | None:
    """The fault, and that the run with all layers kept did not show it."""
    if fault is None or kept is None or kept.difference is not None:
        return fault
    return replace(fault, only_in=name)


def _run_program(
    compiled: Compiled,
    program: Program,
    items: list[ByIndex],
    accelerator: Accelerator,
    check: bool,
    edges: Edges | None = None,
) -> Result:
    """One program of `compiled` for some inputs, stopped at the first difference."""
    result = Result()
    outputs: list[dict[str, Array]] = []
    references = _references(compiled, items, edges) if check else None
    accelerator.load(program)
    for number, item in enumerate(items):
        outcome = accelerator.run_in_full({program.tensors[i].name: a for i, a in item.items()})
        outputs.append(outcome.outputs)
        if not number:
            result.cycles, result.counters = outcome.cycles, outcome.counters
            result.tensors = layer_outputs(program, outcome.tensors)
        if references is not None:
            found, layers = first_difference(program, number, outcome.tensors, next(references))
            result.layers_checked += layers
            if found is not None:
                result.difference = found
                break
    result.inputs = len(outputs)
    result.outputs = {name: _join([part[name] for part in outputs]) for name in outputs[0]}
    return result


def layer_outputs(program: Program, tensors: ByIndex) -> ByKey:
    """The operators' outputs among the host's tensors, by key."""
    return {
        program.tensors[layer.output].key: tensors[layer.output]
        for layer in program.layers
        if layer.output in tensors
    }


def _references(compiled: Compiled, items: list[ByIndex], edges: Edges | None) -> Iterator[ByKey]:
    """What every tensor of every input must be, by key; `edges` as for `run_graph`."""
    program, graph = compiled.program, compiled.graph
    if graph is not None:
        width = _psum_width(compiled)
        states = initial_states(graph)
        for item in items:
            arrays = _by_key(program, item)
            values = run_graph(graph, arrays, psum_width=width, edges=edges, states=states)
            states = next_states(graph, values)
            yield values
        return
    with open_target(GOLDEN) as executor:
        executor.load(program)
        for item in items:
            arrays = {program.tensors[i].name: array for i, array in item.items()}
            yield layer_outputs(program, executor.run_in_full(arrays).tensors)
