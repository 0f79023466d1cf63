"""Functions of single values: on dequantised 8-bit values a table of 256, else a host step.

Between DequantizeLinear and QuantizeLinear a function has 256 results. So has any expression of
one such tensor and of constants, such as x * Sigmoid(x) or HardSwish written in its parts. Both are
computed with ONNX Runtime's arithmetic for all values when the model is read.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import EIGHT_BITS, Activation, Scale, Stored
from compiler.frontends.onnx.operators.binary import aligned
from compiler.frontends.onnx.operators.chain import clip_bounds, real_bounds
from compiler.frontends.onnx.operators.requant import all_values, emit_table
from compiler.ir.ops import Array
from numerics.host.ort.arithmetic import arithmetic, clip, dequantise_ort, quantise_ort
from numerics.host.ort.functions import FUNCTIONS, function_ort, prelu
from numerics.host.ort.reduce import extreme_ort
from numerics.quantisation import integer_range

AS_TABLE = "a table of its 256 results, computed when the model is read"
_MOST = 64  # operators of one expression
_NUMBERS: dict[str, dict[str, float]] = {
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "LeakyRelu": {"alpha": 0.01},
    "ThresholdedRelu": {"alpha": 1.0},
    "QuickGelu": {"alpha": 1.702},
}
OF_ONE = tuple(name for name in FUNCTIONS if " " not in name)
_QUOTIENTS = ("Div", "Reciprocal")
_OF_TWO = ("Add", "Sub", "Mul", "Div", "PRelu", "Min", "Max")


def _read(node: RawNode) -> tuple[str, dict[str, float]]:
    """The function of `numerics.host.ort.functions` that the operator is, and its constants."""
    name = node.op_type
    if name == "Gelu" and node.text("approximate", "none") == "tanh":
        name = "Gelu by tanh"
    numbers = _NUMBERS.get(name, {})
    return name, {key: node.number(key, default) for key, default in numbers.items()}


def convert_function(builder: OnnxBuilder, node: RawNode) -> None:
    """A function of every value of a float tensor."""
    source = builder.activation(node, 0)
    if source.dtype != "float32":
        builder.refuse(
            node,
            f"its input has type {source.dtype}",
            "put it between DequantizeLinear and QuantizeLinear",
        )
    kind, numbers = _read(node)
    constants: dict[str, Any] = {"kind": kind, **numbers}
    output = builder.declare(node.outputs[0], source.layout, "float32")
    builder.emit_host(node, "function_ort", (source,), output, **constants)


def convert_prelu(builder: OnnxBuilder, node: RawNode) -> None:
    """PRelu of a float tensor, with slopes that broadcast to it."""
    source, slope = builder.activation(node, 0), builder.activation(node, 1, "slope")
    if {source.dtype, slope.dtype} != {"float32"}:
        builder.refuse(
            node,
            f"its inputs are {source.dtype} and {slope.dtype}",
            "put it between DequantizeLinear and QuantizeLinear",
        )
    source, slope = aligned(builder, node, source, slope, spread=False)
    if np.broadcast_shapes(source.shape, slope.shape) != source.shape:
        builder.refuse(
            node,
            f"its slope has shape {list(slope.shape)}",
            "give one that broadcasts to its input",
        )
    output = builder.declare(node.outputs[0], source.layout, "float32")
    builder.emit_host(node, "prelu", (source, slope), output)


# ---- tables -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Expression:
    """A float tensor each of whose values is a function of one stored value.

    `real` are its values for all values of the type, in order; `nodes` the operators that take
    part, in the model's order.
    """

    source: Stored
    real: Array
    nodes: tuple[RawNode, ...]


def expression_before(builder: OnnxBuilder, name: str) -> Expression | None:
    """The expression that a float tensor is; None if it is no function of one stored tensor."""
    found = _walk(builder, name)
    if found is None or not found.nodes:
        return None
    sources = [builder.stored(leaf) for leaf in found.leaves]
    first = sources[0] if sources else None
    if first is None or first.scale.dtype not in EIGHT_BITS:
        return None
    for other in sources[1:]:
        if other is None or other.scale != first.scale:
            return None
        one = other.activation.key == first.activation.key
        if not one or not other.activation.layout.same_as(first.activation.layout):
            return None
    if any(value.ndim > len(first.activation.shape) for value in found.constants.values()):
        return None
    if _signs_matter(found):
        return None
    scale = first.scale
    leaf = dequantise_ort(
        all_values(scale.dtype), scale=(float(scale.scale),), zero_point=(scale.zero_point,)
    )
    values = {key: value.reshape(()) for key, value in found.constants.items()}
    values.update(dict.fromkeys(found.leaves, leaf))
    for node in found.nodes:
        values[node.outputs[0]] = _applied(builder, node, values)
    return Expression(first, values[name], tuple(found.nodes))


def _signs_matter(found: "_Found") -> bool:
    """Whether a quotient may tell apart zeros between which Min or Max has chosen by place."""
    kinds = {node.op_type for node in found.nodes}
    zero = any(not value.all() for value in found.constants.values())
    return zero and not kinds.isdisjoint({"Min", "Max"}) and not kinds.isdisjoint(_QUOTIENTS)


@dataclass
class _Found:
    """Operators in an order in which they can run, the tensors and constants that they read."""

    nodes: list[RawNode] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)


def _walk(builder: OnnxBuilder, name: str) -> _Found | None:
    """The operators before a float tensor down to those that are no functions of single values."""
    found, seen = _Found(), set()
    stack = [(name, False)]
    while stack:
        current, ready = stack.pop()
        if ready:
            found.nodes.append(builder.pending[current])
            continue
        if current in seen:
            continue
        seen.add(current)
        if current in builder.constants:
            value = builder.constants[current]
            if value.size != 1 or value.dtype != np.float32:
                return None
            found.constants[current] = value
            continue
        node = builder.pending.get(current)
        operands = None if node is None else _operands(builder, node)
        if operands is None:
            found.leaves.append(current)
            continue
        if len(found.nodes) + len(stack) > _MOST:
            return None
        stack.append((current, True))
        stack += [(operand, False) for operand in operands]
    return found


def _operands(builder: OnnxBuilder, node: RawNode) -> tuple[str, ...] | None:
    """The tensors that a function of single values reads; None for another operator."""
    if node.op_type in OF_ONE:
        return node.inputs[:1]
    if clip_bounds(builder, node) is not None:
        return node.inputs[:1]
    old = "axis" in node.attributes or node.integer("broadcast", 0)
    if node.op_type in _OF_TWO and len(node.inputs) == 2 and not old:
        return node.inputs
    return None


def _applied(builder: OnnxBuilder, node: RawNode, values: dict[str, Array]) -> Array:
    """One operator on all 256 values."""
    operands = [values[name] for name in node.inputs if name in values]
    if node.op_type in OF_ONE:
        kind, constants = _read(node)
        return function_ort(operands[0], kind=kind, **constants)
    if node.op_type == "PRelu":
        return prelu(*operands)
    if node.op_type in ("Min", "Max"):
        return extreme_ort(*operands, largest=node.op_type == "Max")
    if node.op_type in _OF_TWO:
        return arithmetic(*operands, operator=node.op_type)
    low, high = real_bounds(builder, node)
    return clip(operands[0], low=low, high=high)


def quantise_expression(
    builder: OnnxBuilder,
    name: str,
    target: Scale,
    clamp: tuple[int, int],
    output: str,
    absorbed: tuple[RawNode, ...],
) -> Activation | None:
    """An expression of one stored tensor, quantised: a table; None if the tensor is none.

    `output` is the result's name.
    """
    found = expression_before(builder, name)
    if found is None:
        return None
    if np.isnan(found.real).any() and clamp != integer_range(target.dtype):
        return None  # a Clip leaves NaN as it is, which is quantised to the lowest value
    table = quantise_ort(
        found.real,
        scale=(float(target.scale),),
        zero_point=(target.zero_point,),
        dtype=target.dtype,
        low=clamp[0],
        high=clamp[1],
    )
    last = found.nodes[-1]
    return emit_table(
        builder,
        last,
        found.source,
        output,
        target,
        clamp,
        table,
        (*found.nodes[:-1], *absorbed),
        reason=AS_TABLE,
    )


# ---- operators that carry their quantisation ----------------------------------------------------


def _carried(function: str) -> Callable[[OnnxBuilder, RawNode], None]:
    def convert(builder: OnnxBuilder, node: RawNode) -> None:
        source = builder.activation(node, 0)
        if source.dtype not in EIGHT_BITS:
            builder.refuse(node, f"its input has type {source.dtype}", "quantise it to 8 bits")
        scale = builder.scale_at(node, 1, source.dtype)
        target = builder.scale_at(node, 3, source.dtype)
        values = all_values(source.dtype)
        real = dequantise_ort(values, scale=(float(scale.scale),), zero_point=(scale.zero_point,))
        numbers = {
            key: node.number(key, default) for key, default in _NUMBERS.get(function, {}).items()
        }
        table = quantise_ort(
            function_ort(real, kind=function, **numbers),
            scale=(float(target.scale),),
            zero_point=(target.zero_point,),
            dtype=target.dtype,
        )
        clamp = integer_range(target.dtype)
        emit_table(
            builder,
            node,
            Stored(source, scale),
            node.outputs[0],
            target,
            clamp,
            table,
            reason=AS_TABLE,
        )

    convert.__doc__ = f"QLinear{function}: x, scale, zero, y scale, y zero."
    return convert


convert_qlinear_sigmoid = _carried("Sigmoid")
convert_qlinear_leaky_relu = _carried("LeakyRelu")
