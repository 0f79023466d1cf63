"""What the command decoder remembers, and what it knows of each table command."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.utils import bits_for

from hw.arch.commands import (
    HEADER,
    INDEX,
    PARAM,
    REGION,
    RESULT,
    TABLE,
    VECTOR,
    Opcode,
    Rounding,
    VectorOp,
    col_pattern_words,
    row_pattern_words,
)
from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.layouts import layout
from hw.engines.weights import weight_words
from hw.post.processor import MODES_OF_WIDTH
from hw.sequencer.walker import WORDS as CONV_WORDS

BUFFERED = max(VECTOR.words, REGION.words, INDEX.words)


def table_commands(config: Config) -> dict[Opcode, tuple[int, int]]:
    """Words of an entry and number of entries for every command that fills a table."""
    tables = {
        Opcode.ROWS: (row_pattern_words(config.array.rows), config.control.row_patterns),
        Opcode.COLS: (col_pattern_words(config.array.cols), config.control.col_patterns),
        Opcode.PARAMS: (PARAM.words, config.post.channels),
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
    return sorted(MODES_OF_WIDTH[config.array.data_width] - {Rounding.RAW})


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
        m.d.sync += [
            needed.eq(sum(Mux(size[bit], self.index.count << bit, 0) for bit in places)),
            facts.size.eq(size),
            facts.end.eq(self.index.first + self.index.count),
            facts.misfit.eq(self.left != needed),
            facts.beyond.eq(facts.end > capacity),
        ]
        return facts

    def watch(self, m: Module, alive) -> None:
        """Raise `stuck` after `control.watchdog` cycles in a row that are not `alive`."""
        limit = self.config.control.watchdog
        idle = Signal(bits_for(limit))
        m.d.comb += self.stuck.eq(idle == limit)
        m.d.sync += idle.eq(idle + 1)
        with m.If(alive | self.stuck):
            m.d.sync += idle.eq(0)
