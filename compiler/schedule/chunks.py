"""Convolutions whose channels come in chunks while the psums of a whole tile stay in the buffer.

This is the chip's own schedule: a tile of the output keeps all its psums, the ifmaps of some
channels are loaded, all filters of the tile pass over them, then come the next channels. It wins
where a band of rows with all its channels leaves no space in the buffer.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import ceil, prod
from typing import NamedTuple, TypeAlias

from compiler.cache.plans import kept_search
from compiler.mapper.search import least_cycles, search
from compiler.mapper.space import ConvShape, Plan
from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Fetched, Shape4, fetched_by
from compiler.schedule.chunk_cuts import can_be_cut, passes_of
from compiler.schedule.chunk_waves import plan_psums, result_places
from compiler.schedule.goal import Figure, Goal, least_first
from compiler.schedule.space import Space
from compiler.schedule.tiling import COMMAND_WORDS, even_parts, operand_words, tile_sizes
from compiler.stream.surface import surface_words
from compiler.stream.traffic import Transfers
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Box

Search: TypeAlias = Callable[[Config, ConvShape, int, str], Plan]

_MOST_FILTERS = 8  # numbers of filters tried for a band, largest first
_MOST_ACROSS = 4  # numbers of tiles across a row tried
_FEW_ROWS = 4  # a tile has so many rows before rows are cut
_MOST_SLICES = 4  # of a wave, each of which is a command of its own
# What a slice more takes by the exact model: the array waits for the STORE of the one before.
_SLICE_CYCLES = 350
_MOST_TRIED = 40  # schedules whose mappings are searched, most promising first
_MOST_UNEVEN = 16  # of those whose tiles cut a nest unevenly
_GOOD_ENOUGH = 1.02  # times as many cycles as the multipliers take at least


@dataclass(frozen=True, kw_only=True)
class ChunkTiling:
    """A schedule by chunks.

    size : of an output tile; chunk : channels of a chunk, a divisor of all
    even : a tile of an odd number of rows at the map's end computes one more, which nobody stores
    cuts : parts of a chunk, each of as many items, whose buffers are free one after another
    slices : parts of a wave, each of as many columns, that finish sums one after another, so that
        their results take less space
    ifmap_words : buffer words of one part
    buffers : for parts, one more than a chunk has at least; with three of a whole chunk, loading
        never waits for the chunk before the present one
    result_words : buffer words for finished results of a tile
    areas : of so many words; two where every chunk ends a tile, so that its results have left
        when the tile after the next one comes
    groups : psum groups that the tiles use; total : estimated cycles; figure : by the goal
    """

    size: Shape4
    chunk: int
    ifmap_words: int
    buffers: int
    result_words: int
    areas: int
    groups: int
    total: int
    figure: Figure
    cuts: int = 1
    even: bool = False
    slices: int = 1


def nest_size(size: Shape4, even: bool) -> Shape4:
    """What is computed for a tile of this size, see `ChunkTiling.even`.

    With an even number of rows, waves of as many rows cover a tile and have filters in common.
    """
    items, rows, columns, channels = size
    return items, rows + rows % 2 * even, columns, channels


def chunk_shape(operation: ConvOperation, size: Shape4, chunk: int) -> ConvShape:
    """The nest of one chunk of a tile."""
    return operation.nest_shape(size, chunk)[0]


def chunk_plan(
    operation: ConvOperation, size: Shape4, chunk: int, find: Search = kept_search
) -> Plan:
    """The mapping of every chunk of a tile."""
    config = operation.config
    beats = 2 * config.psum_groups * config.buffer.depth
    return find(config, chunk_shape(operation, size, chunk), beats, operation.aim)


def find_chunks(space: Space, operation: ConvOperation, goal: Goal) -> ChunkTiling | None:
    """The goal's best schedule by chunks with nothing else in the buffer; None if there is none.

    Tiles that cut a nest unevenly have turns of their own, so that they take none of the others.
    """
    if operation.multiplier or operation.raw:
        return None
    even: list[_Schedule] = []
    uneven: list[_Schedule] = []
    for schedule in _schedules(space, operation):
        (uneven if _cuts_unevenly(operation, schedule.size) else even).append(schedule)
    best: ChunkTiling | None = None
    for some, most in ((even, _MOST_TRIED), (uneven, _MOST_UNEVEN)):
        schedules = least_first(
            [(found, _ideal(operation, found, goal)) for found in some],
            lambda schedule: _with_least(operation, schedule, goal),
        )
        for schedule in islice(schedules, most):
            if best is not None and (
                best.figure <= schedule.least or good_enough(goal, operation, best)
            ):
                break
            found = _weighed(space, operation, schedule, goal)
            if found is not None and (best is None or found.figure < best.figure):
                best = found
    return best


def _cuts_unevenly(operation: ConvOperation, size: Shape4) -> bool:
    """Whether nests, where a tile lies in one, have tiles of fewer channels than others."""
    return operation.follows_channels and operation.nest_channels % size[3] > 0


def good_enough(goal: Goal, operation: ConvOperation, found: ChunkTiling) -> bool:
    """No other schedule can be worth a search: it is about cycles, and hardly one is lost."""
    least = _GOOD_ENOUGH * operation.least_cycles
    return goal.objective == "cycles" and found.total <= least


@dataclass(frozen=True, kw_only=True)
class _Schedule:
    """Tiles and chunks of which the mappings are not known.

    counts : nests of each size; part : buffer words of a chunk; even : see `ChunkTiling`
    least : the figure that it has at least, once it is known
    """

    size: Shape4
    chunk: int
    counts: dict[Shape4, int]
    part: int
    even: bool
    least: Figure = ()


def _schedules(space: Space, operation: ConvOperation) -> Iterator[_Schedule]:
    """Schedules whose chunks and psums fit the buffer."""
    config = operation.config
    parts: dict[tuple[int, ...], int] = {}
    for size, chunk in dict.fromkeys(_choices(operation)):
        key = (*size[:3], size[3] if operation.follows_channels else 0, chunk)
        if key not in parts:
            parts[key] = operand_words(config, operation, size, 0, channels=chunk)
        part = parts[key]
        for even in (False, True)[: 1 + _ends_odd(operation, size)]:
            largest = nest_size(size, even)
            beats = prod(largest[:3]) * ceil(size[3] / config.psum_beat)
            groups = ceil(beats / (2 * config.buffer.depth))
            if groups > config.psum_groups or part + part // size[0] > space.limit(groups):
                continue
            counts: Counter[Shape4] = Counter()
            for each, count in tile_sizes(operation, size).items():
                counts[nest_size(each, even)] += count
            yield _Schedule(size=size, chunk=chunk, counts=counts, part=part, even=even)


def _ends_odd(operation: ConvOperation, size: Shape4) -> bool:
    """Whether the last tile down the map has an odd number of rows, and may have one more."""
    E, rows = operation.target[1], size[1]
    last = (E - 1) % rows + 1
    others_even = rows % 2 == 0 or rows >= E
    return last % 2 == 1 < last and others_even and operation.countable(nest_size(size, True))


def _ideal(operation: ConvOperation, schedule: _Schedule, goal: Goal) -> Figure:
    """A figure that the least one of a schedule is not below, found at once."""
    chunks = operation.nest_shape(schedule.size)[0].C // schedule.chunk
    nests = sum(schedule.counts.values()) * chunks
    return _figure(operation, schedule, goal, operation.ideal_cycles(nests))


def _with_least(
    operation: ConvOperation, schedule: _Schedule, goal: Goal
) -> tuple[Figure, int, _Schedule]:
    """The figure that a schedule has at least; nothing orders those of equal figures."""
    config, chunk = operation.config, schedule.chunk
    computing = sum(
        count * least_cycles(config, chunk_shape(operation, each, chunk), operation.aim)
        for each, count in schedule.counts.items()
    )
    chunks = operation.nest_shape(schedule.size)[0].C // chunk
    least = _figure(operation, schedule, goal, chunks * computing)
    return least, 0, replace(schedule, least=least)


def _figure(operation: ConvOperation, schedule: _Schedule, goal: Goal, computing: int) -> Figure:
    """The figure of so many cycles of computing with the words that a schedule must move."""
    shape, _ = operation.nest_shape(schedule.size)
    bands, chunks = sum(schedule.counts.values()), shape.C // schedule.chunk
    width = operation.config.array.data_width
    weights = shape.M * shape.C * shape.R * shape.S * width // LINK_WORD_BITS
    moves = Transfers(
        filters=bands * weights,
        loaded=(bands * chunks - 1) * schedule.part,
        exposed=schedule.part,
        tensors=schedule.part,
    )
    return goal.figure(moves, computing)


def _choices(operation: ConvOperation) -> Iterator[tuple[Shape4, int]]:
    """Tiles whose psums may fit the buffer, and chunks."""
    config = operation.config
    N, E, F, M = operation.target
    M = operation.nest_channels if operation.follows_channels else M
    step = config.lanes
    psums = 2 * config.psum_groups * config.buffer.depth * config.psum_beat
    channels = operation.nest_shape((1, 1, 1, M))[0].C
    chunks = [n for n in range(config.lanes, channels, config.lanes) if channels % n == 0]
    chunks.append(channels)
    items = [n for n in range(N, 0, -1) if N % n == 0]
    for columns, rows, batch in product(even_parts(F)[:_MOST_ACROSS], even_parts(E), items):
        if rows < min(E, _FEW_ROWS) and columns < F:
            continue
        if batch > 1 and columns < F:
            continue  # items come together before columns are cut
        if not operation.countable((batch, rows, columns, 1)):
            continue
        even = [ceil(part / step) * step for part in even_parts(M)]
        full = range(
            M // (step * config.array.cols) * step * config.array.cols, 0, -step * config.array.cols
        )
        if operation.follows_channels and M % step:  # every nest begins at a whole word
            even, full = [], range(0)
        for counts in (even, full):
            pixels = batch * rows * columns
            fits = [n for n in dict.fromkeys(counts) if n * pixels <= psums and n <= M]
            for filters, chunk in product(fits[:_MOST_FILTERS], chunks):
                if filters <= operation.most_channels:
                    yield (batch, rows, columns, filters), chunk


def _weighed(
    space: Space, operation: ConvOperation, schedule: _Schedule, goal: Goal
) -> ChunkTiling | None:
    """The schedule with its figure, or None if it has no mapping or does not fit."""
    config = operation.config
    size, chunk, part = schedule.size, schedule.chunk, schedule.part
    N, E, F, M = operation.target
    computing = psums = 0
    fetched = Fetched()
    plans: list[tuple[Plan, int]] = []
    chunks = operation.nest_shape(size)[0].C // chunk
    for each, count in schedule.counts.items():
        shape = chunk_shape(operation, each, chunk)
        try:
            plan = chunk_plan(operation, each, chunk, search)
        except RowforgeError:
            return None
        plans.append((plan, count))
        computing += count * chunks * plan.cycles
        fetched += fetched_by(config, plan.load) * (count * chunks)
        psums = max(psums, plan_psums(config, shape, plan)[-1])
    groups = ceil(psums / (2 * config.buffer.depth))
    if groups > config.psum_groups:
        return None
    areas = 1 if chunks > 1 else 2
    shares = _shares(config, plans, part, space.limit(groups), areas)
    if shares is None:
        return None
    rest = space.limit(groups) - areas * shares.results
    results, cuts = shares.results, shares.cuts
    bands = sum(schedule.counts.values())
    commands = sum(count * _more_commands(config, plan, cuts) for plan, count in plans)
    slices = sum(count * _more_slices(config, plan, shares.slices) for plan, count in plans)
    computing += slices * _SLICE_CYCLES
    moves = Transfers(
        loaded=(bands * chunks - 1) * part,
        filters=fetched.filters + (chunks * commands + slices) * COMMAND_WORDS,
        stored=surface_words(config, (N, E, F, M)) - results // 2,
        exposed=part + results // 2 + bands * COMMAND_WORDS,
        tensors=part + results // 2,
        reads=fetched.reads,
    )
    return ChunkTiling(
        size=size,
        chunk=chunk,
        ifmap_words=part // cuts,
        buffers=min(rest // (part // cuts), max(3, 2 * cuts)),
        result_words=results,
        areas=areas,
        groups=groups,
        total=goal.cycles(moves, computing),
        figure=goal.figure(moves, computing, fetched.accesses),
        cuts=cuts,
        even=schedule.even,
        slices=shares.slices,
    )


class _Shares(NamedTuple):
    """In what parts a schedule fits, see `ChunkTiling`; `results`: buffer words of an area."""

    slices: int
    cuts: int
    results: int


def _shares(
    config: Config, plans: Sequence[tuple[Plan, int]], part: int, room: int, areas: int
) -> _Shares | None:
    """The fewest slices of waves, and then cuts of chunks, with which a schedule fits."""
    before = room + 1
    for slices in range(1, _MOST_SLICES + 1):
        results = max(result_places(config, plan, slices).total for plan, _ in plans)
        if results >= before:
            continue  # no wave has as many columns, or none may be sliced
        before = results
        cuts = _cuts(config, plans, part, room - areas * results)
        if cuts is not None:
            return _Shares(slices, cuts, results)
    return None


def _cuts(config: Config, plans: Sequence[tuple[Plan, int]], part: int, room: int) -> int | None:
    """The fewest parts of a chunk of `part` words with which it fits; None: it does not fit."""
    items = plans[0][0].shape.N
    for cuts in (n for n in range(1, items + 1) if items % n == 0):
        fits = (cuts + 1) * (part // cuts) <= room
        if fits and (
            cuts == 1
            or all(
                can_be_cut(config, plan.shape, block, cuts)
                for plan, _ in plans
                for block in plan.blocks
            )
        ):
            return cuts
    return None


def _more_commands(config: Config, plan: Plan, cuts: int) -> int:
    """Commands that a chunk has more for being cut."""
    if cuts == 1:
        return 0
    return sum(
        (cuts * passes_of(config, plan.shape, block) - 1) * block.waves(plan.shape)[3]
        for block in plan.blocks
    )


def _more_slices(config: Config, plan: Plan, slices: int) -> int:
    """Commands that the end of a tile has more because waves come in slices."""
    whole, sliced = (len(result_places(config, plan, n).waves) for n in (1, slices))
    return sliced - whole


def chunk_boxes(reach: Box, chunk: int, cuts: int) -> list[Box]:
    """An operand's box in chunks of channels, each in as many parts of items."""
    items = (reach.items[1] - reach.items[0]) // cuts
    return [
        replace(reach, items=(item, item + items), channels=(begin, begin + chunk))
        for begin in range(*reach.channels, chunk)
        for item in range(*reach.items, items)
    ]
