"""What the passes of a mapping cost: cycles of every resource, and words moved.

A pass takes as long as its busiest resource, plus what it takes to fill and drain the array. All
figures are computed for many candidate mappings of one fold at once: arrays over (candidate, pass).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.mapper.folding import PassCounts, count_passes
from compiler.mapper.space import RESOURCES, ConvShape, Fold, Load, Run, tap_ranges
from hw.arch.commands import col_pattern_words, row_pattern_words
from hw.arch.config import Config

Ints: TypeAlias = NDArray[np.int64]

_DESCRIPTOR = 50  # words of a CONV command besides its filters, and its start
_HOST_ENERGY, _GLB_ENERGY, _ARRAY_ENERGY = 200, 6, 2  # a word's, in register file accesses
_TIES = 3e-3  # weight of the figure that breaks ties


@dataclass(frozen=True)
class Candidates:
    """Mappings that share a fold and an F tile: p, ce and cm of each; the rest is the same.

    width : columns in use if they are no grid of items, filter groups and rows
    """

    p: Ints
    ce: Ints
    cm: Ints
    cn: int = 1
    width: int = 0

    @property
    def columns(self) -> Ints:
        """Columns in use."""
        return np.full_like(self.p, self.width) if self.width else self.ce * self.cm * self.cn


@dataclass(frozen=True)
class WaveCost:
    """Cost of one wave (all passes for one set of column tasks), an array over the candidates.

    resources : cycles in which each resource is needed, [resource, candidate]
    words : ifmap, psum and filter words moved, [kind, candidate]
    psum_beats : psum beats that must be held between passes (0: none)
    """

    cycles: Ints
    resources: Ints
    words: Ints
    psum_beats: Ints
    passes: int

    def load(self, index: int) -> Load:
        """The cost of one candidate."""
        busy = dict(zip(RESOURCES, self.resources[:, index].tolist(), strict=True))
        ifmap, psum, filters = self.words[:, index].tolist()
        return Load(
            cycles=int(self.cycles[index]),
            ifmap_words=ifmap,
            psum_words=psum,
            filter_words=filters,
            passes=self.passes,
            **busy,
        )


def objective(name: str, config: Config, cycles: Any, words: Any) -> Any:
    """The figure to minimise, of numbers or of arrays over candidates.

    words : ifmap, psum and filter words moved. `traffic` counts buffer words; `energy` adds what
    every word costs on its way: buffer, network and, for filters that are streamed, the host's
    memory. Cycles break ties of these two, buffer words break ties of `cycles`.
    """
    ifmap, psum, filters = words
    glb = ifmap + psum
    if name == "traffic":
        return glb + _TIES * cycles
    if name == "energy":
        filter_energy = _GLB_ENERGY if config.weight_memory else _HOST_ENERGY
        moved = _GLB_ENERGY * glb + filter_energy * filters + _ARRAY_ENERGY * (glb + filters)
        return moved + _TIES * cycles
    return cycles + _TIES * glb


def pass_overhead(config: Config) -> int:
    """Cycles of a pass in which the array fills and drains, beyond what the next pass hides.

    Measured on the RTL of 4 x 4 and 12 x 14 arrays.
    """
    return 14 + config.rows // 2


def block_overhead(config: Config) -> int:
    """Link words that a CONV command with patterns of its own needs before it can begin."""
    return row_pattern_words(config.rows) + col_pattern_words(config.cols) + _DESCRIPTOR


def psum_turns(config: Config, p: Ints) -> tuple[Ints, Ints]:
    """Cycles for which one window of one segment in one column holds the psum networks (in, out).

    The engines serve the columns in turn. A turn lasts as long as the beats take, or until the PE
    has taken or made the psums that the FIFOs at the column's ends do not hold: with p above what
    they hold, the networks wait for PEs. The constants are measured on the RTL.
    """
    beats = _psum_beats(config, p)
    held_in = config.column_fifo * config.noc_psum_in - 2
    held_out = config.column_fifo * config.noc_psum_out + 1
    inward = beats * ceil(config.psum_beat / config.noc_psum_in)
    outward = beats * ceil(config.psum_beat / config.noc_psum_out)
    return (
        np.maximum(inward, -(-(p - held_in) // config.macs_per_pe)),
        np.maximum(outward, -(-(p - held_out) // config.macs_per_pe)),
    )


def filter_beats(config: Config, fold: Fold, p: Ints, multiplier: int) -> Ints:
    """Filter beats that one PE takes in a pass."""
    words = fold.q * fold.span * steps(config, p, fold.q, multiplier) * config.macs_per_pe
    return -(-words // config.noc_filter)


def steps(config: Config, p: Ints, q: int, multiplier: int) -> Ints:
    """Multiply steps for one ifmap word: filters (or filters of a channel) over the multipliers."""
    if multiplier:
        p = p // q
    return -(-p // config.macs_per_pe)


def filter_limit(config: Config, fold: Fold) -> int:
    """Multiply steps for one ifmap word whose filters fit half a filter scratchpad."""
    return config.filter_half // (fold.q * fold.span * config.macs_per_pe)


def pixels(shape: ConvShape, fold: Fold, windows: int) -> int:
    """Pixels of an ifmap row that a pass streams."""
    if fold.span < shape.stride[1]:
        return windows * fold.span
    return (windows - 1) * shape.stride[1] + fold.span


def iterations(shape: ConvShape, fold: Fold) -> Iterator[tuple[Run, bool, bool, int]]:
    """(run, is the first, is the last, repetitions) of the chunk iterations of a wave.

    Iterations that cost the same come as one.
    """
    loops = (shape.R if fold.row_loop else 1) * (
        tap_ranges(shape, fold.span) if fold.tap_loop else 1
    )
    inner: dict[int, int] = {}
    for index, run in enumerate(fold.runs):
        count = run.chunks * loops
        first, last = index == 0, index == len(fold.runs) - 1
        if count == 1 and (first or last):
            yield run, first, last, 1
            continue
        if first:
            yield run, True, False, 1
        if last:
            yield run, False, True, 1
        inner[run.groups] = inner.get(run.groups, 0) + count - first - last
    for groups, count in inner.items():
        if count:
            yield Run(first=0, groups=groups), False, False, count


def wave_cost(
    config: Config, shape: ConvShape, fold: Fold, windows: int, some: Candidates
) -> WaveCost:
    """Cost of a wave for every candidate."""
    totals = np.zeros((len(RESOURCES), len(some.p)), dtype=np.int64)
    cycles = np.zeros(len(some.p), dtype=np.int64)
    words = np.zeros((3, len(some.p)), dtype=np.int64)
    psums_wait = False
    count = 0
    for run, first, last, repeats in iterations(shape, fold):
        passes = count_passes(shape, fold, run, config.rows)
        begins, ends = first and not shape.partial, last and not shape.partial
        load, moved, waiting = _pass_load(config, shape, fold, windows, some, passes, begins, ends)
        psums_wait |= waiting
        times = repeats * passes.repeats
        cycles += (load.max(axis=0) + pass_overhead(config)) @ times
        totals += load @ times
        words += moved @ times
        count += repeats * passes.total
    held = _psum_beats(config, some.p) * some.columns * (fold.units * windows)
    return WaveCost(
        cycles=cycles,
        resources=totals,
        words=words,
        psum_beats=held if psums_wait else np.zeros_like(held),
        passes=count,
    )


def _psum_beats(config: Config, p: Ints) -> Ints:
    return -(-p // config.psum_beat)


def _pass_load(
    config: Config,
    shape: ConvShape,
    fold: Fold,
    windows: int,
    some: Candidates,
    passes: PassCounts,
    first: bool,
    last: bool,
) -> tuple[Ints, Ints, bool]:
    """(cycles [resource, candidate, pass], words [kind, candidate, pass], psums wait)."""
    none = np.zeros_like(passes.chains)
    inward = passes.chains - (passes.firsts if first else none)
    outward = passes.chains - (passes.lasts if last else none)
    ends = passes.chains - outward

    results = (some.columns * windows)[:, None]
    beats = _psum_beats(config, some.p)[:, None]
    read, kept, finished = inward * results * beats, outward * results * beats, ends * results

    rows = np.array([passes.ifmap_rows(shape, ce) for ce in some.ce.tolist()]) * some.cn
    streamed = rows * pixels(shape, fold, windows)
    loads = passes.filters * some.cm[:, None]
    loads = loads * filter_beats(config, fold, some.p, shape.multiplier)[:, None]
    work = fold.q * fold.span * steps(config, some.p, fold.q, shape.multiplier) * windows
    turn_in, turn_out = (turn[:, None] for turn in psum_turns(config, some.p))
    post = -(-some.p[:, None] // min(config.post_units, config.noc_psum_out))
    load = np.stack(
        [
            np.broadcast_to(work[:, None], streamed.shape),
            streamed * ceil(fold.q / config.noc_ifmap),
            loads,
            inward * results * turn_in,
            outward * results * turn_out + finished * np.maximum(post, turn_out),
        ]
    )
    words = np.stack(
        [streamed * fold.q, (read + kept) * config.psum_beat, loads * config.noc_filter]
    )
    return load, words, bool(inward.any() or outward.any())
