"""Monotone activations between an operator on floats and the QuantizeLinear after it.

Relu and Clip do not fall as their input rises, nor does QuantizeLinear, so that they are a clamp of
the stored values: quantised(clip(x)) = clamp(quantised(x)).
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import Scale
from numerics.quantisation import integer_range

Bounds = tuple[float | None, float | None]


@dataclass
class QdqChain:
    """What lies between an operator and the QuantizeLinear after it, in the model's order.

    `name` is the float tensor before the activations; `limits` are stored values between which the
    quantised output is clamped besides, None for those of its type.
    """

    name: str
    bounds: list[Bounds] = field(default_factory=list)
    nodes: list[RawNode] = field(default_factory=list)
    limits: tuple[int, int] | None = None

    def clamp(self, target: Scale) -> tuple[int, int]:
        """The stored values between which the chain's activations leave the output."""
        clamp = self.limits or integer_range(target.dtype)
        for bounds in reversed(self.bounds):
            clamp = clamp_before(bounds, clamp, target)
        return clamp


def clamp_before(bounds: Bounds, clamp: tuple[int, int], target: Scale) -> tuple[int, int]:
    """The clamp of stored values that does the work of an activation and of the clamp after it."""
    low, high = integer_range(target.dtype)
    lower, upper = bounds
    if lower is not None:
        low, high = (max(edge, quantised(lower, target)) for edge in (low, high))
    if upper is not None:
        low, high = (min(edge, quantised(upper, target)) for edge in (low, high))
    return clamped(low, clamp), clamped(high, clamp)


def clamped(value: int, clamp: tuple[int, int]) -> int:
    """A stored value between two others."""
    return min(max(value, clamp[0]), clamp[1])


def stored_clamp(bounds: Bounds, dtype: str) -> tuple[int, int]:
    """The stored values between which a Clip of integers leaves its input."""
    lowest, highest = integer_range(dtype)
    low, high = (
        default if edge is None else int(min(max(edge, lowest), highest))
        for edge, default in zip(bounds, (lowest, highest), strict=True)
    )
    return min(low, high), high


@lru_cache(maxsize=256)
def quantised(real: float, scale: Scale) -> int:
    """QuantizeLinear of one number."""
    low, high = integer_range(scale.dtype)
    with np.errstate(over="ignore"):
        ratio = float(np.float32(real) / scale.scale)
    rounded = float(np.rint(np.clip(ratio, -(2.0**40), 2.0**40)))
    return int(min(max(rounded + scale.zero_point, low), high))


def walk_back(builder: OnnxBuilder, name: str, limits: tuple[int, int] | None = None) -> QdqChain:
    """Over Relu and Clip to the operator that computes."""
    chain = QdqChain(name, limits=limits)
    while chain.name in builder.pending:
        node = builder.pending[chain.name]
        bounds = clip_bounds(builder, node)
        if bounds is None:
            break
        chain.bounds.insert(0, bounds)
        chain.nodes.append(node)
        chain.name = node.inputs[0]
    return chain


def clip_bounds(builder: OnnxBuilder, node: RawNode) -> Bounds | None:
    """The real interval of a Relu or Clip, None for another operator or unknown bounds."""
    if node.op_type == "Relu":
        return 0.0, None
    if node.op_type != "Clip":
        return None
    bounds: list[float | None] = []
    for position, edge in ((1, "min"), (2, "max")):
        value: Any = node.number(edge, 0.0) if edge in node.attributes else None
        if builder.has(node, position):
            name = node.inputs[position]
            if name not in builder.constants or builder.constants[name].size != 1:
                return None
            value = builder.constants[name].reshape(-1)[0]
        bounds.append(None if value is None or np.isnan(value) else float(value))
    return bounds[0], bounds[1]


def real_bounds(builder: OnnxBuilder, node: RawNode) -> Bounds:
    """Between which numbers a Relu or Clip leaves float32 values.

    A bound that a Clip does not give is the last finite number, not infinity. Raises
    `RowforgeError` for bounds that are no constants.
    """
    bounds = clip_bounds(builder, node)
    if bounds is None:
        builder.refuse(node, "its bounds are no constants", "export them as initializers")
    if node.op_type == "Relu":
        return bounds
    largest = float(np.finfo(np.float32).max)
    low = bounds[0] if _has_bound(builder, node, 1, "min") else -largest
    high = bounds[1] if _has_bound(builder, node, 2, "max") else largest
    return low, high


def _has_bound(builder: OnnxBuilder, node: RawNode, position: int, edge: str) -> bool:
    """Whether a Clip gives this bound, as an input or, before operator set 11, an attribute."""
    return builder.has(node, position) or edge in node.attributes
