"""Sums and products of two quantised tensors: on the array where that is exact, else on the host.

ONNX Runtime adds in float32, the accelerator in fixed point. Two 8-bit operands make 65,536 pairs:
both sums are computed for all of them when the model is read, and the array serves the operator if
not one differs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout, Shape
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import (
    EIGHT_BITS,
    STORED_TYPES,
    Activation,
    Scale,
    Stored,
)
from compiler.frontends.onnx.operators.requant import all_values
from compiler.frontends.onnx.operators.selection import expanded, whole
from compiler.ir.ops import Add, Array, Mul, Node
from hw.arch.errors import RowforgeError
from numerics.host.ort.arithmetic import add_dequantised, add_qlinear
from numerics.quantisation import Requant, RoundingRule, add_multipliers, integer_range
from numerics.rounding import add_fixed, scale_ort


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What a sum, difference or product of stored values computes: scales, output and clamp.

    `function` is the host step that computes it as ONNX Runtime does; `exchanged` is that of
    `add_qlinear`.
    """

    operator: str
    function: str
    scales: tuple[Scale, Scale]
    target: Scale
    clamp: tuple[int, int]
    exchanged: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the host step."""
        a, b = self.scales
        fixed = {"exchanged": self.exchanged} if self.function == "add_qlinear" else {}
        return {
            "operator": self.operator,
            "scales": (float(a.scale), float(b.scale)),
            "zero_points": (a.zero_point, b.zero_point),
            "scale": float(self.target.scale),
            "zero_point": self.target.zero_point,
            "low": self.clamp[0],
            "high": self.clamp[1],
            "dtype": self.target.dtype,
            **fixed,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Binary:
    """A node that is a sum, difference or product of two stored tensors."""

    raw: RawNode
    operands: tuple[Activation, Activation]
    arithmetic: Arithmetic
    absorbed: tuple[RawNode, ...] = ()


_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "add_dequantised": add_dequantised,
    "add_qlinear": add_qlinear,
}


def quantise_binary(
    builder: OnnxBuilder,
    node: RawNode,
    name: str,
    target: Scale,
    clamp: tuple[int, int],
    absorbed: tuple[RawNode, ...],
) -> Activation | None:
    """Add or Mul between DequantizeLinear and QuantizeLinear; None if it has no such operands."""
    pair = binary_operands(builder, node)
    if pair is None or (node.op_type == "Div" and clamp != integer_range(target.dtype)):
        return None  # a quotient may be NaN, which a Clip leaves and QuantizeLinear makes lowest
    arithmetic = Arithmetic(
        operator=node.op_type,
        function="add_dequantised",
        scales=(pair[0].scale, pair[1].scale),
        target=target,
        clamp=clamp,
    )
    activations = pair[0].activation, pair[1].activation
    binary = Binary(raw=node, operands=activations, arithmetic=arithmetic, absorbed=absorbed)
    return emit_binary(builder, binary, name)


def binary_operands(builder: OnnxBuilder, node: RawNode) -> tuple[Stored, Stored] | None:
    """The operands of a sum or product of two tensors if both are dequantised integers."""
    operands = [_operand(builder, source) for source in node.inputs]
    if len(operands) != 2 or operands[0] is None or operands[1] is None:
        return None
    pair = operands[0], operands[1]
    if node.inputs[0] in builder.constants and node.inputs[1] in builder.constants:
        return None
    if any(side.scale.dtype not in STORED_TYPES for side in pair):
        return None
    return pair


def convert_qlinear(builder: OnnxBuilder, node: RawNode) -> None:
    """QLinearAdd and QLinearMul."""
    first, second = builder.activation(node, 0), builder.activation(node, 3)
    target = builder.scale_at(node, 6, first.dtype)
    arithmetic = Arithmetic(
        operator=node.op_type.removeprefix("QLinear"),
        function="add_qlinear",
        scales=(
            builder.scale_at(node, 1, first.dtype),
            builder.scale_at(node, 4, second.dtype),
        ),
        target=target,
        clamp=integer_range(target.dtype),
        exchanged=_exchanged(first.shape, second.shape),
    )
    binary = Binary(raw=node, operands=(first, second), arithmetic=arithmetic)
    emit_binary(builder, binary, node.outputs[0])


def _exchanged(first: Shape, second: Shape) -> bool:
    """Whether ONNX Runtime changes the places of a QLinearAdd's operands.

    It does so where one value of the first serves a row of the second: the first has size 1 on the
    innermost axis on which not both have size 1. Axes that only one of them has do not count,
    unless there are no others.
    """
    common = min(len(first), len(second))
    for axis in range(-1, -common - 1, -1):
        if max(first[axis], second[axis]) > 1:
            return first[axis] == 1
    if common == 0 and first:
        return first[-1] == 1
    return True


def emit_binary(builder: OnnxBuilder, binary: Binary, name: str) -> Activation:
    """The operator on the array if it is exact there, else as a host step."""
    node, arithmetic = binary.raw, binary.arithmetic
    target = arithmetic.target
    builder.check_ratio(node, target, *arithmetic.scales)
    first, second = aligned(builder, node, *binary.operands, spread=True)
    shape = np.broadcast_shapes(first.shape, second.shape)
    wide = first if first.shape == shape else second
    output = builder.declare(name, wide.layout, target.dtype, target)
    reason = _why_not(arithmetic, first, second)
    served = None if reason else _on_array(builder, binary, first, second, name)
    if served is not None:
        builder.emit_for(node, served, *binary.absorbed)
        return output
    builder.emit_host(
        node,
        arithmetic.function,
        (first, second),
        output,
        absorbed=binary.absorbed,
        reason=reason or _DIFFERS[arithmetic.operator],
        **arithmetic.parameters,
    )
    return output


def aligned(
    builder: OnnxBuilder, node: RawNode, first: Activation, second: Activation, *, spread: bool
) -> tuple[Activation, Activation]:
    """Both operands stored alike; with `spread` a constant takes the other's shape."""
    try:
        shape: Shape = np.broadcast_shapes(first.shape, second.shape)
    except ValueError:
        builder.refuse(
            node,
            f"its operands have shapes {list(first.shape)} and {list(second.shape)}",
            "export the model again",
        )
    builder.check_elements(node, shape)
    pair = [builder.in_form(node, side) for side in (first, second)]
    for mine, other in ((0, 1), (1, 0)):
        if pair[mine].key in builder.constants and pair[other].shape == shape:
            value = builder.constants[pair[mine].key]
            wide = spread or not _lies_whole(pair[other])
            fit = _spread if wide or value.shape == shape else _constant_beside
            pair[mine] = fit(builder, node, pair[mine].key, value, pair[other])
            return pair[0], pair[1]
    first, second = pair
    if first.shape == second.shape:
        second = builder.laid_out(node, second, first.layout)
        return first, builder.reshaped(node, second, builder.tensor(first).shape)
    if shape not in (first.shape, second.shape):
        first = expanded(builder, node, first, shape)
    if first.shape == shape:
        first, _ = whole(builder, node, first)
        return first, _beside(builder, node, second, first)
    second, _ = whole(builder, node, second)
    return _beside(builder, node, first, second), second


def _spread(
    builder: OnnxBuilder, node: RawNode, name: str, value: Array, wide: Activation
) -> Activation:
    """A constant repeated to the shape of the other operand."""
    key = f"{name} for {builder.label(node)}"
    return builder.constant_activation(key, np.broadcast_to(value, wide.shape), wide.layout)


def _constant_beside(
    builder: OnnxBuilder, node: RawNode, name: str, value: Array, wide: Activation
) -> Activation:
    """A constant with its axes stored as those of the other operand."""
    shape, order = _aligned_shape(value.shape, wide)
    layout = Layout.stored_as(shape, order)
    key = f"{name} for {builder.label(node)}"
    constant = builder.constant_activation(key, value.reshape(shape), layout)
    return builder.reshaped(node, constant, tuple(shape[axis] for axis in order))


def _beside(builder: OnnxBuilder, node: RawNode, small: Activation, wide: Activation) -> Activation:
    """The smaller operand with its axes stored as those of the wider one."""
    shape, order = _aligned_shape(small.shape, wide)
    layout = small.layout.reshape(shape)
    assert layout is not None
    moved = builder.in_order(node, replace(small, layout=layout), order)
    return builder.reshaped(node, moved, tuple(shape[axis] for axis in order))


def _lies_whole(wide: Activation) -> bool:
    """Whether the axes of the graph's tensor are those of the model's tensor, in some order."""
    return wide.layout.tensor_form()[2] is None


def _aligned_shape(small: Shape, wide: Activation) -> tuple[Shape, Shape]:
    """(shape with as many axes as the wider operand, the order in which that one stores them)."""
    rank = len(wide.shape)
    permutation = wide.layout.tensor_form()[1]
    order = tuple(range(rank))
    if permutation is not None:
        order = tuple(int(axis) for axis in np.argsort(permutation))
    return (1,) * (rank - len(small)) + tuple(small), order


def _operand(builder: OnnxBuilder, name: str) -> Stored | None:
    """An operand's stored form; a constant enters the graph as its integers."""
    constant = builder.quantised_constants.get(name)
    if constant is None:
        return builder.stored(name)
    if constant.scale.size != 1 or str(constant.values.dtype) not in STORED_TYPES:
        return None
    scale = Scale(
        np.float32(constant.scale.reshape(-1)[0]),
        int(constant.zero_point.reshape(-1)[0]),
        str(constant.values.dtype),
    )
    key = f"{name} (stored)"
    builder.constants[key] = constant.values
    return Stored(builder.constant_activation(key, constant.values), scale)


def _why_not(arithmetic: Arithmetic, first: Activation, second: Activation) -> str:
    """Why the array cannot serve the operator, empty if it may."""
    types = {arithmetic.target.dtype, first.dtype, second.dtype}
    if not types.issubset(EIGHT_BITS):
        return "ONNX Runtime adds and multiplies values of 16 bits in float32"
    if len(types) > 1:
        return "its operands and its result differ in type"
    if first.shape != second.shape:
        return "it broadcasts one of its operands"
    if arithmetic.operator not in _BUILDERS:
        return f"the array has no {arithmetic.operator}"
    return ""


def _on_array(
    builder: OnnxBuilder, binary: Binary, first: Activation, second: Activation, name: str
) -> Node | None:
    """The array's operator, if it yields ONNX Runtime's value for every pair of operands."""
    found = _exact(binary.arithmetic)
    if found is None:
        return None
    kind, fields = found
    return kind(
        name=builder.label(binary.raw),
        op=binary.raw.op_type,
        inputs=(first.key, second.key),
        output=name,
        **fields,
    )


_Node = tuple[Callable[..., Node], dict[str, Any]]


@lru_cache(maxsize=256)
def _exact(arithmetic: Arithmetic) -> _Node | None:
    """The array's operator with its fields; None if some pair of operands tells the two apart."""
    scales, target, clamp = arithmetic.scales, arithmetic.target, arithmetic.clamp
    values = (all_values(scale.dtype) for scale in scales)
    grid = np.meshgrid(*values, indexing="ij", sparse=True)
    expected = _FUNCTIONS[arithmetic.function](*grid, **arithmetic.parameters)
    centred = [
        values.astype(np.int64) - scale.zero_point
        for values, scale in zip(grid, scales, strict=True)
    ]
    found = _BUILDERS[arithmetic.operator](scales, target, clamp, centred)
    if found is None:
        return None
    kind, fields, scaled = found
    ours = np.clip(scaled + target.zero_point, *clamp)
    return (kind, fields) if np.array_equal(ours, expected) else None


_Found = tuple[Callable[..., Node], dict[str, Any], Any]


def _add(
    scales: tuple[Scale, Scale], target: Scale, clamp: tuple[int, int], centred: list[Any]
) -> _Found | None:
    a, b = scales
    real = float(a.scale), float(b.scale)
    try:
        integers = add_multipliers(*real, float(target.scale))
    except RowforgeError:
        return None
    fields = {
        "scales": real,
        "zero_points": (a.zero_point, b.zero_point),
        "output_scale": float(target.scale),
        "output_zero_point": target.zero_point,
        "low": clamp[0],
        "high": clamp[1],
        "dtype": target.dtype,
    }
    return Add, fields, add_fixed(centred[0], centred[1], integers)


def _mul(
    scales: tuple[Scale, Scale], target: Scale, clamp: tuple[int, int], centred: list[Any]
) -> _Found | None:
    a, b = scales
    with np.errstate(all="ignore"):
        ratio = np.float32(a.scale * b.scale / target.scale)
    if not np.isfinite(ratio) or ratio >= 2.0**31:
        return None
    stage = Requant(
        scale=np.asarray([ratio], dtype=np.float64),
        rounding=RoundingRule.ORT,
        zero_point=target.zero_point,
        low=clamp[0],
        high=clamp[1],
        dtype=target.dtype,
    )
    fields = {"zero_points": (a.zero_point, b.zero_point), "stage": stage}
    return Mul, fields, scale_ort(centred[0] * centred[1], np.asarray(ratio))


_BUILDERS = {"Add": _add, "Mul": _mul}
_DIFFERS = {
    "Add": "the array's sum differs from float32 for some pair of operands",
    "Mul": "the array's product differs from float32 for some pair of operands",
}
