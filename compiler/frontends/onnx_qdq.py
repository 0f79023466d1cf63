"""QDQ graphs: a QuantizeLinear decides how everything float before it is computed.

The chain before it is walked back over activations (Relu, Clip) to the operator that computes; if
its operands are stored integers, operator, activation and rounding become one node.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from compiler.frontends.onnx_average import quantise_average
from compiler.frontends.onnx_binary import quantise_binary
from compiler.frontends.onnx_builder import Builder
from compiler.frontends.onnx_join import quantise_concat
from compiler.frontends.onnx_mac import Mac, checked_weights, emit_conv, emit_product
from compiler.frontends.onnx_normalise import normalised
from compiler.frontends.onnx_reader import RawNode
from compiler.frontends.onnx_requant import requantise_stored
from compiler.frontends.onnx_values import Activation, QuantisedConstant, Scale, Stored
from numerics.quantisation import integer_range

_INT8 = 3  # TensorProto.INT8
_MAC_OPS = ("Conv", "Gemm", "MatMul")
_AVERAGES = ("AveragePool", "GlobalAveragePool", "ReduceMean")


@dataclass
class Chain:
    """What lies between an operator and the QuantizeLinear behind it, in the model's order."""

    name: str
    bounds: list[tuple[float | None, float | None]] = field(default_factory=list)
    nodes: list[RawNode] = field(default_factory=list)

    def clamp(self, target: Scale) -> tuple[int, int]:
        """The stored values between which the chain's activations leave the output."""
        low, high = integer_range(target.dtype)
        for lower, upper in self.bounds:
            if lower is not None:
                low, high = (max(edge, quantised(lower, target)) for edge in (low, high))
            if upper is not None:
                low, high = (min(edge, quantised(upper, target)) for edge in (low, high))
        return low, high


def quantised(real: float, scale: Scale) -> int:
    """QuantizeLinear of one number."""
    low, high = integer_range(scale.dtype)
    with np.errstate(over="ignore"):
        ratio = float(np.float32(real) / scale.scale)
    rounded = float(np.rint(np.clip(ratio, -(2.0**40), 2.0**40)))
    return int(min(max(rounded + scale.zero_point, low), high))


def convert_quantize(builder: Builder, node: RawNode) -> None:
    """QuantizeLinear of an activation, with all float operators before it that can join in."""
    target = _target(builder, node)
    name, output = builder.name_at(node, 0, "input"), node.outputs[0]
    chain = walk_back(builder, name)
    writer = builder.pending.get(chain.name)
    absorbed = (*reversed(chain.nodes), node)
    if target is not None and writer is not None:
        mac = mac_before(builder, chain.name)
        if mac is not None:
            emit = emit_conv if mac.raw.op_type == "Conv" else emit_product
            emit(builder, mac, output, target, chain.clamp(target), absorbed)
            return
        if writer.op_type in ("Add", "Mul", "Sub") and quantise_binary(
            builder, writer, output, target, chain.clamp(target), absorbed
        ):
            return
        if (
            writer.op_type == "Concat"
            and not chain.bounds
            and quantise_concat(builder, writer, output, target, absorbed)
        ):
            return
        if writer.op_type in _AVERAGES and quantise_average(
            builder, writer, output, target, chain.clamp(target), absorbed
        ):
            return
    if target is not None:
        found = builder.stored(chain.name, _key_for(builder, node, chain, target))
        if found is not None:
            _requantise(builder, node, found, target, chain, absorbed)
            return
    _quantise_float(builder, node, target)


def _requantise(
    builder: Builder,
    node: RawNode,
    found: Stored,
    target: Scale,
    chain: Chain,
    absorbed: tuple[RawNode, ...],
) -> None:
    """Stored values to stored values: nothing to do where the scales are one."""
    output = node.outputs[0]
    same = found.scale == target
    full = chain.clamp(target) == integer_range(target.dtype)
    if found.activation.key == output and same and full:
        builder.note(node, "its input has this scale already")
        return
    if same and full:
        builder.relabel(node, output, found.activation, found.activation.layout)
        return
    requantise_stored(builder, node, found, output, target, chain.clamp(target), absorbed)


def _key_for(builder: Builder, node: RawNode, chain: Chain, target: Scale) -> str | None:
    """The output's name, if an operator that keeps the scale of its input may write it itself."""
    readers, writer = builder.raw.readers, builder.pending.get(chain.name)
    if chain.bounds or writer is None or chain.name in builder.raw.outputs:
        return None
    source = builder.stored(writer.inputs[0]) if writer.inputs else None
    kept = source is not None and source.scale == target
    return node.outputs[0] if kept and readers.get(chain.name, ()) == (node,) else None


def _target(builder: Builder, node: RawNode) -> Scale | None:
    """The output's scale, None for one scale per slice."""
    if builder.constant(node, 1, "scale").size != 1:
        return None
    dtype = "int8" if node.integer("output_dtype", 0) == _INT8 else "uint8"
    target = builder.scale_at(node, 1, None if builder.has(node, 2) else dtype)
    if target.dtype not in ("int8", "uint8"):
        builder.refuse(node, f"it quantises to {target.dtype}", "quantise to 8 bits")
    return target


def _quantise_float(builder: Builder, node: RawNode, target: Scale | None) -> None:
    """QuantizeLinear of a float tensor, on the host."""
    source = builder.activation(node, 0)
    if source.dtype != "float32":
        builder.refuse(node, f"its input has type {source.dtype}", "feed it float32 values")
    if target is not None:
        slices = Slices((float(target.scale),), (target.zero_point,), target.dtype)
    else:
        source = builder.in_form(node, source)
        slices = sliced_parameters(builder, node, source)
    output = builder.declare(node.outputs[0], source.layout, slices.dtype, target)
    builder.emit_host(
        node,
        "quantise_ort",
        (source,),
        output,
        scale=slices.scale,
        zero_point=slices.zero_point,
        dtype=slices.dtype,
        axis=slices.axis,
    )


@dataclass(frozen=True)
class Slices:
    """Quantisation per slice along a stored axis; one value serves all slices."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    dtype: str
    axis: int = 0


def sliced_parameters(builder: Builder, node: RawNode, source: Activation) -> Slices:
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
    if place is None or zero.dtype not in (np.uint8, np.int8, np.int32):
        builder.refuse(node, "its slices are not one axis in memory", "quantise it per tensor")
    scales, zeros = tuple(float(n) for n in scale), tuple(int(n) for n in zero)
    return Slices(scales, zeros, str(zero.dtype), place)


def stored_axis(source: Activation, axis: int) -> int | None:
    """The axis of the graph tensor that is this axis of the model's tensor."""
    shape, permutation, model_shape = source.layout.tensor_form()
    if model_shape is not None or len(shape) != len(source.shape):
        return None
    return axis if permutation is None else int(permutation[axis])


# ---- the chain before a QuantizeLinear ----------------------------------------------------------


def walk_back(builder: Builder, name: str) -> Chain:
    """Over Relu and Clip to the operator that computes."""
    chain = Chain(name)
    while chain.name in builder.pending:
        node = builder.pending[chain.name]
        bounds = clip_bounds(builder, node)
        if bounds is None:
            break
        chain.bounds.insert(0, bounds)
        chain.nodes.append(node)
        chain.name = node.inputs[0]
    return chain


def clip_bounds(builder: Builder, node: RawNode) -> tuple[float | None, float | None] | None:
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


def mac_before(builder: Builder, name: str) -> Mac | None:
    """The product that computes a float tensor from stored integers, with its bias; else None."""
    node = builder.pending.get(name)
    if node is None:
        return None
    if node.op_type in _MAC_OPS:
        return _mac(builder, node)
    if node.op_type == "BatchNormalization":
        writer = builder.pending.get(builder.name_at(node, 0, "input"))
        if writer is not None and writer.op_type == "Conv":
            inner = _mac(builder, writer)
            return None if inner is None else normalised(builder, node, inner)
    if node.op_type == "Add" and len(node.inputs) == 2:
        for mine, other in (node.inputs, node.inputs[::-1]):
            writer = builder.pending.get(mine)
            if writer is not None and writer.op_type in _MAC_OPS and other in builder.constants:
                return _with_bias(builder, node, writer, other)
    return None


def _mac(builder: Builder, node: RawNode) -> Mac | None:
    source = builder.stored(builder.name_at(node, 0, "input"))
    name = builder.name_at(node, 1, "weights")
    if source is None and name not in builder.quantised_constants:
        return None
    weights = builder.quantised_constants.get(name)
    if source is None or weights is None:
        what = "its input" if source is None else f"its weight operand {name!r}"
        builder.refuse(
            node,
            f"{what} is no dequantised {'activation' if source is None else 'constant'}",
            "quantise activations and weights of every product (`rowforge quantize` does)",
        )
    activation, factor, share = source.activation, np.float32(1.0), 1.0
    if node.op_type == "Gemm":
        factor = np.float32(node.number("alpha", 1.0))
        share = node.number("beta", 1.0)
        if not (np.isfinite(factor) and factor > 0):
            builder.refuse(node, f"its alpha is {factor}", "use a positive factor")
        if node.integer("transA", 0):
            activation = transposed(activation)
        if node.integer("transB", 0):
            weights = transposed_weights(builder, node, weights)
    mac = Mac(
        raw=node,
        source=activation,
        scale=source.scale,
        weights=checked_weights(builder, node, weights),
        factor=factor,
        float_sums=True,
    )
    _check_weight_axis(builder, node, mac)
    if not builder.has(node, 2):
        return mac
    return _biased(builder, mac, node.inputs[2], share)


def transposed(source: Activation) -> Activation:
    """The activation with its two axes exchanged, for Gemm's transA."""
    return replace(source, layout=source.layout.transpose((1, 0)))


def transposed_weights(
    builder: Builder, node: RawNode, weights: QuantisedConstant
) -> QuantisedConstant:
    """A quantised matrix with its axes exchanged."""
    if weights.values.ndim != 2:
        builder.refuse(node, "its second operand is no matrix", "export the model again")
    return QuantisedConstant(weights.values.T, weights.scale, weights.zero_point, 1 - weights.axis)


def _check_weight_axis(builder: Builder, node: RawNode, mac: Mac) -> None:
    weights = mac.weights
    wanted = 0 if node.op_type == "Conv" else weights.values.ndim - 1
    if weights.scale.size > 1 and weights.axis != wanted:
        builder.refuse(
            node,
            f"its weights have scales along axis {weights.axis}",
            f"quantise them per tensor or per output channel (axis {wanted})",
        )


def _with_bias(builder: Builder, node: RawNode, writer: RawNode, other: str) -> Mac | None:
    """A product and the Add behind it, if the sum is with one constant per output channel."""
    if len(builder.raw.readers.get(writer.outputs[0], ())) != 1:
        return None
    mac = _mac(builder, writer)
    if mac is None or mac.bias is not None:
        return None
    value = builder.constants[other]
    if writer.op_type == "Conv":
        rank = len(mac.source.shape)
        aligned = (1,) * (rank - value.ndim) + value.shape
        per_channel = value.ndim <= rank and all(
            size == 1 for axis, size in enumerate(aligned) if axis != 1
        )
    else:
        per_channel = value.size in (1, value.shape[-1] if value.ndim else 1)
    if not per_channel:
        return None
    biased = _biased(builder, mac, other, 1.0)
    return replace(biased, others=(node,))


def _biased(builder: Builder, mac: Mac, name: str, share: float) -> Mac:
    """The product with a bias in units of its accumulator."""
    if name not in builder.constants:
        builder.refuse(mac.raw, f"its bias {name!r} is no constant", "export it as a constant")
    unit = mac.accumulator_scale.astype(np.float64)
    stored = builder.quantised_constants.get(name)
    if share == 1.0 and stored is not None and stored.values.dtype == np.int32:
        given = stored.scale.astype(np.float64).reshape(-1)
        if given.size in (1, unit.size) and np.allclose(given, unit, rtol=1e-5, atol=0):
            centred = stored.values.reshape(-1).astype(np.float64) - stored.zero_point.reshape(-1)
            return replace(mac, bias=centred)
    value = builder.constants[name].reshape(-1).astype(np.float64) * share
    if value.size not in (1, unit.size) and unit.size != 1:
        builder.refuse(mac.raw, f"its bias has {value.size} values", "one per filter is expected")
    return replace(mac, bias=value / unit)
