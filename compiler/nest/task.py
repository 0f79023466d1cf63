"""What a convolution nest computes with: operands, arithmetic, where psums and results go."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from numpy.typing import NDArray

from compiler.mapper.space import ConvShape, FilterSpan, Fold, Run, tap_ranges
from compiler.nest.images import FilterPlaces
from compiler.stream.hazards import Span
from compiler.stream.surface import Surface

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class ConvTask:
    """Operands and arithmetic of a nest.

    weights : stored values [M, R, S, C] of the nest
    source : what is read: its extent decides where padding begins
    target : where output (0, 0, filter 0) goes; rows and columns lie densely around it
    y, x : ifmap row and column, within `source`, of the first tap of output (0, 0)
    lane : lane of the nest's first channel in its buffer word (at `source.address`)
    channel : channel of the nest's first filter in `target`
    output : the `OUTPUT` fields but for `plane`; `param` belongs to channel 0 of the target
    corner : row, column and filter of the nest at which `target` begins
    psums : where psums are kept from command to command; None: nowhere
    moves : see `Placement`
    written : buffer words that the results take; None: those of `target`
    portion : of the accumulation; None: all of it
    reuse, keep : the filters are those that the command before has left in the PEs; they stay there
    buffered : which commands take their filters from the global buffer, and where; None: none
    shared : filters of an image in cells that serves several blocks, see `cell_filters_of`
    key : names the weights: equal for tasks of a layer that have equal ones
    """

    weights: Array
    weight_zero: int
    weight_signed: bool
    source: Surface
    target: Surface
    y: int
    x: int
    lane: int = 0
    channel: int = 0
    zero: int
    signed: bool
    window_shift: int = 0
    output: Mapping[str, int]
    corner: tuple[int, int, int] = (0, 0, 0)
    psums: "KeptPsums | None" = None
    moves: tuple[int, ...] = ()
    written: tuple[Span, ...] | None = None
    portion: "Portion | None" = None
    reuse: bool = False
    keep: bool = False
    buffered: FilterPlaces | None = None
    shared: FilterSpan | None = None
    key: Hashable = None


@dataclass(frozen=True, kw_only=True)
class Portion:
    """Some of the steps in which a wave accumulates; half-open ranges of each loop.

    chunks, rows, taps : of the loops over channels, filter rows and tap ranges, 0 to 1 where there
        is no loop
    passes : of the row patterns
    """

    chunks: Span
    rows: Span
    taps: Span
    passes: Span

    @classmethod
    def whole(cls, shape: ConvShape, fold: Fold, run: Run, passes: int) -> "Portion":
        """All steps of a run that has so many row patterns."""
        return cls(
            chunks=(0, run.chunks),
            rows=(0, shape.R if fold.row_loop else 1),
            taps=(0, tap_ranges(shape, fold.span) if fold.tap_loop else 1),
            passes=(0, passes),
        )

    @classmethod
    def of(cls, loops: Sequence[Sequence[int]]) -> "Portion":
        """From the ranges in the order of the loops."""
        chunks, rows, taps, passes = ((first, last) for first, last in loops)
        return cls(chunks=chunks, rows=rows, taps=taps, passes=passes)

    @property
    def loops(self) -> tuple[Span, Span, Span, Span]:
        """The ranges in the order of the loops."""
        return self.chunks, self.rows, self.taps, self.passes

    @property
    def continues(self) -> bool:
        """Iterations of the loops come before it, and have left sums of every unit."""
        return any(first > 0 for first, _ in self.loops[:-1])

    @property
    def count(self) -> int:
        """Steps."""
        return prod(last - first for first, last in self.loops)

    def number(self, step: Sequence[int]) -> int:
        """Which of the steps it is, in the order of the nest."""
        number = 0
        for index, (first, last) in zip(step, self.loops, strict=True):
            number = number * (last - first) + index - first
        return number


@dataclass(frozen=True, kw_only=True)
class KeptPsums:
    """Psums of all waves of a block, which other commands continue.

    first : psum beat of the block's first wave; total : beats in use, from 0
    windows : output columns of a wave as the psums lie; a command may have some of them
    after, before : earlier commands hold partial sums, later ones add to them
    """

    first: int
    total: int
    windows: int
    after: bool
    before: bool
