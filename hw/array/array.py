"""The PE array: networks, PEs, psum chains and the ends of the columns."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import Config
from hw.array.tables import ArrayTable
from hw.base.block import Block
from hw.base.layouts import of_bank
from hw.noc.kinds import operand_network, psum_network
from hw.noc.operands import ArrayOperand, OperandNetwork
from hw.noc.psums import CollectorBeat, FeederBeat, PsumNetwork
from hw.pe.kinds import pe_kind
from hw.pe.pe import PE


class ActivityCount(data.StructLayout):
    """How many PEs tell each event of their kind in a cycle."""

    def __init__(self, config: Config):
        pes = range(config.array.rows * config.array.cols + 1)
        super().__init__(dict.fromkeys(pe_kind(config).events(config), pes))


class PEArray(Block):
    """`rows` x `cols` PEs between their networks, each of the kind that the configuration names.

    Here is what all kinds have in common: who is where, which pass is the newest, and how many PEs
    do what.

    Members
    -------
    tables : in, array of 2 ArrayTable(config)
        Both pass tables.
    issued : in, 2
        Number modulo 4 of the newest pass.
    ifmap : in, stream of operand_network(config).bus(config, ArrayOperand.IFMAP)
        Beats of the ifmap network.
    filters : in, stream of operand_network(config).bus(config, ArrayOperand.FILTER)
        Beats of the filter network.
    psums_in : in, config.array.cols times stream of FeederBeat(config)
        Psums from the buffer, for every column.
    psums_out : out, config.array.cols times stream of CollectorBeat(config)
        Psums of every column.
    begun : out, 1
        Every PE has begun the newest pass; a cycle late with `control.pipeline`.
    settled : out, 1
        All psums of the pass before the newest have left the PEs; a cycle late with
        `control.pipeline`.
    activity : out, ActivityCount(config)
        PEs by what they do, three cycles late.
    """

    def __init__(self, config: Config):
        bus = operand_network(config).bus
        super().__init__(
            {
                "tables": In(data.ArrayLayout(ArrayTable(config), 2)),
                "issued": In(2),
                "ifmap": In(stream.Signature(bus(config, ArrayOperand.IFMAP))),
                "filters": In(stream.Signature(bus(config, ArrayOperand.FILTER))),
                "psums_in": In(stream.Signature(FeederBeat(config))).array(config.array.cols),
                "psums_out": Out(stream.Signature(CollectorBeat(config))).array(config.array.cols),
                "begun": Out(1),
                "settled": Out(1),
                "activity": Out(ActivityCount(config)),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        rows, cols = range(config.array.rows), range(config.array.cols)
        ifmap, filters = (
            self._operands(m, ArrayOperand.IFMAP),
            self._operands(m, ArrayOperand.FILTER),
        )
        connect(m, flipped(self.ifmap), ifmap.input)
        connect(m, flipped(self.filters), filters.input)
        psums = self._psums(m)
        newest, announced = self._newest(m)
        pes = [[pe_kind(config)(config) for _ in cols] for _ in rows]
        for row in rows:
            for col in cols:
                m.submodules[f"pe_{row}_{col}"] = pe = pes[row][col]
                connect(m, ifmap.outputs[row][col], pe.ifmap)
                connect(m, filters.outputs[row][col], pe.filters)
                connect(m, psums.column[row][col], pe.column)
                connect(m, psums.below[row][col], pe.below)
                connect(m, pe.output, psums.outputs[row][col])
                m.d.comb += pe.config_pass.eq(announced)
                self._configure(m, pe, newest, newest.rows[row], newest.cols[col])
        begun = Signal(config.array.cols)
        # By column first: the wires of one column end in one bit, which may cross the array alone.
        m.d["sync" if config.control.pipeline else "comb"] += begun.eq(
            Cat(Cat(line[j].started == self.issued for line in pes).all() for j in cols)
        )
        m.d.comb += self.begun.eq(begun.all())
        self._count(m, pes)
        return m

    def _operands(self, m: Module, operand: ArrayOperand) -> OperandNetwork:
        network = operand_network(self.config).for_operand(self.config, operand)
        m.submodules[f"{operand.value}_network"] = network
        network.learn(m, operand, self.tables)
        return network

    def _psums(self, m: Module) -> PsumNetwork:
        m.submodules.psum_network = network = psum_network(self.config)(self.config)
        network.learn(m, self.tables)
        m.d.comb += [network.issued.eq(self.issued), self.settled.eq(network.settled)]
        for inner, outer in zip(network.psums_in, self.psums_in, strict=True):
            connect(m, flipped(outer), inner)
        for inner, outer in zip(network.psums_out, self.psums_out, strict=True):
            connect(m, inner, flipped(outer))
        return network

    def _newest(self, m: Module) -> tuple[data.View, Signal]:
        """The newest pass's table and its number modulo 4, for the PEs.

        With `control.pipeline` out of registers, a cycle late.
        """
        table = of_bank(m, self.tables, self.issued[0], "newest")
        if not self.config.control.pipeline:
            return table, self.issued
        # The table fans out to all PEs: one register in front of that many wires.
        late = Signal(ArrayTable(self.config), reset_less=True)
        announced = Signal(2)
        m.d.sync += [late.eq(table), announced.eq(self.issued)]
        return late, announced

    def _configure(
        self, m: Module, pe: PE, table: data.View, line: data.View, column: data.View
    ) -> None:
        """The place of a PE in its chain, from its row and column, and what all PEs share."""
        m.d.comb += [
            pe.config.eq(table.constants),
            pe.config.active.eq(line.active & column.active),
            pe.config.head.eq(line.head),
            pe.config.zero.eq(line.first & table.zero),
            pe.config.tail.eq(line.tail),
            pe.config.release.eq(table.release),
        ]

    def _count(self, m: Module, pes) -> None:
        """Sum the PEs' events by column, then over the columns, with registers before, between and
        after."""
        for name in pe_kind(self.config).events(self.config):
            sums = []
            for col in range(self.config.array.cols):
                events = Signal(
                    self.config.array.rows, name=f"{name}_{col}_events", reset_less=True
                )
                partial = Signal(range(self.config.array.rows + 1), name=f"{name}_{col}")
                m.d.sync += [
                    events.eq(Cat(getattr(line[col], name) for line in pes)),
                    partial.eq(sum(events)),
                ]
                sums.append(partial)
            m.d.sync += self.activity[name].eq(sum(sums))
