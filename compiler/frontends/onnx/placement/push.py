"""Quantising before a move instead of after it.

An exporter may leave operators that only move, join or select values between a product and its
QuantizeLinear. QuantizeLinear does not fall as its input rises and looks at one value at a time, so
that quantising first gives the same values: the product yields integers, and moves, pools and
concatenations work on them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import STORED_TYPES, Activation, Scale
from compiler.frontends.onnx.operators import extreme, reduce
from compiler.frontends.onnx.operators.average import averaged_input, quantise_average
from compiler.frontends.onnx.operators.binary import binary_operands, quantise_binary
from compiler.frontends.onnx.operators.chain import clamp_before, clamped, clip_bounds, quantised
from compiler.frontends.onnx.operators.functions import expression_before, quantise_expression
from compiler.frontends.onnx.operators.join import emit_concat, emit_pad, pad_value
from compiler.frontends.onnx.operators.requant import requantise_stored
from compiler.frontends.onnx.operators.select import (
    POOLS,
    RELABELLING,
    emit_max,
    relabel_to,
    seen_as,
)
from compiler.frontends.onnx.operators.selection import (
    SELECTING,
    emit_selection,
    interpolates,
    repeats_edges,
)
from compiler.frontends.onnx.placement.parts import emit_in_parts, fits
from compiler.frontends.onnx.products.affine import Product, product_before
from compiler.frontends.onnx.products.mac import emit_conv, emit_product
from compiler.frontends.onnx.products.product import CONVOLUTIONS
from compiler.ir.ops import RELABELLED
from numerics.host.ort.arithmetic import quantise_ort
from numerics.quantisation import integer_range

Clamp = tuple[int, int]
Key = tuple[str, Clamp]  # a float tensor, and the clamp of its quantised form
Emit = Callable[[str], Activation | None]


@dataclass
class _Step:
    """How the quantised form of a float tensor is made, and which others it needs first."""

    emit: Emit
    needs: tuple[Key, ...] = ()


def emit_quantised(
    builder: OnnxBuilder,
    product: Product,
    name: str,
    target: Scale,
    clamp: Clamp,
    absorbed: tuple[RawNode, ...],
) -> Activation:
    """A product with its output quantised, then the moves that lie within it."""
    mac = product.mac
    own = f"{mac.raw.outputs[0]} for {name}" if product.moves else name
    if fits(builder, mac, target, clamp):
        emit = emit_conv if mac.raw.op_type in CONVOLUTIONS else emit_product
        made = emit(builder, mac, own, target, clamp, absorbed)
    else:
        made = emit_in_parts(builder, mac, own, target, clamp)
        for other in absorbed:
            builder.note(other, f"computed together with {builder.label(mac.raw)}")
    if not product.moves:
        return made
    return moved(builder, product, made, name)


def moved(builder: OnnxBuilder, product: Product, made: Activation, name: str) -> Activation:
    """The moves that lie within a product, on its result."""
    for node in product.moves[:-1]:
        made = seen_as(builder, node, made)
        builder.note(node, RELABELLED)
    return relabel_to(builder, product.moves[-1], made, name)


@dataclass
class Push:
    """One QuantizeLinear on its way towards the products that it quantises."""

    builder: OnnxBuilder
    node: RawNode
    target: Scale
    output: str
    absorbed: list[RawNode] = field(default_factory=list)
    steps: dict[Key, _Step] = field(default_factory=dict)
    made: dict[Key, Activation] = field(default_factory=dict)

    def run(self, name: str, clamp: Clamp) -> bool:
        """The quantised form of a float tensor as `output`; False if some part of it has none."""
        root = name, clamp
        order = self._plan(root)
        if order is None:
            return False
        for key in order:
            own = f"{key[0]} for {self.output}"
            if key[1] != clamp:
                own += f" within {key[1][0]} and {key[1][1]}"
            made = self.steps[key].emit(self.output if key == root else own)
            assert made is not None
            self.made[key] = self.builder.quantised_forms[key[0], self.target, key[1]] = made
        for other in self.absorbed:
            self.builder.note(other, f"computed together with {self.builder.label(self.node)}")
        return True

    def _plan(self, root: Key) -> list[Key] | None:
        """All forms that the root needs, each after those that it needs itself."""
        order: list[Key] = []
        stack = [(root, False)]
        while stack:
            key, ready = stack.pop()
            if ready:
                order.append(key)
                continue
            if key in self.steps:
                continue
            step = self._step(*key)
            if step is None:
                return None
            self.steps[key] = step
            stack.append((key, True))
            stack += [(need, False) for need in step.needs]
        return order

    def _step(self, name: str, clamp: Clamp) -> _Step | None:
        builder = self.builder
        known = builder.quantised_forms.get((name, self.target, clamp))
        if known is not None:
            return _Step(lambda own: self._as(own, known))
        stored = builder.stored(name)
        if stored is not None:
            if stored.scale == self.target and clamp == integer_range(self.target.dtype):
                return _Step(lambda own: self._as(own, stored.activation))
            if stored.scale.dtype not in STORED_TYPES:
                return None
            return _Step(
                lambda own: requantise_stored(builder, self.node, stored, own, self.target, clamp)
            )
        if name in builder.constants:
            return self._constant(name, clamp)
        writer = builder.pending.get(name)
        if writer is None or sum(bool(output) for output in writer.outputs) > 1:
            return None
        bounds = clip_bounds(builder, writer)
        if bounds is not None:
            self.absorbed.append(writer)
            return self._passed(writer.inputs[0], clamp_before(bounds, clamp, self.target))
        return self._moving(writer, clamp) or self._computed(name, writer, clamp)

    def _constant(self, name: str, clamp: Clamp) -> _Step | None:
        builder, value = self.builder, self.builder.constants[name]
        if value.dtype != np.float32 or value.size == 0:
            return None
        integers = quantise_ort(
            value,
            scale=(float(self.target.scale),),
            zero_point=(self.target.zero_point,),
            dtype=self.target.dtype,
            low=clamp[0],
            high=clamp[1],
        )
        return _Step(lambda own: builder.constant_activation(own, integers))

    def _passed(self, name: str, clamp: Clamp) -> _Step:
        """The form of another tensor, as it is."""
        key = name, clamp
        return _Step(lambda own: self._as(own, self.made[key]), (key,))

    def _as(self, own: str, made: Activation) -> Activation:
        """A quantised form that exists, under the output's name if it is the last one."""
        if own != self.output:
            return made
        return self.builder.relabel(self.node, own, made, made.layout)

    def _moving(self, writer: RawNode, clamp: Clamp) -> _Step | None:
        """Operators that move, join or select values."""
        builder, target = self.builder, self.target
        keys = tuple((source, clamp) for source in writer.inputs)
        if writer.op_type in RELABELLING:
            return _Step(lambda own: relabel_to(builder, writer, self.made[keys[0]], own), keys[:1])
        if writer.op_type in POOLS:
            return _Step(
                lambda own: emit_max(builder, writer, self.made[keys[0]], own, target), keys[:1]
            )
        if writer.op_type == "Concat":
            return _Step(
                lambda own: emit_concat(
                    builder, writer, [self.made[key] for key in keys], own, target
                ),
                keys,
            )
        repeats = writer.op_type in SELECTING or repeats_edges(writer)
        if repeats and not interpolates(writer):
            return _Step(
                lambda own: emit_selection(builder, writer, self.made[keys[0]], own, target, clamp),
                keys[:1],
            )
        if writer.op_type in reduce.EXTREMES:
            return _Step(
                lambda own: reduce.emit_extreme(builder, writer, self.made[keys[0]], own, target),
                keys[:1],
            )
        if writer.op_type in extreme.EXTREMES and not self._nan_in(writer):
            return _Step(
                lambda own: extreme.emit_extreme(
                    builder, writer, [self.made[key] for key in keys], own, target
                ),
                keys,
            )
        if writer.op_type == "Where":
            return _Step(
                lambda own: extreme.emit_where(
                    builder, writer, (self.made[keys[1]], self.made[keys[2]]), own, target
                ),
                keys[1:],
            )
        if writer.op_type == "Pad":
            value = clamped(quantised(pad_value(builder, writer), target), clamp)
            return _Step(
                lambda own: emit_pad(builder, writer, self.made[keys[0]], own, value, target),
                keys[:1],
            )
        return None

    def _nan_in(self, writer: RawNode) -> bool:
        """Whether a constant of an operator is NaN, which its result is then."""
        known = self.builder.constants
        given = [known[name] for name in writer.inputs if name in known]
        return any(value.dtype.kind == "f" and np.isnan(value).any() for value in given)

    def _computed(self, name: str, writer: RawNode, clamp: Clamp) -> _Step | None:
        """Operators whose result is quantised where they stand."""
        builder, target = self.builder, self.target
        product = product_before(builder, name)
        if product is not None:
            return _Step(lambda own: emit_quantised(builder, product, own, target, clamp, ()))
        if writer.op_type in ("Add", "Mul", "Sub") and binary_operands(builder, writer):
            return _Step(lambda own: quantise_binary(builder, writer, own, target, clamp, ()))
        if averaged_input(builder, writer):
            return _Step(lambda own: quantise_average(builder, writer, own, target, clamp, ()))
        expression = expression_before(builder, name)
        if expression is not None and not np.isnan(expression.real).any():
            return _Step(lambda own: quantise_expression(builder, name, target, clamp, own, ()))
        return None
