"""The mapping space: what a convolution nest computes and how it is laid over the array.

Work is a grid of *output tasks* (batch item, output row, filter group) times *pairs* (channel
group, tap range, filter row). A column holds one task for each of its *units*; the sequence of
(unit, pair) is folded over the rows of the array, pass by pass. Depthwise layers (`multiplier` > 0)
have one channel group per task instead of one per pair.
"""

from dataclasses import dataclass, field
from math import ceil
from typing import TypeAlias

from compiler.mapper.cost import Cost

FilterSpan: TypeAlias = tuple[int, int]
"""A half-open range of filters of a nest."""


@dataclass(frozen=True, kw_only=True)
class ConvShape:
    """One convolution nest: N items, E x F outputs of M filters over C channels and R x S taps.

    `stride` and `dilation` are (y, x). `multiplier` is 0 for a plain convolution; for a depthwise
    one it is the number of filters a channel, and M = C * multiplier. `exact`: nothing may be read
    after the last channel (otherwise the rest of its buffer word may, with zero weights).
    `partial`: a share of the channels; psums come from the buffer and go there in every pass.
    """

    N: int
    M: int
    C: int
    E: int
    F: int
    R: int
    S: int
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    multiplier: int = 0
    exact: bool = False
    partial: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates, padding included."""
        channels = 1 if self.multiplier else self.C
        return self.N * self.E * self.F * self.M * self.R * self.S * channels

    @property
    def lanes(self) -> int:
        """What the columns and units of a block tile besides output rows: filters, or channels."""
        return self.C if self.multiplier else self.M


@dataclass(frozen=True, kw_only=True)
class Run:
    """Consecutive channel groups that one CONV command covers: `chunks` times `groups` of them."""

    first: int
    groups: int
    chunks: int = 1


@dataclass(frozen=True, kw_only=True)
class Fold:
    """How the pairs of `ue` x `um` units are folded over the rows of the array.

    q : channels in a PE
    span : taps of a filter row in a PE (S')
    ue, um : units of a column along output rows and along filter groups
    runs : the channel groups, cut into CONV commands (one run unless the row patterns run out)
    row_loop, tap_loop : filter rows, tap ranges are walked by a loop of the nest, not by patterns
    """

    q: int
    span: int
    ue: int = 1
    um: int = 1
    runs: tuple[Run, ...]
    row_loop: bool = False
    tap_loop: bool = False

    @property
    def units(self) -> int:
        """Units of a column."""
        return self.ue * self.um


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """A fold and what lies in the columns: one wave of tasks.

    p : filters in a PE (depthwise: q * multiplier)
    ce, cm, cn : columns over output rows, filter groups and batch items
    windows : output columns of a pass (F tile)
    width : columns of a linear mapping, which deals the `ce` rows of all filter groups out to the
        columns in turn, at most `cm` groups in a wave; 0: the columns are a grid
    """

    fold: Fold
    p: int
    ce: int
    cm: int
    cn: int
    windows: int
    width: int = 0

    @property
    def linear(self) -> bool:
        """Whether tasks are dealt out to the columns in turn."""
        return self.width > 0

    @property
    def columns(self) -> int:
        """Columns in use."""
        return self.width or self.ce * self.cm * self.cn

    @property
    def steps(self) -> tuple[int, int]:
        """Filter groups from unit to unit, and from column group to column group."""
        return (1, self.fold.um) if self.linear else (self.cm, 1)


@dataclass(frozen=True, kw_only=True)
class MappedBlock:
    """A box of the output that one mapping covers without remainder, and its estimated cost.

    A program keeps no cost: blocks that are read from one (`nest.locate`) have none. Blocks are
    equal if they cover the same box in the same way.

    Ranges are half open, in output rows, output columns and filters of the nest; all items.
    `chosen`: of a linear mapping, only these of its waves; None: all. `held`: whether filters stay
    in the PEs over the waves of (items, output rows, output columns), see `mapper.hold`.
    """

    mapping: Mapping
    rows: tuple[int, int]
    columns: tuple[int, int]
    filters: tuple[int, int]
    load: Cost = field(default=Cost(), compare=False)
    chosen: tuple[int, int] | None = None
    held: tuple[bool, bool, bool] = (False, False, False)

    def waves(self, shape: ConvShape) -> tuple[int, int, int, int]:
        """Loop counts of a grid over (items, output rows, output columns, filters)."""
        mapping = self.mapping
        fold = mapping.fold
        return (
            shape.N // mapping.cn,
            (self.rows[1] - self.rows[0]) // (fold.ue * mapping.ce),
            (self.columns[1] - self.columns[0]) // mapping.windows,
            ceil((self.filters[1] - self.filters[0]) / (fold.um * mapping.cm * mapping.p)),
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The blocks that cover a nest, and what they cost together (`mapper.cost`)."""

    shape: ConvShape
    blocks: tuple[MappedBlock, ...]

    @property
    def load(self) -> Cost:
        """Cost of all blocks."""
        return sum((block.load for block in self.blocks), Cost())

    @property
    def cycles(self) -> int:
        """Cycles of all blocks."""
        return sum(block.load.cycles for block in self.blocks)


def channel_groups(shape: ConvShape, q: int) -> int:
    """Channel groups of q channels (plain) in a nest."""
    return 1 if shape.multiplier else ceil(shape.C / q)


def tap_ranges(shape: ConvShape, span: int) -> int:
    """Tap ranges of `span` taps in a filter row."""
    return ceil(shape.S / span)
