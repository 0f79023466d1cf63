"""QDQ graphs: a QuantizeLinear decides how everything float before it is computed.

The chain before it is walked back over activations (Relu, Clip) to the operator that computes; if
its operands are stored integers, operator, activation and rounding become one node.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import STORED_TYPES, Activation, Scale
from compiler.frontends.onnx.model.wide import signed_name, signed_scale, unsigned_result
from compiler.frontends.onnx.operators.average import AVERAGES, quantise_average
from compiler.frontends.onnx.operators.binary import quantise_binary
from compiler.frontends.onnx.operators.chain import QdqChain, clip_bounds, stored_clamp, walk_back
from compiler.frontends.onnx.operators.constants import fold_early
from compiler.frontends.onnx.operators.functions import quantise_expression
from compiler.frontends.onnx.operators.join import quantise_concat
from compiler.frontends.onnx.operators.requant import requantise_stored
from compiler.frontends.onnx.placement.push import Push, emit_quantised
from compiler.frontends.onnx.products.affine import product_before
from numerics.quantisation import integer_range

_OUTPUT_TYPES = {3: "int8", 4: "uint16", 5: "int16"}  # by their numbers in TensorProto
_SLICED = (np.uint8, np.int8, np.uint16, np.int16, np.int32)


@dataclass(frozen=True, eq=False)
class _Placed:
    """Where a QuantizeLinear writes: after an integer Clip, where one follows."""

    output: str
    limits: tuple[int, int] | None
    clips: tuple[RawNode, ...] = ()


def convert_quantise(builder: OnnxBuilder, node: RawNode) -> None:
    """QuantizeLinear of an activation, with all float operators before it that can join in."""
    given = _target(builder, node)
    target = None if given is None else signed_scale(given)
    placed = _placed(builder, node, given)
    chain = walk_back(builder, builder.name_at(node, 0, "input"), placed.limits)
    absorbed = (*reversed(chain.nodes), node, *placed.clips)
    if target is None or not (
        _quantise_known(builder, node, chain, target, placed)
        or _quantise_operator(builder, chain, target, placed.output, absorbed)
        or _requantise(builder, node, chain, target, placed, absorbed)
        or _tabulate(builder, chain, target, placed.output, absorbed)
        or _push(builder, node, target, placed)
    ):
        _quantise_float(builder, node, target, placed)
    if given is not target and given is not None:
        name = node.outputs[0]
        unsigned_result(builder, node, name, builder.activations[signed_name(name)])


def _placed(builder: OnnxBuilder, node: RawNode, target: Scale | None) -> _Placed:
    """The output of the QuantizeLinear, or of a Clip to constant bounds that alone reads it."""
    name = node.outputs[0]
    if target is not None and target.dtype == "uint16":
        return _Placed(signed_name(name), None)
    readers = builder.raw.readers.get(name, ())
    clip = readers[0] if len(readers) == 1 else None
    if target is None or clip is None or clip.op_type != "Clip" or name in builder.raw.outputs:
        return _Placed(name, None)
    fold_early(builder, clip.inputs[1:])
    bounds = clip_bounds(builder, clip) if clip.inputs[0] == name and clip.outputs else None
    if bounds is None:
        return _Placed(name, None)
    builder.served.add(clip.index)
    return _Placed(clip.outputs[0], stored_clamp(bounds, target.dtype), (clip,))


def _quantise_known(
    builder: OnnxBuilder, node: RawNode, chain: QdqChain, target: Scale, placed: _Placed
) -> bool:
    """A float tensor that another QuantizeLinear of this scale has quantised already."""
    known = builder.quantised_forms.get((chain.name, target, chain.clamp(target)))
    if known is None:
        return False
    builder.relabel(node, placed.output, known, known.layout)
    for other in (*chain.nodes, *placed.clips):
        builder.note(other, f"computed together with {builder.label(node)}")
    return True


def _quantise_operator(
    builder: OnnxBuilder, chain: QdqChain, target: Scale, output: str, absorbed: tuple[RawNode, ...]
) -> bool:
    """An operator right before the chain whose operands are stored integers."""
    writer, clamp = builder.pending.get(chain.name), chain.clamp(target)
    if writer is None:
        return False
    product, made = product_before(builder, chain.name), None
    if product is not None:
        made = emit_quantised(builder, product, output, target, clamp, absorbed)
    elif writer.op_type in ("Add", "Mul", "Sub", "Div"):
        made = quantise_binary(builder, writer, output, target, clamp, absorbed)
    elif writer.op_type == "Concat" and clamp == integer_range(target.dtype):
        made = quantise_concat(builder, writer, output, target, absorbed)
    elif writer.op_type in AVERAGES:
        made = quantise_average(builder, writer, output, target, clamp, absorbed)
    if made is not None:
        builder.quantised_forms[chain.name, target, clamp] = made
    return made is not None


def _tabulate(
    builder: OnnxBuilder, chain: QdqChain, target: Scale, output: str, absorbed: tuple[RawNode, ...]
) -> bool:
    """A function of one stored tensor before the chain: a table."""
    clamp = chain.clamp(target)
    made = quantise_expression(builder, chain.name, target, clamp, output, absorbed)
    if made is not None:
        builder.quantised_forms[chain.name, target, clamp] = made
    return made is not None


def _push(builder: OnnxBuilder, node: RawNode, target: Scale, placed: _Placed) -> bool:
    """Operators that move values, right before the QuantizeLinear."""
    push = Push(builder, node, target, placed.output, list(placed.clips))
    return push.run(node.inputs[0], placed.limits or integer_range(target.dtype))


def _requantise(
    builder: OnnxBuilder,
    node: RawNode,
    chain: QdqChain,
    target: Scale,
    placed: _Placed,
    absorbed: tuple[RawNode, ...],
) -> bool:
    """Stored values to stored values: nothing to do where the scales are one."""
    output, clamp = placed.output, chain.clamp(target)
    found = builder.stored(chain.name, _key_for(builder, node, chain, target, output))
    if found is None:
        return False
    same = found.scale == target
    full = clamp == integer_range(target.dtype)
    if found.activation.key == output and same and full:
        builder.note(node, "its input has this scale already")
    elif same and full:
        builder.relabel(node, output, found.activation, found.activation.layout)
        for clip in placed.clips:
            builder.note(clip, f"computed together with {builder.label(node)}")
    else:
        requantise_stored(builder, node, found, output, target, clamp, absorbed)
    return True


def _key_for(
    builder: OnnxBuilder, node: RawNode, chain: QdqChain, target: Scale, output: str
) -> str | None:
    """The output's name, if an operator that keeps the scale of its input may write it itself."""
    readers, writer = builder.raw.readers, builder.pending.get(chain.name)
    plain = not chain.bounds and chain.limits is None
    if not plain or writer is None or chain.name in builder.raw.outputs:
        return None
    source = builder.stored(writer.inputs[0]) if writer.inputs else None
    kept = source is not None and source.scale == target
    return output if kept and readers.get(chain.name, ()) == (node,) else None


def _target(builder: OnnxBuilder, node: RawNode) -> Scale | None:
    """The output's scale, None for one scale per slice."""
    if builder.constant(node, 1, "scale").size != 1:
        return None
    dtype = _OUTPUT_TYPES.get(node.integer("output_dtype", 0), "uint8")
    target = builder.scale_at(node, 1, None if builder.has(node, 2) else dtype)
    if target.dtype not in (*STORED_TYPES, "uint16"):
        builder.refuse(node, f"it quantises to {target.dtype}", "quantise to 8 or 16 bits")
    return target


def _quantise_float(
    builder: OnnxBuilder, node: RawNode, target: Scale | None, placed: _Placed
) -> None:
    """QuantizeLinear of a float tensor, on the host."""
    source = builder.activation(node, 0)
    if source.dtype != "float32":
        builder.refuse(node, f"its input has type {source.dtype}", "feed it float32 values")
    if target is not None:
        slices = Slices((float(target.scale),), (target.zero_point,), target.dtype)
    else:
        source = builder.in_form(node, source)
        slices = sliced_parameters(builder, node, source)
    output = builder.declare(placed.output, source.layout, slices.dtype, target)
    limits: dict[str, Any] = {}
    if placed.limits is not None:
        limits = {"low": placed.limits[0], "high": placed.limits[1]}
    builder.emit_host(
        node,
        "quantise_ort",
        (source,),
        output,
        absorbed=placed.clips,
        scale=slices.scale,
        zero_point=slices.zero_point,
        dtype=slices.dtype,
        axis=slices.axis,
        **limits,
    )


@dataclass(frozen=True)
class Slices:
    """Quantisation per slice along a stored axis; one value serves all slices."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    dtype: str
    axis: int = 0


def sliced_parameters(builder: OnnxBuilder, node: RawNode, source: Activation) -> Slices:
    """The parameters of a QuantizeLinear or DequantizeLinear with one scale per slice."""
    axis = node.integer("axis", 1)
    rank = len(source.shape)
    scale = builder.constant(node, 1, "scale").reshape(-1)
    zero = np.zeros(scale.size, dtype=np.uint8)
    if builder.has(node, 2):
        zero = builder.constant(node, 2, "zero point").reshape(-1)
    if not -rank <= axis < rank or node.integer("block_size", 0):
        builder.refuse(node, f"axis {axis} does not exist or it works on blocks", "use one axis")
    if scale.size != source.shape[axis] or zero.size != scale.size:
        builder.refuse(node, f"its {scale.size} scales do not fit its input", "export it again")
    place = stored_axis(source, axis % rank)
    if place is None or zero.dtype not in _SLICED:
        builder.refuse(node, "its slices are not one axis in memory", "quantise it per tensor")
    scales, zeros = tuple(float(n) for n in scale), tuple(int(n) for n in zero)
    return Slices(scales, zeros, str(zero.dtype), place)


def stored_axis(source: Activation, axis: int) -> int | None:
    """The axis of the graph tensor that is this axis of the model's tensor."""
    shape, permutation, model_shape = source.layout.tensor_form()
    if model_shape is not None or len(shape) != len(source.shape):
        return None
    return axis if permutation is None else int(permutation[axis])
