"""Cuts an operator's output into tiles whose operands and results fit the global buffer."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil

from compiler.allocate import Space
from compiler.lower.operation import Operation, Shape4, Span, size_of, whole
from compiler.lower.surface import surface_words
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Box

_MOST_TRIED = 16  # tile sizes whose mappings are searched, least traffic first


@dataclass(frozen=True)
class Tiling:
    """Tile size, and what must be moved for it.

    resident : for each operand, then the output: it stays in the buffer whole
    groups : psum groups that the tiles may use
    """

    size: Shape4
    resident: tuple[bool, ...]
    groups: int
    traffic: int
    cycles: int

    def dominates(self, other: "Tiling") -> bool:
        """Not smaller along any axis, with no less psum space."""
        larger = all(a >= b for a, b in zip(self.size, other.size, strict=True))
        return larger and self.groups >= other.groups

    @property
    def total(self) -> int:
        """Cycles with those in which tiles are moved."""
        return self.cycles + self.traffic


def tiles(operation: Operation, size: Shape4) -> Iterator[Box]:
    """The output's tiles: items, rows, columns, then channels, which share a band of operands."""
    N, E, F, M = operation.target
    for item in range(0, N, size[0]):
        for row in range(0, E, size[1]):
            for column in range(0, F, size[2]):
                for channel in range(0, M, size[3]):
                    yield Box(
                        (item, min(item + size[0], N)),
                        (row, min(row + size[1], E)),
                        (column, min(column + size[2], F)),
                        (channel, min(channel + size[3], M)),
                    )


def operand_words(config: Config, operation: Operation, size: Shape4, operand: int) -> int:
    """Buffer words of an operand's part for a tile of this size, the largest there is."""
    N, E, F, M = operation.target
    most = 0
    spans = [
        {(at, at + n) for at in (0, (whole_ - n) // 2, whole_ - n)}
        for n, whole_ in zip(size, (N, E, F, M), strict=True)
    ]
    for items, rows, columns in product({(0, size[0])}, spans[1], spans[2]):
        for channels in _channel_spans(operation, size[3]):
            reach = operation.reach(Box(items, rows, columns, channels), operand)
            most = max(most, surface_words(config, size_of(reach)))
    return most


def _channel_spans(operation: Operation, channels: int) -> list[Span]:
    """The channels of tiles, all of them where operands follow their own."""
    M = operation.target[3]
    starts = range(0, M, channels) if operation.follows_channels else (0,)
    return [(start, min(start + channels, M)) for start in starts]


def find_tiling(
    space: Space, operation: Operation, resident: tuple[bool, ...], free: int
) -> Tiling | None:
    """The best tile size when `free` words (and the banks above for psums) are left for tiles.

    `resident` operands and output take no space of the tiles. None if no tile is legal.
    """
    choices = sorted(
        _choices(space, operation, resident, free), key=lambda c: (c.traffic, -c.groups)
    )
    best: Tiling | None = None
    tried: list[Tiling] = []
    too_few = -1  # psum groups with which no mapping is legal, whatever the tile
    for choice in choices:
        if choice.groups <= too_few:
            continue
        if best is not None:
            if choice.traffic + operation.least_cycles >= best.total or len(tried) >= _MOST_TRIED:
                break
            if any(other.dominates(choice) for other in tried):
                continue
        cycles = _cycles(space, operation, choice)
        if cycles is None:
            too_few = choice.groups
            continue
        tried.append(choice)
        found = Tiling(choice.size, choice.resident, choice.groups, choice.traffic, cycles)
        if best is None or found.total < best.total:
            best = found
    return best


def _cycles(space: Space, operation: Operation, choice: Tiling) -> int | None:
    beats = space.psum_beats(choice.groups)
    total = 0
    counts: dict[Shape4, int] = {}
    for tile in tiles(operation, choice.size):
        size = size_of(tile)
        counts[size] = counts.get(size, 0) + 1
    for size, count in counts.items():
        try:
            total += count * operation.cycles(size, beats, rough=True)
        except RowforgeError:
            return None
    return total


def _choices(
    space: Space, operation: Operation, resident: tuple[bool, ...], free: int
) -> Iterator[Tiling]:
    """Tile sizes that fit, with the words they move."""
    config = space.config
    N, E, F, _ = operation.target
    base = space.limit(0) - free
    for size in product(_divisors(N), _parts(E), _parts(F), _channel_parts(operation)):
        if size[2] < F and size[1] > 1:
            continue
        words = tile_words(config, operation, resident, size)
        groups = space.groups_above(base + words)
        if groups >= 0:
            yield Tiling(size, resident, groups, _traffic(config, operation, resident, size), 0)


def tile_words(
    config: Config, operation: Operation, resident: tuple[bool, ...], size: Shape4
) -> int:
    """Buffer words of a tile's operands and output, those that are not resident anyway."""
    loaded = sum(
        operand_words(config, operation, size, index)
        for index, kept in enumerate(resident[:-1])
        if not kept
    )
    stored = 0 if resident[-1] else surface_words(config, size, raw=operation.raw)
    return loaded + stored


def _traffic(config: Config, operation: Operation, resident: tuple[bool, ...], size: Shape4) -> int:
    """Words loaded and stored for the whole operator, and a cost for every tile."""
    N, E, F, M = operation.target
    bands = ceil(N / size[0]) * ceil(E / size[1]) * ceil(F / size[2])
    parts = ceil(M / size[3])
    times = bands * (parts if operation.follows_channels else 1)
    loaded = sum(
        times * operand_words(config, operation, size, index)
        for index, kept in enumerate(resident[:-1])
        if not kept
    )
    shape = (N, E, F, M)
    stored = 0 if resident[-1] else surface_words(config, shape, raw=operation.raw)
    return loaded + stored + 64 * bands * parts


def _divisors(number: int) -> list[int]:
    return [n for n in range(number, 0, -1) if number % n == 0]


def _parts(size: int) -> list[int]:
    """Sizes of even cuts, largest first."""
    return list(dict.fromkeys(ceil(size / n) for n in range(1, size + 1)))


def _channel_parts(operation: Operation) -> list[int]:
    """Channels of a tile, largest first: whole steps, or all."""
    M, step = operation.target[3], operation.channel_step
    most = min(M, operation.most_channels)
    sizes = {most} if most == M else set()
    for part in _parts(ceil(M / step)):
        sizes.add(min(part * step, M))
    return sorted((size for size in sizes if size <= most), reverse=True)


def full_size(operation: Operation) -> Shape4:
    """The tile that is the whole output."""
    return size_of(whole(operation.target))
