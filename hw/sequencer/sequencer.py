"""The pass sequencer: fills the pass tables, one pass ahead of the engines."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, Signature, connect, flipped
from amaranth.utils import ceil_log2

from hw.arch.commands import (
    BASES,
    COLUMN,
    COLUMNS,
    CONSTANTS,
    PATTERN,
    ROW,
    SEGMENT,
    SLOT,
    col_pattern_words,
    row_pattern_words,
)
from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.base.layouts import layout
from hw.engines.tables import EntryTable, PassTable, compact
from hw.sequencer.loader import PatternLoader
from hw.sequencer.walker import WORDS, NestWalker

ENGINES = ("filters", "ifmaps", "psum_reader", "psum_writer")


class Sequencer(Block):
    """Walks the passes of CONV commands and keeps two pass tables filled.

    A table is filled when every engine, every PE and every collector has left the pass that it
    held. Pattern copies take place in the shadow of the pass that runs.

    Members
    -------
    descriptor : in, {en: 1, data: LINK_WORD_BITS, index: ceil_log2(WORDS)}
        Words of a CONV descriptor, while `idle`.
    start : in, 1
        Begin.
    rows : in, {en: 1, data: LINK_WORD_BITS, pattern: ceil_log2(config.control.row_patterns), index:
            ceil_log2(row_pattern_words(config.array.rows))}
        Words of the row patterns, while `idle`.
    cols : in, {en: 1, data: LINK_WORD_BITS, pattern: ceil_log2(config.control.col_patterns), index:
            ceil_log2(col_pattern_words(config.array.cols))}
        Words of the column patterns, while `idle`.
    done : in, data.StructLayout(dict.fromkeys(ENGINES, 2))
        Number modulo 4 of the last pass finished by each engine.
    begun : in, 1
        Every PE has begun the newest pass.
    settled : in, 1
        Every collector has finished the pass before it.
    tables : out, array of 2 PassTable(config)
        Both pass tables.
    issued : out, 2
        Number modulo 4 of the newest pass.
    slot : in, {bank: 1, index: ceil_log2(max(config.array.rows, 2)), data: in
            compact(SLOT, config)}
        Read port of the slots.
    segment_in, segment_out : in, {bank: 1, index: ceil_log2(max(config.array.rows, 2)), data: in
            compact(SEGMENT, config)}
        Read ports of the segments, for the psum reader and the psum writer.
    column_in, column_out : in, {bank: 1, index: ceil_log2(max(config.array.cols, 2)), data: in
            compact(COLUMN, config)}
        Read ports of the column entries, for the same.
    idle : out, 1
        The walk is over; its last passes may still be under way.
    """

    def __init__(self, config: Config):
        word = {"en": Out(1), "data": Out(LINK_WORD_BITS)}
        row_words, col_words = (
            row_pattern_words(config.array.rows),
            col_pattern_words(config.array.cols),
        )
        entry = ceil_log2(max(config.array.rows, 2))
        column = ceil_log2(max(config.array.cols, 2))

        def read(index: int, struct) -> Signature:
            return Signature(
                {"bank": Out(1), "index": Out(index), "data": In(compact(struct, config))}
            )

        super().__init__(
            {
                "descriptor": In(Signature({**word, "index": Out(ceil_log2(WORDS))})),
                "start": In(1),
                "rows": In(
                    Signature(
                        {
                            **word,
                            "pattern": Out(ceil_log2(config.control.row_patterns)),
                            "index": Out(ceil_log2(row_words)),
                        }
                    )
                ),
                "cols": In(
                    Signature(
                        {
                            **word,
                            "pattern": Out(ceil_log2(config.control.col_patterns)),
                            "index": Out(ceil_log2(col_words)),
                        }
                    )
                ),
                "done": In(data.StructLayout(dict.fromkeys(ENGINES, 2))),
                "begun": In(1),
                "settled": In(1),
                "tables": Out(data.ArrayLayout(PassTable(config), 2)),
                "issued": Out(2),
                "slot": In(read(entry, SLOT)),
                "segment_in": In(read(entry, SEGMENT)),
                "segment_out": In(read(entry, SEGMENT)),
                "column_in": In(read(column, COLUMN)),
                "column_out": In(read(column, COLUMN)),
                "idle": Out(1),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.walker = walker = NestWalker()
        m.submodules.row_loader = rows = PatternLoader(
            patterns=config.control.row_patterns, words=row_pattern_words(config.array.rows)
        )
        m.submodules.col_loader = cols = PatternLoader(
            patterns=config.control.col_patterns, words=col_pattern_words(config.array.cols)
        )
        connect(m, flipped(self.descriptor), walker.write)
        connect(m, flipped(self.rows), rows.write)
        connect(m, flipped(self.cols), cols.write)
        bank = Signal()
        free = Signal()
        issue = Signal()
        m.d.comb += [
            bank.eq(~self.issued[0]),
            free.eq(
                self._array_left(m, issue)
                & Cat(((self.issued - self.done[name])[:2] <= 1) for name in ENGINES).all()
            ),
            walker.start.eq(self.start),
            self.idle.eq(walker.idle),
        ]
        for loader, pattern in ((rows, walker.bases.rows), (cols, walker.bases.columns)):
            m.d.comb += [
                loader.pattern.eq(pattern),
                loader.bank.eq(bank),
                loader.copy.eq(walker.ready & free),
            ]
        m.d.comb += [
            issue.eq(walker.ready & free & rows.current & cols.current),
            walker.next.eq(issue),
        ]
        with m.If(issue):
            m.d.sync += self.issued.eq(self.issued + 1)
        for number in range(2):
            self._fill(m, self.tables[number], bank == number, issue, walker, rows, cols)
        self._entry_tables(m, bank, rows, cols)
        return m

    def _array_left(self, m: Module, issue: Signal) -> Value:
        """Array and collectors have left the table that is filled next.

        With `control.pipeline` two cycles late, one of them in the array: many wires meet here.
        """
        left = self.begun & self.settled
        if not self.config.control.pipeline:
            return left
        was_left, was_issue = Signal(), Signal()
        m.d.sync += [was_left.eq(left & ~issue & ~was_issue), was_issue.eq(issue)]
        return was_left

    def _fill(self, m: Module, table, here, issue, walker, rows, cols) -> None:
        """Registers of one pass table."""
        with m.If(here & issue):
            m.d.sync += [
                *(table.constants[f.name].eq(walker.constants[f.name]) for f in CONSTANTS.fields),
                *(table.bases[f.name].eq(walker.bases[f.name]) for f in BASES.fields),
                table.first.eq(walker.first),
                table.last.eq(walker.last),
                table.sync.eq(walker.opening & walker.constants.sync),
                table.closing.eq(walker.closing),
            ]
        with m.If(here & rows.word.en):
            with m.If(rows.word.index == 0):
                head = layout(PATTERN)(rows.word.data)
                m.d.sync += [
                    table[name].eq(head[name]) for name in ("slots", "segments", "filters")
                ]
            for i in range(self.config.array.rows):
                with m.If(rows.word.index == PATTERN.words + i):
                    entry = layout(ROW)(rows.word.data)
                    m.d.sync += [table.rows[i][f.name].eq(entry[f.name]) for f in ROW.fields]
        with m.If(here & cols.word.en):
            with m.If(cols.word.index == 0):
                head = layout(COLUMNS)(cols.word.data)
                m.d.sync += [table[name].eq(head[name]) for name in ("columns", "groups")]
            for i in range(self.config.array.cols):
                with m.If(cols.word.index == COLUMNS.words + i * COLUMN.words):
                    entry = layout(COLUMN)(Cat(cols.word.data, cols.word.data))
                    m.d.sync += [
                        table.cols[i][name].eq(entry[name]) for name in ("active", "tid", "base")
                    ]

    def _entry_tables(self, m: Module, bank, rows, cols) -> None:
        """Tables of slots, segments and columns, filled from the pattern words."""
        config = self.config
        slots_from = PATTERN.words + config.array.rows * ROW.words
        segments_from = slots_from + config.array.rows * SLOT.words
        self._entry_table(m, "slots", SLOT, bank, rows, slots_from, (self.slot,))
        self._entry_table(
            m,
            "segments",
            SEGMENT,
            bank,
            rows,
            segments_from,
            (self.segment_in, self.segment_out),
        )
        self._entry_table(
            m,
            "columns",
            COLUMN,
            bank,
            cols,
            COLUMNS.words,
            (self.column_in, self.column_out),
        )

    def _entry_table(self, m, name, struct, bank, loader, start, ports) -> None:
        config = self.config
        entries = config.array.cols if struct is COLUMN else config.array.rows
        table = EntryTable(struct, config, entries=entries, ports=len(ports))
        m.submodules[name] = table
        word = loader.word
        offset = Signal(range(max(entries * struct.words, 2)), name=f"{name}_offset")
        inside = (word.index >= start) & (word.index < start + entries * struct.words)
        m.d.comb += [
            offset.eq(word.index - start),
            table.write.bank.eq(bank),
        ]
        if struct.words == 1:
            whole = word.data
            m.d.comb += [table.write.en.eq(word.en & inside), table.write.index.eq(offset)]
        else:
            low = Signal(LINK_WORD_BITS, name=f"{name}_low")
            with m.If(word.en):
                m.d.sync += low.eq(word.data)
            whole = Cat(low, word.data)
            m.d.comb += [
                table.write.en.eq(word.en & inside & offset[0]),
                table.write.index.eq(offset[1:]),
            ]
        view = layout(struct)(whole)
        m.d.comb += [table.write.data[f.name].eq(view[f.name]) for f in struct.fields]
        for port, outer in zip(table.reads, ports, strict=True):
            m.d.comb += [
                port.bank.eq(outer.bank),
                port.index.eq(outer.index),
                outer.data.eq(port.data),
            ]
