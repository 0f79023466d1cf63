"""TFLite SVDF: filters over the input, whose last results are weighted over time.

The array computes the filters. The host brings their sums to the memory's scale, moves the memory
on, and weights it.
"""

import numpy as np

from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.state.recurrent import (
    QUANTISED,
    REEXPORT,
    emit_step,
    emit_sums,
    shaped,
    symmetric,
    variable,
)
from compiler.ir.graph import Tensor
from numerics.quantisation import quantise_multiplier

_INPUT, _FEATURES, _TIMES, _BIAS, _MEMORY = range(5)
_MOST_BIAS_SCALE_ERROR = 1e-5


def convert_svdf(builder: TfliteBuilder, op: RawOperator) -> None:
    """SVDF of int8 tensors with int8 or int16 memory.

    TensorFlow Lite Micro's integer kernel has no fused activation: the output's range is one.
    """
    source = builder.activation(op, _INPUT)
    features, feature_scale = symmetric(builder, op, _FEATURES, "feature weights", ("int8",))
    times, time_scale = symmetric(builder, op, _TIMES, "time weights", ("int8", "int16"))
    rank = op.options["Rank"]
    if len(source.shape) != 2 or features.ndim != 2 or times.ndim != 2:
        builder.refuse(op, "its input or weights have other than 2 axes", REEXPORT)
    (items, depth), (filters, memory) = source.shape, times.shape
    if rank < 1 or filters % rank:
        builder.refuse(op, f"its rank {rank} does not divide {filters} filters", REEXPORT)
    shaped(builder, op, "feature weights", features.shape, (filters, depth))
    raw, state = variable(builder, op, _MEMORY, "memory", items * filters * memory)
    if state.dtype != times.dtype.name:
        builder.refuse(
            op, f"its memory has type {state.dtype}, its time weights {times.dtype}", QUANTISED
        )
    scale, zero_point = builder.quantised(op, source, ("int8",))
    state_scale, state_zero_point = builder.quantised(op, state, ("int8", "int16"))
    bias = _bias(builder, op, filters // rank, state_scale, time_scale)
    output = builder.output(op)
    shaped(builder, op, "outputs", output.shape, (items, filters // rank))
    output_scale, output_zero_point = builder.quantised(op, output, ("int8",))
    to_state = builder.checked_scale(op, scale * feature_scale / state_scale)[0]
    to_output = builder.checked_scale(op, state_scale * time_scale / output_scale)[0]

    none = np.zeros(filters, dtype=np.int64)
    sums = emit_sums(builder, op, "filters", source, features, none, zero_point)
    after = builder.between(op, "memory", state, raw.shape)
    emit_step(
        builder,
        op,
        "memory",
        "svdf_state",
        (sums, state),
        after,
        scale=quantise_multiplier(float(to_state)),
        zero_point=state_zero_point,
    )
    builder.states.keep(raw.index, after.key)
    emit_step(
        builder,
        op,
        "",
        "svdf_output",
        (after, builder.activation(op, _TIMES), bias),
        output,
        rank=rank,
        scale=quantise_multiplier(float(to_output)),
        state_zero_point=state_zero_point,
        zero_point=output_zero_point,
    )


def _bias(
    builder: TfliteBuilder, op: RawOperator, units: int, state_scale: float, time_scale: float
) -> Tensor:
    raw = builder.tensor_at(op, _BIAS, "bias")
    values = builder.constant(op, _BIAS, "bias")
    if values.dtype != np.int32 or values.shape != (units,):
        builder.refuse(
            op,
            f"its bias has type {values.dtype} and shape {list(values.shape)}",
            f"an int32 bias for each of {units} outputs is expected",
        )
    product = float(np.float32(state_scale) * np.float32(time_scale))
    scale = raw.scale[0] if raw.scale else 0.0
    if not abs(scale - product) < _MOST_BIAS_SCALE_ERROR:
        builder.refuse(
            op,
            f"its bias has scale {scale:.6g}, memory and time weights give {product:.6g}",
            "convert the model again",
        )
    return builder.activation(op, _BIAS)
