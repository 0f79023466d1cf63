"""The psum-in engine: partial sums of earlier passes from the buffer to the columns."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from hw.arch.commands import ADDRESS
from hw.arch.config import Config
from hw.arch.patterns import SEGMENT
from hw.base.block import Block
from hw.base.layouts import of_bank
from hw.engines.nest import nest
from hw.engines.tables import PassTable, column_entry, compact
from hw.glb.ports import Reader, read_port
from hw.noc.psums import FeederBeat
from hw.noc.tags import row_bits


class PsumReader(Block):
    """Reads the beats of every window, segment and column that does not start at zero.

    One beat a cycle (`psum_beat` / `noc.psum_in` cycles where the network is narrower). A window is
    read only when the pass before has written it: the writer's progress is watched.

    Timing
    ------
    A pass of one window for two columns; the writer finishes the pass before in cycle 3.

        cycle                    0  1  2  3  4  5  6  7
        issued                   1  1  1  1  1  1  1  1
        written_pass             3  3  3  0  0  0  0  0
        port.request.valid       0  0  0  1  1  0  0  0
        port.request.ready       1  1  1  1  1  1  1  1
        columns.0.valid          0  0  0  0  0  1  0  0
        columns.0.payload.row    .  .  .  .  .  1  .  .
        columns.0.payload.count  .  .  .  .  .  2  .  .
        columns.0.ready          1  1  1  1  1  1  1  1
        columns.1.valid          0  0  0  0  0  0  1  0
        columns.1.ready          1  1  1  1  1  1  1  1
        done                     0  0  0  0  0  1  1  1

    Members
    -------
    tables : in, array of 2 PassTable(config)
        Both pass tables.
    issued : in, 2
        Number modulo 4 of the newest pass.
    done : out, 2
        Number modulo 4 of the last pass finished here.
    bank : out, 1
        Table of the entries to be read.
    segment_index : out, ceil_log2(max(config.array.rows, 2))
        Number of the segment to be read.
    segment : in, compact(SEGMENT, config)
        That segment, in the same cycle.
    column_index : out, ceil_log2(max(config.array.cols, 2))
        Number of the column entry to be read.
    column : in, column_entry(config)
        That entry, in the same cycle.
    written_pass : in, 2
        Number modulo 4 of the last pass that the psum writer has finished.
    written_window : in, config.control.map_bits
        Windows that it has written of the pass after that one.
    port : out, read_port(config.banks_per_beat * config.buffer.width)
        Read port of the buffer, a psum beat wide.
    columns : out, config.array.cols times stream of FeederBeat(config)
        Psums for every column.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "tables": In(data.ArrayLayout(PassTable(config), 2)),
                "issued": In(2),
                "done": Out(2),
                "bank": Out(1),
                "segment_index": Out(ceil_log2(max(config.array.rows, 2))),
                "segment": In(compact(SEGMENT, config)),
                "column_index": Out(ceil_log2(max(config.array.cols, 2))),
                "column": In(column_entry(config)),
                "written_pass": In(2),
                "written_window": In(config.control.map_bits),
                "port": Out(read_port(config.banks_per_beat * config.buffer.width)),
                "columns": Out(stream.Signature(FeederBeat(config))).array(config.array.cols),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        beat = FeederBeat(config)
        label = data.StructLayout(
            {
                "row": row_bits(config),
                "steps": beat["steps"].shape,
                "odd": beat["odd"].shape,
                "column": range(max(config.array.cols, 2)),
                "more": range(config.psum_beat),  # psums beyond the first
            }
        )
        reader = Reader(
            label,
            width=config.banks_per_beat * config.buffer.width,
            pipeline=config.control.pipeline,
        )
        m.submodules.reader = reader
        connect(m, reader.port, flipped(self.port))
        self._walk(m, reader)
        self._emit(m, reader)
        return m

    def _walk(self, m: Module, reader: Reader) -> None:
        config = self.config
        m.d.comb += self.bank.eq(~self.done[0])
        table = of_bank(m, self.tables, self.bank, "table")
        constants = table.constants
        step = Signal()
        busy = self.issued != self.done
        loops = nest(
            m,
            step,
            {
                "window": constants.windows,
                "segment": table.segments,
                "column": table.columns,
                "beat": constants.psum_beats,
            },
        )
        fresh = self.segment.first & table.first  # nothing to read for this segment
        may = Signal()  # the pass before has written this window
        window_base = Signal(ADDRESS)
        more, before = Signal(9), Signal(9)  # psums after the beat's first one; before its beat
        item = reader.input.payload
        m.d.comb += [
            self.segment_index.eq(loops["segment"].index),
            self.column_index.eq(loops["column"].index),
            may.eq((self.written_pass == self.done) | self._window_written(loops)),
            before.eq(loops["beat"].index * config.psum_beat),
            more.eq(constants.psums + ~before),  # psums - before - 1
            item.address.eq(
                table.bases.psum
                + self.segment.psum
                + self.column.psum
                + window_base
                + loops["beat"].index
            ),
            item.skip.eq(0),
            item.label.row.eq(self.segment.head),
            item.label.steps.eq(constants.steps),
            item.label.odd.eq(constants.odd),
            item.label.column.eq(loops["column"].index),
            item.label.more.eq(Mux(more >= config.psum_beat, config.psum_beat - 1, more)),
            reader.input.valid.eq(busy & ~fresh & may),
            # What starts at zero is passed over, a beat a cycle.
            step.eq(busy & (fresh | (reader.input.valid & reader.input.ready))),
        ]
        with m.If(loops["window"].steps):
            m.d.sync += window_base.eq(
                Mux(loops["window"].last, 0, window_base + constants.psum_beats)
            )
        with m.If(step & loops["window"].ends):
            m.d.sync += self.done.eq(self.done + 1)

    def _window_written(self, loops):
        """The writer is one pass behind, but past this window.

        This engine works on pass `done` + 1. `written_pass` = `done` says that the writer has
        finished the pass before; `written_pass` = `done` - 1 that it is in that pass, with
        `written_window` windows behind it.
        """
        return ((self.written_pass + 1)[:2] == self.done) & (
            self.written_window > loops["window"].index
        )

    def _emit(self, m: Module, reader: Reader) -> None:
        """Unpack the beat and hand it to its column, `noc.psum_in` psums a cycle."""
        config = self.config
        beat = reader.output.payload
        slot_bits = config.buffer.width // config.psums_per_word
        psums = [
            beat.data.word_select(i // config.psums_per_word, config.buffer.width).word_select(
                i % config.psums_per_word, slot_bits
            )[: config.array.psum_width]
            for i in range(config.psum_beat)
        ]
        width = config.noc.psum_in
        parts = config.psum_beat // width
        part = Signal(range(parts))
        over, parts_beyond = _split(beat.label.more, width)
        # A beat of one part leaves nothing to choose, and the Verilog gets no arms that are dead.
        several = parts > 1
        final = part == parts_beyond if several else Const(1)
        ready = []
        for index, output in enumerate(self.columns):
            here = beat.label.column == index
            m.d.comb += [
                output.valid.eq(reader.output.valid & here),
                output.payload.row.eq(beat.label.row),
                output.payload.steps.eq(beat.label.steps),
                output.payload.odd.eq(beat.label.odd),
                output.payload.count.eq(Mux(final, over + 1, width) if several else over + 1),
            ]
            for i in range(width):
                each = psums[i::width]
                m.d.comb += output.payload.psums[i].eq(Array(each)[part] if several else each[0])
            ready.append(here & output.ready)
        chosen = Signal()
        m.d.comb += [chosen.eq(Cat(ready).any()), reader.output.ready.eq(chosen & final)]
        if several:
            with m.If(reader.output.valid & chosen):
                m.d.sync += part.eq(Mux(final, 0, part + 1))


def _split(more: Value, width: int) -> tuple[Value, Value]:
    """Remainder and quotient of a number by a power of two."""
    bits = exact_log2(width)
    return more[:bits], more[bits:]
