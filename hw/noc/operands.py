"""What brings operands to the PEs, whatever its kind."""

from abc import abstractmethod
from enum import Enum
from typing import Self

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import data

from hw.arch.config import Config
from hw.base.block import Block


class ArrayOperand(Enum):
    """What a network brings; each has a network of its own."""

    IFMAP = "ifmap"
    FILTER = "filter"


class OperandNetwork(Block):
    """The ports and promises that all kinds share; `hw.noc.kinds` has the kinds.

    A network takes beats in the order of their use, each for some PEs, and hands each of these the
    beat's payload: an `IfmapBeat` or a `FilterBeat`, which it does not look into. For whom a beat
    is, it says by what `bus` adds to the payload, together with the pass tables (`learn`). The
    engines that fill these fields (`hw.engines`) belong to the kind as well.

    What a network may assume
        A beat that no PE wants may be dropped. The table of a pass does not change while its beats
        are under way. `ready` of an output does not depend on `valid`, which may depend on it.
    What others may assume
        Every PE gets its beats once and in the order in which they came. PEs of one row get a beat
        in the same cycle, which is the first one in which all that want it are ready; the beats
        after it wait in the meantime. Where nobody stalls, the way takes a fixed number of cycles,
        and a beat a cycle passes.

    Members
    -------
    input : in, stream of self.input_layout
        Beats; as `bus` for a network that `for_operand` has made.
    outputs : out, rows, cols times stream of payload
        Beats for every row and column.
    """

    @classmethod
    @abstractmethod
    def for_operand(cls, config: Config, operand: ArrayOperand) -> Self:
        """The configuration's network for the operand."""

    @classmethod
    @abstractmethod
    def bus(cls, config: Config, operand: ArrayOperand) -> data.StructLayout:
        """What enters: `payload`, and for whom it is."""

    @classmethod
    @abstractmethod
    def row_fields(cls, config: Config) -> dict[str, ShapeLike]:
        """The fields of `ROW` that the network must know of every PE row."""

    @classmethod
    @abstractmethod
    def column_fields(cls, config: Config) -> dict[str, ShapeLike]:
        """The fields of `COLUMN` that the network must know of every PE column."""

    @abstractmethod
    def learn(self, m: Module, operand: ArrayOperand, tables: data.View) -> None:
        """Connect in `m` what the network must know of both pass tables, `tables[bank]`.

        Of each it reads `rows[row].active`, `cols[col].active`, and the fields that it asked for.
        """
