"""What a convolution nest computes with: operands, arithmetic, where psums and results go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

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


@dataclass(frozen=True, kw_only=True)
class KeptPsums:
    """Psums of all waves of a block, which other commands continue.

    first : psum beat of the block's first wave; total : beats in use, from 0
    after, before : earlier commands hold partial sums, later ones add to them
    """

    first: int
    total: int
    after: bool
    before: bool
