"""The filter engine: from the stream of weight words to beats on the filter network."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arch.commands import BASES
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program.layout import cell_filters
from hw.base.block import Block
from hw.base.layouts import of_bank
from hw.engines.filter_reader import filter_extent, filter_walk
from hw.engines.nest import nest
from hw.engines.tables import PassTable
from hw.noc.tags import filter_bus

BASES_WEIGHTS = next(field.width for field in BASES.fields if field.name == "weights")


class FilterEngine(Block):
    """For every filter row tag, column tag and beat of a pass: the next beat of the stream.

    The words come from one of three sources, which the command names: the command stream, the
    weight memory, or the global buffer. A memory is sought once a pass, before its first word.

    One beat a cycle. A pass starts with a new 64-bit word, and in the buffer the filters of each PE
    do; what is left of the old one is dropped.
    A pass that is not `fresh` is sent none and is done at once.

    Timing
    ------
    A pass with two beats, both of one word, then one that is sent none.

        cycle                       0  1  2  3  4  5  6
        issued                      0  1  1  1  1  2  2
        words.valid                 1  1  1  1  1  1  1
        words.ready                 0  0  0  1  0  0  0
        beats.valid                 0  1  1  1  0  0  0
        beats.payload.tag           .  0  1  1  .  .  .
        beats.payload.payload.last  .  1  1  1  .  .  .
        beats.ready                 1  1  0  1  1  1  1
        done                        0  0  0  0  1  1  2

    Members
    -------
    tables : in, array of 2 PassTable(config)
        Both pass tables.
    issued : in, 2
        Number modulo 4 of the newest pass.
    done : out, 2
        Number modulo 4 of the last pass finished here.
    resident : out, 1
        The words are those of the weight memory, not of the command stream.
    buffered : out, 1
        The words are those of the global buffer.
    seek : out, 1
        The memory that is meant is to go on from `address`.
    address : out, BASES_WEIGHTS
        A word of the weight memory.
    extent : out, filter_extent(config)
        How many filters the pass is sent.
    walk : out, filter_walk(config)
        Where they lie in the buffer.
    last : out, 1
        The beat on offer, and so a word that is taken with it, is the last for its PEs.
    words : in, stream of LINK_WORD_BITS
        Filter words.
    beats : out, stream of filter_bus(config)
        Beats for the filter network.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "tables": In(data.ArrayLayout(PassTable(config), 2)),
                "issued": In(2),
                "done": Out(2),
                "resident": Out(1),
                "buffered": Out(1),
                "seek": Out(1),
                "address": Out(BASES_WEIGHTS),
                "extent": Out(filter_extent(config)),
                "walk": Out(filter_walk(config)),
                "last": Out(1),
                "words": In(stream.Signature(LINK_WORD_BITS)),
                "beats": Out(stream.Signature(filter_bus(config))),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        bank = ~self.done[0]
        table = of_bank(m, self.tables, bank, "table")
        step = Signal()
        extent = self.extent
        loops = nest(m, step, {"fid": extent.filters, "tid": extent.groups, "beat": extent.beats})
        beat_bits = config.noc.filter * config.array.data_width
        per_word = LINK_WORD_BITS // beat_bits
        part = Signal(range(max(per_word, 2)))
        finished = loops["fid"].ends
        used = Signal()  # with the beat on offer the word is
        walk = self.walk
        payload = self.beats.payload
        issued, busy = Signal(), Signal()  # a pass is to be done, with filters of its own
        opened = Signal()  # the place in the memory has been sought
        m.d.comb += [
            issued.eq(self.issued != self.done),
            busy.eq(issued & table.fresh),
            self.resident.eq(busy & table.constants.resident),
            self.buffered.eq(busy & table.constants.buffered),
            self.seek.eq((self.resident | self.buffered) & ~opened),
            self.address.eq(table.bases.weights),
            extent.filters.eq(table.filters),
            extent.groups.eq(table.groups),
            extent.beats.eq(table.constants.filter_beats),
            walk.first.eq(table.bases.weights + table.first_unit + table.first_group),
            walk.stride.eq(table.constants.group_stride),
            walk.jump.eq(table.constants.unit_jump),
            walk.turn.eq(table.turn),
            walk.period.eq(table.period),
            walk.cells.eq(table.constants.cells),
            walk.across.eq(table.constants.psums >> exact_log2(cell_filters(config))),
            walk.channels.eq(table.constants.channels),
            walk.apart.eq(table.constants.tap_stride),
            self.last.eq(loops["beat"].last),
            used.eq(finished | (part == per_word - 1) | (self.buffered & self.last)),
            self.beats.valid.eq(self.words.valid & busy & ~self.seek),
            step.eq(self.beats.valid & self.beats.ready),
            # What is left of a word is dropped with it.
            self.words.ready.eq(step & used),
            payload.row.eq(loops["fid"].index),
            payload.tag.eq(loops["tid"].index),
            payload.bank.eq(bank),
            payload.payload.last.eq(loops["beat"].last),
            Cat(payload.payload.words).eq(
                self._operands(m, self.words.payload.word_select(part, beat_bits), table)
            ),
        ]
        with m.If(step):
            m.d.sync += part.eq(Mux(used, 0, part + 1))
            with m.If(finished):
                m.d.sync += [self.done.eq(self.done + 1), opened.eq(0)]
        with m.If(issued & ~table.fresh):
            m.d.sync += self.done.eq(self.done + 1)
        with m.If(self.seek):
            m.d.sync += opened.eq(1)
        return m

    def _operands(self, m: Module, stored, table):
        """Stored weights less their zero point, where the configuration knows of one."""
        config = self.config
        if not config.pe.weight_zero_points or config.array.data_width == 16:
            return stored
        operands = []
        for i in range(config.noc.filter):
            raw = stored.word_select(i, 8)
            operand = Signal(signed(config.weight_width), name=f"operand_{i}")
            sign = raw[7] & table.constants.weight_signed
            m.d.comb += operand.eq(Cat(raw, sign).as_signed() - table.constants.weight_zero)
            operands.append(operand)
        return Cat(operands)
