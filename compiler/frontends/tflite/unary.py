"""TFLite operators of one tensor that the host computes: roots, sums, extremes, types."""

from collections.abc import Callable

from compiler.frontends.tflite.lookup import convert_lookup
from compiler.frontends.tflite.mac import check_output
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.ops import emit_host, reduced, same_quantisation
from numerics.quantisation import quantise_multiplier

_CASTS = ("int8", "uint8", "int16", "int32", "int64", "float32", "bool")


def or_float(
    convert: Callable[[TfliteBuilder, RawOperator], None] | None,
) -> Callable[[TfliteBuilder, RawOperator], None]:
    """A converter of operators of float32 that takes other types to `convert`, or refuses them."""

    def step(builder: TfliteBuilder, op: RawOperator) -> None:
        source = builder.activation(op, 0)
        if source.dtype != "float32":
            if convert is None:
                builder.refuse(
                    op,
                    f"its input has type {source.dtype}, and TensorFlow Lite Micro computes it "
                    f"of float32 alone",
                    "put it between DEQUANTIZE and QUANTIZE",
                )
            convert(builder, op)
            return
        output = builder.output(op)
        check_output(builder, op, output, source.shape)
        builder.same_type(op, source, output)
        emit_host(builder, op, "unary_float", source, output, kind=op.type_name)

    return step


convert_float = or_float(None)
convert_float_or_lookup = or_float(convert_lookup)


def convert_cast(builder: TfliteBuilder, op: RawOperator) -> None:
    """CAST: stored values become numbers of another type."""
    source = builder.activation(op, 0)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    for tensor in (source, output):
        if tensor.dtype not in _CASTS:
            builder.refuse(op, f"its tensor {tensor.name} has type {tensor.dtype}", "use int32")
    emit_host(builder, op, "cast", source, output, dtype=output.dtype)


def convert_sum(builder: TfliteBuilder, op: RawOperator) -> None:
    """SUM over constant axes, of 8- or 16-bit integers or float32."""
    source, output, axes = reduced(builder, op)
    if source.dtype == "float32":
        emit_host(builder, op, "sum_float", source, output, axes=axes)
        return
    types = ("int8", "uint8", "int16")
    scale, input_zero_point = builder.quantised(op, source, types)
    output_scale, zero_point = builder.quantised(op, output, types)
    real = float(builder.checked_scale(op, scale / output_scale)[0])
    multiplier, shift = quantise_multiplier(real)
    count = source.elements // output.elements
    emit_host(
        builder,
        op,
        "mean",
        source,
        output,
        axes=axes,
        offset=input_zero_point * count,
        multiplier=multiplier,
        shift=shift,
        zero_point=zero_point,
        dtype=output.dtype,
    )


def convert_reduce(builder: TfliteBuilder, op: RawOperator) -> None:
    """REDUCE_MAX and REDUCE_MIN over constant axes, of stored values of one quantisation."""
    source, output, axes = reduced(builder, op)
    if source.dtype not in ("int8", "uint8", "float32"):
        builder.refuse(op, f"its input has type {source.dtype}", "use 8-bit integers or float32")
    if source.dtype != "float32":
        same_quantisation(builder, op, source, output, tolerance=0.0)
    largest = op.type_name == "REDUCE_MAX"
    emit_host(builder, op, "extreme", source, output, axes=axes, largest=largest)


def convert_l2_normalisation(builder: TfliteBuilder, op: RawOperator) -> None:
    """L2_NORMALIZATION over the last axis; integers get the scale 1/128."""
    source = builder.activation(op, 0)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    builder.same_type(op, source, output)
    if op.options["FusedActivationFunction"] != 0:
        builder.refuse(op, "it has a fused activation", "put the activation after it")
    if source.dtype == "float32":
        emit_host(builder, op, "l2_normalise_float", source, output)
        return
    _, zero_point = builder.quantised(op, source)
    expected = (1.0 / 128, 128 if output.dtype == "uint8" else 0)
    if builder.quantised(op, output) != expected:
        builder.refuse(
            op, f"its output must have scale and zero point {expected}", "convert the model again"
        )
    emit_host(builder, op, "l2_normalise", source, output, zero_point=zero_point)
