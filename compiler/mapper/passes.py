"""The passes of a wave: how often each kind comes, and what it does."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from compiler.mapper.folding import PassCounts, count_passes
from compiler.mapper.resources.work import Ints
from compiler.mapper.space import ConvShape, Fold, Run, tap_ranges
from hw.arch.config import Config


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


class PassKinds:
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
def pass_kinds(shape: ConvShape, fold: Fold, rows: int) -> PassKinds:
    """The kinds of pass of a fold on an array of so many rows."""
    return PassKinds(shape, fold, rows)
