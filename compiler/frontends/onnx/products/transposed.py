"""ConvTranspose as a convolution: over its input with zeros between the values and around them."""

from dataclasses import replace

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.model.layout import Layout
from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.values import Activation, QuantisedConstant, Stored
from compiler.frontends.onnx.model.window import channels_last, image_of
from compiler.ir.ops import HostStep

TRANSPOSED = "ConvTranspose"
_MOST = 1 << 20


def as_convolution(
    builder: OnnxBuilder, node: RawNode, source: Stored, weights: QuantisedConstant
) -> tuple[RawNode, Activation, QuantisedConstant]:
    """The convolution that the operator is: its node, its input and its weights.

    Stride s puts s - 1 zeros between the input's values, which a host step does; the window slides
    by 1 with its taps in reverse order, and its padding is what the window reaches less that of
    the operator. Zero is the input's zero point.
    """
    rank = len(source.activation.shape)
    image_of(builder, node, source.activation)
    values = weights.values
    groups = node.integer("group", 1)
    C = source.activation.shape[1]
    if values.ndim != rank or groups < 1 or values.shape[0] != C or C % groups:
        builder.refuse(
            node,
            f"its weights have shape {list(values.shape)} for an input of "
            f"{list(source.activation.shape)} in {groups} groups",
            "export the model again",
        )
    taps = values.shape[2:]
    stride = _numbers(builder, node, "strides", (1,) * (rank - 2), 1)
    dilation = _numbers(builder, node, "dilations", (1,) * (rank - 2), 1)
    if node.integers("kernel_shape", taps) != taps:
        builder.refuse(node, "its kernel_shape is not that of its weights", "export it again")
    pads = _pads(builder, node, source.activation.shape[2:], taps, stride, dilation)
    spread = _spread(builder, node, source, stride, pads)
    given = {
        "group": groups,
        "dilations": dilation,
        "pads": tuple(max(pad, 0) for pad in pads),
    }
    return replace(node, attributes=given), spread, _flipped(builder, node, weights, groups)


def _numbers(
    builder: OnnxBuilder, node: RawNode, name: str, default: tuple[int, ...], least: int
) -> tuple[int, ...]:
    given = node.integers(name, default) or ()
    if len(given) != len(default) or not all(least <= number <= _MOST for number in given):
        builder.refuse(node, f"its {name} {list(given)[:8]} do not fit", "correct the model")
    return given


def _pads(
    builder: OnnxBuilder,
    node: RawNode,
    spatial: tuple[int, ...],
    taps: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[int, ...]:
    """Zeros around the spread input, all before, then all after; a negative number cuts."""
    rank = len(spatial)
    extra = _numbers(builder, node, "output_padding", (0,) * rank, 0)
    reach = [(count - 1) * step for count, step in zip(taps, dilation, strict=True)]
    full = [
        (size - 1) * step + span + 1 + more
        for size, step, span, more in zip(spatial, stride, reach, extra, strict=True)
    ]
    mode = node.text("auto_pad", "NOTSET")
    wanted = node.integers("output_shape")
    if mode not in ("NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER"):
        builder.refuse(node, f"its auto_pad {mode!r} is unknown", "give pads instead")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(size * step for size, step in zip(spatial, stride, strict=True))
    if wanted is not None:
        if len(wanted) == rank + 2:
            wanted = wanted[2:]
        if len(wanted) != rank or not all(0 < size <= _MOST for size in wanted):
            builder.refuse(node, f"its output_shape {list(wanted)[:8]} does not fit", "correct it")
        if any(size > whole for size, whole in zip(wanted, full, strict=True)):
            builder.refuse(
                node, f"its output {list(wanted)} exceeds {full}, which it fills", "add padding"
            )
        before, after = [], []
        for size, whole in zip(wanted, full, strict=True):
            total = whole - size
            less, more = total // 2, total - total // 2
            before.append(less if mode == "SAME_UPPER" else more)
            after.append(more if mode == "SAME_UPPER" else less)
    else:
        given = (0,) * (2 * rank)
        if mode in ("NOTSET", ""):
            given = _numbers(builder, node, "pads", given, 0)
        before, after = list(given[:rank]), list(given[rank:])
    outside = [
        *(span - pad for span, pad in zip(reach, before, strict=True)),
        *(span - pad + more for span, pad, more in zip(reach, after, extra, strict=True)),
    ]
    if any(size - a - b < 1 for size, a, b in zip(full, before, after, strict=True)):
        builder.refuse(node, "its padding leaves nothing", "pad less")
    return tuple(outside)


def _spread(
    builder: OnnxBuilder,
    node: RawNode,
    source: Stored,
    stride: tuple[int, ...],
    pads: tuple[int, ...],
) -> Activation:
    """The input with zeros between its values, cut where padding is negative."""
    x = channels_last(builder, node, source.activation)
    rank = len(stride)
    cuts = tuple(min(pad, 0) for pad in pads)
    if max(stride) == 1 and not any(cuts):
        return x
    sizes = [
        (size - 1) * step + 1 + before + after
        for size, step, before, after in zip(
            x.shape[2:], stride, cuts[:rank], cuts[rank:], strict=True
        )
    ]
    if min(sizes) < 1:
        builder.refuse(node, "its padding cuts off its whole input", "pad less")
    shape = (*x.shape[:2], *sizes)
    builder.check_elements(node, shape)
    key = f"{x.key} spread for {builder.label(node)}"
    number = 2
    while builder.has_tensor(key):
        key, number = f"{x.key} spread for {builder.label(node)} ({number})", number + 1
    output = builder.declare(key, Layout.channels_last(shape), x.dtype, source.scale)
    _, image = image_of(builder, node, x)
    along = (1, *stride)[-2:]
    edges = [(0, *side)[-2:] for side in (cuts[:rank], cuts[rank:])]
    builder.emit(
        HostStep(
            name=f"{builder.label(node)} input",
            op=node.op_type,
            inputs=(x.key,),
            output=key,
            reason="zeros between the values of its input; a convolution on the array follows",
            function="spread_ort",
            parameters={
                "image": image,
                "stride": along,
                "cut": (-edges[0][0], -edges[0][1], -edges[1][0], -edges[1][1]),
                "value": source.scale.zero_point,
            },
        )
    )
    return output


def _flipped(
    builder: OnnxBuilder, node: RawNode, weights: QuantisedConstant, groups: int
) -> QuantisedConstant:
    """[C, M/G, taps...] as [M, C/G, taps...], taps in reverse order."""
    values = weights.values
    C, M, *taps = values.shape
    if weights.scale.size > 1 and (weights.axis != 1 or groups > 1):
        builder.refuse(
            node,
            f"its weights have scales along axis {weights.axis}",
            "quantise them per tensor or, without groups, per output channel (axis 1)",
        )
    split = values.reshape(groups, C // groups, M, *taps).swapaxes(1, 2)
    joined = split.reshape(groups * M, C // groups, *taps)
    turned = joined[(slice(None), slice(None), *(slice(None, None, -1) for _ in taps))]
    return QuantisedConstant(np.ascontiguousarray(turned), weights.scale, weights.zero_point, 0)
