"""A network layer by layer against ONNX Runtime without optimisation, each on the same operands.

Whatever both have computed is compared by name; the next layer gets ONNX Runtime's values, so that
a value which differs for a proven reason changes nothing after it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np
import onnx

from compiler.ir.graph import Graph, Tensor
from compiler.ir.ops import HostStep, Node, Reshape
from sim.golden.run import run_node
from tests.support.onnx.bounds import Array, Evaluator
from tests.support.onnx.models import oracle

Judge = Callable[[Evaluator, str, Array, Array], Array]
_LISTED = 4


@dataclass
class LayerFindings:
    """How many values were compared; by tensor those at a proven edge; what is wrong.

    `stored` of the values are integers, which alone lie at edges; `floats` counts the numbers of
    unrounded products that differ within their bound. `absent` names the stored tensors that the
    graph does not have: an operator computes through.
    """

    values: int = 0
    stored: int = 0
    tensors: int = 0
    edges: dict[str, list[str]] = field(default_factory=dict)
    floats: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """The tensors that differ for a proven reason."""
        return [*self.edges, *self.floats]

    @property
    def at_an_edge(self) -> int:
        """How many values differ for a proven reason."""
        return sum(len(places) for places in self.edges.values())


def differing(ours: Array, theirs: Array) -> Array:
    """Where two arrays differ; NaN equals NaN."""
    neither = (ours != ours) & (theirs != theirs)
    return np.asarray((ours != theirs) & ~neither)


def every_value(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor of a model as ONNX Runtime without optimisation computes it."""
    wider = onnx.ModelProto()
    wider.CopyFrom(model)
    made = [name for node in model.graph.node for name in node.output if name]
    del wider.graph.output[:]
    wider.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    values = dict(zip(made, oracle(wider, dict(feeds), optimised=False), strict=True))
    held = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    return {**held, **feeds, **values}


def by_layer(
    graph: Graph, model: onnx.ModelProto, feeds: Mapping[str, Array], judge: Judge
) -> LayerFindings:
    """Compare every tensor that graph and model both have."""
    theirs = every_value(model, feeds)
    evaluator, found = Evaluator(model, theirs), LayerFindings()
    tensors = graph.tensors
    values = {key: t.data for key, t in tensors.items() if t.data is not None}
    for key in graph.inputs:
        values[key] = tensors[key].from_model_layout(np.asarray(feeds[tensors[key].name]))
    made = {name for node in model.graph.node for name in node.output if name}
    for node in graph.nodes:
        tensor = tensors[node.output]
        value = _shaped(run_node(node, [values[key] for key in node.inputs]), tensor)
        other = theirs.get(tensor.name) if tensor.name in made else None
        ours = tensor.in_model_layout(value)
        if other is not None and (other.dtype, other.shape) == (ours.dtype, ours.shape):
            _compare(found, evaluator, tensor.name, (ours, other), judge)
            value = _shaped(tensor.from_model_layout(other), tensor)
            made.discard(tensor.name)
            if is_signed_form_of(node):
                source = values[node.inputs[0]]
                lower = value.astype(np.int64) - node.parameters["by"]
                values[node.inputs[0]] = lower.astype(source.dtype).reshape(source.shape)
            if isinstance(node, Reshape):  # the same values, which other nodes read where they are
                source = values[node.inputs[0]]
                values[node.inputs[0]] = value.reshape(source.shape)
        values[node.output] = value
    kinds = (np.int8, np.uint8, np.int16, np.uint16, np.int32)
    found.absent = [n for n in made if theirs[n].dtype in kinds and not evaluator.fixed(n)]
    return found


def is_signed_form_of(node: Node) -> TypeGuard[HostStep]:
    """Whether a uint16 tensor is made of its int16 form, which other nodes read where it is."""
    shifts = isinstance(node, HostStep) and node.function == "shift_values"
    return shifts and node.parameters["dtype"] == "uint16"


def _compare(
    found: LayerFindings, evaluator: Evaluator, name: str, pair: tuple[Array, Array], judge: Judge
) -> None:
    ours, theirs = pair
    found.values += ours.size
    found.stored += ours.size if ours.dtype.kind in "iu" else 0
    found.tensors += 1
    different = differing(ours, theirs)
    if not np.any(different):
        return
    reasons = judge(evaluator, name, ours, theirs)
    places = [tuple(int(n) for n in place) for place in np.argwhere(different & reasons)]
    if places and ours.dtype == np.float32:
        found.floats[name] = len(places)
    elif places:
        found.edges[name] = [f"{place} {ours[place]} / {theirs[place]}" for place in places]
    bad = [tuple(int(n) for n in place) for place in np.argwhere(different & ~reasons)]
    if bad:
        listed = ", ".join(f"{place} {ours[place]} / {theirs[place]}" for place in bad[:_LISTED])
        found.wrong.append(f"{name}: {len(bad)} of {ours.size} values differ: {listed}")


def _shaped(array: Array, tensor: Tensor) -> Array:
    if tensor.shape[:1] == (1,):
        return array.reshape((-1, *tensor.shape[1:]))
    return array.reshape(tensor.shape)
