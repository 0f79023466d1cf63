"""TFLite operators of one value, on the host: tables of 8-bit values, functions of 16-bit ones."""

from math import log2

import numpy as np

from compiler.frontends.tflite.mac import check_output, symmetric
from compiler.frontends.tflite.model.builder import QUANTISED, TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.ops import emit_host
from compiler.ir.graph import Tensor
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
from numerics.quantisation import integer_range, quantise_multiplier

_FIXED_OUTPUTS = {"LOGISTIC": (1.0 / 256, -128), "TANH": (1.0 / 128, 0)}
_OF_INT16 = ("LOGISTIC", "TANH", "LEAKY_RELU")
_FRACTION_BITS = 15  # of an int16 output whose scale is fixed
_LOG_TOLERANCE = 1e-3  # of the exponent of a scale that counts as a power of two
_OF_UINT8 = ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU")  # the older converter's


def convert_lookup(builder: TfliteBuilder, op: RawOperator) -> None:
    """LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU, ELU, ABS and RSQRT of 8-bit tensors.

    A table of uint8 values is that of the int8 values and zero points 128 lower.
    """
    source = builder.activation(op, 0)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    builder.same_type(op, source, output)
    if source.dtype == "int16" and op.type_name in _OF_INT16:
        _convert_16_bits(builder, op, source, output)
        return
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


def _convert_16_bits(
    builder: TfliteBuilder, op: RawOperator, source: Tensor, output: Tensor
) -> None:
    """LOGISTIC, TANH and LEAKY_RELU of int16."""
    symmetric(builder, op, source, output)
    scale, _ = builder.quantised(op, source, QUANTISED)
    output_scale, _ = builder.quantised(op, output, QUANTISED)
    if op.type_name == "LEAKY_RELU":
        alpha = float(np.float32(op.options["Alpha"]))
        reals = builder.checked_scale(op, [scale / output_scale, abs(scale * alpha) / output_scale])
        positive, negative = (quantise_multiplier(float(real)) for real in reals)
        sign = -1 if alpha < 0 else 1
        factors = {"positive": positive, "negative": negative, "sign": sign}
        emit_host(builder, op, "leaky_relu16", source, output, **factors)
        return
    if abs(log2(output_scale) + _FRACTION_BITS) > _LOG_TOLERANCE:
        builder.refuse(op, "its output must have scale 1/32768", "convert the model again")
    multiplier, shift = _argument(scale, 1 if op.type_name == "TANH" else 0)
    if not 0 < multiplier < 1 << 15:
        builder.refuse(
            op, f"its input scale {scale!r} is beyond the kernel's arithmetic", "calibrate again"
        )
    function = f"{op.type_name.lower()}16"
    emit_host(builder, op, function, source, output, multiplier=multiplier, shift=shift)


def _argument(scale: float, most_left: int) -> tuple[int, int]:
    """(multiplier, right shift) of an int16 value to steps of 1 / (3 * 4096).

    Scales of 2^-12, and for TANH of 2^-11, are exact; others get a multiplier of 15 bits, cut off.
    """
    exponent = round(log2(scale))
    left = exponent + 12
    if abs(log2(scale) - exponent) < _LOG_TOLERANCE and 0 <= left <= most_left:
        return 3 << left, 0
    real, shift = scale * 4096.0 * 3.0, 0
    while real <= 32767.0 / 2.0 and shift <= 30:
        real, shift = real * 2.0, shift + 1
    return int(real), shift


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
