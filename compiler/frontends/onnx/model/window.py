"""Window geometry of ONNX convolutions and pools: pads, auto_pad, strides, dilations, ceil_mode."""

from dataclasses import dataclass
from math import prod

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout, Shape
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import Activation
from compiler.ir.ops import Image, Pads, Pair
from numerics.windows import output_size

# What the kernel that goes down columns first takes: measured on ONNX Runtime.
_WIDEST_TAPS = 32
_WIDEST_ROW = 2045

_CONVOLUTIONS = ("Conv", "QLinearConv", "ConvInteger")
_MOST_WORK = 1 << 28  # taps of all windows of a pool
_MOST_TAPS = 1 << 16  # of a pool's window
_MOST = 1 << 20  # taps, strides, dilations and pads beyond this come from damaged files


@dataclass(frozen=True)
class WindowGeometry:
    """Geometry along y and x; a 1-D operator has one row."""

    taps: Pair
    stride: Pair
    dilation: Pair
    pad: Pads
    outputs: Pair


def check_work(builder: OnnxBuilder, node: RawNode, window: WindowGeometry, channels: int) -> None:
    """Refuses a pool that would take a host very long."""
    if prod(window.taps) > _MOST_TAPS:
        builder.refuse(
            node,
            f"its window has {prod(window.taps)} taps, more than {_MOST_TAPS}",
            "pool in several steps",
        )
    work = prod(window.outputs) * prod(window.taps) * channels
    if work > _MOST_WORK:
        builder.refuse(
            node,
            f"its windows have {work} taps in all, more than {_MOST_WORK}",
            "use smaller windows or larger strides",
        )


def image_of(builder: OnnxBuilder, node: RawNode, source: Activation) -> tuple[int, Image]:
    """(batch, (H, W, C)) of a channels-first tensor of 3 or 4 axes."""
    shape = source.shape
    if len(shape) not in (3, 4):
        builder.refuse(
            node,
            f"its input has shape {list(shape)}",
            "windows slide over N x C x L or N x C x H x W tensors",
        )
    height = shape[2] if len(shape) == 4 else 1
    return shape[0], (height, shape[-1], shape[1])


def channels_last(builder: OnnxBuilder, node: RawNode, source: Activation) -> Activation:
    """The input stored as the accelerator wants it."""
    if len(source.shape) not in (3, 4):
        image_of(builder, node, source)
    order = (0, *range(2, len(source.shape)), 1)
    return builder.in_order(node, source, order)


def output_layout(source: Activation, batch: int, image: Image) -> Layout:
    """The layout of a windowed operator's output."""
    E, F, M = image
    shape = (batch, M, F) if len(source.shape) == 3 else (batch, M, E, F)
    return Layout.channels_last(shape)


def read_window(
    builder: OnnxBuilder, node: RawNode, source: Activation, taps: Shape, *, pool: bool
) -> WindowGeometry:
    """The geometry that the node's attributes and its input give."""
    spatial = source.shape[2:]
    rank = len(spatial)
    stride = _numbers(builder, node, "strides", (1,) * rank, 1)
    dilation = _numbers(builder, node, "dilations", (1,) * rank, 1)
    pads = _pads(builder, node, spatial, taps, stride, dilation)
    ceil_mode = pool and bool(node.integer("ceil_mode", 0))
    outputs = []
    for axis in range(rank):
        before, after = pads[axis], pads[axis + rank]
        count = output_size(spatial[axis], taps[axis], stride[axis], dilation[axis], before + after)
        if ceil_mode and _rounded_up(
            spatial[axis], taps[axis], stride[axis], dilation[axis], before, after
        ):
            count += 1
            reach = (count - 1) * stride[axis] + (taps[axis] - 1) * dilation[axis] + 1
            pads[axis + rank] = reach - spatial[axis] - before
        if count < 1:
            builder.refuse(
                node,
                f"its window of {list(taps)} does not fit its input of {list(spatial)}",
                "use a larger input or padding",
            )
        outputs.append(count)
    return WindowGeometry(
        _pair(taps), _pair(stride), _pair(dilation), _four(pads, rank), _pair(tuple(outputs))
    )


def order_of_taps(image: Image, window: WindowGeometry) -> str:
    """The order in which ONNX Runtime's vector kernels go through a pool's windows."""
    if window.taps == image[:2] and window.stride == (1, 1) and not any(window.pad):
        return "lanes"
    width = image[1] + window.pad[1] + window.pad[3]
    small = max(window.taps) <= _WIDEST_TAPS and width <= _WIDEST_ROW
    return "columns" if window.stride[1] <= 2 and small else "rows"


def kernel_shape(builder: OnnxBuilder, node: RawNode, source: Activation) -> Shape:
    """The taps of a pooling window."""
    if "kernel_shape" not in node.attributes:
        builder.refuse(node, "it has no kernel_shape", "export the model again")
    image_of(builder, node, source)
    return _numbers(builder, node, "kernel_shape", (1,) * (len(source.shape) - 2), 1)


def pads_before_ceil(builder: OnnxBuilder, node: RawNode, source: Activation, taps: Shape) -> Pads:
    """The pads that the model means, without those that ceil_mode adds at the end."""
    spatial = source.shape[2:]
    rank = len(spatial)
    stride = _numbers(builder, node, "strides", (1,) * rank, 1)
    dilation = _numbers(builder, node, "dilations", (1,) * rank, 1)
    return _four(_pads(builder, node, spatial, taps, stride, dilation), rank)


def _rounded_up(size: int, taps: int, stride: int, dilation: int, before: int, after: int) -> bool:
    """Whether ceil_mode adds an output: one more window that starts within input or left pad."""
    span = size + before + after - ((taps - 1) * dilation + 1)
    if span < 0 or span % stride == 0:
        return False
    return (span // stride + 1) * stride < size + before


def _numbers(
    builder: OnnxBuilder, node: RawNode, name: str, default: Shape, lowest: int
) -> tuple[int, ...]:
    given = node.integers(name, default) or ()
    if len(given) != len(default):
        builder.refuse(
            node, f"its {name} {given} must have {len(default)} numbers", "export the model again"
        )
    if not all(lowest <= n <= _MOST for n in given):
        builder.refuse(
            node, f"its {name} {list(given)} must lie in {lowest} to {_MOST}", "correct the model"
        )
    return given


def _pads(
    builder: OnnxBuilder, node: RawNode, spatial: Shape, taps: Shape, stride: Shape, dilation: Shape
) -> list[int]:
    """All pads before, then all pads after."""
    rank = len(spatial)
    mode = node.text("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        return list(_numbers(builder, node, "pads", (0,) * (2 * rank), 0))
    if mode == "VALID":
        return [0] * (2 * rank)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        builder.refuse(node, f"its auto_pad {mode!r} is unknown", "give pads instead")
    before, after = [], []
    for size, count, step, spread in zip(spatial, taps, stride, dilation, strict=True):
        reach = (-(-size // step) - 1) * step + (count - 1) * spread + 1
        if reach < size and node.op_type not in _CONVOLUTIONS:
            # ONNX Runtime pads by a negative number here or fails, as the kernel happens to be.
            builder.refuse(
                node,
                f"its stride {step} exceeds its window of {count}, for which auto_pad {mode} is "
                f"not defined",
                "give pads instead",
            )
        total = max(reach - size, 0)
        less, more = total // 2, total - total // 2
        before.append(less if mode == "SAME_UPPER" else more)
        after.append(more if mode == "SAME_UPPER" else less)
    return before + after


def _pair(numbers: Shape) -> Pair:
    return (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def _four(pads: list[int], rank: int) -> Pads:
    if rank == 1:
        return 0, pads[0], 0, pads[1]
    return pads[0], pads[1], pads[2], pads[3]
