"""Host steps that only move values, taken to the array where the values are there anyway."""

from dataclasses import replace

from compiler.ir.graph import Graph
from compiler.ir.ops import HostStep, Move, Node, Place, Reshape
from compiler.moves.pieces import blocks, moved


def with_moves(graph: Graph, lanes: int, types: tuple[str, ...]) -> Graph:
    """The graph with moves in the buffer instead of host steps that would be a detour.

    A step is one if it moves whole blocks of channels of a tensor that the array makes, and either
    the array reads the result or the result is no larger than what the host would read.

    Parameters
    ----------
    graph : Graph
    lanes : channels of a buffer word
    types : of the tensors that the buffer holds
    """
    nodes: list[Node] = []
    on_array: set[str] = set()  # tensors that the array makes
    for node in graph.nodes:
        if isinstance(node, HostStep) and _is_detour(graph, node, on_array, lanes, types):
            node = Move(
                name=node.name,
                op=node.op,
                inputs=node.inputs,
                output=node.output,
                absorbs=node.absorbs,
                function=node.function,
                parameters=node.parameters,
            )
        if node.place is Place.ARRAY and not isinstance(node, Reshape):
            on_array.add(node.output)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _is_detour(
    graph: Graph, node: HostStep, on_array: set[str], lanes: int, types: tuple[str, ...]
) -> bool:
    if node.folded or len(node.inputs) != 1 or node.inputs[0] not in on_array:
        return False
    source, target = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    if source.dtype not in types or len(source.shape) != 4 or len(target.shape) != 4:
        return False
    items, rows, columns, channels = source.shape
    found = moved(node.function, node.parameters, (items, rows, columns, channels))
    if found is None:
        return False
    if any(blocks(piece.axes[3], lanes, target.shape[3]) is None for piece in found.pieces):
        return False
    return target.elements <= source.elements or _array_reads(graph, node.output)


def _array_reads(graph: Graph, key: str) -> bool:
    """Whether something on the array reads a tensor, directly or under another shape."""
    return any(
        _array_reads(graph, reader.output)
        if isinstance(reader, Reshape)
        else reader.place is Place.ARRAY
        for reader in graph.consumers(key)
    )
