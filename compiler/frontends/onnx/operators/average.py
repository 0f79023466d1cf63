"""Average pools of stored values: on the array where rounding provably cannot differ.

ONNX Runtime sums dequantised values in float32 and rounds the mean, ties to even. The sum of n
stored values takes few values; if none of them lies closer to a tie than float32 sums can err, any
order of exact arithmetic gives the same result and the array computes it. Otherwise (a window of
64 has ties) the host repeats ONNX Runtime's sum.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import EIGHT_BITS, Activation, Scale, Stored
from compiler.frontends.onnx.model.window import (
    WindowGeometry,
    channels_last,
    check_work,
    image_of,
    kernel_shape,
    order_of_taps,
    output_layout,
    pads_before_ceil,
    read_window,
)
from compiler.frontends.onnx.operators.reduce import reduced_axes
from compiler.ir.ops import Conv, Image, Pool, PoolKind
from numerics.quantisation import Requant, RoundingRule, integer_range

AVERAGES = ("AveragePool", "GlobalAveragePool", "ReduceMean")
_ULP = 2.0**-24
_MOST_SUMS = 1 << 22


@dataclass(frozen=True, eq=False, kw_only=True)
class Average:
    """A pool: its input stored channels-last, its geometry, how ONNX Runtime adds."""

    raw: RawNode
    source: Activation
    batch: int
    image: Image
    window: WindowGeometry
    layout: Layout
    include_pad: bool
    beyond: tuple[int, int]
    sums: str

    @property
    def geometry(self) -> dict[str, Any]:
        """Parameters of the host step."""
        window = self.window
        return {
            "image": self.image,
            "window": window.taps,
            "stride": window.stride,
            "pad": window.pad,
            "dilation": window.dilation,
            "include_pad": self.include_pad,
            "beyond": self.beyond,
            "sums": self.sums,
            "batch": self.batch,
        }

    @property
    def counts(self) -> set[int]:
        """How many values the windows average."""
        per_axis = []
        for axis in (0, 1):
            before, after = self.window.pad[axis], self.window.pad[axis + 2]
            size, step = self.image[axis], self.window.stride[axis]
            first, last = (0, size) if not self.include_pad else (-before, size + after)
            last -= self.beyond[axis] if self.include_pad else 0
            taps = np.arange(self.window.taps[axis]) * self.window.dilation[axis]
            starts = np.arange(self.window.outputs[axis]) * step - before
            inside = (starts[:, None] + taps >= first) & (starts[:, None] + taps < last)
            per_axis.append(set(inside.sum(axis=1).tolist()))
        return {a * b for a in per_axis[0] for b in per_axis[1]}


def read_average(builder: OnnxBuilder, node: RawNode, source: Activation) -> Average:
    """The geometry of AveragePool, GlobalAveragePool or a ReduceMean over an image."""
    source = channels_last(builder, node, source)
    batch, image = image_of(builder, node, source)
    if node.op_type in ("AveragePool", "QLinearAveragePool"):
        taps = kernel_shape(builder, node, source)
        window = read_window(builder, node, source, taps, pool=True)
        beyond = (0, 0)  # QLinearAveragePool counts what rounding up the output size has made
        if node.op_type == "AveragePool":
            meant = pads_before_ceil(builder, node, source, taps)
            beyond = max(window.pad[2] - meant[2], 0), max(window.pad[3] - meant[3], 0)
        include_pad = bool(node.integer("count_include_pad", 0))
        sums = _order_of_sums(builder, node, image, window, include_pad)
    else:
        taps = image[:2]
        window = WindowGeometry((taps[0], taps[1]), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1))
        sums = "aligned" if node.op_type == "ReduceMean" else "lanes"
        include_pad, beyond = False, (0, 0)
    layout = output_layout(source, batch, (*window.outputs, image[2]))
    if node.op_type == "ReduceMean" and not node.integer("keepdims", 1):
        layout = Layout.plain((batch, image[2]))
    builder.check_elements(node, layout.shape)
    average = Average(
        raw=node,
        source=source,
        batch=batch,
        image=image,
        window=window,
        layout=layout,
        include_pad=include_pad,
        beyond=beyond,
        sums=sums,
    )
    check_work(builder, node, window, image[2])
    if 0 in average.counts:
        builder.refuse(node, "a window lies wholly in padding", "pad less")
    return average


def over_image(builder: OnnxBuilder, node: RawNode, rank: int) -> bool:
    """Whether a ReduceMean is a pool: it runs over all axes but batch and channels."""
    return rank in (3, 4) and reduced_axes(builder, node, rank) == tuple(range(2, rank))


def _order_of_sums(
    builder: OnnxBuilder, node: RawNode, image: Image, window: WindowGeometry, include_pad: bool
) -> str:
    """How ONNX Runtime's kernels for this operator set and geometry add up a window."""
    if node.op_type != "AveragePool" or builder.raw.opset >= 19:
        return "rows"
    if include_pad and node.integer("ceil_mode", 0):
        return "rows"
    order = order_of_taps(image, window)
    return "rows" if order == "columns" and image[0] == 1 else order


def quantise_average(
    builder: OnnxBuilder,
    node: RawNode,
    name: str,
    target: Scale,
    clamp: tuple[int, int],
    absorbed: tuple[RawNode, ...],
) -> Activation | None:
    """An average between DequantizeLinear and QuantizeLinear; None if its input is float."""
    found = averaged_input(builder, node)
    if found is None:
        return None
    average = read_average(builder, node, found.activation)
    return emit_average(builder, average, found.scale, name, target, clamp, absorbed)


def averaged_input(builder: OnnxBuilder, node: RawNode) -> Stored | None:
    """What an average pool averages if that is dequantised 8-bit values."""
    if node.op_type not in AVERAGES:
        return None
    found = builder.stored(builder.name_at(node, 0, "input"))
    if found is None or found.scale.dtype not in EIGHT_BITS:
        return None
    if node.op_type == "ReduceMean" and not over_image(builder, node, len(found.activation.shape)):
        return None
    return found


def emit_average(
    builder: OnnxBuilder,
    average: Average,
    scale: Scale,
    name: str,
    target: Scale,
    clamp: tuple[int, int],
    absorbed: tuple[RawNode, ...] = (),
) -> Activation:
    """The pool on the array if its rounding cannot differ there, else as a host step."""
    node, window = average.raw, average.window
    builder.check_ratio(node, target, scale)
    output = builder.declare(name, average.layout, target.dtype, target)
    common: dict[str, Any] = {
        "name": builder.label(node),
        "op": node.op_type,
        "inputs": (average.source.key,),
        "output": name,
        "image": average.image,
        "batch": average.batch,
        "stride": window.stride,
        "pad": window.pad,
        "dilation": window.dilation,
    }
    counts = average.counts
    rounded_offset = target.zero_point if _adds_zero_first(node) else 0
    proven = all(_cannot_differ(scale, target, n, rounded_offset) for n in counts)
    if scale.dtype == target.dtype and proven:
        if scale == target and not average.include_pad and window.dilation == (1, 1):
            pool = Pool(
                kind=PoolKind.AVERAGE,
                window=window.taps,
                low=clamp[0],
                high=clamp[1],
                dtype=target.dtype,
                **common,
            )
            builder.emit_for(node, pool, *absorbed)
            return output
        exact = True
    else:
        exact = node.op_type.startswith("QLinear") and _is_global(average)
    if exact and len(counts) == 1:
        conv = _as_conv(average, scale, target, clamp, counts.pop(), common)
        builder.emit_for(node, conv, *absorbed)
        return output
    builder.emit_host(
        node,
        "average_dequantised",
        (average.source,),
        output,
        absorbed=absorbed,
        reason="float32 sums decide the rounding of means that are ties",
        input_scale=float(scale.scale),
        input_zero_point=scale.zero_point,
        scale=float(target.scale),
        zero_point=target.zero_point,
        low=clamp[0],
        high=clamp[1],
        dtype=target.dtype,
        zero_first=_adds_zero_first(node),
        **average.geometry,
    )
    return output


def _adds_zero_first(node: RawNode) -> bool:
    """Whether ONNX Runtime adds the output's zero point in float32, before it rounds."""
    return node.op_type == "QLinearAveragePool"


def _is_global(average: Average) -> bool:
    """One window over the whole image, without padding."""
    return average.window.taps == average.image[:2] and not any(average.window.pad)


def _cannot_differ(scale: Scale, target: Scale, count: int, offset: int) -> bool:
    """No sum of `count` centred values has a mean closer to a tie than float32 arithmetic errs.

    The addition of `offset` is part of that arithmetic.
    """
    low, high = (edge - scale.zero_point for edge in integer_range(scale.dtype))
    if (high - low) * count > _MOST_SUMS or not _stays_normal(scale, target, count):
        return False
    ratio = float(scale.scale) / float(target.scale)
    largest = max(-low, high) * ratio
    error = _ULP * ((count + 8) * largest + (largest + abs(offset) if offset else 0.0))
    means = np.arange(low * count, high * count + 1, dtype=np.float64) * (ratio / count)
    distance = np.abs(means - np.floor(means) - 0.5)
    return bool(distance.min() > error)


def _stays_normal(scale: Scale, target: Scale, count: int) -> bool:
    """Neither the sums of `count` values nor the scale of their mean leave float32's normal range.

    Beyond it the errors of float32 are not those that `_cannot_differ` reckons with.
    """
    info = np.finfo(np.float32)
    sums = float(scale.scale) * 256 * count, float(target.scale) * count
    least = float(scale.scale) / count, float(target.scale) * count
    return max(sums) <= float(info.max) and min(least) >= float(info.tiny)


def _as_conv(
    average: Average,
    scale: Scale,
    target: Scale,
    clamp: tuple[int, int],
    count: int,
    common: dict[str, Any],
) -> Conv:
    """The mean as a depthwise convolution with weights of 1 and the count in its scale."""
    C = average.image[2]
    with np.errstate(all="ignore"):
        ratio = np.float32(scale.scale / (target.scale * np.float32(count)))
    return Conv(
        weights=np.ones((C, *average.window.taps, 1), dtype=np.int8),
        weight_zero_point=np.zeros(1, dtype=np.int64),
        bias=np.zeros(C, dtype=np.int64),
        input_zero_point=scale.zero_point,
        groups=C,
        stage=Requant(
            scale=np.asarray([ratio], dtype=np.float64),
            rounding=RoundingRule.ORT,
            zero_point=target.zero_point,
            low=clamp[0],
            high=clamp[1],
            dtype=target.dtype,
        ),
        **common,
    )
