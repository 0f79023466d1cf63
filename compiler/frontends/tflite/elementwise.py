"""TFLite operators of two tensors that the host computes, and how operands are broadcast."""

import numpy as np

from compiler.frontends.tflite.builder import TfliteBuilder
from compiler.frontends.tflite.mac import check_output
from compiler.frontends.tflite.ops import emit_host, emit_part, same_quantisation
from compiler.frontends.tflite.reader import RawOperator
from compiler.ir.graph import Tensor
from numerics.quantisation import quantise_multiplier

_EIGHT = ("int8", "uint8")
_QUANTISED = (*_EIGHT, "int16")
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_FLOAT_CLAMPS = {0: (-_FLOAT32_MAX, _FLOAT32_MAX), 1: (0.0, _FLOAT32_MAX)}
_FLOAT_CLAMPS |= {2: (-1.0, 1.0), 3: (0.0, 6.0)}


def broadcast_shape(builder: TfliteBuilder, op: RawOperator, *tensors: Tensor) -> tuple[int, ...]:
    """The shape of what an operator computes from tensors that are broadcast to each other."""
    try:
        return np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    except ValueError:
        shapes = " and ".join(str(list(tensor.shape)) for tensor in tensors)
        builder.refuse(op, f"its operands have shapes {shapes}", "give them shapes that fit")


def operands(builder: TfliteBuilder, op: RawOperator) -> tuple[Tensor, Tensor, Tensor]:
    """Two operands of one type and their output, whose shape follows from theirs."""
    first, second = builder.activation(op, 0), builder.activation(op, 1)
    shape = broadcast_shape(builder, op, first, second)
    output = builder.output(op)
    check_output(builder, op, output, shape)
    builder.same_type(op, first, second)
    builder.same_type(op, first, output)
    return first, second, output


def repeated(
    builder: TfliteBuilder, op: RawOperator, tensor: Tensor, shape: tuple[int, ...]
) -> Tensor:
    """An operand under a larger shape: a constant is spread, else the host repeats the values."""
    tensor = builder.spread(op, tensor, shape)
    if tensor.shape == shape:
        return tensor
    own = (1,) * (len(shape) - len(tensor.shape)) + tensor.shape
    axes = tuple(axis for axis, size in enumerate(own) if size != shape[axis])
    counts = tuple(shape[axis] for axis in axes)
    wide = builder.between(op, f"{tensor.key} repeated", tensor, shape)
    part = f"repeating {tensor.key}"
    sizes = {"rank": len(shape), "axes": axes, "counts": counts}
    emit_part(builder, op, part, "tile", tensor, wide, sizes)
    return wide


def emit_float(
    builder: TfliteBuilder, op: RawOperator, first: Tensor, second: Tensor, output: Tensor
) -> bool:
    """Appends the operator if it is one of float32 numbers; whether it is."""
    if not first.dtype == second.dtype == output.dtype == "float32":
        return False
    activation = op.options.get("FusedActivationFunction", 0)
    if activation not in _FLOAT_CLAMPS:
        builder.refuse(op, f"its fused activation {activation} is not a clamp", "use ReLU or none")
    low, high = _FLOAT_CLAMPS[activation]
    function = "arithmetic_tflm"
    pair = (first, second)
    emit_host(builder, op, function, pair, output, kind=op.type_name, low=low, high=high)
    return True


def below_one(builder: TfliteBuilder, op: RawOperator, real: float) -> tuple[int, int]:
    """(multiplier, shift) of a number that the kernel demands below 1, also when rounded."""
    pair = quantise_multiplier(real) if 0.0 < real < 1.0 else (0, 1)
    if pair[1] > 0:
        builder.refuse(
            op,
            "its scales are too far apart for the kernel's arithmetic",
            "calibrate the model again",
        )
    return pair


def convert_sub(builder: TfliteBuilder, op: RawOperator) -> None:
    """SUB: as ADD, with scales in float32, where the kernel of ADD has them in float64."""
    first, second, output = operands(builder, op)
    if emit_float(builder, op, first, second, output):
        return
    (scale_a, zero_a), (scale_b, zero_b) = (
        builder.quantised(op, tensor, _QUANTISED) for tensor in (first, second)
    )
    scale, zero_point = builder.quantised(op, output, _QUANTISED)
    left_shift = 15 if output.dtype == "int16" else 20
    low, high = builder.clamp(op, output, _QUANTISED)
    with np.errstate(over="ignore"):
        twice = np.float32(2 * max(scale_a, scale_b))
        step = np.float32(1 << left_shift) * np.float32(scale)
        reals = [np.float32(scale_a) / twice, np.float32(scale_b) / twice, twice / step]
    emit_host(
        builder,
        op,
        "subtract_tflm",
        (first, second),
        output,
        zero_points=(zero_a, zero_b),
        left_shift=left_shift,
        factors=tuple(below_one(builder, op, float(real)) for real in reals),
        zero_point=zero_point,
        low=low,
        high=high,
        dtype=output.dtype,
    )


def convert_extreme(builder: TfliteBuilder, op: RawOperator) -> None:
    """MAXIMUM and MINIMUM of stored values, which therefore have one quantisation."""
    first, second, output = operands(builder, op)
    if output.dtype not in ("float32", "int64"):
        for tensor in (first, second):
            same_quantisation(builder, op, tensor, output)
    function = "maximum_tflm" if op.type_name == "MAXIMUM" else "minimum_tflm"
    emit_host(builder, op, function, (first, second), output)


def convert_prelu(builder: TfliteBuilder, op: RawOperator) -> None:
    """PRELU: the slope of negative values is a tensor, broadcast to the input."""
    source, slope = builder.activation(op, 0), builder.activation(op, 1)
    if broadcast_shape(builder, op, source, slope) != source.shape:
        builder.refuse(
            op,
            f"its slopes have shape {list(slope.shape)}, its input {list(source.shape)}",
            "give slopes that fit the input",
        )
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    builder.same_type(op, source, output)
    if source.dtype == slope.dtype == "float32":
        emit_host(builder, op, "prelu_float", (source, slope), output)
        return
    scale_x, zero_x = builder.quantised(op, source, _QUANTISED)
    scale_s, zero_s = builder.quantised(op, slope, _EIGHT)
    scale, zero_point = builder.quantised(op, output, _QUANTISED)
    reals = builder.checked_scale(op, [scale_x / scale, scale_x * scale_s / scale])
    emit_host(
        builder,
        op,
        "prelu_tflm",
        (source, slope),
        output,
        zero_points=(zero_x, zero_s),
        factors=tuple(quantise_multiplier(float(real)) for real in reals),
        zero_point=zero_point,
        dtype=output.dtype,
    )
