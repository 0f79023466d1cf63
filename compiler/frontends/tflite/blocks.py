"""TFLite operators that move blocks between space, channels and items, on the host."""

import numpy as np

from compiler.frontends.tflite.mac import check_output, image_of
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.ops import emit_host
from compiler.frontends.tflite.parts import moved_only
from compiler.ir.graph import Tensor
from compiler.ir.ops import Array

_REEXPORT = "re-export the model"


def convert_depth_to_space(builder: TfliteBuilder, op: RawOperator) -> None:
    """DEPTH_TO_SPACE and SPACE_TO_DEPTH."""
    source = builder.activation(op, 0)
    batch, (H, W, C) = image_of(builder, op, source)
    size = op.options["BlockSize"]
    spread = op.type_name == "DEPTH_TO_SPACE"
    fits = size > 0 and (C % (size * size) == 0 if spread else H % size == W % size == 0)
    if not fits:
        builder.refuse(op, f"blocks of {size} do not fit {[H, W, C]}", _REEXPORT)
    output = builder.output(op)
    if spread:
        shape = (batch, H * size, W * size, C // (size * size))
    else:
        shape = (batch, H // size, W // size, C * size * size)
    check_output(builder, op, output, shape)
    moved_only(builder, op, source, output)
    block = (size, size)
    if spread:
        places = {"start": (0, 0), "size": shape[1:3]}
        emit_host(builder, op, "depth_to_space", source, output, block=block, **places)
    else:
        emit_host(builder, op, "space_to_depth", source, output, block=block)


def convert_space_to_batch(builder: TfliteBuilder, op: RawOperator) -> None:
    """SPACE_TO_BATCH_ND: padding has the real value 0, as in TensorFlow Lite.

    TensorFlow Lite Micro never sets the value that it pads with, so that its result is none.
    """
    source, block, pads, spread = _blocked(builder, op, "paddings")
    padded = [
        n + sum(pair) for n, pair in zip(source.shape[1 : 1 + spread], pads.tolist(), strict=True)
    ]
    if any(n % size for n, size in zip(padded, block, strict=True)):
        builder.refuse(op, f"blocks of {list(block)} do not fit {padded}", _REEXPORT)
    output = builder.output(op)
    sizes = [n // size for n, size in zip(padded, block, strict=True)]
    items = source.shape[0] * int(np.prod(block))
    check_output(builder, op, output, (items, *sizes, source.shape[-1]))
    moved_only(builder, op, source, output)
    value = 0 if output.quantisation is None else output.quantisation.zero_point[0]
    around = tuple((before, after) for before, after in pads.tolist())
    emit_host(builder, op, "space_to_batch", source, output, block=block, pads=around, value=value)


def convert_batch_to_space(builder: TfliteBuilder, op: RawOperator) -> None:
    """BATCH_TO_SPACE_ND, with crops."""
    source, block, crops, spread = _blocked(builder, op, "crops")
    count = int(np.prod(block))
    sizes = [
        n * size - sum(pair)
        for n, size, pair in zip(source.shape[1 : 1 + spread], block, crops.tolist(), strict=True)
    ]
    if source.shape[0] % count or min(sizes) < 1:
        builder.refuse(op, f"blocks of {list(block)} do not fit {list(source.shape)}", _REEXPORT)
    output = builder.output(op)
    check_output(builder, op, output, (source.shape[0] // count, *sizes, source.shape[-1]))
    moved_only(builder, op, source, output)
    cut = tuple((before, after) for before, after in crops.tolist())
    emit_host(builder, op, "batch_to_space", source, output, block=block, crops=cut)


def _blocked(
    builder: TfliteBuilder, op: RawOperator, what: str
) -> tuple[Tensor, tuple[int, ...], Array, int]:
    """Input, block, (before, after) of the spread axes, and how many these are: one or two."""
    source = builder.activation(op, 0)
    if len(source.shape) not in (3, 4):
        builder.refuse(op, f"its input has {len(source.shape)} axes", "feed it 3 or 4 axes")
    spread = len(source.shape) - 2
    block = tuple(builder.integers(op, 1, "block").reshape(-1).tolist())
    around = builder.integers(op, 2, what)
    if len(block) != spread or around.shape != (spread, 2):
        builder.refuse(op, f"its block and {what} do not fit its input", _REEXPORT)
    if min(block) < 1 or around.min() < 0:
        builder.refuse(op, f"its block {list(block)} or {what} are out of range", _REEXPORT)
    return source, block, around, spread
