"""The graph without the channels that go, and what became of every operator."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from compiler.ir.graph import Graph, Tensor
from compiler.ir.ops import Constant, Conv, HostStep, Mul, Node, Pool, Rescale
from compiler.removal.channels import by_channel
from compiler.removal.kept import Kept
from compiler.removal.known import Known
from compiler.removal.stages import smaller_stage
from numerics.quantisation import Requant

Flags = NDArray[np.bool_]

EXPAND = "expand"
"""The host step (`numerics.host.moves.expand`) that makes a tensor whole again."""

_CONSTANT = "every channel is constant"
_UNREAD = "nobody reads any of its channels"


@dataclass(frozen=True)
class Removed:
    """What went of an operator.

    Attributes
    ----------
    channels : of its output, before
    constant : of these, how many are gone since they hold one value
    unread : how many are gone since nobody reads them
    inputs : channels of its inputs that it need not read any more
    macs : multiply-accumulates that went with them
    """

    channels: int
    constant: int
    unread: int
    inputs: int
    macs: int


@dataclass(frozen=True)
class Pruned:
    """A graph without channels that need not be computed.

    Attributes
    ----------
    graph : the graph; a tensor whose channels went in part and can be made whole is the output of
        a folded host step `EXPAND`, under its own key
    removed : what went, by the output's key of operators in the new graph
    """

    graph: Graph
    removed: dict[str, Removed] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference that went."""
        return sum(removed.macs for removed in self.removed.values())


def is_expansion(node: Node) -> bool:
    """Whether a node makes a tensor whole again."""
    return isinstance(node, HostStep) and node.function == EXPAND


def rewrite(graph: Graph, known: dict[str, Known], kept: Kept) -> Pruned:
    """The graph of what is kept."""
    return _Rewriting(graph, known, kept).run()


class _Rewriting:
    """The new graph while it is made, node by node."""

    def __init__(self, graph: Graph, known: dict[str, Known], kept: Kept) -> None:
        self.graph, self.known, self.kept = graph, known, kept
        self.tensors = dict(graph.tensors)
        self.nodes: list[Node] = []
        self.removed: dict[str, Removed] = {}
        self.names: dict[str, str] = {}  # tensors that went in part: key of what stays
        self.ready = {key for key, tensor in graph.tensors.items() if tensor.data is not None}
        self.ready.update(graph.sources)
        self._ahead: list[tuple[str, str, str]] = []  # dropped before any node stays

    def run(self) -> Pruned:
        """The result."""
        for key, tensor in self.graph.tensors.items():
            if self._partly(key) and (tensor.data is not None or self._is_made(key)):
                self._name(key, tensor)
        for node in self.graph.nodes:
            self._node(node)
        graph = replace(self.graph, tensors=self.tensors, nodes=tuple(self.nodes))
        return Pruned(graph, self.removed)

    def _is_made(self, key: str) -> bool:
        node = self.graph.producer(key)
        return node is not None and by_channel(self.graph, node)

    def _partly(self, key: str) -> bool:
        flags = self.kept[key]
        return bool(flags.any() and not flags.all())

    def _name(self, key: str, tensor: Tensor) -> None:
        """Declares what stays of a tensor."""
        flags, name = self.kept[key], f"{key} without removed channels"
        while name in self.tensors:
            name += "'"
        data = None if tensor.data is None else tensor.data[..., flags]
        self.names[key] = name
        self.tensors[name] = replace(
            tensor,
            name=name,
            key=name,
            shape=(*tensor.shape[:-1], int(flags.sum())),
            data=data,
            permutation=None,
            model_shape=None,
        )
        if data is not None:
            self.ready.add(name)

    # ---- nodes ----------------------------------------------------------------------------------

    def _node(self, node: Node) -> None:
        if not by_channel(self.graph, node):
            if set(node.inputs) <= self.ready:
                self._add(node)
            else:
                # Only folded operators that nobody asks for read what is not made whole again.
                assert node.folded
                self._drop(node, node.folded)
        elif self.kept[node.output].any():
            self._smaller(node)
        else:
            self._gone(node)

    def _add(self, node: Node) -> None:
        if self._ahead:
            node = replace(node, absorbs=(*node.absorbs, *self._ahead))
            self._ahead = []
        self.nodes.append(node)
        self.ready.add(node.output)

    def _drop(self, node: Node, reason: str) -> None:
        """A node that is not needed any more is reported with the one before it."""
        rows = ((node.name, node.op, reason), *node.absorbs)
        if self.nodes:
            self.nodes[-1] = replace(self.nodes[-1], absorbs=(*self.nodes[-1].absorbs, *rows))
        else:
            self._ahead += rows

    def _gone(self, node: Node) -> None:
        """A node of whose output no channel stays."""
        known, tensor = self.known[node.output], self.graph.tensors[node.output]
        if not known.flags.all():
            self._drop(node, node.folded or _UNREAD)
            return
        value = np.broadcast_to(known.values, tensor.shape).astype(tensor.dtype)
        self._record(node, node.output, 0)
        constant = Constant(
            name=node.name,
            op=node.op,
            inputs=(),
            output=node.output,
            folded=node.folded or _CONSTANT,
            absorbs=node.absorbs,
            value=value,
        )
        self._add(constant)

    def _smaller(self, node: Node) -> None:
        """A node of whose output some channels stay."""
        sources = tuple(self.names.get(key, key) for key in node.inputs if self.kept[key].any())
        output = self.names.get(node.output, node.output)
        made = replace(self._without(node), inputs=sources, output=output)
        self._record(node, output, made.macs if isinstance(made, Conv) else 0)
        self._add(made)
        known, flags = self.known[node.output], self.kept[node.output]
        if output != node.output and (flags | known.flags).all():
            self._add(self._expansion(node, output))

    def _record(self, node: Node, output: str, macs: int) -> None:
        flags, known = self.kept[node.output], self.known[node.output].flags
        inputs = sum(int((~self.kept[key]).sum()) for key in node.inputs)
        if not node.folded and (inputs or not flags.all()):
            self.removed[output] = Removed(
                channels=len(flags),
                constant=int((~flags & known).sum()),
                unread=int((~flags & ~known).sum()),
                inputs=inputs,
                macs=(node.macs if isinstance(node, Conv) else 0) - macs,
            )

    def _expansion(self, node: Node, source: str) -> HostStep:
        values, flags = self.known[node.output].values, self.kept[node.output]
        return HostStep(
            name=f"{node.name} made whole",
            op="EXPAND",
            inputs=(source,),
            output=node.output,
            folded="removed channels put back for the host",
            function=EXPAND,
            parameters={
                "kept": tuple(np.flatnonzero(flags).tolist()),
                "values": tuple(values.tolist()),
            },
        )

    # ---- kinds of node --------------------------------------------------------------------------

    def _without(self, node: Node) -> Node:
        """The node with the parameters of the channels that stay."""
        ours = self.kept[node.output]
        match node:
            case Conv():
                return self._conv(node, ours)
            case Pool():
                return replace(node, image=(*node.image[:2], int(ours.sum())))
            case Mul() | Rescale():
                stage = smaller_stage(node.stage, ours)
                assert isinstance(stage, Requant)
                return replace(node, stage=stage)
        return node

    def _conv(self, node: Conv, ours: Flags) -> Conv:
        source = self.kept[node.inputs[0]]
        if node.groups == 1:
            weights, groups = node.weights[ours][..., source], 1
        else:
            depthwise = node.weights.shape[3] == 1
            weights, groups = node.weights[ours], int(source.sum()) if depthwise else node.groups
        bias = node.bias if node.groups > 1 else self.kept.bias(node)
        zeros, magnitude = node.weight_zero_point, node.float_magnitude
        return replace(
            node,
            image=(*node.image[:2], int(source.sum())),
            weights=weights,
            weight_zero_point=zeros if len(zeros) == 1 else zeros[ours],
            bias=bias[ours],
            groups=groups,
            stage=smaller_stage(node.stage, ours),
            float_magnitude=magnitude if magnitude is None else magnitude[ours],
        )
