"""What a step that only moves values puts where: pieces that are alike along every axis.

A tensor here has four axes: items, rows, columns, channels. A piece says of each axis which
positions of the output it fills and from which positions of the input; the positions along one axis
do not depend on those along another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

Shape4: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True)
class Along:
    """One axis of a piece: position `start + i * step` of the output holds `source[i]`."""

    start: int
    step: int
    source: tuple[int, ...]

    def within(self, begin: int, end: int) -> "Along":
        """The part of which the output's positions lie in the span, counted from its begin."""
        first = max(-((self.start - begin) // self.step), 0)
        last = max(-((self.start - end) // self.step), first)
        start = self.start + first * self.step - begin
        return Along(start, self.step, self.source[first:last])


@dataclass(frozen=True)
class Piece:
    """Part of an output, by its axes: items, rows, columns, channels (or blocks of them)."""

    axes: tuple[Along, Along, Along, Along]


@dataclass(frozen=True)
class Moved:
    """An output made of pieces of one input; `fill` is the stored value elsewhere, None if there is
    no elsewhere."""

    pieces: tuple[Piece, ...]
    fill: int | None = None


def moved(function: str, parameters: Mapping[str, Any], shape: Shape4) -> Moved | None:
    """What a host step makes of a tensor of this shape; None if it does more, or other, than move.

    Parameters
    ----------
    function, parameters : as for `numerics.host.run_host`
    shape : of its one input
    """
    reader = _READERS.get(function)
    return None if reader is None else reader(shape, **parameters)


def blocks(along: Along, lanes: int, size: int) -> Along | None:
    """The channels of a piece as blocks of `lanes`; None if they are not whole blocks.

    The last block of an output of `size` channels may have fewer.
    """
    if along.step != 1 or along.start % lanes:
        return None
    if len(along.source) % lanes and along.start + len(along.source) != size:
        return None
    source = []
    for place in range(0, len(along.source), lanes):
        first = along.source[place]
        part = along.source[place : place + lanes]
        if first % lanes or part != tuple(range(first, first + len(part))):
            return None
        source.append(first // lanes)
    return Along(along.start // lanes, 1, tuple(source))


# ---- the steps ----------------------------------------------------------------------------------


def _chosen(shape: Shape4, chosen: Mapping[int, Sequence[int]]) -> Moved | None:
    """A single piece: along some axes these positions, along the others all."""
    axes = [Along(0, 1, tuple(chosen.get(axis, range(n)))) for axis, n in enumerate(shape)]
    if any(min(along.source) < 0 for along in axes):
        return None  # values from outside
    return Moved((Piece((axes[0], axes[1], axes[2], axes[3])),))


def _pick(shape: Shape4, *, axes: Sequence[int], positions: Sequence[Sequence[int]]) -> Any:
    return _chosen(shape, dict(zip(axes, positions, strict=True)))


def _take(
    shape: Shape4, *, axes: Sequence[int], indices: Sequence[Sequence[int]], fill: float = 0
) -> Any:
    return _chosen(shape, dict(zip(axes, indices, strict=True)))


def _slice(
    shape: Shape4,
    *,
    axes: Sequence[int],
    start: Sequence[int],
    stop: Sequence[int],
    step: Sequence[int],
) -> Any:
    spans = {
        axis: range(shape[axis])[slice(*limits)]
        for axis, *limits in zip(axes, start, stop, step, strict=True)
    }
    return _chosen(shape, spans)


def _tile(shape: Shape4, *, rank: int, axes: Sequence[int], counts: Sequence[int]) -> Any:
    if rank != len(shape):
        return None
    repeated = {
        axis: tuple(range(shape[axis])) * count for axis, count in zip(axes, counts, strict=True)
    }
    return _chosen(shape, repeated)


def _depth_to_space(
    shape: Shape4, *, block: Sequence[int], start: Sequence[int], size: Sequence[int]
) -> Moved:
    items, rows, columns, depth = shape
    by, bx = block
    channels = depth // (by * bx)
    pieces = []
    for i, j in product(range(by), range(bx)):
        first = (i * bx + j) * channels
        pieces.append(
            Piece(
                (
                    _all(items),
                    _spread(rows, by, i, start[0], size[0]),
                    _spread(columns, bx, j, start[1], size[1]),
                    Along(0, 1, tuple(range(first, first + channels))),
                )
            )
        )
    return Moved(tuple(pieces))


def _space_to_depth(shape: Shape4, *, block: Sequence[int]) -> Moved:
    items, rows, columns, channels = shape
    by, bx = block
    pieces = []
    for i, j in product(range(by), range(bx)):
        first = (i * bx + j) * channels
        pieces.append(
            Piece(
                (
                    _all(items),
                    Along(0, 1, tuple(range(i, rows, by))),
                    Along(0, 1, tuple(range(j, columns, bx))),
                    Along(first, 1, tuple(range(channels))),
                )
            )
        )
    return Moved(tuple(pieces))


def _space_to_batch(
    shape: Shape4, *, block: Sequence[int], pads: Sequence[Sequence[int]], value: int
) -> Any:
    if len(block) != 2:
        return None
    items, rows, columns, channels = shape
    (by, bx), (top, left) = block, (pads[0][0], pads[1][0])
    pieces = []
    for i, j in product(range(by), range(bx)):
        down, along = _every(rows, by, i, top), _every(columns, bx, j, left)
        if down.source and along.source:
            first = (i * bx + j) * items
            into = Along(first, 1, tuple(range(items)))
            pieces.append(Piece((into, down, along, _all(channels))))
    return Moved(tuple(pieces), value if any(map(any, pads)) else None)


def _batch_to_space(shape: Shape4, *, block: Sequence[int], crops: Sequence[Sequence[int]]) -> Any:
    if len(block) != 2:
        return None
    items, rows, columns, channels = shape
    by, bx = block
    count = items // (by * bx)
    (top, bottom), (left, right) = crops
    pieces = []
    for i, j in product(range(by), range(bx)):
        first = (i * bx + j) * count
        pieces.append(
            Piece(
                (
                    Along(0, 1, tuple(range(first, first + count))),
                    _spread(rows, by, i, top, rows * by - top - bottom),
                    _spread(columns, bx, j, left, columns * bx - left - right),
                    _all(channels),
                )
            )
        )
    return Moved(tuple(pieces))


def _set_apart(
    shape: Shape4,
    *,
    image: Sequence[int],
    stride: Sequence[int],
    cut: Sequence[int],
    value: int,
) -> Moved | None:
    items, rows, columns, channels = shape
    if (rows, columns, channels) != tuple(image):
        return None
    heights, widths = ((n - 1) * step + 1 for n, step in zip(image[:2], stride, strict=True))
    top, left, bottom, right = cut
    down = _spread(rows, stride[0], 0, top, heights - top - bottom)
    along = _spread(columns, stride[1], 0, left, widths - left - right)
    return Moved((Piece((_all(items), down, along, _all(channels))),), value)


def _all(size: int) -> Along:
    return Along(0, 1, tuple(range(size)))


def _spread(count: int, step: int, offset: int, begin: int, size: int) -> Along:
    """All of an axis at every `step`-th position from `offset` on, then cut to a span."""
    return Along(offset, step, tuple(range(count))).within(begin, begin + size)


def _every(size: int, step: int, offset: int, before: int) -> Along:
    """Every `step`-th position from `offset` on of an axis with padding before it."""
    first = -((before - offset) // -step) if before > offset else 0
    source = tuple(range(offset + first * step - before, size, step))
    return Along(first, 1, source)


_READERS: Mapping[str, Callable[..., Moved | None]] = {
    "pick": _pick,
    "take_ort": _take,
    "slice": _slice,
    "tile": _tile,
    "depth_to_space": _depth_to_space,
    "space_to_depth": _space_to_depth,
    "space_to_batch": _space_to_batch,
    "batch_to_space": _batch_to_space,
    "spread_ort": _set_apart,
}
