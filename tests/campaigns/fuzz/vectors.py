"""Random pooling, element-wise operators, padding, concatenation and reshaping."""

from typing import Any

import numpy as np

from compiler.ir.ops import Add, Concat, Mul, Pad, Pads, Pair, Pool, PoolKind, Rescale, Reshape
from numerics.quantisation import INTEGER_RANGES, Requant
from tests.campaigns.fuzz.builder import GraphBuilder
from tests.campaigns.fuzz.convolutions import channel_count, image
from tests.campaigns.fuzz.values import clamp, one_of, requant, zero_point


def max_pool(b: GraphBuilder) -> None:
    """Maximum of windows."""
    pool(b, image(b), PoolKind.MAX)


def average_pool(b: GraphBuilder) -> None:
    """Average of windows, padding left out of the count."""
    pool(b, image(b), PoolKind.AVERAGE)


def average_pool_counting(b: GraphBuilder) -> None:
    """Average of windows, padding counted as stored zeros."""
    pool(b, image(b), PoolKind.AVERAGE, count_include_pad=True)


def global_max(b: GraphBuilder) -> None:
    """Maximum of the whole image."""
    global_pool(b, PoolKind.MAX)


def global_average(b: GraphBuilder) -> None:
    """Average of the whole image."""
    global_pool(b, PoolKind.AVERAGE)


def global_pool(b: GraphBuilder, kind: PoolKind) -> None:
    """One window over the whole image."""
    source = image(b, most=8)
    _, H, W, _ = b.shape(source)
    pool(b, source, kind, window=(H, W), stride=(H, W), pad=(0, 0, 0, 0))


def pool(
    b: GraphBuilder, source: str, kind: PoolKind, *, count_include_pad: bool = False, **given: Any
) -> str:
    """Appends a pool; window, stride and padding are random unless given."""
    rng = b.rng
    batch, H, W, C = b.shape(source)
    window: Pair = (int(rng.integers(1, min(H, 5) + 1)), int(rng.integers(1, min(W, 4) + 1)))
    stride: Pair = (int(rng.integers(1, 5)), int(rng.integers(1, 4)))
    low, high = clamp(rng, b.dtype, b.zeros[source])
    geometry = {"window": window, "stride": stride, "pad": _pads(b, window), **given}
    node = Pool(
        **b.names("POOL", source),
        image=(H, W, C),
        batch=batch,
        kind=kind,
        count_include_pad=count_include_pad,
        low=low,
        high=high,
        dtype=b.dtype,
        **geometry,
    )
    return b.add(node, (batch, *node.output_image), b.zeros[source])


def _pads(b: GraphBuilder, window: Pair) -> Pads:
    """Padding smaller than the window on every side."""
    top, bottom = (int(n) for n in b.rng.integers(0, window[0], 2))
    left, right = (int(n) for n in b.rng.integers(0, window[1], 2))
    return top, left, bottom, right


def sum_of_two(b: GraphBuilder) -> None:
    """ADD of two inputs, or of one with itself."""
    first = _operand(b)
    second = first if b.rng.random() < 0.15 else b.input(b.shape(first))
    add(b, first, second)


def product_of_two(b: GraphBuilder) -> None:
    """MUL of two inputs, or of one with itself."""
    first = _operand(b)
    second = first if b.rng.random() < 0.15 else b.input(b.shape(first))
    mul(b, first, second)


def rescaled(b: GraphBuilder) -> None:
    """Another quantisation of an input."""
    rescale(b, _operand(b))


def rectified(b: GraphBuilder) -> None:
    """A ReLU, ReLU6 or clip of its own."""
    relu(b, _operand(b))


def _operand(b: GraphBuilder) -> str:
    """An input of any rank from 1 to 4."""
    rank = int(one_of(b.rng, 4, 4, 4, 2, 3))
    if rank == 4:
        return image(b)
    sizes = b.rng.integers(1, b.scaled(12) + 1, rank - 1).tolist()
    return b.input((*sizes, channel_count(b, 40)))


def add(b: GraphBuilder, first: str, second: str) -> str:
    """Appends an ADD of two tensors of one shape."""
    rng = b.rng
    low, high = INTEGER_RANGES[b.dtype]
    zero = zero_point(rng, b.dtype)
    scales = np.float32(2.0 ** rng.uniform(-8, 2, 2)).astype(np.float64)
    if rng.random() < 0.2:
        scales[1] = scales[0]
    ratio = one_of(rng, 2.0 ** rng.uniform(-2, 1), 2.0 ** rng.uniform(-12, 8), 1.0)
    least, most = clamp(rng, b.dtype, zero)
    node = Add(
        **b.names("ADD", first, second),
        scales=(float(scales[0]), float(scales[1])),
        zero_points=(b.zeros[first], b.zeros[second]),
        output_scale=float(np.float32(scales.max() * ratio)),
        output_zero_point=zero,
        low=max(least, low),
        high=min(most, high),
        dtype=b.dtype,
    )
    return b.add(node, b.shape(first), zero)


def mul(b: GraphBuilder, first: str, second: str) -> str:
    """Appends a MUL of two tensors of one shape."""
    spread = 10_000.0 * (256 if b.dtype == "int16" else 1)
    stage = requant(b.rng, b.dtype, 1, spread, b.rounding)
    zeros = (b.zeros[first], b.zeros[second])
    node = Mul(**b.names("MUL", first, second), zero_points=zeros, stage=stage)
    return b.add(node, b.shape(first), stage.zero_point)


def rescale(b: GraphBuilder, source: str) -> str:
    """Appends a change of scale and zero point."""
    stage = requant(b.rng, b.dtype, 1, 120.0, b.rounding)
    node = Rescale(**b.names("QUANTIZE", source), input_zero_point=b.zeros[source], stage=stage)
    return b.add(node, b.shape(source), stage.zero_point)


def relu(b: GraphBuilder, source: str) -> str:
    """Appends a clamp that leaves the quantisation as it is."""
    zero = b.zeros[source]
    low, high = clamp(b.rng, b.dtype, zero)
    stage = Requant(
        scale=np.ones(1), rounding=b.rounding, zero_point=zero, low=low, high=high, dtype=b.dtype
    )
    node = Rescale(**b.names("RELU", source), input_zero_point=zero, stage=stage)
    return b.add(node, b.shape(source), zero)


def padded(b: GraphBuilder) -> None:
    """Constant padding along rows and columns, now and then along the other axes."""
    pad(b, image(b))


def pad(b: GraphBuilder, source: str) -> str:
    """Appends a padding with any stored value."""
    rng, shape = b.rng, b.shape(source)
    pairs = [(0, 0), *((int(n), int(m)) for n, m in rng.integers(0, 4, (2, 2))), (0, 0)]
    kind = int(rng.integers(6))
    if kind == 0:
        pairs[3] = (int(rng.integers(0, 4)), int(rng.integers(0, 4)))
    elif kind == 1:
        pairs[3] = (b.config.lanes * int(rng.integers(0, 3)), 0)
    elif kind == 2:
        pairs[0] = (int(rng.integers(0, 2)), 1)
    low, high = INTEGER_RANGES[b.dtype]
    value = int(one_of(rng, low, high, b.zeros[source], int(rng.integers(low, high + 1))))
    node = Pad(**b.names("PAD", source), pads=tuple(pairs), value=value)
    output = tuple(size + sum(pair) for size, pair in zip(shape, pairs, strict=True))
    return b.add(node, output, b.zeros[source])


def joined(b: GraphBuilder) -> None:
    """Concatenation of two or three inputs, along any axis of tensors of rank 2 to 4."""
    rng = b.rng
    rank = int(one_of(rng, 4, 4, 4, 3, 2))
    sizes = rng.integers(1, b.scaled(8) + 1, rank - 1).tolist()
    shape = [*sizes, channel_count(b, 24)]
    axis = int(one_of(rng, rank - 1, *range(rank)))
    keys = []
    for _ in range(int(rng.integers(2, 4))):
        if axis == rank - 1 and rng.random() < 0.4:
            shape[axis] = b.config.lanes * int(rng.integers(1, 3))
        else:
            shape[axis] = int(rng.integers(1, b.scaled(8) + 1))
        keys.append(b.input(tuple(shape)))
    concat(b, keys, axis)


def concat(b: GraphBuilder, keys: list[str], axis: int) -> str:
    """Appends a concatenation."""
    shape = list(b.shape(keys[0]))
    shape[axis] = sum(b.shape(key)[axis] for key in keys)
    node = Concat(**b.names("CONCATENATION", *keys), axis=axis)
    return b.add(node, tuple(shape), b.zeros[keys[0]])


def reshape(b: GraphBuilder, source: str, shape: tuple[int, ...]) -> str:
    """Appends a reshape."""
    return b.add(Reshape(**b.names("RESHAPE", source)), shape, b.zeros[source])
