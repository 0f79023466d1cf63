"""TFLite operators of one 8-bit value: tables that the host looks up."""

from compiler.frontends.tflite.mac import check_output
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.ops import emit_host
from hw.arch.errors import RowforgeError
from numerics.lookup import (
    abs_table,
    elu_table,
    hard_swish_table,
    leaky_relu_table,
    logistic_table,
    rsqrt_table,
    tanh_table,
)
from numerics.quantisation import integer_range

_FIXED_OUTPUTS = {"LOGISTIC": (1.0 / 256, -128), "TANH": (1.0 / 128, 0)}
_OF_UINT8 = ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU")  # the older converter's


def convert_lookup(builder: TfliteBuilder, op: RawOperator) -> None:
    """LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU, ELU, ABS and RSQRT of 8-bit tensors.

    A table of uint8 values is that of the int8 values and zero points 128 lower.
    """
    source = builder.activation(op, 0)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    builder.same_type(op, source, output)
    types = ("int8", "uint8") if op.type_name in _OF_UINT8 else ("int8",)
    offset = 128 if source.dtype == "uint8" else 0
    scale, zero_point = builder.quantised(op, source, types)
    output_scale, output_zero_point = builder.quantised(op, output, types)
    given, wanted = (scale, zero_point - offset), (output_scale, output_zero_point - offset)
    fixed = _FIXED_OUTPUTS.get(op.type_name, wanted)
    if wanted != fixed:
        expected = (fixed[0], fixed[1] + offset)
        builder.refuse(
            op, f"its output must have scale and zero point {expected}", "convert the model again"
        )
    try:
        table = tuple(entry + offset for entry in _table(op, given, wanted))
    except RowforgeError as error:
        builder.refuse(op, str(error), "calibrate the model again")
    # Whether a value lies below 0 is known before the model runs only if none can.
    partly = op.type_name == "RSQRT" and zero_point > integer_range(source.dtype)[0]
    least = {"least": zero_point} if partly else {}
    emit_host(builder, op, "lookup", source, output, table=table, dtype=output.dtype, **least)


def _table(op: RawOperator, given: tuple[float, int], wanted: tuple[float, int]) -> tuple[int, ...]:
    match op.type_name:
        case "LOGISTIC":
            return logistic_table(*given)
        case "TANH":
            return tanh_table(*given)
        case "ELU":
            return elu_table(*given, *wanted)
        case "ABS":
            return abs_table(*given, *wanted)
        case "RSQRT":
            return rsqrt_table(*given, *wanted)
        case "HARD_SWISH":
            return hard_swish_table(*given, *wanted)
    return leaky_relu_table(*given, *wanted, float(op.options["Alpha"]))
