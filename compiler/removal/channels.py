"""Channels of tensors, and the operators whose channels can be told apart."""

from collections.abc import Sequence

from compiler.ir.graph import Graph, Tensor
from compiler.ir.ops import Add, Concat, Conv, Mul, Node, Pad, Pool, Rescale
from numerics.quantisation import INTEGER_RANGES


def channels_of(tensor: Tensor) -> int:
    """Size of a tensor's last axis; 0 for one that has no channels to speak of."""
    integer = tensor.dtype in INTEGER_RANGES
    return tensor.shape[-1] if tensor.shape and integer else 0


def by_channel(graph: Graph, node: Node) -> bool:
    """Whether single channels of a node's output, and of what it reads, can be left out.

    A front end may give an output another shape than the operator's own.
    """
    keys = (*node.inputs, node.output)
    if not all(channels_of(graph.tensors[key]) for key in keys):
        return False
    shapes = [graph.tensors[key].shape for key in keys]
    match node:
        case Conv():
            return _own_channels(graph, node) and shapes[-1][-1] == len(node.weights)
        case Pool():
            return _own_channels(graph, node) and shapes[-1][-1] == shapes[0][-1]
        case Add() | Mul() | Rescale():
            return len(set(shapes)) == 1
        case Concat():
            return shapes[-1] == _joined(node, shapes[:-1])
        case Pad():
            return not any(node.pads[-1]) and shapes[-1] == _padded(node, shapes[0])
    return False


def _joined(node: Concat, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    total = sum(shape[node.axis] for shape in shapes)
    return (*shapes[0][: node.axis], total, *shapes[0][node.axis + 1 :])


def _padded(node: Pad, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size + sum(pair) for size, pair in zip(shape, node.pads, strict=True))


def _own_channels(graph: Graph, node: Conv | Pool) -> bool:
    """Whether the channels that a node sees are those of its input tensor."""
    return node.image[2] == channels_of(graph.tensors[node.inputs[0]])
