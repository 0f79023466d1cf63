"""The pass sequencer: fills the pass tables, one pass ahead of the engines."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, PureInterface, Signature, connect, flipped
from amaranth.utils import bits_for, ceil_log2

from hw.arch.commands import ADDRESS, BASES, CONSTANTS
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.patterns import (
    COLUMN,
    COLUMNS,
    PATTERN,
    ROW,
    ROW_BITS,
    SEGMENT,
    SLOT,
    col_pattern_words,
    row_pattern_words,
)
from hw.base.block import Block
from hw.base.layouts import layout
from hw.engines.tables import EntryTable, PassTable, column_entry, compact
from hw.sequencer.loader import PatternLoader
from hw.sequencer.next_command import NextCommand, descriptor_port
from hw.sequencer.walker import WORDS, NestWalker

_ROWS, _SLOTS, _SEGMENTS = range(3)  # parts of a row pattern, in order

ENGINES = ("filters", "ifmaps", "psum_reader", "psum_writer")


class Sequencer(Block):
    """Walks the passes of CONV commands and keeps two pass tables filled.

    A table is filled when every engine, every PE and every collector has left the pass that it
    held. Pattern copies take place in the shadow of the pass that runs.

    Timing
    ------
    A table is filled for the next pass while the other one's pass runs:

        table 0   copy k | pass k: engines, PEs, collectors | copy k + 2 | pass k + 2 ...
        table 1            copy k + 1 | pass k + 1 ......................................

    Three passes for an array of one PE, with a row pattern of five words and a column pattern of
    two. The walk opens in seven cycles, and each table gets its copies in seven. The third pass
    waits until the engines have ended the first one (85: `done` is 1 for all four), and needs no
    copy.

        cycle      0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26
        rows.en    1  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0
        rows.data  5  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
        cols.en    1  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0
        cols.data  2  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
        start      1  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0
        idle       1  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0
        issued     0  0  0  0  0  0  0  0  0  0  0  0  0  0  1  1  1  1  1  1  1  1  2  2  2  3  3
        done       0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0  0 85 85 85

    Members
    -------
    descriptor : in, descriptor_port(WORDS)
        Words of a CONV descriptor, while `ready`.
    start : in, 1
        Begin when the walk under way is over.
    ready : out, 1
        A CONV descriptor can be taken: none waits.
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
            column_entry(config)}
        Read ports of the column entries, for the same.
    idle : out, 1
        All walks are over; their last passes may still be under way.
    """

    def __init__(self, config: Config):
        word = {"en": Out(1), "data": Out(LINK_WORD_BITS)}
        row_words, col_words = (
            row_pattern_words(config.array.rows),
            col_pattern_words(config.array.cols),
        )
        entry = ceil_log2(max(config.array.rows, 2))
        column = ceil_log2(max(config.array.cols, 2))

        def read(index: int, shape: data.StructLayout) -> Signature:
            return Signature({"bank": Out(1), "index": Out(index), "data": In(shape)})

        super().__init__(
            {
                "descriptor": In(descriptor_port(WORDS)),
                "start": In(1),
                "ready": Out(1),
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
                "slot": In(read(entry, compact(SLOT, config))),
                "segment_in": In(read(entry, compact(SEGMENT, config))),
                "segment_out": In(read(entry, compact(SEGMENT, config))),
                "column_in": In(read(column, column_entry(config))),
                "column_out": In(read(column, column_entry(config))),
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
        m.submodules.next_command = following = NextCommand(words=WORDS)
        connect(m, flipped(self.descriptor), following.input)
        connect(m, following.output, walker.write)
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
            following.start.eq(self.start),
            following.walker_idle.eq(walker.idle),
            walker.start.eq(following.walker_start),
            self.ready.eq(following.ready),
            self.idle.eq(following.idle),
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
        place = self._row_place(m, rows.word)
        for number in range(2):
            table, here = self.tables[number], bank == number
            self._fill_command(m, table, here & issue, walker)
            self._fill_rows(m, table, here & rows.word.en, rows.word, place)
            self._fill_cols(m, table, here & cols.word.en, cols.word)
        self._row_tables(m, bank, rows.word, place)
        self._column_table(m, bank, cols.word)
        return m

    def _array_left(self, m: Module, issue: Signal) -> Value:
        """Array and collectors have left the table that is filled next.

        With `control.pipeline` two cycles late, one of them in the array: many wires meet here.
        """
        left = self.begun & self.settled
        if not self.config.control.pipeline:
            return left
        was_left, was_issue = Signal(), Signal()
        # For two cycles after an issue the array's answer is about the pass before.
        m.d.sync += [was_left.eq(left & ~issue & ~was_issue), was_issue.eq(issue)]
        return was_left

    def _fill_command(self, m: Module, table: data.View, now: Value, walker: NestWalker) -> None:
        """What the command and the place in its nest say of the pass."""
        with m.If(now):
            m.d.sync += [
                *(table.constants[f.name].eq(walker.constants[f.name]) for f in CONSTANTS.fields),
                *(table.bases[f.name].eq(walker.bases[f.name]) for f in BASES.fields),
                table.first.eq(walker.first),
                table.last.eq(walker.last),
                table.fresh.eq(walker.fresh),
                table.release.eq(walker.release),
                table.sync.eq(walker.opening & walker.constants.sync),
                table.closing.eq(walker.closing),
            ]

    def _fill_rows(
        self, m: Module, table: data.View, now: Value, word: PureInterface, place: "_Place"
    ) -> None:
        """A word of the row pattern, where it goes into registers; rows without an entry rest."""
        with m.If(now):
            with m.If(word.index == 0):
                head = layout(PATTERN)(word.data)
                m.d.sync += [
                    table[name].eq(head[name])
                    for name in ("slots", "segments", "filters", "first_unit", "turn", "period")
                ]
                m.d.sync += (row.active.eq(0) for row in table.rows)
            with m.Elif(place.part == _ROWS):
                for i in range(self.config.array.rows):
                    with m.If(place.entry == i // 2):
                        half = word.data.word_select(i % 2, ROW_BITS)
                        entry = layout(ROW)(Cat(half, Const(0, ROW_BITS)))
                        target = table.rows[i]
                        m.d.sync += [target[name].eq(entry[name]) for name, _ in target.shape()]

    def _fill_cols(self, m: Module, table: data.View, now: Value, word: PureInterface) -> None:
        """The same of the column pattern."""
        with m.If(now):
            with m.If(word.index == 0):
                head = layout(COLUMNS)(word.data)
                names = ("columns", "groups", "first_group")
                m.d.sync += [table[name].eq(head[name]) for name in names]
                m.d.sync += (column.active.eq(0) for column in table.cols)
            for i in range(self.config.array.cols):
                with m.If(word.index == COLUMNS.words + i):
                    entry, target = layout(COLUMN)(word.data), table.cols[i]
                    m.d.sync += [target[name].eq(entry[name]) for name, _ in target.shape()]

    def _row_place(self, m: Module, word: PureInterface) -> "_Place":
        """To which entry of the row pattern a word belongs: there are as many as the head says."""
        entries = bits_for(self.config.array.rows)
        counts = [Signal(entries, name=f"{name}_count") for name in ("rows", "slots", "segments")]
        place = _Place(
            part=Signal(range(len(counts)), name="part"),
            entry=Signal(entries, name="entry"),
            second=Signal(name="second"),
            low=Signal(LINK_WORD_BITS, name="low"),
        )
        head = layout(PATTERN)(word.data)
        ends, following = Signal(), Signal(entries)
        m.d.comb += [ends.eq(place.second | (place.part != _SLOTS)), following.eq(place.entry + 1)]
        with m.If(word.en):
            m.d.sync += place.low.eq(word.data)
            with m.If(word.index == 0):
                words = (head.rows + 1) >> 1, head.slots, head.segments
                m.d.sync += [count.eq(value) for count, value in zip(counts, words, strict=True)]
                m.d.sync += [place.part.eq(_ROWS), place.entry.eq(0), place.second.eq(0)]
            with m.Elif(ends):
                m.d.sync += [place.second.eq(0), place.entry.eq(following)]
                for part, count in enumerate(counts):
                    with m.If((place.part == part) & (following == count)):
                        m.d.sync += [place.part.eq(part + 1), place.entry.eq(0)]
            with m.Else():
                m.d.sync += place.second.eq(1)
        return place

    def _row_tables(self, m: Module, bank: Value, word: PureInterface, place: "_Place") -> None:
        """Tables of slots and segments, filled from the words of the row pattern."""
        height, inside = self.config.array.rows, word.en & (word.index != 0)
        for name, struct, part, ports in (
            ("slots", SLOT, _SLOTS, (self.slot,)),
            ("segments", SEGMENT, _SEGMENTS, (self.segment_in, self.segment_out)),
        ):
            whole = word.data if struct.words == 1 else Cat(place.low, word.data)
            complete = place.second if struct.words > 1 else 1
            shape = compact(struct, self.config)
            table = self._entry_table(m, name, shape, height, ports)
            view = layout(struct)(whole)
            m.d.comb += [
                table.write.en.eq(inside & (place.part == part) & complete),
                table.write.bank.eq(bank),
                table.write.index.eq(place.entry),
                *(table.write.data[f.name].eq(view[f.name]) for f in struct.fields),
            ]

    def _column_table(self, m: Module, bank: Value, word: PureInterface) -> None:
        """The table of column entries, to which the place of their psums is added."""
        shape, ports = column_entry(self.config), (self.column_in, self.column_out)
        table = self._entry_table(m, "columns", shape, self.config.array.cols, ports)
        step, psum = Signal(ADDRESS), Signal(ADDRESS)
        with m.If(word.en):
            m.d.sync += psum.eq(psum + step)
            with m.If(word.index == 0):
                m.d.sync += [psum.eq(0), step.eq(layout(COLUMNS)(word.data).psum)]
        entry = layout(COLUMN)(word.data)
        m.d.comb += [
            table.write.en.eq(word.en & (word.index != 0)),
            table.write.bank.eq(bank),
            table.write.index.eq(word.index - COLUMNS.words),
            table.write.data.psum.eq(psum),
            table.write.data.channel.eq(entry.channel),
            table.write.data.output.eq(entry.output),
        ]

    def _entry_table(
        self, m: Module, name: str, shape: data.StructLayout, entries: int, ports: tuple
    ) -> EntryTable:
        """A table for so many readers."""
        table = EntryTable(shape, entries=entries, ports=len(ports))
        m.submodules[name] = table
        for port, outer in zip(table.reads, ports, strict=True):
            m.d.comb += [
                port.bank.eq(outer.bank),
                port.index.eq(outer.index),
                outer.data.eq(port.data),
            ]
        return table


@dataclass(frozen=True)
class _Place:
    """Where the word that arrives belongs in a row pattern.

    `part`: rows, slots or segments; `entry`: which of them, for rows which two of them; `second`:
    the entry's second word; `low`: the word before.
    """

    part: Signal
    entry: Signal
    second: Signal
    low: Signal
