"""What the passes of a mapping cost: cycles of every resource, and words moved.

A pass takes as long as its busiest resource, plus what it takes to fill and drain the array. All
figures are computed for many candidate mappings at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.mapper.folding import PassCounts, count_passes
from compiler.mapper.space import RESOURCES, ConvShape, Cost, Fold, Mapping, Run, tap_ranges
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.commands import col_pattern_words, row_pattern_words
from hw.arch.config import Config

Ints: TypeAlias = NDArray[np.int64]

_DESCRIPTOR = 50  # words of a CONV command besides its filters, and its start
_HOST_ENERGY, _GLB_ENERGY, _ARRAY_ENERGY = 200, 6, 2  # a word's, in register file accesses
_TIES = 1e-4  # weight of the figure that breaks ties
_SPARED = 3e-3  # cycles that `SPARING` gives for a buffer word less
SPARING = "sparing cycles"

ACCESSES = (
    Access(Level.BUFFER, DataType.IFMAP, Direction.READ),
    Access(Level.BUFFER, DataType.PSUM, Direction.READ),
    Access(Level.BUFFER, DataType.PSUM, Direction.WRITE),
    Access(Level.NETWORK, DataType.FILTER, Direction.READ),
)
"""What is counted of a mapping: ifmaps with padding, psums in whole beats, filters as sent."""

_OF_BUFFER = [row for row, access in enumerate(ACCESSES) if access.level is Level.BUFFER]
_OF_FILTERS = [row for row, access in enumerate(ACCESSES) if access.data is DataType.FILTER]


@dataclass(frozen=True)
class Candidates:
    """Mappings of a nest with one F tile: arrays over the candidates.

    folds : the folds in use; fold : number of each candidate's
    p, ce, cm, cn : as in `Mapping`
    width : columns in use if they are no grid of items, filter groups and rows; otherwise 0
    """

    folds: tuple[Fold, ...]
    fold: Ints
    p: Ints
    ce: Ints
    cm: Ints
    cn: Ints
    width: Ints

    @classmethod
    def joined(cls, groups: Sequence[tuple[Fold, Sequence[Any]]]) -> "Candidates":
        """Candidates of several folds: (fold, (p, ce, cm, cn, width)), p an array."""
        sizes = [len(values[0]) for _, values in groups]
        columns = [np.repeat(np.arange(len(groups)), sizes)]
        for index in range(5):
            column = [
                np.full(size, values[index])
                for (_, values), size in zip(groups, sizes, strict=True)
            ]
            columns.append(np.concatenate([np.zeros(0, dtype=np.int64), *column]).astype(np.int64))
        return cls(tuple(fold for fold, _ in groups), *columns)

    def __len__(self) -> int:
        return len(self.p)

    def of_folds(self, value: Callable[[Fold], int]) -> Ints:
        """A number of each candidate's fold."""
        return np.array([value(fold) for fold in self.folds], dtype=np.int64)[self.fold]

    @property
    def columns(self) -> Ints:
        """Columns in use."""
        return np.where(self.width > 0, self.width, self.ce * self.cm * self.cn)

    def mapping(self, index: int, windows: int) -> Mapping:
        """One candidate."""
        return Mapping(
            fold=self.folds[self.fold[index]],
            p=int(self.p[index]),
            ce=int(self.ce[index]),
            cm=int(self.cm[index]),
            cn=int(self.cn[index]),
            windows=windows,
            width=int(self.width[index]),
        )


@dataclass(frozen=True)
class WaveCost:
    """Cost of one wave (all passes for one set of column tasks), arrays over the candidates.

    resources : cycles in which each resource is needed, [resource, candidate]
    words : moved, [kind of access, candidate]; see `ACCESSES`
    psum_beats : psum beats that must be held between passes (0: none)
    """

    cycles: Ints
    resources: Ints
    words: Ints
    psum_beats: Ints
    passes: Ints

    def load(self, index: int) -> Cost:
        """The cost of one candidate."""
        busy = dict(zip(RESOURCES, self.resources[:, index].tolist(), strict=True))
        return Cost(
            cycles=int(self.cycles[index]),
            accesses=Accesses(ACCESSES, self.words[:, index].tolist()),
            passes=int(self.passes[index]),
            **busy,
        )


def objective(name: str, config: Config, cycles: Any, words: Any) -> Any:
    """The figure to minimise, of numbers or of arrays over candidates.

    words : moved, one row for each of `ACCESSES`. `traffic` counts buffer words; `energy` adds what
    every word costs on its way: buffer, network and, for filters that are streamed, the host's
    memory. Cycles break ties of these two, buffer words break ties of `cycles`. `SPARING` stands
    for `cycles` within a tile: few buffer words for hardly more cycles.
    """
    glb = sum(words[row] for row in _OF_BUFFER)
    filters = sum(words[row] for row in _OF_FILTERS)
    if name == "traffic":
        return glb + _TIES * cycles
    if name == "energy":
        filter_energy = _GLB_ENERGY if config.buffer.weight_memory else _HOST_ENERGY
        moved = _GLB_ENERGY * glb + filter_energy * filters + _ARRAY_ENERGY * (glb + filters)
        return moved + _TIES * cycles
    return cycles + (_SPARED if name == SPARING else _TIES) * glb


def pass_overhead(config: Config) -> int:
    """Cycles of a pass in which the array fills and drains, beyond what the next pass hides.

    Measured on the RTL of 4 x 4 and 12 x 14 arrays.
    """
    return 14 + config.array.rows // 2


def block_overhead(config: Config) -> int:
    """Link words that a CONV command with patterns of its own needs before it can begin."""
    return row_pattern_words(config.array.rows) + col_pattern_words(config.array.cols) + _DESCRIPTOR


def psum_turns(config: Config, p: Ints) -> tuple[Ints, Ints]:
    """Cycles for which one window of one segment in one column holds the psum networks (in, out).

    The engines serve the columns in turn. A turn lasts as long as the beats take, or until the PE
    has taken or made the psums that the FIFOs at the column's ends do not hold: with p above what
    they hold, the networks wait for PEs. The constants are measured on the RTL.
    """
    beats = _psum_beats(config, p)
    held_in = config.noc.column_fifo * config.noc.psum_in - 2
    held_out = config.noc.column_fifo * config.noc.psum_out + 1
    inward = beats * ceil(config.psum_beat / config.noc.psum_in)
    outward = beats * ceil(config.psum_beat / config.noc.psum_out)
    return (
        np.maximum(inward, -(-(p - held_in) // config.pe.macs)),
        np.maximum(outward, -(-(p - held_out) // config.pe.macs)),
    )


def filter_beats(config: Config, multiplies: Ints) -> Ints:
    """Filter beats that a PE takes for so many multiply steps of a window."""
    return -(-multiplies * config.pe.macs // config.noc.filter)


def steps(config: Config, p: Ints, q: Ints, multiplier: int) -> Ints:
    """Multiply steps for one ifmap word: filters (or filters of a channel) over the multipliers."""
    if multiplier:
        p = p // q
    return -(-p // config.pe.macs)


def filter_limit(config: Config, fold: Fold) -> int:
    """Multiply steps for one ifmap word whose filters fit half a filter scratchpad."""
    return config.filter_half // (fold.q * fold.span * config.pe.macs)


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


class _PassKinds:
    """The kinds of pass that a wave of a fold has: arrays over the kinds.

    times : passes of each kind; inward, outward : chains that read and write psums of the buffer
    ends : chains whose results are finished; filters : filter row tags
    passes : of the wave; psums_wait : some psums are held between passes
    """

    def __init__(self, shape: ConvShape, fold: Fold, rows: int) -> None:
        self._counts: list[PassCounts] = []
        columns: list[list[Ints]] = [[], [], [], [], []]
        self.passes = 0
        for run, first, last, repeats in iterations(shape, fold):
            found = count_passes(shape, fold, run, rows)
            begins, finishes = first and not shape.partial, last and not shape.partial
            inward = found.chains - found.firsts * begins
            outward = found.chains - found.lasts * finishes
            ends = found.chains - outward
            values = (repeats * found.repeats, inward, outward, ends, found.filters)
            for column, value in zip(columns, values, strict=True):
                column.append(value)
            self._counts.append(found)
            self.passes += repeats * found.total
        self.times, self.inward, self.outward, self.ends, self.filters = (
            np.concatenate(column) for column in columns
        )
        self.psums_wait = bool(self.inward.any() or self.outward.any())
        self._shape = shape
        self._ifmap_rows: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.times)

    def ifmap_rows(self, ce: int) -> list[int]:
        """Ifmap rows that a pass of each kind streams to `ce` output rows."""
        if ce not in self._ifmap_rows:
            found = (counts.ifmap_rows(self._shape, ce) for counts in self._counts)
            self._ifmap_rows[ce] = [rows for each in found for rows in each]
        return self._ifmap_rows[ce]


@lru_cache(maxsize=16384)
def _pass_kinds(shape: ConvShape, fold: Fold, rows: int) -> _PassKinds:
    return _PassKinds(shape, fold, rows)


def wave_cost(config: Config, shape: ConvShape, windows: int, some: Candidates) -> WaveCost:
    """Cost of a wave for every candidate.

    Every candidate has an entry for each kind of pass that its fold has; the entries of all
    candidates are computed at once.
    """
    kinds = [_pass_kinds(shape, fold, config.array.rows) for fold in some.folds]
    sizes = np.array([len(kind) for kind in kinds], dtype=np.int64)
    firsts = np.concatenate([[0], np.cumsum(sizes)])
    each = sizes[some.fold]
    starts = np.concatenate([[0], np.cumsum(each)])[:-1]
    at = np.repeat(np.arange(len(some)), each)  # the candidate of an entry
    kind = np.arange(len(at)) - starts[at] + firsts[some.fold][at]

    def of_kinds(name: str) -> Ints:
        joined: Ints = np.concatenate([getattr(entry, name) for entry in kinds])[kind]
        return joined

    streamed = _ifmap_rows(some, kinds)
    streamed *= (some.cn * some.of_folds(lambda fold: pixels(shape, fold, windows)))[at]
    load, words = _entries(config, shape, windows, some, at, of_kinds, streamed)
    times = of_kinds("times")

    def summed(values: Ints) -> Ints:
        total: Ints = np.add.reduceat(values * times, starts, axis=-1)
        return total

    held = _psum_beats(config, some.p) * some.columns * windows
    held *= some.of_folds(lambda fold: fold.units)
    waiting = np.array([entry.psums_wait for entry in kinds])[some.fold]
    return WaveCost(
        cycles=summed(load.max(axis=0) + pass_overhead(config)),
        resources=summed(load),
        words=summed(words),
        psum_beats=held * waiting,
        passes=np.array([entry.passes for entry in kinds], dtype=np.int64)[some.fold],
    )


def _ifmap_rows(some: Candidates, kinds: Sequence[_PassKinds]) -> Ints:
    """Ifmap rows of every entry for one batch item."""
    pairs, inverse = np.unique(np.stack([some.fold, some.ce]), axis=1, return_inverse=True)
    rows = [kinds[fold].ifmap_rows(ce) for fold, ce in pairs.T.tolist()]
    return np.array([n for pair in inverse.reshape(-1).tolist() for n in rows[pair]])


def _psum_beats(config: Config, p: Ints) -> Ints:
    return -(-p // config.psum_beat)


def _entries(
    config: Config,
    shape: ConvShape,
    windows: int,
    some: Candidates,
    at: Ints,
    of_kinds: Callable[[str], Ints],
    streamed: Ints,
) -> tuple[Ints, Ints]:
    """(cycles [resource, entry], words [kind of access, entry]) of a pass of every entry."""
    q, span = some.of_folds(lambda fold: fold.q), some.of_folds(lambda fold: fold.span)
    step = steps(config, some.p, q, shape.multiplier)
    results = some.columns * windows
    turn_in, turn_out = psum_turns(config, some.p)
    post = np.maximum(-(-some.p // min(config.post.units, config.noc.psum_out)), turn_out)
    inward, outward, ends = (of_kinds(name) for name in ("inward", "outward", "ends"))
    loads = of_kinds("filters") * (some.cm * filter_beats(config, q * span * step))[at]
    load = np.stack(
        [
            (q * span * step * windows)[at],
            streamed * (-(-q // config.noc.ifmap))[at],
            loads,
            inward * (results * turn_in)[at],
            outward * (results * turn_out)[at] + ends * (results * post)[at],
        ]
    )
    psums = (results * _psum_beats(config, some.p) * config.psum_beat)[at]
    words = [streamed * q[at], inward * psums, outward * psums, loads * config.noc.filter]
    return load, np.stack(words)
