"""What the command decoder remembers, and what it knows of each table command."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.utils import bits_for, exact_log2

from hw.arch.commands import (
    CONSTANTS,
    HEADER,
    INDEX,
    LOOP,
    REGION,
    RESULT,
    START,
    VECTOR,
    Opcode,
    Rounding,
    VectorOp,
)
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.config.modes import rounding_modes
from hw.arch.entries import PARAM, SHIFTS, SHORT_PARAM, TABLE
from hw.arch.patterns import PATTERN, col_pattern_words, row_pattern_words
from hw.base.layouts import layout
from hw.engines.weights import weight_words
from hw.sequencer.walker import WORDS as CONV_WORDS

BUFFERED = max(VECTOR.words, REGION.words, INDEX.words)


def table_commands(config: Config) -> dict[Opcode, tuple[int, int]]:
    """Words of an entry and number of entries for every command that fills a table.

    Those of a pattern are the most that it may have: its first word says how many there are.
    SHORT_PARAMS has eight entries after each word of shifts: its words are those of a whole group.
    """
    tables = {
        Opcode.ROWS: (row_pattern_words(config.array.rows), config.control.row_patterns),
        Opcode.COLS: (col_pattern_words(config.array.cols), config.control.col_patterns),
        Opcode.PARAMS: (PARAM.words, config.post.channels),
        Opcode.SHORT_PARAMS: (1 + len(SHIFTS.fields), config.post.channels),
    }
    if config.array.data_width == 8:
        tables[Opcode.TABLE] = (TABLE.words, 256)
    if weight_words(config):
        tables[Opcode.MEMORY] = (1, weight_words(config))
    return tables


def vector_operations(config: Config) -> list[VectorOp]:
    """Operations of VECTOR that exist for the data width."""
    other = VectorOp.ADD16 if config.array.data_width == 8 else VectorOp.ADD
    return [op for op in VectorOp if op is not other]


def vector_modes(config: Config) -> list[Rounding]:
    """Rounding modes that VECTOR may use: those that are built, without 32-bit results."""
    return sorted(rounding_modes(config) - {Rounding.RAW})


@dataclass(frozen=True)
class TableFacts:
    """Of a table command: words of an entry, whether its payload has not the length that
    `index.count` needs, whether entries do not exist, and the number after the last one."""

    size: Signal
    misfit: Signal
    beyond: Signal
    end: Signal


class DecoderState:
    """Registers of the decoder.

    `header`, `words`, `index`: the command and its descriptor, also seen as INDEX; `known`,
    `announced`: whether the header on the stream is one, and its descriptor words; `expected`,
    `position`: descriptor words to come and taken, also words of a block sent; `sum`: checksum so
    far; `left`: payload words to come; `entry`, `part`: place in a table command's payload;
    `is_pattern`, `pattern_words`: it consists of patterns, and the present one has so many words;
    `status`, `value`: what to report; `block`: header of a result block; `guest`: the program only
    wants to know who is there.
    """

    def __init__(self, config: Config):
        self.config = config
        self.header = Signal(layout(HEADER))
        self.words = [Signal(LINK_WORD_BITS, name=f"descriptor_{i}") for i in range(BUFFERED)]
        self.index = Signal(layout(INDEX))
        self.block = Signal(layout(RESULT))
        self.known = Signal()
        self.guest = Signal()
        self.announced = Signal(range(CONV_WORDS + 1))
        self.expected = Signal(range(CONV_WORDS + 1))
        self.position = Signal(8)
        self.sum = Signal(16)
        self.left = Signal(24)
        self.entry = Signal(24)
        self.part = Signal(8)
        self.low = Signal(LINK_WORD_BITS)
        self.pattern_words = Signal(PATTERN.fields[0].width)
        self.is_pattern = Signal()
        self.status = Signal(8)
        self.value = Signal(LINK_WORD_BITS)
        self.stuck = Signal()
        tables = {Opcode.TABLE, Opcode.MEMORY}
        self.unsupported = tables - set(table_commands(config))

    @property
    def fills_table(self) -> Value:
        """The payload is for a table of parameters or of the vector engine."""
        others = {Opcode.ROWS, Opcode.COLS, Opcode.MEMORY}
        tables = sorted(set(table_commands(self.config)) - others)
        return Cat(self.header.opcode == opcode for opcode in tables).any()

    def table_facts(self, m: Module) -> TableFacts:
        """Two ranks of registers: the descriptor is complete two cycles before it is looked at."""
        size, needed, capacity = Signal(8), Signal(40), Signal(25)
        facts = TableFacts(Signal(8), Signal(), Signal(), Signal(25))
        tables = table_commands(self.config)
        with m.Switch(self.header.opcode):
            for opcode, (words, entries) in tables.items():
                with m.Case(opcode):
                    m.d.comb += [size.eq(words), capacity.eq(entries)]
        # A product would take a multiplier: the sizes have few bits among them.
        places = [bit for bit in range(len(size)) if any(n >> bit & 1 for n, _ in tables.values())]
        count, group = self.index.count, len(SHIFTS.fields)
        opcode = self.header.opcode
        m.d.comb += self.is_pattern.eq((opcode == Opcode.ROWS) | (opcode == Opcode.COLS))
        m.d.sync += [
            needed.eq(
                Mux(
                    self.header.opcode == Opcode.SHORT_PARAMS,
                    count + ((count + group - 1) >> exact_log2(group)),
                    sum(Mux(size[bit], count << bit, 0) for bit in places),
                )
            ),
            facts.size.eq(size),
            facts.end.eq(self.index.first + self.index.count),
            facts.misfit.eq((self.left != needed) & ~self.is_pattern),
            facts.beyond.eq(facts.end > capacity),
        ]
        return facts

    def nest_words(self, word: Value) -> Value:
        """Descriptor words of CONV, by the last word of its `START`."""
        start = layout(START)(Cat(Const(0, (START.words - 1) * LINK_WORD_BITS), word))
        loops = sum(Mux(start.loops[bit], LOOP.words << bit, 0) for bit in range(3))
        return START.words + Mux(start.constants, CONSTANTS.words + loops, 0)

    def route_entries(self, m: Module, engine, word: Value) -> None:
        """Words of the payload, as the tables that they may fill see them."""
        entry = Signal.like(self.entry)
        m.d.comb += [
            entry.eq(self.index.first + self.entry),
            engine.params.channel.eq(entry),
            engine.memory.index.eq(entry),
            engine.memory.data.eq(word),
            engine.table.index.eq(entry),
            engine.table.data.eq(word),
        ]
        for port in (engine.rows, engine.cols):
            m.d.comb += [port.pattern.eq(entry), port.index.eq(self.part), port.data.eq(word)]
        param, short = layout(PARAM)(Cat(self.low, word)), layout(SHORT_PARAM)(word)
        m.d.comb += [engine.params.data[f.name].eq(param[f.name]) for f in PARAM.fields]
        with m.If(self.header.opcode == Opcode.SHORT_PARAMS):
            m.d.comb += [engine.params.data[f.name].eq(short[f.name]) for f in SHORT_PARAM.fields]
            m.d.comb += [
                engine.params.data.addend.eq(0),
                engine.params.data.shift.eq(self.low[: SHIFTS.fields[0].width]),
            ]

    def fill_tables(self, m: Module, engine, word: Value, size: Value, taken: Value) -> None:
        """A word of the payload is `taken`: it fills an entry of `size` words, or a part of it."""
        opcode = self.header.opcode
        announced = Mux(self.part == 0, layout(PATTERN)(word).words, self.pattern_words)
        last = self.part + 1 == Mux(self.is_pattern, announced, size)
        entry_done = Mux(opcode == Opcode.SHORT_PARAMS, self.part != 0, last)
        m.d.comb += [
            engine.rows.en.eq(taken & (opcode == Opcode.ROWS)),
            engine.cols.en.eq(taken & (opcode == Opcode.COLS)),
            engine.table.en.eq(taken & (opcode == Opcode.TABLE)),
            engine.memory.en.eq(taken & (opcode == Opcode.MEMORY)),
            engine.params.en.eq(
                taken & entry_done & ((opcode == Opcode.PARAMS) | (opcode == Opcode.SHORT_PARAMS))
            ),
        ]
        with m.If(taken):
            m.d.sync += [
                self.left.eq(self.left - 1),
                self.part.eq(Mux(last, 0, self.part + 1)),
                self.entry.eq(self.entry + entry_done),
                self.low.eq(word),
                self.pattern_words.eq(announced),
            ]
            with m.If((opcode == Opcode.SHORT_PARAMS) & (self.part != 0)):
                m.d.sync += self.low.eq(self.low >> SHIFTS.fields[0].width)

    def patterns_misfit(self, word: Value, present: Value, size: Value) -> Value:
        """The patterns of the payload are not those that were announced.

        They are fewer, words follow the last one, or one has no words or more than `size`; `word`
        is the next one if it is `present`.
        """
        words = layout(PATTERN)(word).words
        wrong = present & (self.part == 0) & ((words == 0) | (words > size))
        complete = self.entry == self.index.count
        return self.is_pattern & Mux(self.left == 0, ~complete, complete | wrong)

    def watch(self, m: Module, alive) -> None:
        """Raise `stuck` after `control.watchdog` cycles in a row that are not `alive`."""
        limit = self.config.control.watchdog
        idle = Signal(bits_for(limit))
        m.d.comb += self.stuck.eq(idle == limit)
        m.d.sync += idle.eq(idle + 1)
        with m.If(alive | self.stuck):
            m.d.sync += idle.eq(0)
