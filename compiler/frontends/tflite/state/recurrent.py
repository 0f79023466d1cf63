"""What SVDF and LSTM share: variable tensors, weights, and the products that the array computes."""

import numpy as np
from numpy.typing import NDArray

from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator, RawTensor
from compiler.ir.graph import Tensor
from compiler.ir.ops import Array, Conv, HostStep
from numerics.quantisation import Requant

QUANTISED = "convert the model with full int8 quantisation"
REEXPORT = "re-export the model"


def shaped(
    builder: TfliteBuilder,
    op: RawOperator,
    what: str,
    given: tuple[int, ...],
    wanted: tuple[int, ...],
) -> None:
    """Refuses an operator one of whose tensors does not fit the others."""
    if given != wanted:
        builder.refuse(op, f"its {what} have shape {list(given)}, not {list(wanted)}", REEXPORT)


def variable(
    builder: TfliteBuilder, op: RawOperator, position: int, what: str, elements: int
) -> tuple[RawTensor, Tensor]:
    """A variable tensor of the file, and the tensor that holds it by now.

    It begins as TensorFlow Lite Micro fills it: int8 values at the zero point, others at 0.
    """
    raw = builder.tensor_at(op, position, what)
    writers = [other for other in builder.raw.operators if raw.index in other.outputs]
    given = raw.index in (*builder.raw.inputs, *builder.constants)
    if not raw.variable or given or writers:
        builder.refuse(op, f"its {what} {raw.name} is not a variable tensor", REEXPORT)
    if int(np.prod(raw.shape)) != elements:
        builder.refuse(
            op, f"its {what} has shape {list(raw.shape)}, not {elements} values", REEXPORT
        )
    first = raw.zero_point[0] if raw.type_name == "INT8" and raw.zero_point else 0

    def initial() -> Array:
        return np.full(raw.shape, first, dtype=builder.dtype(raw))

    return raw, builder.state(raw.index, raw, raw.name, initial)


def symmetric(
    builder: TfliteBuilder, op: RawOperator, position: int, what: str, dtypes: tuple[str, ...]
) -> tuple[Array, float]:
    """Constant weights with one scale and zero point 0, of one of these types; their scale."""
    raw, values = builder.tensor_at(op, position, what), builder.constant(op, position, what)
    if values.dtype.name not in dtypes:
        builder.refuse(op, f"its {what} have type {values.dtype}", QUANTISED)
    scale = raw.scale[0] if len(raw.scale) == 1 else 0.0
    if not 0.0 < scale < float("inf") or any(raw.zero_point):
        builder.refuse(op, f"its {what} must have one positive scale and zero point 0", QUANTISED)
    return values, scale


def emit_sums(
    builder: TfliteBuilder,
    op: RawOperator,
    what: str,
    source: Tensor,
    weights: Array,
    bias: NDArray[np.int64],
    zero_point: int,
) -> Tensor:
    """The 32-bit sums of a product on the array: rows of `source` with rows of weights."""
    filters, depth = weights.shape
    rows = source.elements // depth
    sums = builder.integers_between(op, what, (rows, filters), "int32")
    builder.emit(
        Conv(
            name=sums.key,
            op=op.type_name,
            inputs=(source.key,),
            output=sums.key,
            image=(rows, 1, depth),
            weights=weights.reshape(filters, 1, 1, depth),
            weight_zero_point=np.zeros(1, dtype=np.int64),
            bias=bias,
            input_zero_point=zero_point,
            stage=Requant.raw(),
        )
    )
    return sums


def emit_step(
    builder: TfliteBuilder,
    op: RawOperator,
    part: str,
    function: str,
    sources: tuple[Tensor, ...],
    output: Tensor,
    **parameters: object,
) -> None:
    """Appends a part of an operator that the host computes."""
    builder.emit(
        HostStep(
            name=f"{op.label} {part}".rstrip(),
            op=op.type_name,
            inputs=tuple(tensor.key for tensor in sources),
            output=output.key,
            function=function,
            parameters=dict(parameters),
        )
    )
