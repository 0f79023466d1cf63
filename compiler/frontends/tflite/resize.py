"""TFLite RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR, on the host.

The positions are computed here as the reference kernels compute them, mostly in float32; the steps
get them as numbers.
"""

from math import floor
from typing import Any

import numpy as np

from compiler.frontends.tflite.mac import check_output, image_of
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.ops import emit_host, same_quantisation
from compiler.ir.graph import Tensor
from numerics.host.tflm.resize import FRACTION_BITS

_MOST_ROWS = 1 << 16  # and columns: each has positions in the program


def convert_nearest(builder: TfliteBuilder, op: RawOperator) -> None:
    """RESIZE_NEAREST_NEIGHBOR of any type: rows and columns are picked."""
    source, output = _operands(builder, op)
    corners, centres = op.options["AlignCorners"], op.options["HalfPixelCenters"]
    positions = tuple(
        tuple(_nearest(n, before, after, corners=corners, centres=centres) for n in range(after))
        for before, after in zip(source.shape[1:3], output.shape[1:3], strict=True)
    )
    emit_host(builder, op, "pick", source, output, axes=(1, 2), positions=positions)


def convert_bilinear(builder: TfliteBuilder, op: RawOperator) -> None:
    """RESIZE_BILINEAR: int8 in fixed point, uint8 and float32 in float32."""
    corners, centres = op.options["AlignCorners"], op.options["HalfPixelCenters"]
    if corners and centres:
        builder.refuse(op, "it has both aligned corners and half pixel centres", "choose one")
    source, output = _operands(builder, op)
    if source.dtype not in ("int8", "uint8", "float32"):
        builder.refuse(
            op,
            f"its input has type {source.dtype}",
            "int8, uint8 and float32 are supported",
        )
    fixed = source.dtype == "int8"
    neighbours = _fixed_neighbours if fixed else _float_neighbours
    rows, columns = (
        neighbours(before, after, corners=corners, centres=centres)
        for before, after in zip(source.shape[1:3], output.shape[1:3], strict=True)
    )
    beyond = [n for n, part in ((0, rows), (1, columns)) if max(part[0]) >= source.shape[1 + n]]
    if beyond:
        builder.refuse(
            op,
            "it enlarges so much that TensorFlow Lite's kernel would read beyond its input",
            "enlarge in two steps",
        )
    function = "resize_bilinear_fixed" if fixed else "resize_bilinear_float"
    emit_host(builder, op, function, source, output, rows=rows, columns=columns)


def _operands(builder: TfliteBuilder, op: RawOperator) -> tuple[Tensor, Tensor]:
    """Input and output; the output's rows and columns are the constant size."""
    source = builder.activation(op, 0)
    batch, image = image_of(builder, op, source)
    size = builder.integers(op, 1, "new size").reshape(-1).tolist()
    if len(size) != 2 or min(size) < 1:
        builder.refuse(op, f"its new size is {size}", "give rows and columns of at least 1")
    if max(size) > _MOST_ROWS:
        builder.refuse(op, f"its new size is {size}", f"at most {_MOST_ROWS} rows and columns")
    output = builder.output(op)
    check_output(builder, op, output, (batch, *size, image[2]))
    if source.dtype == output.dtype == "float32":
        return source, output
    same_quantisation(builder, op, source, output, one_unscaled=True)
    return source, output


def _nearest(n: int, before: int, after: int, *, corners: bool, centres: bool) -> int:
    """The row or column of `before` that number n of `after` shows."""
    scale = np.float32(before) / np.float32(after)
    if corners and after > 1:
        scale = np.float32(before - 1) / np.float32(after - 1)
    place = float((np.float32(n) + np.float32(0.5 if centres else 0.0)) * scale)
    # With aligned corners the kernel rounds, half away from zero; no place is negative.
    chosen = floor(place + 0.5) if corners else floor(place)
    return max(0, min(chosen, before - 1))


def _fixed_neighbours(before: int, after: int, *, corners: bool, centres: bool) -> tuple[Any, ...]:
    """Lower and upper neighbours and the upper ones' shares in units of 2^-10."""
    one = 1 << FRACTION_BITS
    scale = (one * before + after // 2) // after
    if corners and after > 1:
        scale = (one * (before - 1) + (after - 1) // 2) // (after - 1)
    lower, upper, share = [], [], []
    for n in range(after):
        place = n * scale + (scale // 2 - one // 2 if centres else 0)
        # C divides towards zero, so that a place a little below 0 has the neighbour 0.
        low = max(_divided(place, one), 0)
        lower.append(low)
        upper.append(min(_divided(place + one - 1, one), before - 1))
        share.append(place - one * low)
    return tuple(lower), tuple(upper), tuple(share)


def _divided(a: int, b: int) -> int:
    return a // b if a >= 0 else -(-a // b)


def _float_neighbours(before: int, after: int, *, corners: bool, centres: bool) -> tuple[Any, ...]:
    """The same in float32."""
    half = np.float32(0.5)
    scale = np.float32(before) / np.float32(after)
    if corners and after > 1:
        scale = np.float32(before - 1) / np.float32(after - 1)
    lower, upper, share = [], [], []
    for n in range(after):
        place = np.float32(n) * scale
        if centres:
            place = (np.float32(n) + half) * scale - half
        low = max(int(np.floor(place)), 0)
        lower.append(low)
        upper.append(min(int(np.ceil(place)), before - 1))
        share.append(float(place - np.float32(low)))
    return tuple(lower), tuple(upper), tuple(share)
