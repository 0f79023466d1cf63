"""Cuts an operator's output into tiles whose operands and results fit the global buffer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, prod

from compiler.operators.operation import Fetched, Operation, Shape4, size_of, whole
from compiler.schedule.goal import Figure, Goal, least_first
from compiler.schedule.space import Space
from compiler.stream.surface import surface_words
from compiler.stream.traffic import Transfers
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Box

COMMAND_WORDS = 32  # of a tile, besides what it moves
MAX_TILES = 3072  # of a layer: a tile takes a millisecond to compile; VGG-16 on `tiny` has 2240
_MOST_ACROSS = 4  # tiles across a row, where a tile has several rows
_MOST_TRIED = 16  # tile sizes whose mappings are searched, most promising first


@dataclass(frozen=True)
class Tiling:
    """Tile size, and what must be moved for it.

    resident : for each operand, then the output: it stays in the buffer whole
    slots : buffers of each operand and the output, two where one is moved while the other is used
    groups : psum groups that the tiles may use
    figure : of all tiles with their moves, by the goal; before the search, a lower bound
    """

    size: Shape4
    resident: tuple[bool, ...]
    slots: tuple[int, ...]
    groups: int
    moves: Transfers
    figure: Figure


def count_tiles(operation: Operation, size: Shape4) -> int:
    """How many tiles of this size the output has, smaller ones at its ends included."""
    return prod(ceil(n / part) for n, part in zip(operation.target, size, strict=True))


def check_count(operation: Operation, size: Shape4) -> None:
    """Refuses a layer of more tiles than `MAX_TILES`, before any is made."""
    count = count_tiles(operation, size)
    if count > MAX_TILES:
        raise RowforgeError(
            f"{operation.name}: it takes {count} tiles of the global buffer, at most {MAX_TILES}; "
            f"use a larger buffer (buffer.banks, buffer.depth) or smaller inputs"
        )


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


def tile_sizes(operation: Operation, size: Shape4) -> dict[Shape4, int]:
    """How many tiles there are of each size."""
    axes = []
    for whole_, part in zip(operation.target, size, strict=True):
        count, rest = divmod(whole_, part)
        axes.append([(part, count)] * (count > 0) + [(rest, 1)] * (rest > 0))
    found: dict[Shape4, int] = {}
    for parts in product(*axes):
        (items, i), (rows, r), (columns, c), (channels, m) = parts
        found[items, rows, columns, channels] = i * r * c * m
    return found


def operand_words(
    config: Config, operation: Operation, size: Shape4, operand: int, *, channels: int | None = None
) -> int:
    """Buffer words of an operand's part for a tile of this size, the largest of all tiles.

    `channels`: of the part, where it has not all that the tile needs.
    """
    items, rows, columns, needed = (
        operation.longest_reach(axis, part, operand) for axis, part in enumerate(size)
    )
    return surface_words(config, (items, rows, columns, channels or needed))


def find_tiling(
    space: Space, operation: Operation, resident: tuple[bool, ...], free: int, goal: Goal
) -> Tiling | None:
    """The goal's best tile size when `free` words (and the banks above for psums) are left.

    `resident` operands and output take no space of the tiles. None if no tile is legal.
    """
    least: dict[Shape4, int] = {}

    def weighed(choice: Tiling) -> tuple[Figure, tuple[int, int], Tiling]:
        if choice.size not in least:
            counts = tile_sizes(operation, choice.size).items()
            least[choice.size] = sum(n * operation.least_tile_cycles(part) for part, n in counts)
        figure = goal.figure(choice.moves, least[choice.size])
        return figure, (choice.moves.words, -choice.groups), replace(choice, figure=figure)

    choices = least_first(
        ((choice, choice.figure) for choice in _choices(space, operation, resident, free, goal)),
        weighed,
    )
    best: Tiling | None = None
    tried = 0
    too_few = -1  # psum groups with which no mapping is legal, whatever the tile
    for choice in choices:
        if choice.groups <= too_few:
            continue
        if best is not None and (choice.figure >= best.figure or tried >= _MOST_TRIED):
            break
        found = _searched(space, operation, choice, goal)
        if found is None:
            too_few = choice.groups
            continue
        tried += 1
        if best is None or found.figure < best.figure:
            best = found
    return best


def _searched(space: Space, operation: Operation, choice: Tiling, goal: Goal) -> Tiling | None:
    """The tiling with the figure of the mappings of its tiles; None if one has none."""
    beats = space.psum_beats(choice.groups)
    cycles, fetched = 0, Fetched()
    for size, count in tile_sizes(operation, choice.size).items():
        try:
            cycles += count * operation.cycles(size, beats, rough=True)
        except RowforgeError:
            return None
        fetched += operation.fetched(size, beats) * count
    moves = replace(choice.moves, filters=fetched.filters, reads=fetched.reads)
    return replace(choice, moves=moves, figure=goal.figure(moves, cycles, fetched.accesses))


def _choices(
    space: Space, operation: Operation, resident: tuple[bool, ...], free: int, goal: Goal
) -> Iterator[Tiling]:
    """Tile sizes and numbers of buffers that fit, with the words they move.

    Their figures are the least that the tiles' mappings can have.
    """
    config = space.config
    N, E, F, _ = operation.target
    base = space.limit(0) - free
    moved = [(1, 2) if not kept else (1,) for kept in resident]
    for size in product(_divisors(N), even_parts(E), even_parts(F), _channel_parts(operation)):
        if size[1] > 1 and ceil(F / size[2]) > _MOST_ACROSS:
            continue
        if not operation.countable(size):
            continue
        words = part_words(config, operation, resident, size)
        # A nest has a channel at least.
        ideal = operation.ideal_cycles(count_tiles(operation, size) * size[3])
        for slots in product(*moved):
            need = sum(w * count for w, count in zip(words, slots, strict=True))
            groups = space.groups_above(base + need)
            if groups >= 0:
                moves = _moves(operation, resident, slots, size, words, config)
                yield Tiling(size, resident, slots, groups, moves, goal.figure(moves, ideal))


def part_words(
    config: Config, operation: Operation, resident: tuple[bool, ...], size: Shape4
) -> list[int]:
    """Buffer words of a tile's part of each operand, then of the output; 0 where resident."""
    words = [
        0 if kept else operand_words(config, operation, size, index)
        for index, kept in enumerate(resident[:-1])
    ]
    return [*words, 0 if resident[-1] else surface_words(config, size, raw=operation.raw)]


def _moves(
    operation: Operation,
    resident: tuple[bool, ...],
    slots: tuple[int, ...],
    size: Shape4,
    words: list[int],
    config: Config,
) -> Transfers:
    """Words loaded and stored for the whole operator.

    What is moved with a second buffer is hidden but for the first part in and the last part out.
    """
    N, E, F, M = operation.target
    bands = ceil(N / size[0]) * ceil(E / size[1]) * ceil(F / size[2])
    parts = ceil(M / size[3])
    times = bands * (parts if operation.follows_channels else 1)
    loaded = exposed = stored = 0
    for count, each in zip(slots[:-1], words[:-1], strict=True):
        hidden = (times - 1) * each if count > 1 else 0
        loaded += hidden
        exposed += times * each - hidden
    if not resident[-1]:
        total = surface_words(config, (N, E, F, M), raw=operation.raw)
        last = words[-1] if slots[-1] > 1 else total
        stored, exposed = total - last, exposed + last
    exposed += COMMAND_WORDS * bands * parts
    return Transfers(loaded=loaded, stored=stored, exposed=exposed)


def _divisors(number: int) -> list[int]:
    return [n for n in range(number, 0, -1) if number % n == 0]


def even_parts(size: int) -> list[int]:
    """Sizes of even cuts, largest first."""
    return list(dict.fromkeys(ceil(size / n) for n in range(1, size + 1)))


def _channel_parts(operation: Operation) -> list[int]:
    """Channels of a tile, largest first: whole steps, or all."""
    M, step = operation.target[3], operation.channel_step
    most = min(M, operation.most_channels)
    sizes = {most} if most == M else set()
    for part in even_parts(ceil(M / step)):
        sizes.add(min(part * step, M))
    return sorted((size for size in sizes if size <= most), reverse=True)


def full_size(operation: Operation) -> Shape4:
    """The tile that is the whole output."""
    return size_of(whole(operation.target))
