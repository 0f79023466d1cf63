"""Random small networks: what one operator leaves in the buffer for another."""

from math import prod

from compiler.ir.ops import PoolKind
from tests.campaigns.fuzz.builder import GraphBuilder
from tests.campaigns.fuzz.convolutions import (
    channel_count,
    convolution,
    fully_connected,
    image,
    padding,
)
from tests.campaigns.fuzz.values import one_of
from tests.campaigns.fuzz.vectors import add, concat, mul, pad, pool, relu, rescale, reshape


def same(b: GraphBuilder, source: str, taps: int, filters: int, groups: int = 1) -> str:
    """A convolution that keeps height and width."""
    pads = (taps // 2,) * 4
    return convolution(b, source, taps=(taps, taps), pad=pads, filters=filters, groups=groups)


def residual(b: GraphBuilder) -> None:
    """Two convolutions with a bypass, which may have a convolution of its own."""
    source = image(b, most=8, channels=20)
    channels = b.shape(source)[3]
    inner = same(b, source, 3, channel_count(b, 16))
    outer = same(b, inner, int(one_of(b.rng, 1, 3)), channels)
    bypass = source if b.rng.random() < 0.6 else same(b, source, 1, channels)
    if b.config.array.data_width == 8:
        first, second = (outer, bypass) if b.rng.random() < 0.5 else (bypass, outer)
        add(b, first, second)
    else:
        concat(b, [outer, bypass], axis=1)


def separable(b: GraphBuilder) -> None:
    """Pointwise, depthwise, pointwise."""
    source = image(b, most=8, channels=16)
    wide = same(b, source, 1, channel_count(b, 24))
    channels = b.shape(wide)[3]
    stride = (int(one_of(b.rng, 1, 2)),) * 2
    middle = convolution(
        b, wide, taps=(3, 3), stride=stride, pad=(1, 1, 1, 1), groups=channels, filters=channels
    )
    convolution(b, middle, taps=(1, 1))


def branches(b: GraphBuilder) -> None:
    """Branches from one tensor that meet in a concatenation, and a reader after it."""
    source = image(b, most=8, channels=20)
    lanes = b.config.lanes
    parts = [
        same(b, source, taps, lanes * int(b.rng.integers(1, 3)) if lanes <= 8 else lanes)
        for taps in (1, 3)
    ]
    if b.rng.random() < 0.5:
        parts.append(source)
    together = concat(b, parts, axis=3)
    convolution(b, together, taps=(1, 1))


def classifier(b: GraphBuilder) -> None:
    """Convolution, pooling, a flat tensor and a dense layer."""
    source = image(b, most=10, channels=12)
    taps = (int(b.rng.integers(1, 4)), int(b.rng.integers(1, 4)))
    features = convolution(b, source, taps=taps, pad=padding(b, taps), filters=channel_count(b, 20))
    batch, H, W, _ = b.shape(features)
    if b.rng.random() < 0.5:
        kind = one_of(b.rng, PoolKind.MAX, PoolKind.AVERAGE)
        features = pool(b, features, kind, window=(H, W), stride=(H, W), pad=(0, 0, 0, 0))
    flat = reshape(b, features, (batch, prod(b.shape(features)[1:])))
    fully_connected(b, flat, int(b.rng.integers(1, 20)))


def padded_chain(b: GraphBuilder) -> None:
    """Padding as an operator of its own before a strided convolution, a pool after it."""
    source = pad(b, image(b, most=8, channels=16))
    taps = (int(b.rng.integers(1, 4)), int(b.rng.integers(1, 4)))
    features = convolution(b, source, taps=taps, stride=(2, 2))
    pool(b, features, one_of(b.rng, PoolKind.MAX, PoolKind.AVERAGE))


def gated(b: GraphBuilder) -> None:
    """Two convolutions of one tensor, multiplied, clamped and rescaled."""
    source = image(b, most=8, channels=16)
    filters = channel_count(b, 20)
    product = mul(b, same(b, source, 1, filters), same(b, source, 3, filters))
    rescale(b, relu(b, product))


def two_outputs(b: GraphBuilder) -> None:
    """A tensor with two readers, both results wanted, one of them raw."""
    source = image(b, most=8, channels=16)
    features = same(b, source, 3, channel_count(b, 20))
    convolution(b, features, taps=(1, 1), raw=True)
    pool(b, features, PoolKind.MAX)
