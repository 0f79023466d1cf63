"""TFLite CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED as `Conv` nodes."""

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator, RawTensor
from compiler.ir.graph import Tensor
from compiler.ir.ops import Array, Conv, Image, Pads, Pair
from numerics.windows import output_size

_MOST_BIAS_SCALE_ERROR = 0.02  # of a bias's scale, in steps of the output
_INT8_REMEDY = "convert the model with full int8 quantisation"


def convert_conv(builder: TfliteBuilder, op: RawOperator) -> None:
    """CONV_2D: weights are [M, R, S, C/G] already; groups follow from the channel counts."""
    source = builder.activation(op, 0)
    weights = stored_weights(builder, op, 4)
    image = _image(builder, op, source)
    C = weights.shape[3]
    if image[2] % C:
        builder.refuse(op, f"{image[2]} channels are no multiple of {C}", "re-export the model")
    _emit_conv(builder, op, source, image, weights, image[2] // C, axis=0)


def convert_depthwise(builder: TfliteBuilder, op: RawOperator) -> None:
    """DEPTHWISE_CONV_2D: weights [1, R, S, C * multiplier], channel-major along the last axis."""
    source = builder.activation(op, 0)
    stored = stored_weights(builder, op, 4)
    image = _image(builder, op, source)
    if stored.shape[0] != 1 or stored.shape[3] % image[2]:
        builder.refuse(
            op,
            f"weights of shape {list(stored.shape)} do not fit {image[2]} channels",
            "re-export the model",
        )
    # The multiplier follows from the weights; writers may leave the redundant option out.
    multiplier, given = stored.shape[3] // image[2], op.options["DepthMultiplier"]
    if given not in (0, multiplier):
        builder.refuse(
            op,
            f"its depth multiplier is {given}, but its weights have {multiplier} filters a channel",
            "re-export the model",
        )
    weights = np.ascontiguousarray(stored.transpose(3, 1, 2, 0))
    _emit_conv(builder, op, source, image, weights, image[2], axis=3)


def convert_fully_connected(builder: TfliteBuilder, op: RawOperator) -> None:
    """FULLY_CONNECTED: 1 x 1 over the rows, or one window over a whole image fed to it directly."""
    source = builder.activation(op, 0)
    stored = stored_weights(builder, op, 2)
    if op.options["WeightsFormat"] != 0:
        builder.refuse(op, "its weights are shuffled", "use the default weight format")
    M, C = stored.shape
    if source.elements % C:
        builder.refuse(
            op, f"{source.elements} inputs are no multiple of {C}", "re-export the model"
        )
    rows = source.elements // C
    if rows == 1 and len(source.shape) == 4:
        image = (source.shape[1], source.shape[2], source.shape[3])
    else:
        image = (rows, 1, C)
    window = image if rows == 1 else (1, 1, C)
    output = builder.output(op)
    if output.elements != rows * M:
        builder.refuse(
            op, f"its output must have {rows * M} values", "export the model with fixed shapes"
        )
    builder.emit(
        Conv(
            name=op.label,
            op=op.type_name,
            inputs=(source.key,),
            output=output.key,
            image=image,
            weights=stored.reshape(M, *window),
            **arithmetic(builder, op, source, output, M, axis=0, fully_connected=True),
        )
    )


def window_geometry(
    builder: TfliteBuilder, op: RawOperator, image: Image, taps: Pair, dilation: Pair
) -> tuple[Pair, Pads]:
    """(stride, pads) of a windowed operator; SAME puts the odd row or column last."""
    if op.bare:
        builder.refuse(
            op,
            "the file leaves out its options, which alone tell stride and padding",
            "re-export the model",
        )
    stride = (op.options["StrideH"], op.options["StrideW"])
    if min(*stride, *taps, *dilation) < 1:
        builder.refuse(op, f"stride {stride} or window {taps} is below 1", "re-export the model")
    if op.options["Padding"] not in (0, 1):
        builder.refuse(op, f"padding {op.options['Padding']} is unknown", "use SAME or VALID")
    before, after = [], []
    for size, count, step, spread in zip(image[:2], taps, stride, dilation, strict=True):
        needed = ((size - 1) // step) * step + (count - 1) * spread + 1 - size
        total = max(needed, 0) if op.options["Padding"] == 0 else 0
        before.append(total // 2)
        after.append(total - total // 2)
        if output_size(size, count, step, spread, total) < 1:
            builder.refuse(op, "its window does not fit its input", "use SAME padding")
    return stride, (before[0], before[1], after[0], after[1])


def image_of(builder: TfliteBuilder, op: RawOperator, source: Tensor) -> tuple[int, Image]:
    """(batch, (H, W, C)) of a four-dimensional activation."""
    if len(source.shape) != 4:
        builder.refuse(
            op, f"its input has {len(source.shape)} axes", "feed it a batch x H x W x C tensor"
        )
    return source.shape[0], (source.shape[1], source.shape[2], source.shape[3])


def check_output(
    builder: TfliteBuilder, op: RawOperator, output: Tensor, shape: tuple[int, ...]
) -> None:
    """The shape the file gives an output must be the one that follows from the operator."""
    if output.shape != shape:
        builder.refuse(
            op,
            f"its output has shape {list(shape)}, the file says {list(output.shape)}",
            "export the model with fixed shapes",
        )


def _image(builder: TfliteBuilder, op: RawOperator, source: Tensor) -> Image:
    return image_of(builder, op, source)[1]


def _emit_conv(
    builder: TfliteBuilder,
    op: RawOperator,
    source: Tensor,
    image: Image,
    weights: Array,
    groups: int,
    *,
    axis: int,
) -> None:
    M, R, S, _ = weights.shape
    if M % groups:
        builder.refuse(op, f"{M} filters are no multiple of {groups} groups", "re-export the model")
    dilation = (op.options["DilationHFactor"], op.options["DilationWFactor"])
    stride, pad = window_geometry(builder, op, image, (R, S), dilation)
    output = builder.output(op)
    node = Conv(
        name=op.label,
        op=op.type_name,
        inputs=(source.key,),
        output=output.key,
        image=image,
        batch=source.shape[0],
        weights=weights,
        stride=stride,
        pad=pad,
        dilation=dilation,
        groups=groups,
        **arithmetic(builder, op, source, output, M, axis=axis, fully_connected=False),
    )
    check_output(builder, op, output, (source.shape[0], *node.output_image))
    builder.emit(node)


def stored_weights(builder: TfliteBuilder, op: RawOperator, rank: int) -> Array:
    """The constant weights of an operator, 8-bit and of this many axes."""
    stored = builder.constant(op, 1, "weights")
    if stored.dtype not in (np.int8, np.uint8):
        builder.refuse(op, f"its weights have type {stored.dtype}", _INT8_REMEDY)
    if stored.ndim != rank or min(stored.shape) < 1:
        builder.refuse(
            op, f"its weights have shape {list(stored.shape)}", f"{rank} axes are expected"
        )
    return stored


def arithmetic(
    builder: TfliteBuilder,
    op: RawOperator,
    source: Tensor,
    output: Tensor,
    M: int,
    *,
    axis: int,
    fully_connected: bool,
    bias_at: int = 2,
) -> dict[str, Any]:
    """Zero points, bias and output stage, the fields of `Conv` that quantisation decides.

    `axis` is that of the weights' M scales, `bias_at` the position of the optional bias.
    """
    builder.same_type(op, source, output)
    input_scale, input_zero_point = builder.quantised(op, source)
    output_scale, _ = builder.quantised(op, output)
    raw = builder.tensor_at(op, 1, "weights")
    # A filter without any weight may have scale 0: its multiplier is 0, as in the kernels.
    if not all(0.0 <= value < float("inf") for value in raw.scale):
        builder.refuse(op, "its weights must have finite scales", "calibrate the model again")
    if len(raw.scale) not in (1, M) or (len(raw.scale) > 1 and raw.axis != axis):
        _refuse_scales(builder, op, raw, M)
    if raw.type_name == "INT8" and any(raw.zero_point) and not fully_connected:
        builder.refuse(
            op,
            "its int8 weights have a zero point, which the TFLite specification forbids",
            "quantise the weights symmetrically",
        )
    real = input_scale * np.asarray(raw.scale) / output_scale
    if len(raw.scale) == 1 and (fully_connected or raw.type_name == "UINT8"):
        product = np.float64(np.float32(input_scale) * np.float32(raw.scale[0]))
        _check_bias_scale(builder, op, float(product), output_scale, bias_at)
        if raw.type_name == "UINT8":
            # TensorFlow Lite's kernels for uint8 multiply the scales in float32.
            real = np.asarray([product / output_scale])
    return {
        "input_zero_point": input_zero_point,
        "weight_zero_point": np.asarray(raw.zero_point, dtype=np.int64),
        "bias": _bias(builder, op, M, bias_at),
        "stage": builder.requant(op, real, output, builder.clamp(op, output)),
    }


def _refuse_scales(builder: TfliteBuilder, op: RawOperator, raw: RawTensor, M: int) -> NoReturn:
    builder.refuse(
        op, f"its weights have {len(raw.scale)} scales along axis {raw.axis} for {M} filters",
        _INT8_REMEDY,
    )  # fmt: skip


def _check_bias_scale(
    builder: TfliteBuilder, op: RawOperator, product: float, output_scale: float, bias_at: int
) -> None:
    """A bias counts in steps of the product of the scales, whatever scale the file gives it.

    The reference kernels of per-tensor weights refuse one whose own scale says otherwise; a bias
    without a scale says nothing.
    """
    bias = builder.optional_at(op, bias_at)
    if bias is None or len(bias.scale) != 1:
        return
    if not abs(product - bias.scale[0]) / output_scale <= _MOST_BIAS_SCALE_ERROR:
        builder.refuse(
            op,
            f"its bias has scale {bias.scale[0]:.6g}, input and weights give {product:.6g}",
            "convert the model again",
        )


def _bias(builder: TfliteBuilder, op: RawOperator, M: int, bias_at: int) -> npt.NDArray[np.int64]:
    if builder.optional_at(op, bias_at) is None:
        return np.zeros(M, dtype=np.int64)
    bias = builder.constant(op, bias_at, "bias")
    if bias.dtype != np.int32 or bias.size != M:
        builder.refuse(
            op,
            f"its bias has type {bias.dtype} and {bias.size} values for {M} filters",
            "an int32 bias per filter is expected",
        )
    return bias.reshape(M).astype(np.int64)
