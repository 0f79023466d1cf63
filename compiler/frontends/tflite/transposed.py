"""TFLite TRANSPOSE_CONV by phases: a convolution on the array, whose channels the host spreads.

The transposed convolution adds x[y, x] * w[r, s] to output row y*U + r - pad. Output row t - pad,
with t = k*U + phase, gets the filter rows r = phase + j*U from input rows k - j: for each of the U
phases a convolution of stride 1 with J = ceil(R / U) rows, and all phases read the same rows
k-J+1 ... k. So the filters of the U * U phases are filters of one convolution; rows that a phase
does not have are zero. The host then brings phase after phase into place, as DEPTH_TO_SPACE does,
less what the padding cuts.
"""

from dataclasses import dataclass, replace

import numpy as np

from compiler.frontends.tflite.mac import arithmetic, check_output, image_of, stored_weights
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.frontends.tflite.ops import emit_part
from compiler.ir.ops import Array, Conv

_MOST_FILTERS = 1 << 16  # of all phases: the channels that a command can have


@dataclass(frozen=True)
class _Axis:
    """One axis: sizes of input, output and filter, the stride, and the rows that padding cuts."""

    before: int
    after: int
    taps: int
    stride: int
    same: bool

    @property
    def cut(self) -> int:
        """Rows before the first of the output, as the forward convolution's padding."""
        rest = 0 if self.same else self.taps - 1
        steps = (self.after + self.stride - 1 - rest) // self.stride
        return max((steps - 1) * self.stride + self.taps - self.after, 0) // 2

    @property
    def window(self) -> int:
        """Taps of a phase, J."""
        return -(-self.taps // self.stride)

    @property
    def first(self) -> int:
        """The first k."""
        return self.cut // self.stride

    @property
    def pads(self) -> tuple[int, int]:
        """Rows of padding before the input and after it."""
        last = (self.cut + self.after - 1) // self.stride
        return self.window - 1 - self.first, max(last - (self.before - 1), 0)

    @property
    def start(self) -> int:
        """The first row of the output among the rows of all phases."""
        return self.cut - self.first * self.stride


def convert_transpose_conv(builder: TfliteBuilder, op: RawOperator) -> None:
    """TRANSPOSE_CONV of a constant output shape, with an optional bias."""
    wanted = tuple(builder.integers(op, 0, "output shape").reshape(-1).tolist())
    weights = stored_weights(builder, op, 4)
    source = builder.activation(op, 2)
    batch, image = image_of(builder, op, source)
    M, R, S, C = weights.shape
    if image[2] != C:
        builder.refuse(op, f"{image[2]} channels do not fit {C} of a filter", "re-export the model")
    output = builder.output(op)
    check_output(builder, op, output, wanted)
    strides = (op.options["StrideH"], op.options["StrideW"])
    if op.bare or min(strides) < 1 or op.options["Padding"] not in (0, 1):
        builder.refuse(op, "its options tell no stride and padding", "re-export the model")
    if len(wanted) != 4 or (wanted[0], wanted[3]) != (batch, M):
        builder.refuse(op, f"its output shape is {list(wanted)}", "re-export the model")
    if strides[0] * strides[1] * M > _MOST_FILTERS:
        builder.refuse(
            op,
            f"its phases have {strides[0] * strides[1] * M} filters",
            f"use strides and filters that make at most {_MOST_FILTERS}",
        )
    same = op.options["Padding"] == 0
    sizes = zip(image[:2], wanted[1:3], (R, S), strides, strict=True)
    rows, columns = (_Axis(*numbers, same) for numbers in sizes)
    for axis in (rows, columns):
        if axis.pads[1] >= max(axis.window, 1):
            builder.refuse(
                op,
                f"{axis.before} rows or columns do not reach to an output of {axis.after}",
                "use the output shape of the layer that it reverses",
            )
    fields = arithmetic(builder, op, source, output, M, axis=0, fully_connected=False, bias_at=3)
    phases = strides[0] * strides[1]
    stage, zeros = fields["stage"], fields["weight_zero_point"]
    scale = np.tile(stage.scale, phases) if stage.scale.size > 1 else stage.scale
    node = Conv(
        name=op.label,
        op=op.type_name,
        inputs=(source.key,),
        output=output.key,
        image=image,
        batch=batch,
        weights=_phased(weights, zeros, strides, (rows.window, columns.window)),
        weight_zero_point=np.tile(zeros, phases) if zeros.size > 1 else zeros,
        bias=np.tile(fields["bias"], phases),
        input_zero_point=fields["input_zero_point"],
        pad=(rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1]),
        stage=replace(stage, scale=scale),
    )
    if phases == 1 and (batch, *node.output_image) == wanted:
        builder.emit(node)
        return
    between = builder.between(op, "phases", output, (batch, *node.output_image))
    builder.emit(replace(node, output=between.key))
    places = {
        "block": strides,
        "start": (rows.start, columns.start),
        "size": (rows.after, columns.after),
    }
    emit_part(builder, op, "spreading of phases", "depth_to_space", between, output, places)


def _phased(
    weights: Array, zeros: Array, strides: tuple[int, int], window: tuple[int, int]
) -> Array:
    """[M, R, S, C] as [U*V*M, J, K, C]: the filters of each phase, the last input row first."""
    M, R, S, C = weights.shape
    (U, V), (J, K) = strides, window
    whole = np.empty((M, J * U, K * V, C), dtype=weights.dtype)
    whole[:] = zeros.reshape(-1, 1, 1, 1)
    whole[:, :R, :S] = weights
    split = whole.reshape(M, J, U, K, V, C)[:, ::-1, :, ::-1]
    return np.ascontiguousarray(split.transpose(2, 4, 0, 1, 3, 5).reshape(U * V * M, J, K, C))
