"""TFLite UNIDIRECTIONAL_SEQUENCE_LSTM of int8 tensors with an int16 cell.

The array computes the four gates' products with the input, of all times at once, and with the
hidden state if a step has one time. With several, what is fed back depends on the time before, and
is the host's.
"""

from collections.abc import Sequence
from math import isfinite, log2

import numpy as np
from numpy.typing import NDArray

from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator, RawTensor
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
from compiler.ir.ops import Array
from numerics.quantisation import quantise_multiplier

_GATES = ("input", "forget", "cell", "output")
_INPUT, _FROM_INPUT, _FROM_HIDDEN, _BIASES = 0, 1, 5, 12
_HIDDEN, _CELL, _INPUTS = 18, 19, 24
_VARIANTS = {
    **dict.fromkeys((9, 10, 11), "peepholes"),
    **dict.fromkeys((16, 17), "a projection"),
    **dict.fromkeys((20, 21, 22, 23), "layer normalisation"),
}
_TANH = 4  # of the schema's activations
_GATE_SCALE = 2.0**-12  # of sums before their function
_FUNCTION_SCALE = 2.0**-15  # of the functions' results
_MOST_TIMES = 1 << 12  # the host goes through them one by one
_LEAST_POWER, _MOST_POWER = -30, 2  # of the cell's scale: beyond them the kernel's integers wrap


def convert_lstm(builder: TfliteBuilder, op: RawOperator) -> None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM; its two states are variable tensors."""
    _check_kind(builder, op)
    source = builder.activation(op, _INPUT)
    time_major = bool(op.options["TimeMajor"])
    items, times = _extent(builder, op, source, time_major)
    scale, zero_point = builder.quantised(op, source, ("int8",))
    units = (*builder.constant(op, _FROM_INPUT + 1, "weights").shape, 0)[0]
    from_input = _weights(builder, op, _FROM_INPUT, (units, source.shape[2]))
    from_hidden = _weights(builder, op, _FROM_HIDDEN, (units, units))
    bias = _biases(builder, op, units)
    raw_hidden, hidden = variable(builder, op, _HIDDEN, "hidden state", items * units)
    raw_cell, cell = variable(builder, op, _CELL, "cell state", items * units)
    hidden_scale, hidden_zero_point = builder.quantised(op, hidden, ("int8",))
    cell_scale, _ = builder.quantised(op, cell, ("int16",))
    output = builder.output(op)
    shaped(builder, op, "outputs", output.shape, (*source.shape[:2], units))
    if output.dtype != "int8":
        builder.refuse(op, f"its output has type {output.dtype}", QUANTISED)

    law = {
        "input_scales": _multipliers(builder, op, [scale * each for each in from_input[1]]),
        "recurrent_scales": _multipliers(builder, op, [hidden_scale * s for s in from_hidden[1]]),
        "hidden_zero_point": hidden_zero_point,
        "forget_scale": quantise_multiplier(_FUNCTION_SCALE),
        "update_scale": _multiplier(builder, op, _FUNCTION_SCALE**2 / cell_scale),
        "output_scale": _multiplier(builder, op, _FUNCTION_SCALE**2 / hidden_scale),
        "clip": _clip(builder, op, cell_scale),
        "power": _power(builder, op, cell_scale),
    }
    sums = emit_sums(builder, op, "input products", source, from_input[0], bias, zero_point)
    result = builder.integers_between(op, "states", (times + 1, items, units), "int16")
    if times == 1:
        none = np.zeros_like(bias)
        weights = from_hidden[0]
        more = emit_sums(builder, op, "hidden products", hidden, weights, none, hidden_zero_point)
        emit_step(builder, op, "gates", "lstm_once", (sums, more, cell), result, **law)
    else:
        shape = from_hidden[0].shape
        stacked = builder.integers_between(op, "hidden weights", shape, "int8", from_hidden[0])
        law |= {"shape": (items, times, units), "time_major": time_major}
        emit_step(builder, op, "gates", "lstm", (sums, hidden, cell, stacked), result, **law)
    _emit_parts(builder, op, result, output, (raw_hidden, hidden), (raw_cell, cell), time_major)


def _extent(
    builder: TfliteBuilder, op: RawOperator, source: Tensor, time_major: bool
) -> tuple[int, int]:
    """Items and times of a step."""
    if len(source.shape) != 3:
        builder.refuse(op, f"its input has {len(source.shape)} axes, not 3", REEXPORT)
    items, times = source.shape[:2][:: -1 if time_major else 1]
    if times > _MOST_TIMES:
        builder.refuse(
            op,
            f"a step of it has {times} times, more than {_MOST_TIMES}",
            "feed it shorter pieces as consecutive steps, between which it keeps its states",
        )
    return items, times


def _emit_parts(
    builder: TfliteBuilder,
    op: RawOperator,
    result: Tensor,
    output: Tensor,
    hidden: tuple[RawTensor, Tensor],
    cell: tuple[RawTensor, Tensor],
    time_major: bool,
) -> None:
    """The output, and the states for the next step, of all hidden states and the last cell."""
    times = result.shape[0] - 1
    limits = {"start": 0, "stop": times, "time_major": time_major, "dtype": "int8"}
    emit_step(builder, op, "", "lstm_part", (result,), output, **limits)
    shown = output
    if times > 1:
        shown = builder.between(op, "hidden", hidden[1], hidden[0].shape)
        limits |= {"start": times - 1}
        emit_step(builder, op, "hidden", "lstm_part", (result,), shown, **limits)
    builder.states.keep(hidden[0].index, shown.key)
    held = builder.between(op, "cell", cell[1], cell[0].shape)
    limits |= {"start": times, "stop": times + 1, "dtype": "int16"}
    emit_step(builder, op, "cell", "lstm_part", (result,), held, **limits)
    builder.states.keep(cell[0].index, held.key)


def _check_kind(builder: TfliteBuilder, op: RawOperator) -> None:
    """Refuses variants of the operator that TensorFlow Lite Micro does not have."""
    if len(op.inputs) != _INPUTS:
        builder.refuse(op, f"it has {len(op.inputs)} inputs, not {_INPUTS}", REEXPORT)
    for position, what in _VARIANTS.items():
        if op.inputs[position] >= 0:
            builder.refuse(op, f"it has {what}", "train a standard LSTM, such as Keras's")
    if op.options["FusedActivationFunction"] != _TANH:
        builder.refuse(op, "the activation of its cell is not TANH", "use TANH")


def _weights(
    builder: TfliteBuilder, op: RawOperator, first: int, shape: tuple[int, int]
) -> tuple[Array, list[float]]:
    """The weights of all gates, one gate after the other, and each gate's scale."""
    parts, scales = [], []
    for number, gate in enumerate(_GATES):
        what = f"weights of the {gate} gate"
        values, scale = symmetric(builder, op, first + number, what, ("int8",))
        shaped(builder, op, what, values.shape, shape)
        parts.append(values)
        scales.append(scale)
    return np.concatenate(parts), scales


def _biases(builder: TfliteBuilder, op: RawOperator, units: int) -> NDArray[np.int64]:
    parts = []
    for number, gate in enumerate(_GATES):
        values = builder.constant(op, _BIASES + number, f"bias of the {gate} gate")
        if values.dtype != np.int32 or values.shape != (units,):
            builder.refuse(
                op,
                f"its bias of the {gate} gate has type {values.dtype} and shape "
                f"{list(values.shape)}",
                f"an int32 bias for each of {units} units is expected",
            )
        parts.append(values.astype(np.int64))
    return np.concatenate(parts)


def _multipliers(
    builder: TfliteBuilder, op: RawOperator, products: Sequence[float]
) -> tuple[tuple[int, int], ...]:
    """Multiplier and shift of each gate's sums, whose scales are given, to the gates' scale."""
    return tuple(_multiplier(builder, op, product / _GATE_SCALE) for product in products)


def _multiplier(builder: TfliteBuilder, op: RawOperator, real: float) -> tuple[int, int]:
    return quantise_multiplier(float(builder.checked_scale(op, real)[0]))


def _clip(builder: TfliteBuilder, op: RawOperator, cell_scale: float) -> int:
    """The limit of the cell's stored values; 0 if there is none."""
    clip = float(op.options["CellClip"])
    if not isfinite(clip) or 0 < clip < cell_scale:
        builder.refuse(op, f"its cell clip {clip} is no limit", "use a larger one, or none")
    return int(min(clip / cell_scale, 32767.0)) if clip > 0 else 0


def _power(builder: TfliteBuilder, op: RawOperator, cell_scale: float) -> int:
    """The power of two next to the cell's scale, which the kernel takes for the scale in TANH."""
    power = round(log2(cell_scale))
    if not _LEAST_POWER <= power <= _MOST_POWER:
        builder.refuse(
            op, f"the scale {cell_scale:g} of its cell is out of range", "calibrate the model again"
        )
    return power
