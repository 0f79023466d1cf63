"""TFLite operators of two tensors that the host computes, and how operands are broadcast."""

import numpy as np

from compiler.frontends.tflite.mac import check_output
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.ops import emit_host, emit_part, same_quantisation
from compiler.ir.graph import Tensor
from compiler.ir.ops import Conv
from numerics.quantisation import integer_range, quantise_multiplier

_EIGHT = ("int8", "uint8")
_QUANTISED = (*_EIGHT, "int16")
_MOST_QUOTIENT_SHIFT = 23  # a quotient of 8-bit values is shifted right in the end
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


def emit_integers(
    builder: TfliteBuilder, op: RawOperator, first: Tensor, second: Tensor, output: Tensor
) -> bool:
    """Appends the operator if it is one of bare int32 numbers; whether it is."""
    tensors = (first, second, output)
    if any(tensor.dtype != "int32" or tensor.quantisation is not None for tensor in tensors):
        return False
    if op.options.get("FusedActivationFunction", 0) != 0:
        builder.refuse(op, "it has a fused activation of int32", "put the activation after it")
    emit_host(builder, op, "arithmetic_integer", tensors[:2], output, kind=op.type_name)
    return True


def emit_plain(
    builder: TfliteBuilder, op: RawOperator, first: Tensor, second: Tensor, output: Tensor
) -> bool:
    """Appends the operator if it is one of float32 or bare int32 numbers; whether it is."""
    tensors = (first, second, output)
    return emit_float(builder, op, *tensors) or emit_integers(builder, op, *tensors)


def convert_floor_div(builder: TfliteBuilder, op: RawOperator) -> None:
    """FLOOR_DIV of int32, positions most of the time."""
    first, second, output = operands(builder, op)
    if not emit_integers(builder, op, first, second, output):
        builder.refuse(op, f"its input has type {first.dtype}", "bare int32 numbers are supported")


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
    """SUB: the arithmetic of ADD."""
    first, second, output = operands(builder, op)
    if emit_plain(builder, op, first, second, output):
        return
    (scale_a, zero_a), (scale_b, zero_b) = (
        builder.quantised(op, tensor, _QUANTISED) for tensor in (first, second)
    )
    scale, zero_point = builder.quantised(op, output, _QUANTISED)
    left_shift = 15 if output.dtype == "int16" else 20
    low, high = builder.clamp(op, output, _QUANTISED)
    twice = 2.0 * max(scale_a, scale_b)
    reals = (scale_a / twice, scale_b / twice, twice / (2.0**left_shift * scale))
    emit_host(
        builder,
        op,
        "subtract_tflm",
        (first, second),
        output,
        zero_points=(zero_a, zero_b),
        left_shift=left_shift,
        factors=tuple(below_one(builder, op, real) for real in reals),
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


def convert_squared_difference(builder: TfliteBuilder, op: RawOperator) -> None:
    """SQUARED_DIFFERENCE."""
    first, second, output = operands(builder, op)
    if emit_float(builder, op, first, second, output):
        return
    (scale_a, zero_a), (scale_b, zero_b) = (
        builder.quantised(op, tensor, ("int8", "int16")) for tensor in (first, second)
    )
    scale, zero_point = builder.quantised(op, output, ("int8", "int16"))
    low, high = integer_range(output.dtype)
    left_shift = 0 if output.dtype == "int16" else 7
    twice = 2.0 * max(scale_a, scale_b)
    back = builder.checked_scale(op, twice * twice / (scale * 2.0 ** (2 * left_shift)))
    emit_host(
        builder,
        op,
        "squared_difference_tflm",
        (first, second),
        output,
        zero_points=(zero_a, zero_b),
        left_shift=left_shift,
        factors=(
            below_one(builder, op, scale_a / twice),
            below_one(builder, op, scale_b / twice),
            quantise_multiplier(float(back[0])),
        ),
        zero_point=zero_point,
        low=low,
        high=high,
        dtype=output.dtype,
    )


def convert_div(builder: TfliteBuilder, op: RawOperator) -> None:
    """DIV of 8-bit integers by a reciprocal in fixed point, or of float32."""
    first, second, output = operands(builder, op)
    if emit_float(builder, op, first, second, output):
        return
    (scale_a, zero_a), (scale_b, zero_b) = (
        builder.quantised(op, tensor) for tensor in (first, second)
    )
    scale, zero_point = builder.quantised(op, output)
    real = scale_a / (scale_b * scale)
    if not real < 2.0**_MOST_QUOTIENT_SHIFT:
        builder.refuse(
            op,
            f"its input scales exceed 2^{_MOST_QUOTIENT_SHIFT} times its output scale",
            "calibrate the model again",
        )
    low, high = builder.clamp(op, output)
    emit_host(
        builder,
        op,
        "divide_tflm",
        (first, second),
        output,
        zero_points=(zero_a, zero_b),
        factor=quantise_multiplier(real),
        zero_point=zero_point,
        low=low,
        high=high,
        dtype=output.dtype,
    )


def convert_comparison(builder: TfliteBuilder, op: RawOperator) -> None:
    """EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, LOGICAL_AND and LOGICAL_OR."""
    first, second = builder.activation(op, 0), builder.activation(op, 1)
    shape = broadcast_shape(builder, op, first, second)
    output = builder.output(op)
    check_output(builder, op, output, shape)
    builder.same_type(op, first, second)
    logical = op.type_name.startswith("LOGICAL")
    plain = ("bool",) if logical else ("float32", "int32", "int64")
    plain = (*plain, "bool") if op.type_name in ("EQUAL", "NOT_EQUAL") else plain
    if output.dtype != "bool" or (logical and first.dtype != "bool"):
        builder.refuse(op, f"its tensors have types {first.dtype} and {output.dtype}", "use bool")
    pair = (first, second)
    if first.dtype in plain:
        emit_host(builder, op, "compare_tflm", pair, output, kind=op.type_name)
        return
    (scale_a, zero_a), (scale_b, zero_b) = (builder.quantised(op, tensor) for tensor in pair)
    emit_host(
        builder,
        op,
        "compare_scaled",
        pair,
        output,
        kind=op.type_name,
        zero_points=(zero_a, zero_b),
        factors=tuple(below_one(builder, op, scale) for scale in (scale_a, scale_b)),
    )


def convert_select(builder: TfliteBuilder, op: RawOperator) -> None:
    """SELECT_V2 of values of one quantisation by a bool tensor, all broadcast."""
    condition, first, second = (builder.activation(op, position) for position in range(3))
    shape = broadcast_shape(builder, op, condition, first, second)
    output = builder.output(op)
    check_output(builder, op, output, shape)
    if condition.dtype != "bool":
        builder.refuse(op, f"its condition has type {condition.dtype}", "bool is expected")
    for tensor in (first, second):
        if not tensor.dtype == output.dtype == "float32":
            same_quantisation(builder, op, tensor, output, tolerance=0.0)
    emit_host(builder, op, "select_tflm", (condition, first, second), output)


def convert_batch_matmul(builder: TfliteBuilder, op: RawOperator) -> None:
    """BATCH_MATMUL of int8 tensors: by one constant matrix on the array, else on the host."""
    first, second = builder.activation(op, 0), builder.activation(op, 1)
    adjoint = (bool(op.options["AdjX"]), bool(op.options["AdjY"]))
    if min(len(first.shape), len(second.shape)) < 2:
        builder.refuse(op, "its operands are no matrices", "give them two axes")
    (*batch_a, rows, inner), (*batch_b, depth, columns) = (
        (*shape[:-2], shape[-1], shape[-2]) if turned else shape
        for shape, turned in zip((first.shape, second.shape), adjoint, strict=True)
    )
    try:
        batch = np.broadcast_shapes(tuple(batch_a), tuple(batch_b))
    except ValueError:
        inner = -1
        batch = ()
    if inner != depth:
        builder.refuse(
            op,
            f"its operands have shapes {list(first.shape)} and {list(second.shape)}",
            "give them shapes that fit",
        )
    output = builder.output(op)
    check_output(builder, op, output, (*batch, rows, columns))
    builder.same_type(op, first, second)
    builder.same_type(op, first, output)
    (scale_a, zero_a), (scale_b, zero_b) = (
        builder.quantised(op, tensor, ("int8",)) for tensor in (first, second)
    )
    scale, zero_point = builder.quantised(op, output, ("int8",))
    real = float(builder.checked_scale(op, scale_a * scale_b / scale)[0])
    if second.data is not None and max(batch_b, default=1) == 1 and not adjoint[0]:
        matrix = second.data.reshape(second.shape[-2:])
        weights = matrix if adjoint[1] else matrix.T
        builder.emit(
            Conv(
                name=op.label,
                op=op.type_name,
                inputs=(first.key,),
                output=output.key,
                image=(first.elements // depth, 1, depth),
                weights=np.ascontiguousarray(weights).reshape(columns, 1, 1, depth),
                weight_zero_point=np.asarray([zero_b], dtype=np.int64),
                bias=np.zeros(columns, dtype=np.int64),
                input_zero_point=zero_a,
                stage=builder.requant(op, real, output, integer_range(output.dtype)),
            )
        )
        return
    emit_host(
        builder,
        op,
        "matmul_tflm",
        (first, second),
        output,
        adjoint=adjoint,
        zero_points=(zero_a, zero_b),
        factor=quantise_multiplier(real),
        zero_point=zero_point,
        dtype=output.dtype,
    )
