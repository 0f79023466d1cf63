"""Over which waves of a block filters stay in the PEs: `hold`."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np

from compiler.mapper.passes import pass_kinds
from compiler.mapper.resources.model import array_model
from compiler.mapper.resources.work import psum_beats
from compiler.mapper.space import ConvShape, MappedBlock, Mapping, tap_ranges
from hw.arch.accesses import Access, DataType, Direction, Level
from hw.arch.commands import LOOPS
from hw.arch.config import Config

SENT = Access(Level.NETWORK, DataType.FILTER, Direction.READ)
"""Filters on their way to the PEs."""


def hold(config: Config, shape: ConvShape, block: MappedBlock, beats: int) -> MappedBlock:
    """The block with its filters held over as many waves as the psum buffer allows.

    Waves over items, output rows and output columns use the same filters. While they stay in the
    PEs, one pass of all these waves comes before the next pass of any, so that the psums of all of
    them wait in the buffer, unless a single pass makes whole sums. What is sent and the time that
    it takes shrink with the number of waves.

    beats : psum beats that the nest may use; those of a `partial` nest are kept anyway
    """
    fold = block.mapping.fold
    counts = block.waves(shape)[:3]
    if len(fold.runs) > 1 or prod(counts) == 1:
        return block
    waits = pass_kinds(shape, fold, config.array.rows).psums_wait and not shape.partial
    most = beats // wave_beats(config, block.mapping) if waits else prod(counts)
    room = LOOPS - 1 - accumulating(shape, block)
    best = max(
        product((False, True), repeat=3),
        key=lambda chosen: _waves(counts, chosen) * _fits(counts, chosen, most, room),
    )
    times = _waves(counts, best)
    if times == 1:
        return block
    load = block.load
    once = set(array_model(config).once)
    held = replace(
        load,
        busy=load.busy.divided(times, lambda name: name in once),
        accesses=load.accesses.divided(times, lambda access: access == SENT),
    )
    items, rows, columns = best
    return replace(block, held=(items, rows, columns), load=held)


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


def wave_beats(config: Config, mapping: Mapping) -> int:
    """Psum beats of all units and columns of a wave."""
    each = int(psum_beats(config, np.array(mapping.p)))
    return mapping.fold.units * mapping.columns * mapping.windows * each


def _waves(counts: Sequence[int], chosen: Sequence[bool]) -> int:
    return prod(count for count, held in zip(counts, chosen, strict=True) if held)


def _fits(counts: Sequence[int], chosen: Sequence[bool], most: int, room: int) -> bool:
    """Whether the psums of so many waves fit, and the loops a command.

    A loop of one iteration is not chosen: it would say nothing.
    """
    if any(held and count == 1 for count, held in zip(counts, chosen, strict=True)):
        return False
    return sum(chosen) <= room and _waves(counts, chosen) <= most
