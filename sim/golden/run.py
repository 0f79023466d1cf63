"""Runs a whole graph, every tensor kept."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.ir.graph import Graph, Tensor
from compiler.ir.ops import (
    Add,
    Concat,
    Constant,
    Conv,
    HostStep,
    Mul,
    Node,
    Pad,
    Pool,
    Rescale,
    Reshape,
)
from hw.arch.errors import RowforgeError
from numerics.host import run_host
from numerics.quantisation import RoundingRule
from sim.golden import convolution, elementwise, pooling
from sim.golden.edges import Edges, has_edges

Array = npt.NDArray[Any]
Inputs = Array | Mapping[str, Array]


def run_graph(
    graph: Graph,
    inputs: Inputs,
    rounding: RoundingRule | None = None,
    *,
    psum_width: int | None = None,
    edges: Edges | None = None,
    states: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Every tensor of one inference by key, in the model's own layout and type.

    inputs: an array for a model of one input, else arrays by tensor name or key, each of the
    model's own shape. rounding: another mode than the graph's. psum_width: partial sums wrap to
    that many bits. edges: gets, by layer name, what values ONNX Runtime's float32 sums may
    round otherwise (`sim.golden.edges`). states: what the graph's states hold, as
    `next_states` gives it; their initial values if None. Raises RowforgeError for inputs that do
    not fit.
    """
    arrays = _inputs(graph, inputs)
    for key, array in arrays.items():
        expected = _model_shape(graph.tensors[key])
        if array.shape != expected:
            raise RowforgeError(f"input {key} must have shape {expected}, not {array.shape}")
    arrays |= initial_states(graph) if states is None else states
    return _run(graph, arrays, rounding, psum_width, edges)


def run_batch(
    graph: Graph,
    inputs: Inputs,
    rounding: RoundingRule | None = None,
    *,
    psum_width: int | None = None,
    edges: Edges | None = None,
) -> dict[str, Array]:
    """Every tensor of N inferences, N in place of the leading 1 of each tensor's shape.

    inputs: as for `run_graph`, with N in place of the batch dimension. Tensors that do not lead
    with a batch of 1 (shape arithmetic, constants) are stacked along a new axis instead. Those of a
    graph with states are consecutive, from the initial values on.
    """
    arrays = _inputs(graph, inputs)
    for key, array in arrays.items():
        expected = _model_shape(graph.tensors[key])
        if array.shape[1:] != expected[1:] or expected[:1] != (1,):
            raise RowforgeError(
                f"input {key} must have shape (N, {expected[1:]}), not {array.shape}"
            )
    counts = {array.shape[0] for array in arrays.values()}
    if len(counts) != 1 or 0 in counts:
        raise RowforgeError(f"inputs must hold the same number of items, not {sorted(counts)}")
    count = counts.pop()
    if _independent_items(graph):
        return _spread(graph, _run(graph, arrays, rounding, psum_width, edges), count)
    fixed = _fixed(graph)
    runs, states = [], initial_states(graph)
    for i in range(count):
        found = {key: a[i : i + 1] for key, a in arrays.items()} | states
        runs.append(_run(graph, found, rounding, psum_width, edges))
        states = next_states(graph, runs[-1])
    return {
        key: _stack(graph.tensors[key], [run[key] for run in runs], fixed=key in fixed)
        for key in runs[0]
    }


def initial_states(graph: Graph) -> dict[str, Array]:
    """What the first inference finds in the graph's states, by key, in the model's layout."""
    return {state.read: state.initial for state in graph.states}


def next_states(graph: Graph, values: Mapping[str, Array]) -> dict[str, Array]:
    """What the inference after one with these tensors (`run_graph`) finds in the states."""
    return {
        state.read: values[state.write].reshape(_model_shape(graph.tensors[state.read]))
        for state in graph.states
    }


def run_node(node: Node, arrays: list[Array], psum_width: int | None = None) -> Array:
    """One node on its input arrays (NHWC, any number of items); the shape is the node's own."""
    match node:
        case Conv():
            return convolution.convolve(node, arrays[0], psum_width)
        case Add():
            return elementwise.add(node, *arrays)
        case Mul():
            return elementwise.mul(node, *arrays)
        case Pool():
            return pooling.pool(node, arrays[0])
        case Rescale():
            return elementwise.rescale(node, arrays[0])
        case Concat():
            return elementwise.concat(node, arrays)
        case Pad():
            return elementwise.pad(node, arrays[0])
        case Reshape():
            return arrays[0]
        case Constant():
            return node.value
        case HostStep():
            return run_host(node.function, arrays, node.parameters)[0]
    raise RowforgeError(f"{node.name}: the golden model knows no {type(node).__name__}")


def _model_shape(tensor: Tensor) -> tuple[int, ...]:
    if tensor.model_shape is not None:
        return tensor.model_shape
    if tensor.permutation is not None:
        return tuple(tensor.shape[axis] for axis in tensor.permutation)
    return tensor.shape


def _inputs(graph: Graph, inputs: Inputs) -> dict[str, Array]:
    if isinstance(inputs, Mapping):
        names = {graph.tensors[key].name: key for key in graph.inputs}
        arrays = {names.get(name, name): array for name, array in inputs.items()}
    elif len(graph.inputs) == 1:
        arrays = {graph.inputs[0]: inputs}
    else:
        raise RowforgeError(f"the model has {len(graph.inputs)} inputs, which must come by name")
    if set(arrays) != set(graph.inputs):
        raise RowforgeError(f"inputs must be {list(graph.inputs)}, not {sorted(arrays)}")
    for key, array in arrays.items():
        dtype = graph.tensors[key].dtype
        if array.dtype != np.dtype(dtype):
            raise RowforgeError(f"input {key} must have type {dtype}, not {array.dtype}")
    return arrays


def _run(
    graph: Graph,
    arrays: dict[str, Array],
    rounding: RoundingRule | None,
    psum_width: int | None,
    edges: Edges | None,
) -> dict[str, Array]:
    """All tensors in the model's layout; the leading axis of the arrays may hold several items."""
    if rounding is not None and rounding is not graph.rounding:
        graph = graph.with_rounding(rounding)
    tensors = graph.tensors
    values = {key: t.data for key, t in tensors.items() if t.data is not None}
    values.update({key: tensors[key].from_model_layout(array) for key, array in arrays.items()})
    for node in graph.nodes:
        operands = [values[key] for key in node.inputs]
        if edges is not None and isinstance(node, Conv) and has_edges(node):
            psums = convolution.accumulate(node, operands[0], psum_width)
            edges.add(node, operands[0], psums)
            result = convolution.finish(node, psums)
        else:
            result = run_node(node, operands, psum_width)
        values[node.output] = _shaped(result, tensors[node.output])
    return {key: tensors[key].in_model_layout(array) for key, array in values.items()}


def _shaped(array: Array, tensor: Tensor) -> Array:
    """The array under the tensor's shape, more items than one kept in the leading axis."""
    if tensor.shape[:1] == (1,):
        return array.reshape((-1, *tensor.shape[1:]))
    return array.reshape(tensor.shape)


def _fixed(graph: Graph) -> set[str]:
    """Tensors that no input has an effect on."""
    fixed = {key for key, tensor in graph.tensors.items() if tensor.data is not None}
    for node in graph.nodes:
        if all(key in fixed for key in node.inputs):
            fixed.add(node.output)
    return fixed


def _independent_items(graph: Graph) -> bool:
    """Whether N items can run as one: every computed tensor leads with 1 and no axis 0 is mixed."""
    if graph.states:
        return False
    fixed = _fixed(graph)
    for node in graph.nodes:
        if node.output in fixed:
            continue
        keys = (*node.inputs, node.output)
        if not all(_leads_with_items(graph.tensors[key]) for key in keys):
            return False
        if any(key in fixed for key in node.inputs):
            return False
        if isinstance(node, Concat) and node.axis == 0:
            return False
        if isinstance(node, Pad) and any(node.pads[0]):
            return False
        if isinstance(node, HostStep) and not _keeps_items(node, graph):
            return False
    return True


def _leads_with_items(tensor: Tensor) -> bool:
    """Whether axis 0 is a batch of 1, in the graph and in the model."""
    first = 0 if tensor.permutation is None else tensor.permutation[0]
    return tensor.shape[:1] == (1,) and first == 0 and _model_shape(tensor)[:1] == (1,)


def _keeps_items(node: HostStep, graph: Graph) -> bool:
    """A host step works along later axes only."""
    ranks = {len(graph.tensors[key].shape) for key in node.inputs}
    # An operand of fewer axes is broadcast along the items, and its own first axis holds none.
    if len(ranks) > 1 or len(graph.tensors[node.output].shape) > max(ranks):
        return False
    rank = max(ranks)
    moved = node.parameters.get("permutation", (0,))[0]
    padded = any(node.parameters.get("pads", ((),))[0])
    along_items = 0 in node.parameters.get("axes", ()) or moved != 0 or padded
    return not along_items and rank > 1


def _spread(graph: Graph, values: dict[str, Array], count: int) -> dict[str, Array]:
    """Constants repeated for every item, as if each inference had yielded them."""
    fixed = _fixed(graph)
    return {
        key: np.broadcast_to(array, (count, *array.shape)) if key in fixed else array
        for key, array in values.items()
    }


def _stack(tensor: Tensor, arrays: list[Array], *, fixed: bool) -> Array:
    if not fixed and _leads_with_items(tensor):
        return np.concatenate(arrays, axis=0)
    return np.stack(arrays)
