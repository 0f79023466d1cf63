"""The operators that a random graph grows by: each returns the new tensor, None if none suits."""

from collections.abc import Callable, Iterator
from math import gcd, prod

import numpy as np

from compiler.ir.host_steps import softmax_parameters
from compiler.ir.ops import HostStep, PoolKind
from hw.arch.errors import RowforgeError
from numerics.host import run_host
from numerics.quantisation import INTEGER_RANGES
from tests.campaigns.fuzz import convolutions, vectors
from tests.campaigns.fuzz.builder import Shape
from tests.campaigns.fuzz_network.network import Network
from tests.support.random_moves import random_move

Step = Callable[[Network], str | None]

_FLAT = 600  # elements of an image that a fully connected operator may take
_TWICE = 0.2  # share of sums and products of a tensor with itself
_SAME = 0.2  # share of concatenations of a tensor with itself
_RESIDENT = (0.3, 0.85)  # of the buffer: a tensor that stays in it while tiles pass by
_MOVED = 3.0  # buffers of a tensor whose values are moved
_KNOWN = 0.6  # share of concatenated operands that the graph has already


# ---- products -----------------------------------------------------------------------------------


def _filters(n: Network) -> int:
    """Filters: whole channel blocks, the channels of another tensor, or any few."""
    rng, lanes = n.rng, n.b.config.lanes
    kind = int(rng.integers(3))
    if kind == 0:
        return lanes * int(rng.integers(1, 3))
    images = [key for key in n.live if len(n.shape(key)) == 4]
    if kind == 1 and images:
        return min(n.shape(images[int(rng.integers(len(images)))])[3], 4 * lanes)
    return int(rng.integers(1, 2 * lanes + 1))


def conv(n: Network) -> str | None:
    """A convolution of 2 x 2 to 5 x 5 taps, its maps as large as before or smaller."""
    size = int(n.rng.choice([2, 3, 3, 5]))
    taps = (size, size)
    pad = (size // 2,) * 4 if n.rng.random() < 0.5 else convolutions.padding(n.b, taps)
    return _convolution(n, taps=taps, pad=pad, filters=_filters(n))


def strided(n: Network) -> str | None:
    """A convolution with strides of 2 or 3."""
    taps = (int(n.rng.integers(1, 4)), int(n.rng.integers(1, 4)))
    stride = (int(n.rng.integers(1, 4)), int(n.rng.integers(2, 4)))
    pad = convolutions.padding(n.b, taps)
    return _convolution(n, taps=taps, stride=stride, pad=pad, filters=_filters(n))


def dilated(n: Network) -> str | None:
    """A convolution with dilations of 2 or 3."""
    taps = (int(n.rng.integers(2, 4)), int(n.rng.integers(1, 4)))
    dilation = (int(n.rng.integers(2, 4)), int(n.rng.integers(1, 4)))
    reach = ((taps[0] - 1) * dilation[0] + 1, (taps[1] - 1) * dilation[1] + 1)
    pad = convolutions.padding(n.b, reach)
    return _convolution(n, taps=taps, dilation=dilation, pad=pad, filters=_filters(n))


def pointwise(n: Network) -> str | None:
    """A 1 x 1 convolution."""
    return _convolution(n, taps=(1, 1), filters=_filters(n))


def grouped(n: Network) -> str | None:
    """A convolution of several groups of more than one channel."""
    source = n.any(4)
    channels = n.shape(source)[3] if source else 1
    groups = [g for g in range(2, channels) if channels % g == 0 and channels // g > 1]
    if source is None or not groups:
        channels = 2 * n.b.config.lanes
        source, groups = pointwise_to(n, channels), [2]
    if source is None:
        return None
    count = groups[int(n.rng.integers(len(groups)))]
    filters = count * int(n.rng.integers(1, 5))
    pad = (1, 1, 1, 1)
    return _convolution(n, source, taps=(3, 3), pad=pad, groups=count, filters=filters)


def pointwise_to(n: Network, channels: int) -> str | None:
    """A 1 x 1 convolution with so many filters."""
    return _convolution(n, taps=(1, 1), filters=channels)


def depthwise(n: Network) -> str | None:
    """A convolution of each channel by itself, with one or two filters each."""
    source = n.any(4)
    if source is None:
        return None
    channels = n.shape(source)[3]
    taps = (int(n.rng.integers(1, 4)), int(n.rng.integers(1, 4)))
    filters = channels * int(n.rng.choice([1, 1, 1, 2]))
    pad = convolutions.padding(n.b, taps)
    return _convolution(n, source, taps=taps, pad=pad, groups=channels, filters=filters)


def unread(n: Network) -> str | None:
    """Layers of which only some channels are read by the next one, and by nobody else."""
    lanes = n.b.config.lanes
    count = lanes * int(n.rng.integers(2, 4))
    first = pointwise_to(n, count)
    if first is None:
        return None
    if n.rng.random() < 0.5:
        first = _convolution(n, first, taps=(2, 2), pad=(1, 1, 0, 0), groups=count, filters=count)
    gone = n.rng.permutation(count) < lanes * int(n.rng.integers(1, count // lanes + 1))
    return _convolution(n, first, taps=(1, 1), filters=_filters(n), unread=gone)


def raw(n: Network) -> str | None:
    """A 1 x 1 convolution whose 32-bit sums are an output."""
    return _convolution(n, taps=(1, 1), filters=int(n.rng.integers(1, 9)), raw=True)


def fully_connected(n: Network) -> str | None:
    """A dense layer over all of a small image, or over the rows of a matrix."""
    source = n.any()
    if source is None:
        return None
    shape = n.shape(source)
    if len(shape) != 2:
        if prod(shape[1:]) > _FLAT:
            return None
        source = vectors.reshape(n.b, source, (shape[0], prod(shape[1:])))
    return convolutions.fully_connected(n.b, source, int(n.rng.integers(1, 25)))


def _convolution(n: Network, source: str | None = None, **geometry: object) -> str | None:
    """A convolution of some image, or of this one; None if there is none."""
    source = source or n.any(4)
    if source is None:
        return None
    return convolutions.convolution(n.b, source, **geometry)  # type: ignore[arg-type]


# ---- several operands ---------------------------------------------------------------------------


def add(n: Network) -> str | None:
    """A sum of two tensors of one shape, or of a tensor and itself."""
    pair = _pair(n)
    return vectors.add(n.b, *pair) if pair else None


def mul(n: Network) -> str | None:
    """A product of two tensors of one shape, or of a tensor and itself."""
    pair = _pair(n)
    return vectors.mul(n.b, *pair) if pair else None


def _pair(n: Network) -> tuple[str, str] | None:
    """Two tensors of one shape, either first: another one if there is one, or a new one."""
    first = n.any()
    if first is None:
        return None
    shape = n.shape(first)
    if n.rng.random() < _TWICE:
        return first, first
    others = [key for key in n.like(shape) if key != first]
    if others:
        second = others[int(n.rng.integers(len(others)))]
    elif len(shape) == 4 and n.rng.random() < 0.7:
        pad = (1, 1, 1, 1)
        second = convolutions.convolution(n.b, first, taps=(3, 3), pad=pad, filters=shape[3])
        n.add(second)
    else:
        second = n.new_input(shape)
    return (first, second) if n.rng.random() < 0.5 else (second, first)


def concatenate(n: Network) -> str | None:
    """Two to six tensors joined along any axis, some of them perhaps twice."""
    first = n.any()
    if first is None:
        return None
    shape = n.shape(first)
    axis = int(n.rng.integers(len(shape)))
    count = int(n.rng.integers(2, 7))
    same = n.rng.random() < _SAME
    keys = [first if same else _operand(n, first, axis) for _ in range(count - 1)]
    keys.insert(int(n.rng.integers(count)), first)
    total = list(shape)
    total[axis] = sum(n.shape(key)[axis] for key in keys)
    return vectors.concat(n.b, keys, axis) if n.fits(tuple(total)) else None


def repeated(n: Network) -> str | None:
    """A tensor that the array has just computed and that fits the buffer, joined with itself.

    The joined tensor does not fit: this is where operands are kept, evicted and brought in tiles.
    """
    rng, lanes = n.rng, n.b.config.lanes
    words = n.buffer * rng.uniform(*_RESIDENT)
    source = n.any(4)
    if source is None or prod(n.shape(source)[:3]) > words:
        pixels = max(words / int(rng.integers(1, 4)), 4)
        height = int(rng.integers(2, max(pixels**0.5, 2) + 1))
        source = n.new_input((1, height, max(int(pixels / height), 1), int(rng.integers(1, 9))))
    filters = lanes * max(int(words / prod(n.shape(source)[:3])), 1)
    kind = convolutions.convolution(n.b, source, taps=(1, 1), filters=filters)
    axis, count = int(rng.integers(4)), int(rng.integers(2, 7))
    return vectors.concat(n.b, [n.add(kind)] * count, axis)


def _operand(n: Network, first: str, axis: int) -> str:
    """Another operand of a concatenation: of the graph, cut from its tensors, or a new input."""
    known = n.like(n.shape(first), but=axis)
    shape = list(n.shape(first))
    if n.rng.random() < _KNOWN:
        chosen = known[int(n.rng.integers(len(known)))]
        if n.rng.random() < 0.25 and n.shape(chosen)[axis] > 1:
            return n.add(_slice(n, chosen, axis))
        return chosen
    lanes = n.b.config.lanes
    whole = axis == len(shape) - 1 and n.rng.random() < 0.7
    most = max(min(2 * shape[axis], 24), 2)
    shape[axis] = lanes * int(n.rng.integers(1, 3)) if whole else int(n.rng.integers(1, most))
    return n.new_input(tuple(shape))


# ---- vectors ------------------------------------------------------------------------------------


def max_pool(n: Network) -> str | None:
    """The maximum of windows."""
    return _pool(n, PoolKind.MAX)


def average_pool(n: Network) -> str | None:
    """The average of windows."""
    return _pool(n, PoolKind.AVERAGE)


def _pool(n: Network, kind: PoolKind) -> str | None:
    source = n.any(4)
    return vectors.pool(n.b, source, kind) if source else None


def pad(n: Network) -> str | None:
    """Constant padding."""
    source = n.any(4)
    return vectors.pad(n.b, source) if source else None


def relu(n: Network) -> str | None:
    """A clamp."""
    source = n.any()
    return vectors.relu(n.b, source) if source else None


def rescale(n: Network) -> str | None:
    """Another quantisation."""
    source = n.any()
    return vectors.rescale(n.b, source) if source else None


# ---- the host, and names ------------------------------------------------------------------------


def reshape(n: Network) -> str | None:
    """The same values as another image."""
    source = n.any(4)
    if source is None:
        return None
    N, H, W, C = n.shape(source)
    half = gcd(C, 2)
    shapes: list[Shape] = [(N, W, H, C), (N, 1, H * W, C), (N, H * W, 1, C), (1, N * H, W, C)]
    shapes.append((N, H, W * half, C // half))
    shape = shapes[int(n.rng.integers(len(shapes)))]
    return vectors.reshape(n.b, source, shape) if n.fits(shape) else None


def cut(n: Network) -> str | None:
    """A part of a tensor along one axis, by the host."""
    source = n.any()
    if source is None:
        return None
    axes = [axis for axis, size in enumerate(n.shape(source)) if size > 1]
    return _slice(n, source, axes[int(n.rng.integers(len(axes)))]) if axes else None


def _slice(n: Network, source: str, axis: int) -> str:
    shape = list(n.shape(source))
    begin = int(n.rng.integers(shape[axis] - 1))
    end = int(n.rng.integers(begin + 1, shape[axis] + 1))
    shape[axis] = end - begin
    parameters = {"axes": (axis,), "start": (begin,), "stop": (end,), "step": (1,)}
    return _host(n, "SLICE", "slice", source, parameters, tuple(shape))


def move(n: Network) -> str | None:
    """Values at other places: upsampling, parts, blocks of pixels from and to channels or items."""
    source = n.any(4)
    if source is None:
        return None
    items, rows, columns, channels = shape = n.shape(source)
    if n.words(shape) > _MOVED * n.buffer:
        return None
    whole = (items, rows, columns, channels)
    function, parameters = random_move(n.rng, whole, n.b.config.lanes)
    (made,) = run_host(function, [np.zeros(shape, np.int8)], parameters)
    if not n.fits(made.shape):
        return None
    return _host(n, "MOVE", function, source, parameters, made.shape)


def transpose(n: Network) -> str | None:
    """Rows and columns exchanged, by the host."""
    source = n.any(4)
    if source is None:
        return None
    N, H, W, C = n.shape(source)
    return _host(n, "TRANSPOSE", "transpose", source, {"permutation": (0, 2, 1, 3)}, (N, W, H, C))


def lookup(n: Network) -> str | None:
    """A function of each value, by the host."""
    source = n.any()
    if source is None:
        return None
    low, high = INTEGER_RANGES[n.b.dtype]
    table = tuple(int(v) for v in n.rng.integers(low, high, 256, endpoint=True))
    parameters = {"table": table, "dtype": n.b.dtype}
    return _host(n, "LOOKUP", "lookup", source, parameters, n.shape(source))


def softmax(n: Network) -> str | None:
    """Softmax over the last axis, by the host."""
    source = n.any()
    if source is None:
        return None
    parameters = {**softmax_parameters(0.05, 1.0), "dtype": n.b.dtype}
    return _host(n, "SOFTMAX", "softmax", source, parameters, n.shape(source))


def _host(
    n: Network, op: str, function: str, source: str, parameters: dict[str, object], shape: Shape
) -> str:
    node = HostStep(**n.b.names(op, source), function=function, parameters=parameters)
    return n.b.add(node, shape, n.b.zeros[source])


# ---- what there is ------------------------------------------------------------------------------

# Steps with their weights. Those of the second table take 8-bit data.
_BOTH: dict[Step, int] = {
    conv: 3, strided: 2, dilated: 2, pointwise: 3, grouped: 2, depthwise: 3, unread: 2, raw: 1,
    fully_connected: 2, concatenate: 9, repeated: 5, max_pool: 2, average_pool: 2, pad: 2,
    reshape: 2, cut: 2, move: 5, transpose: 2,
}  # fmt: skip
_NARROW: dict[Step, int] = {add: 5, mul: 4, relu: 2, rescale: 2, lookup: 1, softmax: 1}


def steps(n: Network) -> Iterator[Step]:
    """Steps in random order without end."""
    table = {**_BOTH, **(_NARROW if n.b.config.array.data_width == 8 else {})}
    names, weights = list(table), np.array(list(table.values()), dtype=float)
    while True:
        yield names[int(n.rng.choice(len(names), p=weights / weights.sum()))]


def take(n: Network, step: Step) -> bool:
    """Grows the graph by a step; takes everything back if that does not go well."""
    b = n.b
    nodes, inputs, live = len(b.nodes), len(b.inputs), len(n.live)
    tensors = set(b.tensors)
    try:
        key = step(n)
    except RowforgeError:
        key = None  # a window that does not fit its image
    if key is not None and n.affordable and all(n.fits(b.shape(k)) for k in b.tensors):
        n.add(key, leaf=b.tensors[key].dtype == "int32")
        return True
    del b.nodes[nodes:], b.inputs[inputs:], n.live[live:]
    for name in set(b.tensors) - tensors:
        del b.tensors[name], b.zeros[name]
    return False
