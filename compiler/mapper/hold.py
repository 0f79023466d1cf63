"""Over which waves of a block filters stay in the PEs: `hold`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod

from compiler.mapper.columns import wave_psums
from compiler.mapper.passes import pass_kinds
from compiler.mapper.resources.model import array_model
from compiler.mapper.space import ConvShape, MappedBlock, tap_ranges
from hw.arch.accesses import Access, DataType, Direction, Level
from hw.arch.commands import DESCRIPTOR_WORDS, LOOPS, Opcode
from hw.arch.config import LINK_WORD_BITS, Config

SENT = Access(Level.NETWORK, DataType.FILTER, Direction.READ)
"""Filters on their way to the PEs."""

_COMMAND_WORDS = 1 + DESCRIPTOR_WORDS[Opcode.CONV]


def hold(config: Config, shape: ConvShape, block: MappedBlock, beats: int) -> Iterator[MappedBlock]:
    """The block with its filters held over as many waves as the psum buffer allows.

    Waves over items, output rows and output columns use the same filters. While they stay in the
    PEs, one pass of all these waves comes before the next pass of any, so that the psums of all of
    them wait in the buffer, unless a single pass makes whole sums. What is sent and the time that
    it takes shrink with the number of waves. A block with more rows than can wait is cut, where
    the filters that this saves outweigh the commands.

    beats : psum beats that the nest may use; those of a `partial` nest are kept anyway
    """
    counts = block.waves(shape)[:3]
    if len(block.mapping.fold.runs) > 1 or prod(counts) == 1:
        yield block
        return
    waits = pass_kinds(shape, block.mapping.fold, config.array.rows).psums_wait
    most = prod(counts)
    if waits and not shape.partial:
        most = beats // wave_psums(config, block.mapping)
    room = LOOPS - 1 - accumulating(shape, block)
    found = max(
        (
            _Held(counts, chosen, most)
            for chosen in product((False, True), repeat=3)
            if sum(chosen) <= room
        ),
        key=lambda held: held.times,
    )
    if found.rows < counts[1] and not _pays(config, block, counts[1], found):
        found = _Held(counts, (found.chosen[0], False, found.chosen[2]), most)
    for part in _parts(block, counts[1], found.rows):
        yield _with_held(config, part, part.waves(shape)[:3], found.chosen)


class _Held:
    """Loops over which filters stay, of (items, rows, columns).

    times : waves that share filters, 0 if their psums do not fit; rows : of them, row waves; all
        of the block's where the loop over rows is not chosen
    """

    def __init__(self, counts: Sequence[int], chosen: tuple[bool, ...], most: int) -> None:
        self.chosen = chosen
        items, rows, columns = (
            count if held else 1 for count, held in zip(counts, chosen, strict=True)
        )
        self.rows = counts[1]
        if chosen[1]:
            self.rows = rows = min(rows, max(most // (items * columns), 1))
        fits = items * rows * columns <= most
        # A loop of one iteration says nothing when it is chosen.
        useless = any(
            held and count == 1 for count, held in zip((items, rows, columns), chosen, strict=True)
        )
        self.times = items * rows * columns if fits and not useless else not any(chosen)


def _pays(config: Config, block: MappedBlock, down: int, found: _Held) -> bool:
    """Whether cutting a block's rows saves more link words of filters than it adds commands."""
    if config.buffer.weight_memory:
        return False
    sent = block.load.accesses[SENT] * config.array.data_width // LINK_WORD_BITS
    parts = -(-down // found.rows)
    return sent - sent // found.times > (parts - 1) * _COMMAND_WORDS


def _parts(block: MappedBlock, down: int, rows: int) -> Iterator[MappedBlock]:
    """The block cut into parts of so many of its `down` row waves."""
    first, last = block.rows
    each = (last - first) // down
    for begin in range(0, down, rows):
        end = min(begin + rows, down)
        yield replace(
            block,
            rows=(first + begin * each, first + end * each),
            load=block.load if rows >= down else block.load.share(end - begin, down),
        )


def _with_held(
    config: Config, block: MappedBlock, counts: Sequence[int], chosen: tuple[bool, ...]
) -> MappedBlock:
    """The block with filters held over the chosen loops of so many waves."""
    items, rows, columns = (held and count > 1 for held, count in zip(chosen, counts, strict=True))
    times = prod(count for count, held in zip(counts, (items, rows, columns), strict=True) if held)
    if times == 1:
        return block
    once = set(array_model(config).once)
    load = replace(
        block.load,
        busy=block.load.busy.divided(times, lambda name: name in once),
        accesses=block.load.accesses.divided(times, lambda access: access == SENT),
    )
    return replace(block, held=(items, rows, columns), load=load)


def accumulating(shape: ConvShape, block: MappedBlock) -> int:
    """Loops of a block's only run that run over channels, filter rows and taps."""
    fold = block.mapping.fold
    return sum(
        (
            fold.runs[0].chunks > 1,
            fold.row_loop and shape.R > 1,
            fold.tap_loop and tap_ranges(shape, fold.span) > 1,
        )
    )
