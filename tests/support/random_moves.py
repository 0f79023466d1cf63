"""Random host steps that only move values."""

from collections.abc import Callable
from typing import Any

import numpy as np

Shape4 = tuple[int, int, int, int]
Step = tuple[str, dict[str, Any]]


def random_move(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """A step and its parameters for a tensor of this shape; channels often go in whole blocks."""
    kinds = [*_ANY, *(kind for kind, suits in _SOME.items() if suits(shape))]
    return kinds[int(rng.integers(len(kinds)))](rng, shape, lanes)


def enlarge(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """Rows and columns by whole factors, as upsampling by the nearest value does."""
    rows, columns = (int(n) for n in rng.integers(1, 4, 2))
    positions = tuple(
        tuple(np.repeat(range(size), times).tolist())
        for size, times in zip(shape[1:3], (rows, columns), strict=True)
    )
    return "pick", {"axes": (1, 2), "positions": positions}


def pick(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """Any positions of an axis, in rising order or not."""
    axis = int(rng.integers(1, 4))
    if axis == 3:
        return "take_ort", {"axes": (3,), "indices": (_channels(rng, shape[3], lanes),)}
    chosen = rng.integers(0, shape[axis], int(rng.integers(1, shape[axis] + 3)))
    if rng.random() < 0.7:
        chosen.sort()
    return "pick", {"axes": (axis,), "positions": (tuple(chosen.tolist()),)}


def cut(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """A part of an axis, perhaps with steps, perhaps backwards."""
    axis = int(rng.integers(1, 4))
    size = shape[axis]
    grain = lanes if axis == 3 and size > lanes else 1
    begin = grain * int(rng.integers(0, -(-size // grain)))
    end = min(begin + grain * int(rng.integers(1, -(-size // grain) + 1)), size)
    step = 1 if axis == 3 else int(rng.choice([1, 1, 2, 3]))
    limits = (begin, end, step)
    if axis != 3 and begin > 0 and rng.random() < 0.2:
        limits = (end - 1, begin - 1, -1)
    start, stop, steps = ((value,) for value in limits)
    return "slice", {"axes": (axis,), "start": start, "stop": stop, "step": steps}


def tile(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """The whole repeated along an axis."""
    axis, count = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    return "tile", {"rank": 4, "axes": (axis,), "counts": (count,)}


def depth_to_space(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """Channels to blocks of pixels."""
    block = (2, 2) if shape[3] % 4 == 0 else (2, 1)
    size = (shape[1] * block[0], shape[2] * block[1])
    start = tuple(int(rng.integers(0, 2)) if n > 1 else 0 for n in size)
    size = tuple(n - first for n, first in zip(size, start, strict=True))
    return "depth_to_space", {"block": block, "start": start, "size": size}


def space_to_depth(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """Blocks of pixels to channels."""
    block = tuple(2 if n % 2 == 0 else 1 for n in shape[1:3])
    return "space_to_depth", {"block": block}


def space_to_batch(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """Every second row and column to an item of its own, after padding."""
    before = [int(n) for n in rng.integers(0, 3, 2)]
    pads = tuple((b, -(n + b) % 2) for n, b in zip(shape[1:3], before, strict=True))
    value = int(rng.integers(0, 9))
    return "space_to_batch", {"block": (2, 2), "pads": pads, "value": value}


def set_apart(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """Values between constants."""
    stride = tuple(int(n) for n in rng.integers(1, 4, 2))
    parameters = {"image": shape[1:], "stride": stride, "cut": (0, 0, 0, 0), "value": 3}
    return "spread_ort", parameters


def batch_to_space(rng: np.random.Generator, shape: Shape4, lanes: int) -> Step:
    """Four items to one."""
    crops = tuple((int(rng.integers(0, 2)), 0) for _ in range(2))
    return "batch_to_space", {"block": (2, 2), "crops": crops}


def _channels(rng: np.random.Generator, size: int, lanes: int) -> tuple[int, ...]:
    """Whole blocks in any order, or one channel everywhere."""
    if size < lanes:
        return tuple(range(size)) if rng.random() < 0.5 else (size - 1,) * int(rng.integers(1, 5))
    order = rng.integers(0, size // lanes, int(rng.integers(1, 4)))
    return tuple(int(block) * lanes + lane for block in order for lane in range(lanes))


_ANY: tuple[Callable[..., Step], ...] = (
    enlarge,
    enlarge,
    pick,
    cut,
    tile,
    space_to_batch,
    set_apart,
)
_SOME: dict[Callable[..., Step], Callable[[Shape4], bool]] = {
    depth_to_space: lambda shape: shape[3] % 2 == 0,
    space_to_depth: lambda shape: shape[1] % 2 == 0 or shape[2] % 2 == 0,
    batch_to_space: lambda shape: shape[0] == 4,
}
