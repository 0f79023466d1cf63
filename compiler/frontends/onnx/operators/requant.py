"""Stored values to another scale: on the array where that is exact for every value, else a table.

An 8-bit tensor has 256 values: both ways are computed for all of them when the model is read. What
has 16 bits the host computes value by value.
"""

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import EIGHT_BITS, Activation, Scale, Stored
from compiler.ir.ops import Array, Rescale
from numerics.host.ort.arithmetic import dequantise_ort, quantise_ort
from numerics.quantisation import Requant, RoundingRule, integer_range
from numerics.rounding import scale_ort

_NOT_OURS = "its float32 rounding is not that of the accelerator for every value"


def all_values(dtype: str) -> Array:
    """Every value of an 8-bit type, in order."""
    low, high = integer_range(dtype)
    return np.arange(low, high + 1).astype(dtype)


def requantise_stored(
    builder: OnnxBuilder,
    node: RawNode,
    source: Stored,
    name: str,
    target: Scale,
    clamp: tuple[int, int],
    absorbed: tuple[RawNode, ...] = (),
) -> Activation:
    """DequantizeLinear, clamp, QuantizeLinear of stored values."""
    builder.check_ratio(node, target, source.scale)
    if source.scale.dtype not in EIGHT_BITS:
        output = builder.declare(name, source.activation.layout, target.dtype, target)
        builder.emit_host(
            node,
            "requantise_ort",
            (source.activation,),
            output,
            absorbed=absorbed,
            scales=(float(source.scale.scale), float(target.scale)),
            zero_points=(source.scale.zero_point, target.zero_point),
            dtype=target.dtype,
            low=clamp[0],
            high=clamp[1],
        )
        return output
    values = all_values(source.scale.dtype)
    real = dequantise_ort(
        values, scale=(float(source.scale.scale),), zero_point=(source.scale.zero_point,)
    )
    table = quantise_ort(
        real,
        scale=(float(target.scale),),
        zero_point=(target.zero_point,),
        dtype=target.dtype,
        low=clamp[0],
        high=clamp[1],
    )
    return emit_table(builder, node, source, name, target, clamp, table, absorbed)


def emit_table(
    builder: OnnxBuilder,
    node: RawNode,
    source: Stored,
    name: str,
    target: Scale,
    clamp: tuple[int, int],
    table: Array,
    absorbed: tuple[RawNode, ...] = (),
    *,
    reason: str = _NOT_OURS,
) -> Activation:
    """A function of 8-bit values, given as a table: a `Rescale` if that yields the same values."""
    values = all_values(source.scale.dtype)
    with np.errstate(all="ignore"):
        ratio = np.float32(source.scale.scale / target.scale)
    output = builder.declare(name, source.activation.layout, target.dtype, target)
    if np.isfinite(ratio) and ratio < 2.0**31 and source.scale.dtype == target.dtype:
        centred = values.astype(np.int64) - source.scale.zero_point
        ours = scale_ort(centred, np.asarray(ratio)) + target.zero_point
        if np.array_equal(np.clip(ours, *clamp), table):
            stage = Requant(
                scale=np.asarray([ratio], dtype=np.float64),
                rounding=RoundingRule.ORT,
                zero_point=target.zero_point,
                low=clamp[0],
                high=clamp[1],
                dtype=target.dtype,
            )
            builder.emit_for(
                node,
                Rescale(
                    name=builder.label(node),
                    op=node.op_type,
                    inputs=(source.activation.key,),
                    output=name,
                    input_zero_point=source.scale.zero_point,
                    stage=stage,
                ),
                *absorbed,
            )
            return output
    builder.emit_host(
        node,
        "lookup",
        (source.activation,),
        output,
        absorbed=absorbed,
        reason=reason,
        table=tuple(int(value) for value in table),
        dtype=target.dtype,
    )
    return output
