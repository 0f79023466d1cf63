"""Cuts an operator's output into tiles whose operands and results fit the global buffer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import product
from math import ceil, prod

from compiler.operators.operation import Fetched, Operation, Shape4, size_of, whole
from compiler.schedule.goal import Figure, Goal, least_first
from compiler.schedule.parts.sliding import common_rows, slid_words
from compiler.schedule.space import Space
from compiler.stream.surface import surface_words
from compiler.stream.traffic import RESIDENT, Transfers
from hw.arch.accesses import Accesses
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Box
from hw.arch.program.layout import MOST_SPREAD

COMMAND_WORDS = 32  # of a tile, besides what it moves
MAX_TILES = 3072  # of a layer: a tile takes a millisecond to compile; VGG-16 on `tiny` has 2240
_MOST_ACROSS = 4  # tiles across a row, where a tile has several rows
_FEW_COLUMNS = 14  # no more tiles across than that, but where filters take a part of the buffer
_SLIDING_STEPS = 4  # bands that a buffer holds at most beyond two whole ones
_MOST_TRIED = 16  # tile sizes whose mappings are searched, most promising first


@dataclass(frozen=True)
class Tiling:
    """Tile size, and what must be moved for it.

    resident : for each operand, then the output: it stays in the buffer whole
    slots : buffers of each operand and the output, two where one is moved while the other is used
    groups : psum groups that the tiles may use
    sliding : rows of the buffer down which bands of the first operand slide; 0: it has slots
    images : buffer words that are left for filters; 0: none are
    by_filters : they are the filters of a tile; tiles of other channels come after all of its
    figure : of all tiles with their moves, by the goal; before the search, a lower bound
    """

    size: Shape4
    resident: tuple[bool, ...]
    slots: tuple[int, ...]
    groups: int
    moves: Transfers
    figure: Figure
    sliding: int = 0
    images: int = 0
    by_filters: bool = False


def count_tiles(operation: Operation, size: Shape4) -> int:
    """How many tiles of this size the output has, smaller ones at its ends included."""
    return prod(len(operation.cuts(axis, part)) for axis, part in enumerate(size))


def check_count(operation: Operation, size: Shape4) -> None:
    """Refuses a layer of more tiles than `MAX_TILES`, before any is made."""
    count = count_tiles(operation, size)
    if count > MAX_TILES:
        raise RowforgeError(
            f"{operation.name}: it takes {count} tiles of the global buffer, at most {MAX_TILES}; "
            f"use a larger buffer (buffer.banks, buffer.depth) or smaller inputs"
        )


def tiles(
    operation: Operation, size: Shape4, *, down: bool = False, by_filters: bool = False
) -> Iterator[Box]:
    """The output's tiles: items, rows, columns, then channels, which share a band of operands.

    down : rows come after columns, so that bands of a strip of columns follow one another
    by_filters : channels come first of all
    """
    items, rows, columns, channels = (operation.cuts(axis, part) for axis, part in enumerate(size))
    pixels = (
        ((row, column) for column in columns for row in rows) if down else product(rows, columns)
    )
    first, last = (channels, [None]) if by_filters else ([None], channels)
    for outer, item, (row, column), inner in product(first, items, pixels, last):
        channel = outer or inner
        assert channel is not None
        yield Box(item, row, column, channel)


def tile_sizes(operation: Operation, size: Shape4) -> dict[Shape4, int]:
    """How many tiles there are of each size."""
    axes = [operation.cuts(axis, part).lengths().items() for axis, part in enumerate(size)]
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

    `resident` operands and output take no space of the tiles. None if no tile is legal. Tilings
    whose bands slide, and those that leave filters a place in the buffer, are searches of their
    own, and take no turns of others: the bounds of some have the words of filters, others not.
    """
    best: Tiling | None = None
    for kind in _Kind:
        if kind is _Kind.STORED and not operation.stored_filters:
            continue
        found = _find(space, operation, resident, free, goal, kind)
        if best is None or (found is not None and found.figure < best.figure):
            best = found
    return best


class _Kind(Enum):
    """What a search of tilings is about.

    PLAIN : parts take buffers in turn
    SLIDING : bands slide down a buffer
    STORED : filters have a place in the buffer, and bands may slide
    """

    PLAIN = "plain"
    SLIDING = "sliding"
    STORED = "stored"

    @property
    def most_tried(self) -> int:
        """Tile sizes whose mappings are searched, most promising first."""
        return _MOST_TRIED if self is _Kind.PLAIN else _MOST_TRIED // 2


def _find(
    space: Space,
    operation: Operation,
    resident: tuple[bool, ...],
    free: int,
    goal: Goal,
    kind: _Kind,
) -> Tiling | None:
    """The best tiling of a kind."""
    least: dict[Shape4, int] = {}

    def weighed(choice: Tiling) -> tuple[Figure, tuple[int, int], Tiling]:
        if choice.size not in least:
            counts = tile_sizes(operation, choice.size).items()
            least[choice.size] = sum(n * operation.least_tile_cycles(part) for part, n in counts)
        figure = goal.figure(choice.moves, least[choice.size])
        return figure, (choice.moves.words, -choice.groups), replace(choice, figure=figure)

    choices = _choices(space, operation, resident, free, goal, kind)
    ordered = least_first(
        ((choice, choice.figure) for choice in choices),
        weighed,
    )
    best: Tiling | None = None
    tried = 0
    too_few = -1  # psum groups with which no mapping is legal, whatever the tile
    for choice in ordered:
        if choice.groups <= too_few:
            continue
        if best is not None and (choice.figure >= best.figure or tried >= kind.most_tried):
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
    counts = tile_sizes(operation, choice.size)
    for size, count in counts.items():
        try:
            cycles += count * operation.cycles(size, beats, rough=True)
        except RowforgeError:
            return None
        fetched += operation.fetched(size, beats) * count
    moves, accesses = choice.moves, fetched.accesses
    if not choice.images:
        moves = replace(moves, filters=fetched.filters, reads=fetched.reads)
    else:
        if not _images_fit(operation, choice, list(counts), beats):
            return None
        # They come by a port of their own, and no STORE waits for them.
        moves = replace(moves, reads=fetched.reads)
        words = fetched.filters * LINK_WORD_BITS // space.config.array.data_width
        accesses += Accesses.of({RESIDENT: words})
    return replace(choice, moves=moves, figure=goal.figure(moves, cycles, accesses))


def _images_fit(
    operation: Operation, choice: Tiling, sizes: Sequence[Shape4], psum_beats: int
) -> bool:
    """Whether all tiles can take their filters from what a tiling leaves for them."""
    for channels in {size[3] for size in sizes}:
        alike = [size for size in sizes if size[3] == channels]
        words = operation.image_words(alike, psum_beats)
        room = choice.images
        if not choice.by_filters:
            room = ceil(room * channels / operation.target[3])
        if words is None or words > room:
            return False
    return True


def _choices(
    space: Space,
    operation: Operation,
    resident: tuple[bool, ...],
    free: int,
    goal: Goal,
    kind: _Kind,
) -> Iterator[Tiling]:
    """Tile sizes and numbers of buffers that fit, with the words they move.

    Their figures are the least that the tiles' mappings can have.
    """
    config = space.config
    N, E, F, _ = operation.target
    moved = [(1, 2) if not kept else (1,) for kept in resident]
    stored = kind is _Kind.STORED
    channels = _channel_parts(operation) + [*(operation.channel_parts if stored else ())]
    for size in product(_divisors(N), even_parts(E), even_parts(F), channels):
        narrow = ceil(F / size[2]) > _MOST_ACROSS and (not stored or size[2] < _FEW_COLUMNS)
        if size[1] > 1 and narrow:
            continue
        if not operation.countable(size):
            continue
        words = part_words(config, operation, resident, size)
        # A nest has a channel at least.
        ideal = operation.ideal_cycles(count_tiles(operation, size) * size[3])
        for slots, (images, by_filters) in product(
            product(*moved), _images(operation, size, stored)
        ):
            base = space.limit(0) - free + images
            need = sum(w * count for w, count in zip(words, slots, strict=True))
            room = space.limit(1) - base - need + words[0]
            plain = Tiling(size, resident, slots, 0, Transfers(), (), 0, images, by_filters)
            rows = [0] * (kind is not _Kind.SLIDING)
            if kind is not _Kind.PLAIN:
                rows += _sliding(operation, plain, words[0], room)
            for sliding in rows:
                choice = replace(plain, sliding=sliding) if sliding else plain
                more = _band_words(operation, choice, words[0]) - words[0]
                groups = space.groups_above(base + need + more)
                if groups >= 0:
                    moves = _moves(operation, choice, words, config)
                    figure = goal.figure(moves, ideal)
                    yield replace(choice, groups=groups, moves=moves, figure=figure)


def _images(operation: Operation, size: Shape4, stored: bool) -> list[tuple[int, bool]]:
    """Buffer words for filters, and whether they are those of one tile's channels."""
    all_ = operation.stored_filters
    if not stored:
        return [(0, False)]
    M = operation.target[3]
    return [(all_, False), *([(ceil(all_ * size[3] / M), True)] if size[3] < M else [])]


def _sliding(operation: Operation, choice: Tiling, words: int, room: int) -> Iterator[int]:
    """Rows of buffers down which the bands of such tiles can slide.

    words : of a band; room : for the buffer beside one psum group
    """
    size, resident = choice.size, choice.resident
    one_strip = choice.by_filters or not operation.follows_channels
    alone = not resident[0] and len(resident) == 2 and choice.slots[0] == size[0] == 1
    if not alone or not one_strip or size[1] == operation.target[1]:
        return
    if count_tiles(operation, size) > MAX_TILES:
        return  # a layer of so many is refused, and their places take long to find
    rows = operation.longest_reach(1, size[1], 0)
    step = rows - common_rows(operation, size[1])
    most = min(room // (words // rows), 2 * rows + _SLIDING_STEPS * step)
    if step < rows:
        yield from dict.fromkeys(n for n in (rows + step, 2 * rows, most) if rows < n <= most)


def _band_words(operation: Operation, choice: Tiling, words: int) -> int:
    """Buffer words in which a band of `words` words lies or slides."""
    if not choice.sliding:
        return words
    return choice.sliding * (words // operation.longest_reach(1, choice.size[1], 0))


def part_words(
    config: Config, operation: Operation, resident: tuple[bool, ...], size: Shape4
) -> list[int]:
    """Buffer words of a tile's part of each operand, then of the output; 0 where resident."""
    words = [
        0 if kept else operand_words(config, operation, size, index)
        for index, kept in enumerate(resident[:-1])
    ]
    return [*words, 0 if resident[-1] else surface_words(config, size, raw=operation.raw)]


def buffer_words(config: Config, operation: Operation, tiling: Tiling) -> list[int]:
    """Buffer words of each operand's buffer, then of the output's: parts, or where they slide."""
    first, *words = part_words(config, operation, tiling.resident, tiling.size)
    return [_band_words(operation, tiling, first), *words]


def _moves(operation: Operation, choice: Tiling, words: list[int], config: Config) -> Transfers:
    """Words loaded and stored for the whole operator.

    What is moved with a second buffer is hidden but for the first part in and the last part out.
    """
    N, E, F, M = operation.target
    size, slots = choice.size, choice.slots
    bands = ceil(N / size[0]) * ceil(E / size[1]) * ceil(F / size[2])
    parts = len(operation.cuts(3, size[3]))
    sets = parts if choice.by_filters else 1
    times = bands * (parts if operation.follows_channels else sets)
    loaded = stored = tensors = 0
    for index, (count, each) in enumerate(zip(slots[:-1], words[:-1], strict=True)):
        hidden, all_ = (times - 1) * each if count > 1 else 0, times * each
        if choice.sliding and index == 0:
            hidden, all_ = slid_words(operation, size, choice.sliding, sets, each)
        loaded += packed_words(config, operation, index, hidden)
        tensors += packed_words(config, operation, index, all_ - hidden)
    if not choice.resident[-1]:
        total = surface_words(config, (N, E, F, M), raw=operation.raw)
        last = words[-1] if slots[-1] > 1 else total
        stored, tensors = total - last, tensors + last
    exposed = tensors + COMMAND_WORDS * bands * parts
    exposed += sets * choice.images * config.buffer.width // LINK_WORD_BITS
    return Transfers(loaded=loaded, stored=stored, exposed=exposed, tensors=tensors)


def packed_words(config: Config, operation: Operation, operand: int, words: int) -> int:
    """What LOAD moves to fill so many buffer words: images come without lanes they do not use."""
    channels = operation.sources[operand][3]
    return words * channels // config.lanes if channels <= MOST_SPREAD < config.lanes else words


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
