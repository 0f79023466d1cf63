"""TFLite operators that take tensors apart, put them together or look for a value, on the host."""

from compiler.frontends.tflite.builder import TfliteBuilder
from compiler.frontends.tflite.mac import check_output
from compiler.frontends.tflite.ops import emit_host, emit_part, same_quantisation
from compiler.frontends.tflite.reader import RawOperator
from compiler.ir.graph import Tensor

_REEXPORT = "re-export the model"


def one_axis(builder: TfliteBuilder, op: RawOperator, position: int, rank: int) -> int:
    """The single axis that a constant input names, counted from the front."""
    given = builder.integers(op, position, "axis").reshape(-1)
    if given.size != 1 or not -rank <= int(given[0]) < rank:
        builder.refuse(op, f"axis {given.tolist()} does not exist", _REEXPORT)
    return int(given[0]) % rank


def moved_only(builder: TfliteBuilder, op: RawOperator, source: Tensor, output: Tensor) -> None:
    """Refuses an operator that only moves values if they would mean something else."""
    if source.dtype == output.dtype and source.dtype in ("float32", "bool", "int64"):
        return
    same_quantisation(builder, op, source, output, tolerance=0.0, one_unscaled=True)


def convert_split(builder: TfliteBuilder, op: RawOperator) -> None:
    """SPLIT into equal parts and SPLIT_V into parts of given sizes: a slice for each."""
    equal = op.type_name == "SPLIT"
    source = builder.activation(op, 1 if equal else 0)
    axis = one_axis(builder, op, 0 if equal else 2, len(source.shape))
    extent, count = source.shape[axis], len(op.outputs)
    if equal:
        sizes = [extent // max(count, 1)] * count
    else:
        sizes = builder.integers(op, 1, "sizes").reshape(-1).tolist()
        if sizes.count(-1) == 1:
            rest = extent - sum(sizes) - 1
            sizes = [rest if size == -1 else size for size in sizes]
    if len(sizes) != count or sum(sizes) != extent or min(sizes, default=0) < 1:
        builder.refuse(op, f"parts of {sizes} do not make an axis of {extent}", _REEXPORT)
    start = 0
    for number, (size, output) in enumerate(zip(sizes, builder.outputs(op), strict=True)):
        shape = (*source.shape[:axis], size, *source.shape[axis + 1 :])
        check_output(builder, op, output, shape)
        moved_only(builder, op, source, output)
        limits = {"axes": (axis,), "start": (start,), "stop": (start + size,), "step": (1,)}
        part = f"part {number}" if number else ""
        emit_part(builder, op, part, "slice", source, output, limits)
        start += size


def convert_arg(builder: TfliteBuilder, op: RawOperator) -> None:
    """ARG_MAX and ARG_MIN along one axis, into 32- or 64-bit integers."""
    source = builder.activation(op, 0)
    axis = one_axis(builder, op, 1, len(source.shape))
    output = builder.output(op)
    check_output(builder, op, output, source.shape[:axis] + source.shape[axis + 1 :])
    if source.dtype not in ("int8", "uint8", "float32") or output.dtype not in ("int32", "int64"):
        builder.refuse(
            op,
            f"its input has type {source.dtype}, its output {output.dtype}",
            "give it an 8-bit or float32 input, and an int32 or int64 output",
        )
    largest = op.type_name == "ARG_MAX"
    emit_host(
        builder, op, "arg_tflm", source, output, axes=(axis,), largest=largest, dtype=output.dtype
    )
