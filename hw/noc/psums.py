"""What carries psums from the buffer to the PEs, from PE to PE and back, whatever its kind."""

from abc import abstractmethod

from amaranth.hdl import Module, ValueLike, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.arch.config import Config
from hw.base.block import Block
from hw.noc.tags import row_bits
from hw.pe.layouts import ChainWord, PsumWord


class FeederBeat(data.StructLayout):
    """Up to `noc.psum_in` psums for the PE in `row`; `count` of them are valid.

    With two multipliers a PE: in the last of every `steps` words of a segment, the second psum is
    left out if `odd`, as in `CONSTANTS`. A segment's beats are full but for the last.
    """

    def __init__(self, config: Config):
        pairs = config.pe.macs > 1
        super().__init__(
            {
                "row": row_bits(config),
                "count": bits_for(config.noc.psum_in),
                "steps": bits_for(config.pe.psum_spad // config.pe.macs) if pairs else 0,
                "odd": 1 if pairs else 0,
                "psums": data.ArrayLayout(signed(config.array.psum_width), config.noc.psum_in),
            }
        )


class CollectorBeat(data.ArrayLayout):
    """`noc.psum_out` psums; a window's last beat may hold fewer, the rest is anything."""

    def __init__(self, config: Config):
        super().__init__(signed(config.array.psum_width), config.noc.psum_out)


class PsumNetwork(Block):
    """The ports and promises that all kinds share; `hw.noc.kinds` has the kinds.

    A network hands the psums of `psums_in` to the heads of segments, carries a PE's words to the
    PE above it, and gathers the words of tails into the beats of `psums_out`. For every column,
    psums leave window by window, in a window segment by segment from the bottom, and in a segment
    in the order of the PE's slots: the psum engines count on that order and get no addresses.

    What a network may assume
        PEs keep the promises of `hw.pe.pe.PE`. Psums come on `psums_in` in the order in which they
        leave. A pass table changes only when `settled` says that its pass is over.
    What others may assume
        No psum is dropped, and none is computed with. What its taker is not ready for waits where
        it is, in its PE or at the end of the column, and so does what comes after it there. Up to
        `noc.column_fifo` beats wait at each end of a column, and up to one a cycle passes there.

    Members
    -------
    issued : in, 2
        Number modulo 4 of the newest pass.
    settled : out, 1
        All psums of the pass before the newest have left the PEs; of `issued` in this cycle, with
        `control.pipeline` in the cycle before.
    psums_in : in, config.array.cols times stream of FeederBeat(config)
        Psums from the buffer, for every column.
    psums_out : out, config.array.cols times stream of CollectorBeat(config)
        Psums of every column.
    column : out, config.array.rows, config.array.cols times stream of PsumWord(config)
        Psums from the buffer for every PE.
    below : out, config.array.rows, config.array.cols times stream of ChainWord(config)
        What the PE below each PE sends; nothing in row 0.
    outputs : in, config.array.rows, config.array.cols times stream of ChainWord(config)
        What every PE sends.
    """

    def __init__(self, config: Config, **own: In):
        size = (config.array.rows, config.array.cols)
        super().__init__(
            {
                "issued": In(2),
                "settled": Out(1),
                "psums_in": In(stream.Signature(FeederBeat(config))).array(size[1]),
                "psums_out": Out(stream.Signature(CollectorBeat(config))).array(size[1]),
                "column": Out(stream.Signature(PsumWord(config))).array(*size),
                "below": Out(stream.Signature(ChainWord(config))).array(*size),
                "outputs": In(stream.Signature(ChainWord(config))).array(*size),
                **own,
            }
        )
        self.config = config

    @classmethod
    @abstractmethod
    def pass_config(cls, config: Config) -> data.StructLayout:
        """What the network must know of a pass, the same for all columns."""

    @classmethod
    @abstractmethod
    def pass_constants(cls, config: Config, constants: data.View) -> dict[str, ValueLike]:
        """The fields of `pass_config` that follow from a pass table's `CONSTANTS`."""

    @abstractmethod
    def learn(self, m: Module, tables: data.View) -> None:
        """Connect in `m` what the network must know of both pass tables, `tables[bank]`.

        Of each it reads `rows[row].active` and `tail`, `cols[col].active`, and `psums`, which is a
        `pass_config`.
        """
