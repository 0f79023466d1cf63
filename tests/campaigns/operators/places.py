"""Where the operators of a file run, as the page of models names the places."""

from collections.abc import Sequence

from compiler.ir.fold import fold
from compiler.ir.graph import Graph
from compiler.ir.ops import Concat, Constant, Conv, HostStep, Move, Node, Pad, Reshape
from compiler.moves.lift import with_moves
from compiler.operators.build import array_types
from rowforge.configs import preset
from tests.campaigns.operators.files import Found

ARRAY, POST, ADDRESSES, HOST, NOTHING = (
    "array",
    "post-processor",
    "addressing",
    "host",
    "nothing",
)
ORDER = (ARRAY, POST, ADDRESSES, HOST, NOTHING)
_CONFIGS = {True: preset("tiny_16x8"), False: preset("tiny")}


def place_of(node: Node) -> str:
    """Where a node is served if its layer fits the accelerator."""
    if node.folded or isinstance(node, Reshape | Constant):
        return NOTHING
    if isinstance(node, HostStep):
        return HOST
    if isinstance(node, Conv):
        return ARRAY
    return ADDRESSES if isinstance(node, Concat | Pad | Move) else POST


def places_of(graph: Graph, found: Sequence[Found]) -> dict[Found, str]:
    """The busiest place of each operator, in the order array to nothing.

    Operators without a node of their own, and those that others absorbed, take nothing. Operators
    of ONNX files are told apart by their type alone.
    """
    config = _CONFIGS[any(tensor.dtype == "int16" for tensor in graph.tensors.values())]
    nodes = with_moves(fold(graph), config.lanes, array_types(config)).nodes
    result = {}
    for one in found:
        label = f"{one.index:03d}_{one.operator}"
        own = [node for node in nodes if node.name.split(" ")[0] == label]
        own = own or [node for node in nodes if node.op == one.operator]
        result[one] = min(map(place_of, own), key=ORDER.index, default=NOTHING)
    return result
