"""The PE array: networks, PEs, psum chains and the ends of the columns."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import Config
from hw.array.collector import CollectorBeat, CollectorConfig, ColumnCollector
from hw.array.feeder import ColumnFeeder, FeederBeat
from hw.base.block import Block
from hw.base.layouts import of_bank
from hw.noc.multicast import MulticastNetwork
from hw.pe.layouts import (
    ColumnTable,
    PassConfig,
    RowTable,
    TaggedBeat,
    filter_bus,
    ifmap_bus,
)
from hw.pe.pe import PE


class ArrayTable(data.StructLayout):
    """One pass table as the array sees it.

    `zero`: the pass may start psums at zero; `constants`: the constant part of `PassConfig`.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "rows": data.ArrayLayout(RowTable(config), config.array.rows),
                "cols": data.ArrayLayout(ColumnTable(config), config.array.cols),
                "zero": 1,
                "constants": PassConfig(config),
                "collector": CollectorConfig(config),
            }
        )


class ActivityCount(data.StructLayout):
    """PEs in each state in a cycle."""

    def __init__(self, config: Config):
        pes = range(config.array.rows * config.array.cols + 1)
        super().__init__(dict.fromkeys(PE_EVENTS, pes))


PE_EVENTS = (
    "running",
    "fired",
    "gated",
    "starved_ifmap",
    "starved_filter",
    "blocked_in",
    "blocked_out",
)


class PEArray(Block):
    """`rows` x `cols` PEs with ifmap and filter networks, psum chains, feeders and collectors.

    Members
    -------
    tables : in, array of 2 ArrayTable(config)
        Both pass tables.
    issued : in, 2
        Number modulo 4 of the newest pass.
    ifmap : in, stream of ifmap_bus(config)
        Beats of the ifmap network.
    filters : in, stream of filter_bus(config)
        Beats of the filter network.
    psums_in : in, config.array.cols times stream of FeederBeat(config)
        Psums from the buffer, for every column.
    psums_out : out, config.array.cols times stream of CollectorBeat(config)
        Psums of every column.
    begun : out, 1
        Every PE has begun the newest pass; a cycle late with `control.pipeline`.
    settled : out, 1
        Every collector has finished the pass before the newest; a cycle late with
        `control.pipeline`.
    activity : out, ActivityCount(config)
        PEs by what they do, three cycles late.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "tables": In(data.ArrayLayout(ArrayTable(config), 2)),
                "issued": In(2),
                "ifmap": In(stream.Signature(ifmap_bus(config))),
                "filters": In(stream.Signature(filter_bus(config))),
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
        ifmap = self._network(m, "ifmap", ifmap_bus(config))
        filters = self._network(m, "filter", filter_bus(config))
        connect(m, flipped(self.ifmap), ifmap.input)
        connect(m, flipped(self.filters), filters.input)
        newest, announced = self._newest(m)
        pes = [[PE(config) for _ in cols] for _ in rows]
        collectors: list[ColumnCollector] = []
        for col in cols:
            feeder, collector = ColumnFeeder(config), ColumnCollector(config)
            m.submodules[f"feeder_{col}"] = feeder
            m.submodules[f"collector_{col}"] = collector
            connect(m, flipped(self.psums_in[col]), feeder.input)
            connect(m, collector.output, flipped(self.psums_out[col]))
            self._configure_collector(m, collector, col)
            for row in rows:
                pe = pes[row][col]
                m.submodules[f"pe_{row}_{col}"] = pe
                connect(m, ifmap.outputs[row][col], pe.ifmap)
                connect(m, filters.outputs[row][col], pe.filters)
                connect(m, feeder.outputs[row], pe.column)
                self._chain(m, pe, pes[row + 1][col] if row + 1 < config.array.rows else None)
                m.d.comb += [
                    collector.inputs[row].payload.eq(pe.output.payload),
                    collector.inputs[row].valid.eq(pe.output.valid),
                    pe.output.ready.eq(
                        Mux(
                            pe.output.payload.tail,
                            collector.inputs[row].ready,
                            self._taken(pes, row, col),
                        )
                    ),
                    pe.config_pass.eq(announced),
                ]
                self._configure_pe(m, pe, newest, row, col)
            collectors.append(collector)
        begun, settled = Signal(config.array.cols), Signal(config.array.cols)
        m.d["sync" if config.control.pipeline else "comb"] += [
            begun.eq(Cat(Cat(line[j].started == self.issued for line in pes).all() for j in cols)),
            settled.eq(Cat((self.issued - one.done)[:2] <= 1 for one in collectors)),
        ]
        m.d.comb += [self.begun.eq(begun.all()), self.settled.eq(settled.all())]
        self._count(m, pes)
        return m

    def _newest(self, m: Module) -> tuple[data.View, Signal]:
        """The newest pass's table and its number modulo 4, for the PEs.

        With `control.pipeline` out of registers, a cycle late.
        """
        table = of_bank(m, self.tables, self.issued[0], "newest")
        if not self.config.control.pipeline:
            return table, self.issued
        late = Signal(ArrayTable(self.config), reset_less=True)
        announced = Signal(2)
        m.d.sync += [late.eq(table), announced.eq(self.issued)]
        return late, announced

    def _network(self, m: Module, name: str, beat: TaggedBeat) -> MulticastNetwork:
        config = self.config
        network = MulticastNetwork(
            beat["payload"].shape,
            row_tag=beat["row"].width,
            col_tag=beat["tag"].width,
            rows=config.array.rows,
            cols=config.array.cols,
            pipeline=config.noc.pipeline,
            entry=config.control.pipeline,
        )
        m.submodules[f"{name}_network"] = network
        for bank in range(2):
            table = self.tables[bank]
            for row in range(config.array.rows):
                source, target = table.rows[row], network.rows[bank][row]
                m.d.comb += [
                    target.enable.eq(source.active),
                    target.id.eq(source.iid if name == "ifmap" else source.fid),
                    target.offset.eq(source.ioff if name == "ifmap" else 0),
                ]
            for col in range(config.array.cols):
                source = table.cols[col]
                m.d.comb += [
                    network.ids[bank][col].eq(source.base if name == "ifmap" else source.tid),
                    network.enables[bank][col].eq(source.active),
                ]
        return network

    def _chain(self, m: Module, pe: PE, above: PE | None) -> None:
        """The PE's output reaches the PE above; which of its words it takes is marked in them."""
        if above is not None:
            m.d.comb += [
                above.below.payload.eq(pe.output.payload),
                above.below.valid.eq(pe.output.valid),
            ]

    def _taken(self, pes: list[list[PE]], row: int, col: int):
        """The PE above takes a chain word of the PE in (row, col)."""
        return pes[row + 1][col].below.ready if row + 1 < self.config.array.rows else 0

    def _configure_pe(self, m: Module, pe: PE, newest, row: int, col: int) -> None:
        line = newest.rows[row]
        m.d.comb += [
            pe.config.eq(newest.constants),
            pe.config.active.eq(line.active & newest.cols[col].active),
            pe.config.head.eq(line.head),
            pe.config.zero.eq(line.first & newest.zero),
            pe.config.tail.eq(line.tail),
        ]

    def _configure_collector(self, m: Module, collector: ColumnCollector, col: int) -> None:
        m.d.comb += collector.issued.eq(self.issued)
        for bank in range(2):
            table, target = self.tables[bank], collector.configs[bank]
            m.d.comb += [
                target.eq(table.collector),
                target.active.eq(table.cols[col].active),
                target.tails.eq(Cat(line.tail & line.active for line in table.rows)),
            ]

    def _count(self, m: Module, pes) -> None:
        """Sum the PEs' events by column, then over the columns, with registers before, between and
        after."""
        for name in PE_EVENTS:
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
