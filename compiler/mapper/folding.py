"""Folds the (unit, pair) sequence of a column over the rows of the array, pass by pass."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import gcd
from typing import Any

import numpy as np

from compiler.mapper.space import ConvShape, Fold, Run, tap_ranges


@dataclass(frozen=True)
class RowItem:
    """What a PE row does: a unit's share (filter row, tap range, channel group) of one pair.

    `group`, `tap` and `row` count from the first pair of the chunk that the pass belongs to. In a
    depthwise nest the channel group is the unit's own (`um`) and `group` is 0.
    """

    ue: int
    um: int
    group: int
    tap: int
    row: int


@dataclass(frozen=True)
class RowChain:
    """Rows `head` to `tail` (inclusive) of a pass that work for one unit.

    first, last : the chain holds the unit's first, last pair of the chunk
    """

    ue: int
    um: int
    head: int
    tail: int
    first: bool
    last: bool


@dataclass(frozen=True)
class RowPass:
    """The rows of one pass, bottom to top: an item for every active row, cut into chains."""

    items: tuple[RowItem, ...]
    chains: tuple[RowChain, ...]
    diagonal: bool

    @cached_property
    def slots(self) -> dict[tuple[int, int], frozenset[tuple[int, int]]]:
        """(channel group, tap range) -> the (ue, filter row) pairs that want it, in row order."""
        found: dict[tuple[int, int], set[tuple[int, int]]] = {}
        for item in self.items:
            found.setdefault(self.slot_of(item), set()).add((item.ue, item.row))
        return {key: frozenset(wanted) for key, wanted in found.items()}

    @cached_property
    def filters(self) -> tuple[tuple[int, int, int, int], ...]:
        """The distinct (um, group, tap, row) whose filters the pass loads, in row order."""
        return tuple(dict.fromkeys((i.um, i.group, i.tap, i.row) for i in self.items))

    def slot_of(self, item: RowItem) -> tuple[int, int]:
        """What feeds a row: (channel group from the chunk's or wave's first, tap range)."""
        return (item.um if self.diagonal else item.group, item.tap)


def fold_run(shape: ConvShape, fold: Fold, run: Run, rows: int) -> tuple[RowPass, ...]:
    """The passes of one chunk of a run, on an array of `rows` rows."""
    return _fold(*_fold_arguments(shape, fold, run, rows))


def count_passes(shape: ConvShape, fold: Fold, run: Run, rows: int) -> "PassCounts":
    """The same passes as numbers."""
    return _counts(*_fold_arguments(shape, fold, run, rows))


def _fold_arguments(
    shape: ConvShape, fold: Fold, run: Run, rows: int
) -> tuple[int, int, int, int, int, bool, int]:
    ranges = 1 if fold.tap_loop else tap_ranges(shape, fold.span)
    filter_rows = 1 if fold.row_loop else shape.R
    return fold.ue, fold.um, run.groups, ranges, filter_rows, bool(shape.multiplier), rows


@lru_cache(maxsize=4096)
def _fold(
    ue: int, um: int, groups: int, ranges: int, filter_rows: int, diagonal: bool, rows: int
) -> tuple[RowPass, ...]:
    pairs = list(product(range(groups), range(ranges), range(filter_rows)))
    units = list(product(range(um), range(ue)))
    total = len(units) * len(pairs)
    passes = []
    for begin in range(0, total, rows):
        items, chains = [], []
        for index in range(begin, min(begin + rows, total)):
            unit, pair = divmod(index, len(pairs))
            m, e = units[unit]
            items.append(RowItem(e, m, *pairs[pair]))
            last = pair == len(pairs) - 1
            row = index - begin
            if pair == 0 or row == 0:
                chains.append(RowChain(e, m, row, row, pair == 0, last))
            else:
                open_ = chains[-1]
                chains[-1] = RowChain(e, m, open_.head, row, open_.first, last)
        passes.append(RowPass(tuple(items), tuple(chains), diagonal))
    return tuple(passes)


class PassCounts:
    """What the passes of a chunk hold, for the cost model: arrays over the kinds of pass.

    repeats : passes of each kind
    chains, firsts, lasts : chains; those that hold a unit's first, last pair
    filters : filter row tags
    """

    def __init__(self, passes: tuple[RowPass, ...]) -> None:
        kinds: dict[Any, int] = {}
        for row_pass in passes:
            kind = (
                len(row_pass.chains),
                sum(chain.first for chain in row_pass.chains),
                sum(chain.last for chain in row_pass.chains),
                len(row_pass.filters),
                tuple(sorted(Counter(row_pass.slots.values()).items(), key=repr)),
            )
            kinds[kind] = kinds.get(kind, 0) + 1
        self.total = len(passes)
        self.repeats = np.array(list(kinds.values()), dtype=np.int64)
        self.chains, self.firsts, self.lasts, self.filters = (
            np.array([kind[i] for kind in kinds], dtype=np.int64) for i in range(4)
        )
        self._slots = [kind[4] for kind in kinds]
        self._rows: dict[tuple[int, int, int], list[int]] = {}

    def ifmap_rows(self, shape: ConvShape, ce: int) -> list[int]:
        """Ifmap rows that the slots of a pass of each kind stream to `ce` output rows."""
        stride, dilation = shape.stride[0], shape.dilation[0]
        key = (stride, dilation, ce)
        if key not in self._rows:
            self._rows[key] = [
                sum(n * _slot_tags(stride, dilation, ce, wanted).count for wanted, n in slots)
                for slots in self._slots
            ]
        return self._rows[key]


@lru_cache(maxsize=4096)
def _counts(*arguments: Any) -> PassCounts:
    return PassCounts(_fold(*arguments))


@dataclass(frozen=True)
class TagRange:
    """Ifmap rows of a slot: tag + o * outer_step + i * inner_step for o < outer, i < inner."""

    tag: int
    outer: int
    outer_step: int
    inner: int
    inner_step: int

    @property
    def count(self) -> int:
        """Ifmap rows streamed."""
        return self.outer * self.inner

    def tags(self) -> list[int]:
        """The tags in streaming order."""
        return [
            self.tag + o * self.outer_step + i * self.inner_step
            for o in range(self.outer)
            for i in range(self.inner)
        ]


def cover(wanted: Iterable[int]) -> TagRange:
    """The tags as one or two nested steps without repetition.

    Exact where the set is a progression or equally spaced runs; otherwise the densest progression
    that holds all of it (rows that no PE wants cost beats, nothing else).
    """
    tags = sorted(set(wanted))
    if len(tags) == 1:
        return TagRange(tags[0], 1, 0, 1, 0)
    steps = [b - a for a, b in zip(tags, tags[1:], strict=False)]
    inner = next((i for i, step in enumerate(steps) if step != steps[0]), len(steps)) + 1
    if inner == len(tags):
        return TagRange(tags[0], 1, 0, inner, steps[0])
    outer, rest = divmod(len(tags), inner)
    shape = [tag - tags[0] for tag in tags[:inner]]
    starts = tags[::inner]
    spacing = starts[1] - starts[0]
    regular = all(b - a == spacing for a, b in zip(starts, starts[1:], strict=False))
    if (
        rest == 0
        and regular
        and all(
            [tag - start for tag in tags[o * inner : (o + 1) * inner]] == shape
            for o, start in enumerate(starts)
        )
    ):
        return TagRange(tags[0], outer, spacing, inner, steps[0])
    step = gcd(*steps)
    return TagRange(tags[0], 1, 0, (tags[-1] - tags[0]) // step + 1, step)


def slot_tags(
    shape: ConvShape, fold: Fold, ce: int, wanted: frozenset[tuple[int, int]]
) -> TagRange:
    """The ifmap rows that a slot streams to `ce` columns of consecutive output rows."""
    return _slot_tags(shape.stride[0], shape.dilation[0], ce, wanted)


@lru_cache(maxsize=65536)
def _slot_tags(stride: int, dilation: int, ce: int, wanted: frozenset[tuple[int, int]]) -> TagRange:
    return cover(
        (ue * ce + column) * stride + row * dilation for ue, row in wanted for column in range(ce)
    )
