"""TFLite operators that take tensors apart, put them together or look for a value, on the host."""

from compiler.frontends.tflite.mac import check_output
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.ops import emit_host, emit_part, same_quantisation
from compiler.frontends.tflite.shape import constant_pack
from compiler.ir.graph import Tensor

_REEXPORT = "re-export the model"
_MOST_PICKED = 1 << 20  # positions along an axis, which the program lists


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


def convert_unpack(builder: TfliteBuilder, op: RawOperator) -> None:
    """UNPACK: a slice of one position for each output, whose axis vanishes."""
    source = builder.activation(op, 0)
    axis = named_axis(builder, op, op.options["Axis"], len(source.shape))
    if len(op.outputs) != source.shape[axis]:
        builder.refuse(
            op,
            f"it has {len(op.outputs)} outputs for an axis of {source.shape[axis]}",
            _REEXPORT,
        )
    for number, output in enumerate(builder.outputs(op)):
        check_output(builder, op, output, source.shape[:axis] + source.shape[axis + 1 :])
        moved_only(builder, op, source, output)
        limits = {"axes": (axis,), "start": (number,), "stop": (number + 1,), "step": (1,)}
        part = f"part {number}" if number else ""
        emit_part(builder, op, part, "slice", source, output, limits)


def convert_pack(builder: TfliteBuilder, op: RawOperator) -> None:
    """PACK: folded if all inputs are constant, else joined along a new axis on the host."""
    given = [builder.tensor_at(op, at, "input").index for at in range(len(op.inputs))]
    if given and all(index in builder.constants for index in given):
        constant_pack(builder, op)
        return
    sources = tuple(builder.activation(op, position) for position in range(len(op.inputs)))
    if len({source.shape for source in sources}) != 1:
        builder.refuse(op, "its inputs differ in shape", _REEXPORT)
    shape = sources[0].shape
    axis = named_axis(builder, op, op.options["Axis"], len(shape) + 1)
    output = builder.output(op)
    check_output(builder, op, output, (*shape[:axis], len(sources), *shape[axis:]))
    for source in sources:
        moved_only(builder, op, source, output)
    emit_host(builder, op, "stack", sources, output, axes=(axis,))


def named_axis(builder: TfliteBuilder, op: RawOperator, axis: int, rank: int) -> int:
    """An axis of the options, counted from the front."""
    if not -rank <= axis < rank:
        builder.refuse(op, f"axis {axis} does not exist", _REEXPORT)
    return axis % rank


def convert_tile(builder: TfliteBuilder, op: RawOperator) -> None:
    """TILE by constant counts, and BROADCAST_TO a constant shape."""
    source = builder.activation(op, 0)
    wanted = builder.integers(op, 1, "shape").reshape(-1).tolist()
    rank = len(source.shape)
    if op.type_name == "BROADCAST_TO":
        rank = len(wanted)
        own = (1,) * (rank - len(source.shape)) + source.shape
        fits = len(own) == rank and all(
            size in (1, target) for size, target in zip(own, wanted, strict=True)
        )
        counts = [t // size for t, size in zip(wanted, own, strict=True)] if fits else [0]
    else:
        own, counts = source.shape, wanted
    if len(counts) != rank or min(counts, default=1) < 1:
        builder.refuse(op, f"{wanted} does not fit its input {list(source.shape)}", _REEXPORT)
    output = builder.output(op)
    check_output(builder, op, output, tuple(n * c for n, c in zip(own, counts, strict=True)))
    moved_only(builder, op, source, output)
    axes = tuple(axis for axis, count in enumerate(counts) if count > 1)
    repeats = tuple(counts[axis] for axis in axes)
    emit_host(builder, op, "tile", source, output, rank=rank, axes=axes, counts=repeats)


def convert_gather(builder: TfliteBuilder, op: RawOperator) -> None:
    """GATHER along one axis, by positions that are constant or computed."""
    source, positions = builder.activation(op, 0), builder.activation(op, 1)
    rank = len(source.shape)
    axis = named_axis(builder, op, op.options["Axis"], rank)
    batch = op.options["BatchDims"]
    batch += len(positions.shape) if batch < 0 else 0
    if not 0 <= batch <= min(axis, len(positions.shape)):
        builder.refuse(op, f"it has {op.options['BatchDims']} axes of batches", _REEXPORT)
    if source.shape[:batch] != positions.shape[:batch]:
        builder.refuse(op, "its input and its positions differ in batches", _REEXPORT)
    _check_positions(builder, op, positions, source.shape[axis])
    output = builder.output(op)
    shape = (*source.shape[:axis], *positions.shape[batch:], *source.shape[axis + 1 :])
    check_output(builder, op, output, shape)
    moved_only(builder, op, source, output)
    if positions.data is not None and batch == 0:
        _check_picked(builder, op, positions.elements)
        chosen = (tuple(positions.data.reshape(-1).tolist()),)
        emit_host(builder, op, "pick", source, output, axes=(axis,), positions=chosen)
        return
    pair = (source, positions)
    emit_host(builder, op, "gather", pair, output, axes=(axis,), batch_axes=batch)


def convert_gather_nd(builder: TfliteBuilder, op: RawOperator) -> None:
    """GATHER_ND: positions along the first axes lie in the last axis of a tensor."""
    source, positions = builder.activation(op, 0), builder.activation(op, 1)
    depth = positions.shape[-1] if positions.shape else 0
    if not 1 <= depth <= len(source.shape):
        builder.refuse(op, f"its positions have shape {list(positions.shape)}", _REEXPORT)
    for axis in range(depth):
        _check_positions(builder, op, positions, source.shape[axis], axis)
    output = builder.output(op)
    check_output(builder, op, output, (*positions.shape[:-1], *source.shape[depth:]))
    moved_only(builder, op, source, output)
    emit_host(builder, op, "gather_nd", (source, positions), output)


def _check_positions(
    builder: TfliteBuilder,
    op: RawOperator,
    positions: Tensor,
    extent: int,
    column: int | None = None,
) -> None:
    """Refuses positions of another type, and constant ones that do not exist."""
    if positions.dtype not in ("int32", "int64"):
        builder.refuse(op, f"its positions have type {positions.dtype}", "int32 is expected")
    if positions.data is None:
        return
    chosen = positions.data if column is None else positions.data[..., column]
    if chosen.min() < 0 or chosen.max() >= extent:
        builder.refuse(op, f"a position does not exist on an axis of {extent}", _REEXPORT)


def convert_mirror_pad(builder: TfliteBuilder, op: RawOperator) -> None:
    """MIRROR_PAD: REFLECT leaves out the edge, SYMMETRIC repeats it."""
    source = builder.activation(op, 0)
    pads = builder.integers(op, 1, "paddings")
    # Without options TensorFlow Lite Micro does not reflect.
    edge = 1 if op.options["Mode"] == 0 and not op.bare else 0
    if pads.shape != (len(source.shape), 2) or pads.min() < 0:
        builder.refuse(op, "its paddings do not fit its input", _REEXPORT)
    axes, positions, shape = [], [], list(source.shape)
    for axis, (before, after) in enumerate(pads.tolist()):
        size = source.shape[axis]
        _check_picked(builder, op, size + before + after)
        if max(before, after) > size - edge:
            builder.refuse(op, f"an axis of {size} mirrors no {max(before, after)}", _REEXPORT)
        if before or after:
            front = [edge + n for n in reversed(range(before))]
            back = [size - 1 - edge - n for n in range(after)]
            axes.append(axis)
            positions.append((*front, *range(size), *back))
            shape[axis] += before + after
    output = builder.output(op)
    check_output(builder, op, output, tuple(shape))
    moved_only(builder, op, source, output)
    emit_host(builder, op, "pick", source, output, axes=tuple(axes), positions=tuple(positions))


def convert_reverse(builder: TfliteBuilder, op: RawOperator) -> None:
    """REVERSE_V2 along constant axes."""
    source = builder.activation(op, 0)
    rank = len(source.shape)
    listed = builder.integers(op, 1, "axes").reshape(-1).tolist()
    if any(not -rank <= axis < rank for axis in listed):
        builder.refuse(op, f"axes {listed} do not exist", _REEXPORT)
    axes = tuple(sorted({axis % rank for axis in listed}))
    for axis in axes:
        _check_picked(builder, op, source.shape[axis])
    positions = tuple(tuple(reversed(range(source.shape[axis]))) for axis in axes)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    moved_only(builder, op, source, output)
    emit_host(builder, op, "pick", source, output, axes=axes, positions=positions)


def _check_picked(builder: TfliteBuilder, op: RawOperator, count: int) -> None:
    if count > _MOST_PICKED:
        builder.refuse(
            op, f"it picks {count} positions of an axis", f"at most {_MOST_PICKED} are supported"
        )
