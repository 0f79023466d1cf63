"""Psum chains up the columns, with a feeder and a collector to each column."""

from amaranth.hdl import Cat, Module, Mux, Signal, ValueLike
from amaranth.lib import data
from amaranth.lib.wiring import In, connect, flipped

from hw.arch.config import Config
from hw.noc.collector import CollectorConfig, ColumnCollector, collector_constants
from hw.noc.feeder import ColumnFeeder
from hw.noc.psums import PsumNetwork


class ColumnChains(PsumNetwork):
    """In every column: a feeder for all its PEs, a chain from PE to PE, and a collector.

    A PE's output goes to the PE above and to the collector at once; `tail` in the word says which
    of them takes it. Nothing is stored between PEs, so a word may go up in the cycle in which it
    leaves its PE; the PEs' own queues make the steps of the chain.

    Members
    -------
    issued : in, 2
        Number modulo 4 of the newest pass.
    settled : out, 1
        Every collector has finished the pass before the newest; a cycle late with
        `control.pipeline`.
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
    configs : in, array of 2 array of config.array.cols CollectorConfig(config)
        Configuration of every column for both pass tables.
    """

    def __init__(self, config: Config):
        columns = data.ArrayLayout(CollectorConfig(config), config.array.cols)
        super().__init__(config, configs=In(data.ArrayLayout(columns, 2)))

    @classmethod
    def pass_config(cls, config: Config) -> CollectorConfig:
        """What a collector must know; `active` and `tails` come from rows and columns."""
        return CollectorConfig(config)

    @classmethod
    def pass_constants(cls, config: Config, constants: data.View) -> dict[str, ValueLike]:
        """Ends and counts of the collectors."""
        return collector_constants(config, constants)

    def learn(self, m: Module, tables: data.View) -> None:
        """Which rows are tails, and what is the same for all columns."""
        for bank in range(2):
            table = tables[bank]
            for col, target in enumerate(self.configs[bank]):
                m.d.comb += [
                    target.eq(table.psums),
                    target.active.eq(table.cols[col].active),
                    target.tails.eq(Cat(line.tail & line.active for line in table.rows)),
                ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        collectors = [self._column(m, col) for col in range(self.config.array.cols)]
        settled = Signal(len(collectors))
        m.d["sync" if self.config.control.pipeline else "comb"] += settled.eq(
            Cat((self.issued - one.done)[:2] <= 1 for one in collectors)
        )
        m.d.comb += self.settled.eq(settled.all())
        return m

    def _column(self, m: Module, col: int) -> ColumnCollector:
        feeder, collector = ColumnFeeder(self.config), ColumnCollector(self.config)
        m.submodules[f"feeder_{col}"] = feeder
        m.submodules[f"collector_{col}"] = collector
        connect(m, flipped(self.psums_in[col]), feeder.input)
        connect(m, collector.output, flipped(self.psums_out[col]))
        m.d.comb += collector.issued.eq(self.issued)
        for bank in range(2):
            m.d.comb += collector.configs[bank].eq(self.configs[bank][col])
        rows = range(self.config.array.rows)
        # The taker follows from the word alone: `ready` depends on no other PE's `valid`.
        for row in rows:
            connect(m, feeder.outputs[row], flipped(self.column[row][col]))
            output, gathered = self.outputs[row][col], collector.inputs[row]
            m.d.comb += [gathered.payload.eq(output.payload), gathered.valid.eq(output.valid)]
            taken = 0  # by the PE above
            if row + 1 in rows:
                above = self.below[row + 1][col]
                m.d.comb += [above.payload.eq(output.payload), above.valid.eq(output.valid)]
                taken = above.ready
            m.d.comb += output.ready.eq(Mux(output.payload.tail, gathered.ready, taken))
        return collector
