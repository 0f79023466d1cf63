"""Pointwise layers before the enlargement that they follow: the same values from fewer products."""

from collections.abc import Iterator
from dataclasses import replace

from compiler.ir.graph import Graph, Tensor
from compiler.ir.ops import Conv, Move, Node
from compiler.moves.pieces import moved


def pointwise_first(graph: Graph) -> Graph:
    """The graph with every pointwise layer that reads nothing but an enlarged map before that step.

    A layer of 1 x 1 windows computes each pixel by itself, whatever its zero points and its output
    stage are, so that repeated pixels give repeated results. The enlarged map is no tensor then.
    """
    pairs = dict(_pairs(graph))
    followed = {conv.output for conv in pairs.values()}
    tensors, nodes = dict(graph.tensors), list[Node]()
    for node in graph.nodes:
        if isinstance(node, Conv) and node.output in followed:
            move = next(move for move, conv in pairs.items() if conv is node)
            small = _small(graph, move, node)
            tensors[small.key] = small
            nodes.append(
                replace(node, inputs=move.inputs, output=small.key, image=_image(graph, move))
            )
            nodes.append(replace(move, inputs=(small.key,), output=node.output))
        elif node not in pairs:
            nodes.append(node)
    return replace(graph, tensors=tensors, nodes=tuple(nodes)) if pairs else graph


def _pairs(graph: Graph) -> Iterator[tuple[Move, Conv]]:
    """Enlargements, and the pointwise layers that are their only readers."""
    for node in graph.nodes:
        if not isinstance(node, Move) or node.output in graph.sinks:
            continue
        reader, *others = graph.consumers(node.output) or (None,)
        if not isinstance(reader, Conv) or others:
            continue
        if _pointwise(graph, reader) and _enlarges(graph, node):
            yield node, reader


def _pointwise(graph: Graph, node: Conv) -> bool:
    target = graph.tensors[node.output]
    alone = node.weights.shape[1:3] == (1, 1) and node.stride == (1, 1) and not any(node.pad)
    whole = (node.batch, *node.image) == graph.tensors[node.inputs[0]].shape
    return alone and whole and len(target.shape) == 4 and target.dtype != "int32"


def _enlarges(graph: Graph, node: Move) -> bool:
    """Pixels are repeated or chosen, and there are more of them afterwards."""
    source, target = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    items, rows, columns, channels = source.shape
    found = moved(node.function, node.parameters, (items, rows, columns, channels))
    if found is None or found.fill is not None or len(found.pieces) != 1:
        return False
    kept = found.pieces[0].axes[3].source == tuple(range(channels))
    return kept and target.elements > source.elements


def _image(graph: Graph, move: Move) -> tuple[int, int, int]:
    _, rows, columns, channels = graph.tensors[move.inputs[0]].shape
    return rows, columns, channels


def _small(graph: Graph, move: Move, conv: Conv) -> Tensor:
    """The layer's output before it is enlarged."""
    large, source = graph.tensors[conv.output], graph.tensors[move.inputs[0]]
    key = f"{large.key} before {move.name}"
    return Tensor(
        name=key,
        key=key,
        shape=(*source.shape[:3], large.shape[3]),
        dtype=large.dtype,
        quantisation=large.quantisation,
    )
