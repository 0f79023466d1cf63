"""What a graph is made of, and what a campaign must have shown."""

from collections import Counter
from collections.abc import Iterator
from math import ceil, prod
from typing import TypeAlias

from compiler.ir.graph import Graph
from compiler.ir.ops import Add, Concat, Conv, HostStep, Mul, Node, Pad, Pool, Rescale, Reshape
from hw.arch.config import Config
from hw.arch.program import Host, Load, Program, Store
from numerics.quantisation import Requant

Feature: TypeAlias = tuple[str, str]  # group, item

EACH_AT_LEAST = 10  # graphs, for every item below
LARGE = 4.0  # buffers that the largest tensor of a large graph takes
WANTED: dict[str, tuple[str, ...]] = {
    "operator": (
        "conv", "strided", "dilated", "grouped", "depthwise", "pointwise", "fully connected",
        "raw", "add", "mul", "concatenation", "max pool", "average pool", "pad", "relu", "rescale",
        "reshape", "slice", "transpose", "lookup", "softmax", "pick", "tile", "depth_to_space",
        "space_to_depth", "space_to_batch", "spread_ort",
    ),
    "concatenation along": ("items", "rows", "columns", "channels"),
    "operands of a concatenation": ("2", "3", "4", "5", "6"),
    "form": (
        "several readers", "read twice by an add", "read twice by a mul",
        "read twice by a concatenation", "unequal operands", "several outputs",
        "an output is read on", "batch > 1", "a host step in the middle",
    ),
}  # fmt: skip
_AXES = WANTED["concatenation along"]
_GROUPS = {
    "configurations": 40,
    "spilling": 60,
    "larger than four buffers": 30,
    "simulated": 60,
    "16-bit zero points": 4,  # few configurations have whole sums of 16-bit products
}


_REMOVED = ("constant", "unread", "inputs", "whole layer")  # of programs


def targets() -> dict[Feature, int]:
    """How many graphs, or configurations, must show each item in a campaign of full length."""
    each = {
        (group, item): EACH_AT_LEAST
        for group, items in {**WANTED, "removed": _REMOVED}.items()
        for item in items
    }
    return {**{("campaign", item): count for item, count in _GROUPS.items()}, **each}


def features(graph: Graph, config: Config, program: Program) -> list[Feature]:
    """All that a graph and its program without layers kept show, without repetition."""
    found = made_of(graph)
    if spills(program):
        found.add(("campaign", "spilling"))
    if largest(graph, config) > LARGE:
        found.add(("campaign", "larger than four buffers"))
    stages = [node.stage for node in graph.nodes if isinstance(node, Conv)]
    if any(isinstance(stage, Requant) and stage.fixed for stage in stages):
        found.add(("campaign", "16-bit zero points"))
    for layer in program.layers:
        found |= {("removed", item) for item in _REMOVED if layer.removed.get(item)}
        if layer.removed and layer.where == "folded":
            found.add(("removed", "whole layer"))
    return sorted(found)


def made_of(graph: Graph) -> set[Feature]:
    """Operators and forms of a graph."""
    found = {pair for node in graph.nodes for pair in _node(graph, node)}
    return found | {("form", item) for item in _forms(graph)}


def largest(graph: Graph, config: Config) -> float:
    """The largest tensor, in multiples of the buffer's activation words."""
    words = (
        prod(t.shape[:-1]) * ceil(t.shape[-1] / config.lanes)
        for t in graph.tensors.values()
        if t.dtype != "int32"
    )
    return max(words) / (config.act_banks * config.buffer.depth)


def spills(program: Program) -> bool:
    """A tensor leaves or enters the buffer that nobody but the array asked for, or in tiles."""
    asked = {*program.inputs, *program.outputs}
    for step in program.steps:
        if isinstance(step, Host):
            asked |= {*step.inputs, *step.outputs}
    moved = {step.tensor for step in program.steps if isinstance(step, Load | Store)}
    return bool(moved - asked) or any("tiles" in layer.reason for layer in program.layers)


def _node(graph: Graph, node: Node) -> Iterator[Feature]:
    yield from (("operator", item) for item in _operators(graph, node))
    if isinstance(node, Concat):
        rank = len(graph.tensors[node.output].shape)
        yield "concatenation along", _AXES[node.axis if rank == 4 else (0, 3)[node.axis]]
        yield "operands of a concatenation", str(len(node.inputs))
        if len({graph.tensors[key].shape[node.axis] for key in node.inputs}) > 1:
            yield "form", "unequal operands"
    if isinstance(node, Add | Mul | Concat) and len(set(node.inputs)) < len(node.inputs):
        name = "concatenation" if isinstance(node, Concat) else type(node).__name__.lower()
        yield "form", f"read twice by a{'n' * (name == 'add')} {name}"


def _operators(graph: Graph, node: Node) -> Iterator[str]:
    match node:
        case Conv():
            yield from _products(graph, node)
        case Pool():
            yield f"{node.kind.value} pool"
        case Rescale():
            yield "relu" if node.op == "RELU" else "rescale"
        case HostStep():
            yield node.function
        case Add():
            yield "add"
        case Mul():
            yield "mul"
        case Concat():
            yield "concatenation"
        case Pad():
            yield "pad"
        case Reshape():
            yield "reshape"


def _products(graph: Graph, node: Conv) -> Iterator[str]:
    if graph.tensors[node.output].dtype == "int32":
        yield "raw"
    if len(graph.tensors[node.output].shape) == 2:
        yield "fully connected"
        return
    if max(node.stride) > 1:
        yield "strided"
    if max(node.dilation) > 1:
        yield "dilated"
    if node.groups > 1:
        yield "depthwise" if node.weights.shape[3] == 1 else "grouped"
    elif node.weights.shape[1:3] == (1, 1):
        yield "pointwise"
    else:
        yield "conv"


def _forms(graph: Graph) -> Iterator[str]:
    if any(len(graph.consumers(key)) > 1 for key in graph.tensors):
        yield "several readers"
    if len(graph.outputs) > 1:
        yield "several outputs"
    if any(graph.consumers(key) for key in graph.outputs):
        yield "an output is read on"
    if any(len(t.shape) == 4 and t.shape[0] > 1 for t in graph.tensors.values()):
        yield "batch > 1"
    hosted = [node for node in graph.nodes if isinstance(node, HostStep)]
    if any(graph.producer(n.inputs[0]) and graph.consumers(n.output) for n in hosted):
        yield "a host step in the middle"


def missed(counts: Counter[Feature]) -> list[str]:
    """What came up too seldom, each with its figures."""
    return [
        f"{group}: {item} {counts[group, item]} of {count}"
        for (group, item), count in targets().items()
        if counts[group, item] < count
    ]


def table(counts: Counter[Feature]) -> list[str]:
    """How often each item came up."""
    return [
        f"{group}: " + ", ".join(f"{item} {counts[group, item]}" for item in items)
        for group, items in {"campaign": tuple(_GROUPS), **WANTED, "removed": _REMOVED}.items()
    ]
