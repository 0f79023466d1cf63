"""Random operators that move values: parts, blocks, positions, sizes."""

from collections.abc import Sequence

import numpy as np

from tests.campaigns.fuzz_graph.tflite.writer import OddLayers, Step


def _moved(
    layers: OddLayers,
    kind: str,
    source: int,
    target: Sequence[int],
    *limits: object,
    **options: int,
) -> int:
    operands = [source, *(layers.numbers(values) for values in limits)]
    return layers.writer.operator(kind, operands, layers.like(source, target), **options)


def resize(kind: str) -> Step:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR, in one of their modes."""

    def step(layers: OddLayers, source: int) -> int | None:
        shape = layers.shape(source)
        if len(shape) != 4:
            return None
        size = layers.random.integers(1, 13, 2).tolist()
        modes = [{}, {"AlignCorners": 1}, {"HalfPixelCenters": 1}]
        mode = modes[int(layers.random.integers(3))]
        layers.note("attribute", f"resized {next(iter(mode), 'plainly')}")
        return _moved(layers, kind, source, (shape[0], *size, shape[3]), size, **mode)

    return step


def split(layers: OddLayers, source: int) -> int | None:
    """SPLIT into two or three equal parts, or SPLIT_V into two of any size."""
    shape = layers.shape(source)
    axis = int(layers.random.integers(len(shape)))
    extent = shape[axis]
    counts = [n for n in (2, 3) if extent % n == 0]
    equal = bool(counts) and layers.chance(0.5)
    if extent < 2:
        return None
    if equal:
        count = int(layers.random.choice(counts))
        sizes = [extent // count] * count
    else:
        first = int(layers.random.integers(1, extent))
        sizes = [first, extent - first]
    outputs = [layers.like(source, (*shape[:axis], n, *shape[axis + 1 :])) for n in sizes]
    operands = [source, layers.numbers(sizes), layers.numbers(axis)]
    kind = "SPLIT" if equal else "SPLIT_V"
    layers.writer.operator(
        kind,
        [layers.numbers(axis), source] if equal else operands,
        outputs,
        NumSplits=len(sizes),
    )
    layers.others += outputs[1:]
    return outputs[0]


def unpack(layers: OddLayers, source: int) -> int | None:
    """UNPACK of a short axis that is not the first."""
    shape = layers.shape(source)
    axes = [axis for axis in range(1, len(shape)) if shape[axis] <= 4]
    if len(shape) < 3 or not axes:
        return None
    axis = int(layers.random.choice(axes))
    target = (*shape[:axis], *shape[axis + 1 :])
    outputs = [layers.like(source, target) for _ in range(shape[axis])]
    layers.writer.operator("UNPACK", [source], outputs, Axis=axis, Num=shape[axis])
    layers.others += outputs[1:]
    return outputs[0]


def pack(layers: OddLayers, source: int) -> int | None:
    """PACK of a tensor with itself."""
    shape = layers.shape(source)
    if len(shape) > 3:
        return None
    axis = int(layers.random.integers(1, len(shape) + 1))
    y = layers.like(source, (*shape[:axis], 2, *shape[axis:]))
    return layers.writer.operator("PACK", [source, source], y, Axis=axis, ValuesCount=2)


def gather(layers: OddLayers, source: int) -> int | None:
    """GATHER along an axis that is not the first."""
    shape = layers.shape(source)
    if len(shape) < 2:
        return None
    axis = int(layers.random.integers(1, len(shape)))
    positions = layers.random.integers(0, shape[axis], int(layers.random.integers(1, 5)))
    target = (*shape[:axis], positions.size, *shape[axis + 1 :])
    return _moved(layers, "GATHER", source, target, positions, Axis=axis)


def gather_nd(layers: OddLayers, source: int) -> int | None:
    """GATHER_ND of rows or values, in a tensor of one item."""
    shape = layers.shape(source)
    depth = int(layers.random.integers(1, len(shape) + 1))
    count = int(layers.random.integers(1, 5))
    columns = [layers.random.integers(0, n, count) for n in shape[:depth]]
    positions = np.stack(columns, axis=-1)[np.newaxis]
    return _moved(layers, "GATHER_ND", source, (1, count, *shape[depth:]), positions)


def mirror_pad(layers: OddLayers, source: int) -> int | None:
    """MIRROR_PAD of all axes but the first, reflecting or symmetric."""
    shape = layers.shape(source)
    mode = int(layers.random.integers(2))
    pads = [(0, 0)]
    for n in shape[1:]:
        most = min(2, n - 1 + mode)
        pads.append((int(layers.random.integers(most + 1)), int(layers.random.integers(most + 1))))
    target = [n + sum(pair) for n, pair in zip(shape, pads, strict=True)]
    return _moved(layers, "MIRROR_PAD", source, target, pads, Mode=mode)


def reverse(layers: OddLayers, source: int) -> int | None:
    """REVERSE_V2 along one axis."""
    shape = layers.shape(source)
    axis = int(layers.random.integers(len(shape)))
    return _moved(layers, "REVERSE_V2", source, shape, [axis])


def broadcast(layers: OddLayers, source: int) -> int | None:
    """BROADCAST_TO along one axis of size 1, of up to four."""
    shape = layers.shape(source)
    ones = [axis for axis, n in enumerate(shape) if n == 1 and axis]
    if not ones or len(shape) > 4:
        return None
    axis = int(layers.random.choice(ones))
    target = [int(layers.random.integers(2, 5)) if at == axis else n for at, n in enumerate(shape)]
    return _moved(layers, "BROADCAST_TO", source, target, target)


def blocks(kind: str) -> Step:
    """DEPTH_TO_SPACE or SPACE_TO_DEPTH; rows, columns or channels are padded to fit."""

    def step(layers: OddLayers, source: int) -> int | None:
        shape = layers.shape(source)
        if len(shape) != 4:
            return None
        size = int(layers.random.choice([2, 2, 3]))
        if kind == "DEPTH_TO_SPACE":
            missing = [0, 0, 0, -shape[3] % (size * size)]
        else:
            missing = [0, -shape[1] % size, -shape[2] % size, 0]
        x = layers.pad(source, [(0, n) for n in missing]) if any(missing) else source
        N, H, W, C = layers.shape(x)
        target = (N, H * size, W * size, C // size**2)
        if kind == "SPACE_TO_DEPTH":
            target = (N, H // size, W // size, C * size**2)
        return _moved(layers, kind, x, target, BlockSize=size)

    return step


def batches(layers: OddLayers, source: int) -> int | None:
    """SPACE_TO_BATCH_ND, a pool or nothing, and BATCH_TO_SPACE_ND with crops."""
    shape = layers.shape(source)
    if len(shape) != 4:
        return None
    block = layers.random.integers(1, 4, 2).tolist()
    missing = [-n % size for n, size in zip(shape[1:3], block, strict=True)]
    x = source
    if any(missing):
        x = layers.pad(source, [(0, 0), (0, missing[0]), (0, missing[1]), (0, 0)])
    N, H, W, C = layers.shape(x)
    inner = (N * block[0] * block[1], H // block[0], W // block[1], C)
    nothing = [[0, 0], [0, 0]]
    x = _moved(layers, "SPACE_TO_BATCH_ND", x, inner, block, nothing)
    layers.note("operator", "SPACE_TO_BATCH_ND")
    if layers.chance(0.5):
        x = layers.pool("MAX_POOL_2D", x, (1, 1))
    crops = [[0, min(n, H - 1) if not at else min(n, W - 1)] for at, n in enumerate(missing)]
    target = (N, H - crops[0][1], W - crops[1][1], C)
    return _moved(layers, "BATCH_TO_SPACE_ND", x, target, block, crops)


MOVES: dict[str, tuple[int, Step]] = {
    "RESIZE_NEAREST_NEIGHBOR": (2, resize("RESIZE_NEAREST_NEIGHBOR")),
    "RESIZE_BILINEAR": (2, resize("RESIZE_BILINEAR")),
    "SPLIT": (4, split),
    "UNPACK": (2, unpack),
    "PACK": (2, pack),
    "GATHER": (1, gather),
    "GATHER_ND": (1, gather_nd),
    "MIRROR_PAD": (1, mirror_pad),
    "REVERSE_V2": (1, reverse),
    "BROADCAST_TO": (3, broadcast),
    "DEPTH_TO_SPACE": (2, blocks("DEPTH_TO_SPACE")),
    "SPACE_TO_DEPTH": (2, blocks("SPACE_TO_DEPTH")),
    "BATCH_TO_SPACE_ND": (2, batches),
}
"""Relative frequency and maker of every kind of operator that moves values."""
