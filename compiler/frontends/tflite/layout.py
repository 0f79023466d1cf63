"""TFLite operators that pick or reorder values: SLICE, STRIDED_SLICE and TRANSPOSE, on the host."""

from compiler.frontends.tflite.mac import check_output
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.ops import emit_host, same_quantisation
from compiler.frontends.tflite.shape import constant_strided_slice, strided_ranges
from compiler.ir.graph import Tensor


def convert_strided_slice(builder: TfliteBuilder, op: RawOperator) -> None:
    """STRIDED_SLICE of a constant when the model is read, of an activation on the host."""
    if builder.tensor_at(op, 0, "input").index in builder.constants:
        constant_strided_slice(builder, op)
        return
    source = builder.activation(op, 0)
    ranges = []
    for size, chosen in zip(source.shape, strided_ranges(builder, op, source.shape), strict=True):
        limits = slice(chosen, chosen + 1) if isinstance(chosen, int) else chosen
        start, stop, step = limits.indices(size)
        if step < 1:
            builder.refuse(op, f"its stride {step} runs backwards", "use positive strides")
        ranges.append((start, max(stop, start), step))
    _emit_slice(builder, op, source, ranges, shrunk=op.options["ShrinkAxisMask"])


def convert_slice(builder: TfliteBuilder, op: RawOperator) -> None:
    """SLICE: a beginning and a size for every axis; size -1 goes to the end."""
    source = builder.activation(op, 0)
    begins, sizes = (builder.integers(op, position, "slice limits") for position in (1, 2))
    if any(limit.shape != (len(source.shape),) for limit in (begins, sizes)):
        builder.refuse(op, "its limits do not fit its input", "re-export the model")
    ranges = []
    for extent, begin, size in zip(source.shape, begins.tolist(), sizes.tolist(), strict=True):
        stop = extent if size == -1 else begin + size
        if not 0 <= begin < stop <= extent:
            builder.refuse(
                op, f"{begin} to {stop} is no range of an axis of {extent}", "re-export the model"
            )
        ranges.append((begin, stop, 1))
    _emit_slice(builder, op, source, ranges, shrunk=0)


def _emit_slice(
    builder: TfliteBuilder,
    op: RawOperator,
    source: Tensor,
    ranges: list[tuple[int, int, int]],
    *,
    shrunk: int,
) -> None:
    """The step, and the check of its output: axes in the mask `shrunk` vanish."""
    output = builder.output(op)
    sizes = [len(range(*limits)) for limits in ranges]
    kept = tuple(n for axis, n in enumerate(sizes) if not shrunk >> axis & 1)
    check_output(builder, op, output, kept)
    same_quantisation(builder, op, source, output, tolerance=0.0, one_unscaled=True)
    cut = [axis for axis, size in enumerate(source.shape) if ranges[axis] != (0, size, 1)]
    start, stop, step = (tuple(ranges[axis][end] for axis in cut) for end in range(3))
    limits = {"axes": tuple(cut), "start": start, "stop": stop, "step": step}
    emit_host(builder, op, "slice", source, output, **limits)


def convert_transpose(builder: TfliteBuilder, op: RawOperator) -> None:
    """TRANSPOSE by a constant permutation."""
    source = builder.activation(op, 0)
    permutation = tuple(builder.integers(op, 1, "permutation").reshape(-1).tolist())
    rank = len(source.shape)
    if sorted(permutation) != list(range(rank)):
        builder.refuse(op, f"{list(permutation)} is no order of {rank} axes", "re-export the model")
    output = builder.output(op)
    check_output(builder, op, output, tuple(source.shape[axis] for axis in permutation))
    same_quantisation(builder, op, source, output, tolerance=0.0, one_unscaled=True)
    emit_host(builder, op, "transpose", source, output, permutation=permutation)
