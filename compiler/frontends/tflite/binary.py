"""TFLite ADD and MUL on the vector engine, for which the smaller operand is repeated."""

import numpy as np

from compiler.frontends.tflite.elementwise import emit_plain, operands, repeated
from compiler.frontends.tflite.mac import check_output
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.ir.graph import Tensor
from compiler.ir.ops import Add, Conv, Mul
from hw.arch.errors import RowforgeError
from numerics.quantisation import add_multipliers


def convert_add(builder: TfliteBuilder, op: RawOperator) -> None:
    """ADD of 8-bit tensors, broadcast to each other."""
    first, second, output = operands(builder, op)
    if emit_plain(builder, op, first, second, output):
        return
    first, second = _broadcast_operands(builder, op, first, second, output)
    (scale_a, zero_a), (scale_b, zero_b) = (builder.quantised(op, t) for t in (first, second))
    scale, zero_point = builder.quantised(op, output)
    try:
        add_multipliers(scale_a, scale_b, scale)
    except RowforgeError as error:
        builder.refuse(op, str(error), "calibrate the model again")
    low, high = builder.clamp(op, output)
    builder.emit(
        Add(
            name=op.label,
            op=op.type_name,
            inputs=(first.key, second.key),
            output=output.key,
            scales=(scale_a, scale_b),
            zero_points=(zero_a, zero_b),
            output_scale=scale,
            output_zero_point=zero_point,
            low=low,
            high=high,
            dtype=output.dtype,
        )
    )


def convert_mul(builder: TfliteBuilder, op: RawOperator) -> None:
    """MUL of 8-bit tensors; by a constant per channel it is a depthwise 1 x 1 convolution."""
    factor = _constant_per_channel(builder, op)
    if factor is not None:
        _convert_scaling(builder, op, *factor)
        return
    first, second, output = operands(builder, op)
    if emit_plain(builder, op, first, second, output):
        return
    first, second = _broadcast_operands(builder, op, first, second, output)
    (scale_a, zero_a), (scale_b, zero_b) = (builder.quantised(op, t) for t in (first, second))
    scale, _ = builder.quantised(op, output)
    stage = builder.requant(op, scale_a * scale_b / scale, output, builder.clamp(op, output))
    builder.emit(
        Mul(
            name=op.label,
            op=op.type_name,
            inputs=(first.key, second.key),
            output=output.key,
            zero_points=(zero_a, zero_b),
            stage=stage,
        )
    )


def _constant_per_channel(builder: TfliteBuilder, op: RawOperator) -> tuple[int, int] | None:
    """(activation's position, constant's position) where one operand varies by channel only."""
    tensors = [builder.tensor_at(op, position, f"input {position}") for position in (0, 1)]
    for constant, other in ((1, 0), (0, 1)):
        raw, channels = tensors[constant], tensors[other].shape[-1:]
        quantised = raw.type_name in ("INT8", "UINT8")
        known = raw.index in builder.constants and tensors[other].index not in builder.constants
        flat = all(size == 1 for size in raw.shape[:-1]) and raw.shape[-1:] in ((), (1,), channels)
        if (
            known
            and quantised
            and channels
            and flat
            and len(raw.shape) <= len(tensors[other].shape)
        ):
            return other, constant
    return None


def _convert_scaling(
    builder: TfliteBuilder, op: RawOperator, source_at: int, constant_at: int
) -> None:
    source, factor = builder.activation(op, source_at), builder.activation(op, constant_at)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    builder.same_type(op, source, output)
    C = source.shape[-1]
    input_scale, zero_point = builder.quantised(op, source)
    factor_scale, weight_zero_point = builder.quantised(op, factor)
    real = input_scale * factor_scale / builder.quantised(op, output)[0]
    values = np.asarray(factor.data).reshape(-1)
    builder.emit(
        Conv(
            name=op.label,
            op=op.type_name,
            inputs=(source.key,),
            output=output.key,
            image=(source.elements // C, 1, C),
            weights=np.broadcast_to(values, (C,)).reshape(C, 1, 1, 1).copy(),
            weight_zero_point=np.asarray([weight_zero_point], dtype=np.int64),
            bias=np.zeros(C, dtype=np.int64),
            input_zero_point=zero_point,
            groups=C,
            stage=builder.requant(op, real, output, builder.clamp(op, output)),
        )
    )


def _broadcast_operands(
    builder: TfliteBuilder, op: RawOperator, first: Tensor, second: Tensor, output: Tensor
) -> tuple[Tensor, Tensor]:
    """Both operands in the output's shape, which is that of the vector engine's."""
    for operand in (first, second):
        builder.quantised(op, operand)
    shape = output.shape
    return repeated(builder, op, first, shape), repeated(builder, op, second, shape)
