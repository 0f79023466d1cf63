"""Random convolutions of every geometry, dense layers included."""

from dataclasses import replace
from typing import Any

import numpy as np

from compiler.ir.ops import Array, Conv, Pads, Pair
from compiler.ir.overflow import ACCUMULATOR_BITS, bits_needed
from hw.arch.config.modes import WHOLE_SUM_BITS
from numerics.quantisation import INTEGER_RANGES, Requant, WindowStage
from tests.campaigns.fuzz.builder import GraphBuilder
from tests.campaigns.fuzz.values import (
    FIELD,
    ZERO_POINT_ROOM,
    bias,
    one_of,
    requant,
    stored,
    whole_sum_stage,
    wide_bias,
    window_stage,
    zero_point,
)

_MOST_HALVINGS = 16


def image(b: GraphBuilder, most: int = 12, channels: int = 35) -> str:
    """A new input of 1 to 3 images; sizes shrink with `b.size`."""
    rng = b.rng
    height, width = (int(rng.integers(1, b.scaled(most) + 1)) for _ in range(2))
    batch = int(one_of(rng, 1, 1, 1, 2, 3))
    return b.input((batch, height, width, channel_count(b, channels)))


def channel_count(b: GraphBuilder, most: int) -> int:
    """Channels: any number, or next to a multiple of the channel block.

    Where scratchpads do not hold a beat of channels or filters, mostly so few that they need not.
    """
    rng, config, lanes = b.rng, b.config, b.config.lanes
    most = b.scaled(most)
    held = min(config.pe.ifmap_spad, config.pe.psum_spad, int(config.filter_half**0.5))
    if held < max(config.noc.ifmap, config.post.units) and rng.random() < 0.6:
        return int(rng.integers(1, max(min(most, held), 1) + 1))
    kind = int(rng.integers(4))
    if kind == 0:
        return int(np.clip(lanes * int(rng.integers(1, 4)) + int(rng.integers(-1, 2)), 1, most))
    if kind == 1:
        return int(rng.integers(1, min(most, max(config.noc.ifmap, 2)) + 1))
    return int(rng.integers(1, most + 1))


def any_convolution(b: GraphBuilder) -> None:
    """2-D: windows up to 5 x 5, strides up to 3, uneven padding."""
    source = image(b)
    rng = b.rng
    taps = (int(one_of(rng, 1, 2, 3, 3, 4, 5)), int(one_of(rng, 1, 2, 3, 3, 4, 5)))
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    convolution(b, source, taps=taps, stride=stride, pad=padding(b, taps))


def line_convolution(b: GraphBuilder) -> None:
    """1-D, along either axis."""
    rng = b.rng
    length, taps = int(rng.integers(2, b.scaled(40) + 2)), int(rng.integers(2, 10))
    stride, dilation = int(rng.integers(1, 5)), int(one_of(rng, 1, 1, 2, 3))
    before, after = rng.integers(0, taps, 2).tolist()
    shape, along_y = (length, 1), bool(rng.integers(2))
    pads: Pads = (before, 0, after, 0) if along_y else (0, before, 0, after)

    def across(main: int, other: int) -> Pair:
        return (main, other) if along_y else (other, main)

    source = b.input((1, *across(*shape), channel_count(b, 35)))
    convolution(
        b,
        source,
        taps=across(taps, 1),
        stride=across(stride, 1),
        dilation=across(dilation, 1),
        pad=pads,
    )


def pointwise(b: GraphBuilder) -> None:
    """1 x 1, whose pixels the compiler may take as one row."""
    stride = int(one_of(b.rng, 1, 1, 1, 2))
    convolution(b, image(b, channels=60), taps=(1, 1), stride=(stride, stride))


def wide_stride(b: GraphBuilder) -> None:
    """Strides beyond the window: pixels that no window sees."""
    rng = b.rng
    taps = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    stride = (taps[0] + int(rng.integers(0, 4)), taps[1] + int(rng.integers(1, 4)))
    convolution(b, image(b, most=18), taps=taps, stride=stride, pad=padding(b, taps))


def dilated(b: GraphBuilder) -> None:
    """Dilations up to 4 along one or both axes."""
    rng = b.rng
    taps = (int(rng.integers(1, 4)), int(rng.integers(2, 4)))
    dilation = (int(rng.integers(1, 5)), int(one_of(rng, 1, 2, 3, 4)))
    reach = tuple((t - 1) * d + 1 for t, d in zip(taps, dilation, strict=True))
    stride = (int(one_of(rng, 1, 1, 2)), int(one_of(rng, 1, 1, 2, 3)))
    pad = padding(b, (reach[0], reach[1]))
    convolution(b, image(b, most=16), taps=taps, stride=stride, dilation=dilation, pad=pad)


def depthwise(b: GraphBuilder) -> None:
    """One filter a channel."""
    _channelwise(b, 1)


def depthwise_multiplied(b: GraphBuilder) -> None:
    """Several filters a channel."""
    _channelwise(b, int(b.rng.integers(2, 5)))


def _channelwise(b: GraphBuilder, multiplier: int) -> None:
    rng = b.rng
    source = image(b)
    channels = b.shape(source)[3]
    taps = (int(one_of(rng, 1, 2, 3, 3, 5)), int(one_of(rng, 1, 2, 3, 3, 5)))
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dilation = (int(one_of(rng, 1, 1, 1, 2)), int(one_of(rng, 1, 1, 1, 2)))
    convolution(
        b,
        source,
        taps=taps,
        stride=stride,
        dilation=dilation,
        pad=padding(b, taps),
        groups=channels,
        filters=channels * multiplier,
    )


def grouped(b: GraphBuilder) -> None:
    """Two to five groups of several channels."""
    rng = b.rng
    groups = int(rng.integers(2, 6))
    each, filters = (int(n) for n in rng.integers(1, b.scaled(9) + 1, 2))
    size = rng.integers(1, b.scaled(10) + 1, 2).tolist()
    source = b.input((int(one_of(rng, 1, 1, 2)), *size, groups * each))
    taps = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    stride = (int(one_of(rng, 1, 1, 2)), int(one_of(rng, 1, 1, 2)))
    convolution(
        b,
        source,
        taps=taps,
        stride=stride,
        pad=padding(b, taps),
        groups=groups,
        filters=groups * filters,
    )


def dense(b: GraphBuilder) -> None:
    """Fully connected from a flat tensor, or from a whole image as one window."""
    rng = b.rng
    filters = int(rng.integers(1, b.scaled(60) + 1))
    if rng.random() < 0.5:
        fully_connected(b, b.input((1, int(rng.integers(1, b.scaled(400) + 1)))), filters)
        return
    source = image(b, most=6)
    batch, H, W, _ = b.shape(source)
    convolution(b, source, taps=(H, W), filters=filters, flatten=(batch, filters))


def dense_rows(b: GraphBuilder) -> None:
    """Fully connected over several rows."""
    rng = b.rng
    rows, columns = int(rng.integers(2, 9)), int(rng.integers(1, b.scaled(120) + 1))
    fully_connected(b, b.input((rows, columns)), int(rng.integers(1, b.scaled(40) + 1)))


def raw_output(b: GraphBuilder) -> None:
    """32-bit accumulators as they are."""
    source = image(b, most=7)
    taps = (int(b.rng.integers(1, 4)), int(b.rng.integers(1, 4)))
    convolution(b, source, taps=taps, pad=padding(b, taps), raw=True)


def zero_pointed(b: GraphBuilder) -> None:
    """Weights with a zero point, for all filters or one each."""
    source = image(b, most=9)
    taps = (int(b.rng.integers(1, 4)), int(b.rng.integers(1, 4)))
    convolution(b, source, taps=taps, pad=padding(b, taps), weight_zeros=True)


def spilling(b: GraphBuilder) -> None:
    """Activations that outgrow a small buffer."""
    rng = b.rng
    size = b.scaled(26)
    source = b.input((1, size, int(rng.integers(1, size + 1)), channel_count(b, 40)))
    taps = (int(one_of(rng, 1, 3)), int(one_of(rng, 1, 3)))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    filters = int(rng.integers(1, 10))
    convolution(b, source, taps=taps, stride=stride, pad=padding(b, taps), filters=filters)


def deep(b: GraphBuilder) -> None:
    """Few pixels of so many channels that a small buffer does not hold them."""
    rng, lanes = b.rng, b.config.lanes
    H, W = (int(n) for n in rng.integers(3, 9, 2))
    words = b.config.act_banks * b.config.buffer.depth * rng.uniform(0.4, 1.6)
    blocks = int(np.clip(words // (H * W), 2, b.scaled(640) // lanes))
    source = b.input((int(one_of(rng, 1, 1, 2)), H, W, lanes * blocks))
    taps = (int(one_of(rng, 1, 1, 2, 3)), int(one_of(rng, 1, 1, 2, 3)))
    stride = (int(one_of(rng, 1, 1, 2)), int(one_of(rng, 1, 1, 2)))
    filters = int(rng.integers(1, b.scaled(12) + 1))
    convolution(b, source, taps=taps, stride=stride, pad=padding(b, taps), filters=filters)


def fully_connected(b: GraphBuilder, source: str, filters: int) -> str:
    """A dense layer over the rows of a two-dimensional tensor."""
    rows, _ = b.shape(source)
    return convolution(b, source, taps=(1, 1), filters=filters, flatten=(rows, filters))


def padding(b: GraphBuilder, taps: Pair) -> Pads:
    """Padding that differs from side to side, up to the window's size."""
    if b.rng.random() < 0.3:
        return (0, 0, 0, 0)
    top, bottom = (int(n) for n in b.rng.integers(0, min(taps[0], 4), 2))
    left, right = (int(n) for n in b.rng.integers(0, min(taps[1], 4), 2))
    return top, left, bottom, right


def convolution(
    b: GraphBuilder,
    source: str,
    *,
    taps: Pair,
    filters: int | None = None,
    groups: int = 1,
    raw: bool = False,
    weight_zeros: bool | None = None,
    flatten: tuple[int, ...] | None = None,
    unread: Array | None = None,
    **geometry: Any,
) -> str:
    """Appends a convolution with random weights, biases and output stage.

    `geometry` are fields of `Conv`; `flatten` is the shape of the output tensor, if it is not the
    image's; `unread` says of every channel of a group whether no filter reads it. Raises
    `RowforgeError` if the window does not fit.
    """
    rng = b.rng
    shape = b.shape(source)
    batch, *size = shape if len(shape) == 4 else (1, shape[0], 1, shape[1])
    filters = filters or channel_count(b, 35)
    weights, zeros = _weights(b, (filters, *taps, size[2] // groups), weight_zeros)
    weights = _with_idle(b, weights, zeros)
    if unread is not None:
        weights[..., unread] = zeros.reshape(-1, 1, 1, 1)
    spread = _spread(b, weights, zeros)
    node = Conv(
        **b.names("CONV", source),
        image=(size[0], size[1], size[2]),
        batch=batch,
        weights=weights,
        weight_zero_point=zeros,
        bias=bias(rng, filters),
        input_zero_point=b.zeros[source],
        groups=groups,
        stage=Requant.raw() if raw else _stage(b, filters, spread),
        **geometry,
    )
    if isinstance(node.stage, Requant) and node.stage.wide:
        node = replace(node, bias=wide_bias(rng, node.bias))
    node = _provable(b, node)
    zero = node.stage.zero_point if isinstance(node.stage, Requant) else 0
    output = flatten or (batch, *node.output_image)
    return b.add(node, output, zero, "int32" if raw else None)


def _stage(b: GraphBuilder, filters: int, spread: float) -> Requant | WindowStage:
    """An output stage that the configuration's post-processor has."""
    if b.dtype != "int16":
        return requant(b.rng, b.dtype, filters, spread, b.rounding, biased=True)
    if b.zeroed:
        return requant(b.rng, "int16", filters, spread / 256, b.rounding, biased=True, fixed=True)
    if b.config.array.psum_width < WHOLE_SUM_BITS or b.rng.random() < 0.4:
        return window_stage(b.rng, spread)
    return whole_sum_stage(b.rng, filters, spread, b.rounding)


def _weights(b: GraphBuilder, shape: tuple[int, ...], zeros: bool | None) -> tuple[Array, Array]:
    """Stored weights and their zero points [1] or [M]."""
    rng = b.rng
    if b.dtype == "int16" and not b.zeroed:
        values = stored(rng, shape, "int16")
        return values >> int(rng.integers(0, 13)), np.zeros(1, dtype=np.int64)
    dtype = str(one_of(rng, "int8", "int8", "uint8"))
    free = b.zeroed or b.config.pe.weight_zero_points  # 8-bit weights less any zero point fit 16
    if zeros is None:
        zeros = free and rng.random() < 0.5
    values = stored(rng, shape, dtype)
    middle = 128 if dtype == "uint8" else 0
    if not zeros:
        return values, np.full(1, middle, dtype=np.int64)
    count = int(one_of(rng, 1, shape[0]))
    if free and count == 1:
        return values, np.full(1, zero_point(rng, dtype), dtype=np.int64)
    # A zero point for each filter: halved values keep their common span within the data width.
    low, _ = INTEGER_RANGES[dtype]
    values = ((values.astype(np.int64) - low) // 2 + low + 64).astype(dtype)
    return values, middle + rng.integers(-50, 50, count).astype(np.int64)


def _with_idle(b: GraphBuilder, weights: Array, zeros: Array) -> Array:
    """In a share of layers whole filters, whole input channels, or both at their zero point."""
    rng = b.rng
    if not b.idle or rng.random() >= b.idle:
        return weights
    M, _, _, C = weights.shape
    filters, channels = (
        rng.random(size) < (rng.choice([0.3, 0.7, 1.0], p=[0.45, 0.45, 0.1]) * rng.integers(2))
        for size in (M, C)
    )
    none = filters[:, None, None, None] | channels[None, None, None, :]
    return np.where(none, zeros.reshape(-1, 1, 1, 1), weights).astype(weights.dtype)


def _spread(b: GraphBuilder, weights: Array, zeros: Array) -> float:
    """The magnitude that accumulators are likely to have."""
    low, high = INTEGER_RANGES[b.dtype]
    centred = weights.astype(np.float64) - zeros.reshape(-1, 1, 1, 1)
    return float(np.sqrt((centred**2).mean() * weights[0].size) * (high - low) / 3)


def _provable(b: GraphBuilder, node: Conv) -> Conv:
    """Nearly always a layer whose psums provably fit: weights halved until they do.

    Where the bias holds a zero point, sums fit beside both.
    """
    width = b.config.array.psum_width
    stage = node.stage if isinstance(node.stage, Requant) else None
    whole = stage is not None and stage.wide
    shared = stage is not None and b.zeroed and not -FIELD <= stage.zero_point < FIELD
    exempt = width >= ACCUMULATOR_BITS and stage is not None
    if shared:
        width = ZERO_POINT_ROOM.bit_length()
    if ((b.wrap or exempt) and not (whole or shared)) or b.rng.random() < b.overflowing:
        return node
    for _ in range(_MOST_HALVINGS):
        if bits_needed(node, b.dtype) <= width:
            break
        zeros = node.weight_zero_point.reshape(-1, 1, 1, 1)
        halved = np.trunc((node.weights - zeros) / 2) + zeros
        node = replace(node, weights=halved.astype(node.weights.dtype))
    return node
