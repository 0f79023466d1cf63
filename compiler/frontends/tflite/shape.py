"""TFLite shape arithmetic, folded to constants when the model is read."""

import numpy as np

from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator


def convert_shape(builder: TfliteBuilder, op: RawOperator) -> None:
    """SHAPE: every shape is known, an unknown batch being 1."""
    source = builder.tensor_at(op, 0, "input")
    builder.emit_constant(op, np.asarray(source.shape))


def constant_strided_slice(builder: TfliteBuilder, op: RawOperator) -> None:
    """STRIDED_SLICE of a constant."""
    value = builder.constant(op, 0, "input")
    builder.emit_constant(op, value[tuple(strided_ranges(builder, op, value.shape))])


def strided_ranges(
    builder: TfliteBuilder, op: RawOperator, shape: tuple[int, ...]
) -> list[slice | int]:
    """What STRIDED_SLICE picks of every axis: a range, or one position of an axis that vanishes."""
    limits = [builder.integers(op, position, "slice limits") for position in (1, 2, 3)]
    options = op.options
    if options["EllipsisMask"] or options["NewAxisMask"]:
        builder.refuse(op, "it uses an ellipsis or a new axis", "slice each axis by itself")
    if any(limit.shape != (len(shape),) for limit in limits) or not limits[2].all():
        builder.refuse(op, "its limits do not fit its input", "re-export the model")
    selection: list[slice | int] = []
    for axis, (begin, end, stride) in enumerate(zip(*limits, strict=True)):
        bit = 1 << axis
        if options["ShrinkAxisMask"] & bit:
            if not -shape[axis] <= begin < shape[axis]:
                builder.refuse(op, f"index {begin} does not exist", "re-export the model")
            selection.append(int(begin) % shape[axis])
            continue
        start = None if options["BeginMask"] & bit else int(begin)
        stop = None if options["EndMask"] & bit else int(end)
        selection.append(slice(start, stop, int(stride)))
    return selection


def constant_pack(builder: TfliteBuilder, op: RawOperator) -> None:
    """PACK of constants."""
    parts = [builder.constant(op, position, "input") for position in range(len(op.inputs))]
    if not parts or len({part.shape for part in parts}) > 1:
        builder.refuse(op, "its inputs differ in shape", "re-export the model")
    if op.options["ValuesCount"] not in (0, len(parts)):
        builder.refuse(
            op,
            f"its options count {op.options['ValuesCount']} inputs, but it has {len(parts)}",
            "re-export the model",
        )
    axis, rank = op.options["Axis"], parts[0].ndim
    if not -rank - 1 <= axis <= rank:
        builder.refuse(op, f"axis {axis} does not exist", "re-export the model")
    builder.emit_constant(op, np.stack(parts, axis=axis))
