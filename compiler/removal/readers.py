"""Who needs a tensor whole: the host, or an operator that does not work channel by channel."""

from dataclasses import dataclass, field

from compiler.ir.graph import Graph
from compiler.ir.ops import Add, Concat, Conv, HostStep, Mul, Node, Pad, Pool, Rescale, Reshape
from compiler.removal.known import channels_of, channelwise


@dataclass
class Demands:
    """Tensors by what is asked of them.

    host : the host reads them: of these, channels that are known need not be computed
    whole : every channel must be there
    """

    host: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)


def demands(graph: Graph, *, keep_all: bool) -> Demands:
    """What is asked of a graph's tensors; `keep_all`: the host reads every tensor."""
    found = Demands(host={*graph.outputs, *(graph.tensors if keep_all else ())})
    found.whole.update(graph.inputs)
    read_on_array: set[str] = set()
    for node in reversed(graph.nodes):
        if _relabels(node):
            # A folded operator's result is made from its input if someone asks for it at all.
            for group in (found.host, read_on_array):
                if node.output in group:
                    group.update(node.inputs)
            if node.output in read_on_array:
                found.whole.update(node.inputs)
            found.whole.add(node.output)
        elif isinstance(node, HostStep):
            found.host.update(node.inputs)
            found.whole.add(node.output)
        elif removable(graph, node):
            if not node.folded:
                read_on_array.update(node.inputs)
            elif node.output in found.host:
                found.host.update(node.inputs)
        else:
            found.whole.update((*node.inputs, node.output))
            read_on_array.update(node.inputs)
    return found


def _relabels(node: Node) -> bool:
    return isinstance(node, Reshape) or (isinstance(node, HostStep) and bool(node.folded))


def removable(graph: Graph, node: Node) -> bool:
    """Whether single channels of a node's output, and of what it reads, can be left out."""
    keys = (*node.inputs, node.output)
    if not all(channels_of(graph.tensors[key]) for key in keys):
        return False
    shapes = [graph.tensors[key].shape for key in keys]
    match node:
        case Conv():
            return channelwise(graph, node) and shapes[-1][-1] == len(node.weights)
        case Pool():
            return channelwise(graph, node) and shapes[-1][-1] == shapes[0][-1]
        case Add() | Mul() | Rescale():
            return len(set(shapes)) == 1
        case Concat():
            return True
        case Pad():
            return not any(node.pads[-1])
    return False
