"""TFLite operators of one int8 value: tables that the host looks up."""

from compiler.frontends.tflite.builder import TfliteBuilder
from compiler.frontends.tflite.mac import check_output
from compiler.frontends.tflite.ops import emit_host
from compiler.frontends.tflite.reader import RawOperator
from hw.arch.errors import RowforgeError
from numerics.lookup import (
    elu_table,
    hard_swish_table,
    leaky_relu_table,
    logistic_table,
    tanh_table,
)

_FIXED_OUTPUTS = {"LOGISTIC": (1.0 / 256, -128), "TANH": (1.0 / 128, 0)}


def convert_lookup(builder: TfliteBuilder, op: RawOperator) -> None:
    """LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU and ELU of int8 tensors."""
    source = builder.activation(op, 0)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    given = builder.quantised(op, source, ("int8",))
    wanted = builder.quantised(op, output, ("int8",))
    fixed = _FIXED_OUTPUTS.get(op.type_name, wanted)
    if wanted != fixed:
        builder.refuse(
            op, f"its output must have scale and zero point {fixed}", "convert the model again"
        )
    try:
        table = _table(op, given, wanted)
    except RowforgeError as error:
        builder.refuse(op, str(error), "calibrate the model again")
    emit_host(builder, op, "lookup", source, output, table=table, dtype=output.dtype)


def _table(op: RawOperator, given: tuple[float, int], wanted: tuple[float, int]) -> tuple[int, ...]:
    match op.type_name:
        case "LOGISTIC":
            return logistic_table(*given)
        case "TANH":
            return tanh_table(*given)
        case "ELU":
            return elu_table(*given, *wanted)
        case "HARD_SWISH":
            return hard_swish_table(*given, *wanted)
    return leaky_relu_table(*given, *wanted, float(op.options["Alpha"]))
