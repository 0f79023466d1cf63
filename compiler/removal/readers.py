"""Who needs a tensor whole: the host, or an operator that does not work channel by channel."""

from dataclasses import dataclass, field

from compiler.ir.graph import Graph
from compiler.ir.ops import HostStep, Node, Reshape
from compiler.removal.channels import by_channel


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
    found = Demands(host={*graph.sinks, *(graph.tensors if keep_all else ())})
    found.whole.update(graph.sources)
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
        elif by_channel(graph, node):
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
