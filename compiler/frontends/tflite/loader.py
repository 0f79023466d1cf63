"""The TFLite front end: one file to one graph, operator by operator."""

from collections.abc import Callable
from pathlib import Path

from compiler.frontends.tflite import binary as tflite_binary
from compiler.frontends.tflite import blocks as tflite_blocks
from compiler.frontends.tflite import elementwise as tflite_elementwise
from compiler.frontends.tflite import layout as tflite_layout
from compiler.frontends.tflite import lookup as tflite_lookup
from compiler.frontends.tflite import mac as tflite_mac
from compiler.frontends.tflite import ops as tflite_ops
from compiler.frontends.tflite import parts as tflite_parts
from compiler.frontends.tflite import resize as tflite_resize
from compiler.frontends.tflite import shape as tflite_shape
from compiler.frontends.tflite import transposed as tflite_transposed
from compiler.frontends.tflite import unary as tflite_unary
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator, RawTfliteModel, read_tflite
from compiler.frontends.tflite.state import lstm as tflite_lstm
from compiler.frontends.tflite.state import svdf as tflite_svdf
from compiler.frontends.tflite.state import variables as tflite_variables
from compiler.ir.graph import Graph
from compiler.ir.refusals import (
    DependsOnRefusedError,
    OperatorRefusedError,
    Refusal,
    Refusals,
    located,
)
from compiler.ir.remedies import UNKNOWN, tflite_remedy
from hw.arch.errors import RowforgeError

_CONVERTERS: dict[str, Callable[[TfliteBuilder, RawOperator], None]] = {
    "CONV_2D": tflite_mac.convert_conv,
    "DEPTHWISE_CONV_2D": tflite_mac.convert_depthwise,
    "TRANSPOSE_CONV": tflite_transposed.convert_transpose_conv,
    "FULLY_CONNECTED": tflite_mac.convert_fully_connected,
    "ADD": tflite_binary.convert_add,
    "MUL": tflite_binary.convert_mul,
    "AVERAGE_POOL_2D": tflite_ops.convert_pool,
    "MAX_POOL_2D": tflite_ops.convert_pool,
    "CONCATENATION": tflite_ops.convert_concat,
    "PAD": tflite_ops.convert_pad,
    "PADV2": tflite_ops.convert_pad,
    "RESHAPE": tflite_ops.convert_reshape,
    "SQUEEZE": tflite_ops.convert_reshape,
    "EXPAND_DIMS": tflite_ops.convert_reshape,
    "RELU": tflite_ops.convert_relu,
    "RELU6": tflite_ops.convert_relu,
    "RELU_N1_TO_1": tflite_ops.convert_relu,
    "QUANTIZE": tflite_ops.convert_quantise,
    "DEQUANTIZE": tflite_ops.convert_dequantise,
    "SOFTMAX": tflite_ops.convert_softmax,
    "LOG_SOFTMAX": tflite_ops.convert_softmax,
    "MEAN": tflite_ops.convert_mean,
    "SHAPE": tflite_shape.convert_shape,
    "STRIDED_SLICE": tflite_layout.convert_strided_slice,
    "SLICE": tflite_layout.convert_slice,
    "TRANSPOSE": tflite_layout.convert_transpose,
    "LOGISTIC": tflite_lookup.convert_lookup,
    "TANH": tflite_lookup.convert_lookup,
    "HARD_SWISH": tflite_lookup.convert_lookup,
    "LEAKY_RELU": tflite_lookup.convert_lookup,
    "ELU": tflite_lookup.convert_lookup,
    "ABS": tflite_unary.convert_float_or_lookup,
    "RSQRT": tflite_unary.convert_float_or_lookup,
    "NEG": tflite_unary.convert_float,
    "SQUARE": tflite_unary.convert_float,
    "SQRT": tflite_unary.convert_float,
    "EXP": tflite_unary.convert_float,
    "CAST": tflite_unary.convert_cast,
    "SUM": tflite_unary.convert_sum,
    "REDUCE_MAX": tflite_unary.convert_reduce,
    "REDUCE_MIN": tflite_unary.convert_reduce,
    "L2_NORMALIZATION": tflite_unary.convert_l2_normalisation,
    "PACK": tflite_parts.convert_pack,
    "UNPACK": tflite_parts.convert_unpack,
    "TILE": tflite_parts.convert_tile,
    "BROADCAST_TO": tflite_parts.convert_tile,
    "GATHER": tflite_parts.convert_gather,
    "GATHER_ND": tflite_parts.convert_gather_nd,
    "MIRROR_PAD": tflite_parts.convert_mirror_pad,
    "REVERSE_V2": tflite_parts.convert_reverse,
    "DEPTH_TO_SPACE": tflite_blocks.convert_depth_to_space,
    "SPACE_TO_DEPTH": tflite_blocks.convert_depth_to_space,
    "SPACE_TO_BATCH_ND": tflite_blocks.convert_space_to_batch,
    "BATCH_TO_SPACE_ND": tflite_blocks.convert_batch_to_space,
    "SQUARED_DIFFERENCE": tflite_elementwise.convert_squared_difference,
    "DIV": tflite_elementwise.convert_div,
    "FLOOR_DIV": tflite_elementwise.convert_floor_div,
    "BATCH_MATMUL": tflite_elementwise.convert_batch_matmul,
    "SELECT_V2": tflite_elementwise.convert_select,
    **dict.fromkeys(
        (
            "EQUAL",
            "NOT_EQUAL",
            "LESS",
            "LESS_EQUAL",
            "GREATER",
            "GREATER_EQUAL",
            "LOGICAL_AND",
            "LOGICAL_OR",
        ),
        tflite_elementwise.convert_comparison,
    ),
    "SPLIT": tflite_parts.convert_split,
    "SPLIT_V": tflite_parts.convert_split,
    "ARG_MAX": tflite_parts.convert_arg,
    "ARG_MIN": tflite_parts.convert_arg,
    "SUB": tflite_elementwise.convert_sub,
    "MAXIMUM": tflite_elementwise.convert_extreme,
    "MINIMUM": tflite_elementwise.convert_extreme,
    "PRELU": tflite_elementwise.convert_prelu,
    "RESIZE_NEAREST_NEIGHBOR": tflite_resize.convert_nearest,
    "RESIZE_BILINEAR": tflite_resize.convert_bilinear,
    "VAR_HANDLE": tflite_variables.convert_handle,
    "READ_VARIABLE": tflite_variables.convert_read,
    "ASSIGN_VARIABLE": tflite_variables.convert_assign,
    "CALL_ONCE": tflite_variables.convert_call_once,
    "SVDF": tflite_svdf.convert_svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": tflite_lstm.convert_lstm,
}


SUPPORTED = frozenset(_CONVERTERS)


def load_tflite(path: str | Path) -> Graph:
    """Reads a `.tflite` file into a graph whose rounding is TFLM.

    Operator outputs get the key `NNN_TYPE_tK` (operator number, type, tensor index), inputs
    `input_tK`, constants used as activations `const_tK`. Raises RowforgeError, naming the file,
    for a damaged file or operators that cannot run, all of them at once.
    """
    path = Path(path)
    raw = read_tflite(path)
    try:
        return _build(raw, path.stem)
    except RowforgeError as error:
        raise located(path, error) from error


def _build(raw: RawTfliteModel, name: str) -> Graph:
    others = sorted(set(raw.signatures) - {0})
    if others:
        raise RowforgeError(
            f"it has a signature that runs subgraph {others[0]}, but only the first, number 0, "
            f"runs here; export a file for each signature"
        )
    builder = TfliteBuilder(raw)
    for index in raw.inputs:
        if index in builder.constants:
            raise RowforgeError(f"input tensor {index} is constant")
        builder.declare(index, f"input_t{index}")
    refusals = Refusals()
    for op in raw.operators:
        try:
            _convert(builder, op)
        except DependsOnRefusedError:
            builder.give_up(op, doubtful=True)
        except OperatorRefusedError as error:
            refusals.add(error, error.parts)
            builder.give_up(op, doubtful=op.type_name in _CONVERTERS)
        except RowforgeError as error:
            refusals.add(error, Refusal(op.type_name, str(op.index), str(error)))
            builder.give_up(op, doubtful=True)
    refusals.raise_any()
    return builder.graph(name)


def _convert(builder: TfliteBuilder, op: RawOperator) -> None:
    convert = _CONVERTERS.get(op.type_name)
    if convert is None:
        builder.refuse(op, UNKNOWN, tflite_remedy(op.type_name))
    convert(builder, op)
