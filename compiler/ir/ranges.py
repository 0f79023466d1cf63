"""What an activation can hold, by the clamp of whatever writes it."""

from compiler.ir.graph import Graph
from compiler.ir.ops import Add, Conv, Mul, Node, Pool, Rescale, Reshape
from numerics.quantisation import integer_range


def value_range(graph: Graph, key: str) -> tuple[int, int]:
    """(lowest, highest) stored value that an integer tensor can hold.

    A ReLU's output, for instance, starts at its zero point: a tighter bound for psums than the
    type's own range.
    """
    tensor = graph.tensors[key]
    if tensor.data is not None:
        return int(tensor.data.min()), int(tensor.data.max())
    low, high = integer_range(tensor.dtype)
    node = graph.producer(key)
    if isinstance(node, Reshape):
        return value_range(graph, node.inputs[0])
    clamp = _clamp(node) or (low, high)
    return max(low, clamp[0]), min(high, clamp[1])


def _clamp(node: Node | None) -> tuple[int, int] | None:
    if isinstance(node, Conv | Mul | Rescale):
        return node.stage.low, node.stage.high
    if isinstance(node, Add | Pool):
        return node.low, node.high
    return None
