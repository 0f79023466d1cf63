"""Makes a failing case smaller while it fails: operators, outputs, operands, sizes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.ir.graph import Tensor
from compiler.ir.ops import Add, Concat, Conv, HostStep, Mul, Node, Pad, Pool, Rescale
from hw.arch.errors import RowforgeError
from sim.golden.run import run_graph, run_node
from tests.campaigns.fuzz_network.cases import NetworkCase

Arrays = dict[str, NDArray[Any]]

SECONDS = 60.0


def shrink(
    case: NetworkCase, fails: Callable[[NetworkCase], bool], *, seconds: float = SECONDS
) -> NetworkCase:
    """The smallest case that was found to fail in this time; `case` itself fails."""
    end = time.monotonic() + seconds
    going = True
    while going:
        going = False
        for smaller in _smaller(case):
            if time.monotonic() > end:
                return case
            if fails(smaller):
                case, going = smaller, True
                break
    return case


def _smaller(case: NetworkCase) -> Iterator[NetworkCase]:
    """Cases that are smaller by one change, the largest changes first."""
    graph = case.graph
    if len(graph.nodes) > 1:
        for node in graph.nodes:
            yield from _checked(case, lambda node=node: _alone(case, node))
        for node in graph.nodes:
            yield from _checked(case, lambda node=node: _ending_with(case, (node.output,)))
        for output in graph.outputs:
            rest = tuple(key for key in graph.outputs if key != output)
            if rest:
                yield from _checked(case, lambda rest=rest: _ending_with(case, rest))
        for node in graph.nodes:
            yield from _checked(case, lambda node=node: _beginning_after(case, node))
    for number, node in enumerate(graph.nodes):
        if isinstance(node, Concat) and len(node.inputs) > 2:
            for place in range(len(node.inputs)):
                yield from _checked(case, lambda n=number, p=place: _without(case, n, p))
    for key in graph.inputs:
        for axis, size in enumerate(graph.tensors[key].shape):
            for less in dict.fromkeys((1, size // 2, size - 1)):
                if 0 < less < size:
                    yield from _checked(case, lambda k=key, a=axis, s=less: _cropped(case, k, a, s))


def _checked(case: NetworkCase, change: Callable[[], NetworkCase]) -> Iterator[NetworkCase]:
    """The changed case, unless operators no longer fit together."""
    try:
        changed = change()
        for arrays in changed.inputs:
            run_graph(changed.graph, arrays)
    except (RowforgeError, ValueError, IndexError):
        return
    yield changed


# ---- fewer operators ----------------------------------------------------------------------------


def _ending_with(case: NetworkCase, outputs: tuple[str, ...]) -> NetworkCase:
    """The graph of these outputs alone: nodes and inputs that they do not need are left out."""
    graph = case.graph
    needed, nodes = set(outputs), []
    for node in reversed(graph.nodes):
        if node.output in needed:
            nodes.append(node)
            needed |= set(node.inputs)
    return _rebuilt(case, list(reversed(nodes)), outputs, needed, case.inputs)


def _alone(case: NetworkCase, node: Node) -> NetworkCase:
    """One node with its operands as inputs."""
    graph = case.graph
    values = [run_graph(graph, arrays) for arrays in case.inputs]
    inputs = [{key: tensors[key] for key in node.inputs} for tensors in values]
    if any(graph.tensors[key].dtype == "int32" for key in node.inputs):
        raise RowforgeError(f"an operand of {node.name} cannot be an input")
    return _rebuilt(case, [node], (node.output,), {node.output, *node.inputs}, inputs)


def _beginning_after(case: NetworkCase, node: Node) -> NetworkCase:
    """What a node computes is an input instead."""
    graph = case.graph
    inputs = [
        {**arrays, node.output: run_graph(graph, arrays)[node.output]} for arrays in case.inputs
    ]
    nodes = [other for other in graph.nodes if other is not node]
    read = {key for other in nodes for key in other.inputs}
    outputs = tuple(key for key in graph.outputs if key != node.output)
    if graph.tensors[node.output].dtype == "int32" or not outputs or node.output not in read:
        raise RowforgeError(f"{node.output} cannot be an input")
    return _rebuilt(case, nodes, outputs, {*outputs, *read}, inputs)


def _without(case: NetworkCase, number: int, place: int) -> NetworkCase:
    """A concatenation without one of its operands."""
    nodes = list(case.graph.nodes)
    node = nodes[number]
    nodes[number] = replace(node, inputs=node.inputs[:place] + node.inputs[place + 1 :])
    return _resized(case, nodes, case.inputs)


def _rebuilt(
    case: NetworkCase,
    nodes: list[Node],
    outputs: tuple[str, ...],
    needed: set[str],
    inputs: list[Arrays],
) -> NetworkCase:
    graph = case.graph
    made = {node.output for node in nodes}
    keys = tuple(key for key in graph.tensors if key in needed and key not in made)
    if not nodes:
        raise RowforgeError("nothing is left")
    smaller = replace(
        graph,
        tensors={key: graph.tensors[key] for key in graph.tensors if key in needed},
        nodes=tuple(nodes),
        inputs=keys,
        outputs=outputs,
    )
    kept = [{key: arrays[key] for key in keys} for arrays in inputs]
    return replace(case, graph=smaller, inputs=kept)


# ---- smaller tensors ----------------------------------------------------------------------------


def _cropped(case: NetworkCase, key: str, axis: int, size: int) -> NetworkCase:
    """An input with fewer items, rows, columns or channels."""
    inputs = [{**a, key: np.take(a[key], range(size), axis=axis)} for a in case.inputs]
    return _resized(case, list(case.graph.nodes), inputs)


def _resized(case: NetworkCase, nodes: list[Node], inputs: list[Arrays]) -> NetworkCase:
    """The graph with the shapes that follow from its inputs."""
    graph = case.graph
    values = dict(inputs[0])
    changed: list[Node] = []
    for node in nodes:
        arrays = [values[key] for key in node.inputs]
        fitted = _fitted(node, graph.tensors[node.output], arrays)
        result = run_node(fitted, arrays)
        if isinstance(fitted, Conv) and len(graph.tensors[node.output].shape) == 2:
            result = result.reshape(len(arrays[0]), -1)
        values[node.output] = result
        changed.append(fitted)
    tensors = {
        key: replace(tensor, shape=tuple(values[key].shape))
        for key, tensor in graph.tensors.items()
        if key in values
    }
    read = {key for node in changed for key in node.inputs} | set(graph.outputs)
    kept = tuple(key for key in graph.inputs if key in read)
    tensors = {key: t for key, t in tensors.items() if key in kept or key not in graph.inputs}
    smaller = replace(graph, tensors=tensors, nodes=tuple(changed), inputs=kept)
    return replace(case, graph=smaller, inputs=[{key: a[key] for key in kept} for a in inputs])


def _fitted(node: Node, target: Tensor, arrays: list[NDArray[Any]]) -> Node:
    """The node for operands of these shapes; `RowforgeError` if it cannot have them."""
    shape = arrays[0].shape
    if isinstance(node, Conv):
        batch, *image = shape if len(shape) == 4 else (1, shape[0], 1, shape[1])
        groups, filters, weights, bias = node.groups, len(node.weights), node.weights, node.bias
        if groups > 1 and image[2] != node.image[2]:
            raise RowforgeError("groups stay as they are")
        weights = weights[..., : image[2] // groups]
        if len(target.shape) == 2 and len(shape) == 4:
            raise RowforgeError("a flattened image stays as it is")
        size = (image[0], image[1], image[2])
        assert len(bias) == filters
        return replace(node, image=size, batch=batch, weights=weights)
    if isinstance(node, Pool):
        return replace(node, image=(shape[1], shape[2], shape[3]), batch=shape[0])
    if isinstance(node, Add | Mul):
        if arrays[0].shape != arrays[1].shape:
            raise RowforgeError("operands must have one shape")
        return node
    if isinstance(node, HostStep) and node.function == "slice":
        axis = node.parameters["axes"][0]
        if node.parameters["stop"][0] > shape[axis]:
            raise RowforgeError("the slice lies within its operand")
        return node
    if isinstance(node, Concat | Rescale | Pad | HostStep):
        return node
    raise RowforgeError(f"{node.op} keeps its shape")
