"""The filter scratchpad of a PE: two halves, one computing while the other is filled."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.arch.config import Config
from hw.base.block import Block
from hw.base.memory import Ram
from hw.pe.layouts import FilterBeat


class FilterSpad(Block):
    """Double-buffered weights, written by network beats and read in order, round after round.

    A row of the memory is one beat; rows of the two halves alternate. Reading walks the words of
    the current half; `rewind` starts the round over. The weights of a read appear in the next
    cycle. The memory is read once for all words of a row that are wanted in one round: its output
    keeps the row. An `indexed` one is told which words are wanted; all else is the same.

    Timing
    ------
    Two passes with two weights each; the third pass's first weight waits for the first release.

        cycle                  0  1  2  3  4  5  6  7  8
        beats.valid            1  1  1  1  1  1  1  0  0
        beats.payload.words.0  1  2  3  4  5  5  5  .  .
        beats.payload.last     0  1  0  1  0  0  0  .  .
        beats.ready            1  1  1  1  0  0  1  1  1
        loaded                 0  0  1  1  1  1  1  1  0
        enable                 0  0  1  1  1  1  1  1  0
        step                   0  0  1  1  1  1  1  1  0
        rewind                 0  0  0  1  0  1  0  1  0
        release                0  0  0  0  0  1  0  1  0
        weights.0              .  .  .  1  2  1  2  3  4

    Members
    -------
    beats : in, stream of FilterBeat(config)
        Weights; a beat with `last` completes a half.
    loaded : out, 1
        The current half is complete.
    index : in, range(config.filter_half // config.pe.macs), if indexed
        The present position, in `config.pe.macs` words.
    step : in, 1
        Go to the next words; if indexed, they were used.
    rewind : in, 1
        With `step`: start over; if indexed, elsewhere.
    release : in, 1
        With `step`: this half is done with, go to the other one.
    enable : in, 1
        Show the words at the present position (low: the last ones stay).
    fetches : out, 1
        The memory is read in this cycle: `enable` shows the first words of their row in the round.
    weights : out, array of config.pe.macs signed config.weight_width
        The words read.
    """

    def __init__(self, config: Config, *, indexed: bool = False):
        places = range(max(config.filter_half // config.pe.macs, 2))
        super().__init__(
            {
                **({"index": In(places)} if indexed else {}),
                "beats": In(stream.Signature(FilterBeat(config))),
                "loaded": Out(1),
                "step": In(1),
                "rewind": In(1),
                "release": In(1),
                "enable": In(1),
                "fetches": Out(1),
                "weights": Out(data.ArrayLayout(signed(config.weight_width), config.pe.macs)),
            }
        )
        self.config = config
        self.indexed = indexed

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        rows = config.filter_half // config.noc.filter
        ram = Ram(width=config.noc.filter * config.weight_width, depth=2 * rows)
        m.submodules.memory = ram
        loaded, full = Signal(), Signal()  # one half is complete; both are
        filling, reading = Signal(), Signal()  # halves
        row = Signal(range(max(rows, 2)))
        beat = self.beats
        put, completes, leaves = Signal(), Signal(), Signal()
        m.d.comb += [
            beat.ready.eq(~full),
            put.eq(beat.valid & ~full),
            completes.eq(put & beat.payload.last),
            leaves.eq(self.step & self.release),
            ram.write.en.eq(put),
            # With the half as the lowest bit a half may have any number of rows.
            ram.write.addr.eq(Cat(filling, row)),
            ram.write.data.eq(Cat(beat.payload.words)),
            self.loaded.eq(loaded),
        ]
        with m.If(put):
            m.d.sync += row.eq(row + 1)
        with m.If(completes):
            m.d.sync += [filling.eq(~filling), row.eq(0)]
        with m.If(leaves):
            m.d.sync += reading.eq(~reading)
        # The number of complete halves as two flags, at least one and both: what reads them, the
        # network and the walk, starts at a register.
        m.d.sync += [
            loaded.eq(full | completes | (loaded & ~leaves)),
            full.eq(loaded & ~leaves & (full | completes)),
        ]
        self._read(m, ram, rows, reading)
        return m

    def _read(self, m: Module, ram: Ram, rows: int, reading: Signal) -> None:
        """Show the words of a row's group of `pe.macs` words."""
        config = self.config
        groups = config.noc.filter // config.pe.macs
        row = Signal(range(max(rows, 2)), name="read_row")
        group = Signal(range(max(groups, 2)))
        shown = Signal.like(group)  # the group that the words read belong to
        row_end = Signal()
        kept = Signal()  # the memory's output is the present row
        m.d.comb += [
            self.fetches.eq(self.enable & ~kept),
            ram.read.en.eq(self.fetches),
            ram.read.addr.eq(Cat(reading, row)),
            row_end.eq(group == groups - 1),
        ]
        with m.If(self.enable):
            # The group goes with the row that was read: a cycle later, and held when reading is.
            m.d.sync += [shown.eq(group), kept.eq(1)]
        with m.If(self.step & (row_end | self.rewind)):
            m.d.sync += kept.eq(0)
        if self.indexed:
            bits = (groups - 1).bit_length()
            m.d.comb += [group.eq(self.index[:bits]), row.eq(self.index[bits:])]
        else:
            self._count(m, row, group, row_end)
        width = config.pe.macs * config.weight_width
        m.d.comb += Cat(self.weights).eq(ram.read.data.word_select(shown, width))

    def _count(self, m: Module, row: Signal, group: Signal, row_end: Signal) -> None:
        """Go from group to group and from row to row, until the round starts over."""
        with m.If(self.step):
            m.d.sync += group.eq(Mux(row_end, 0, group + 1))
        with m.If(self.step & row_end):
            m.d.sync += row.eq(row + 1)
        with m.If(self.step & self.rewind):  # apart from the others: a reset of the registers
            m.d.sync += [group.eq(0), row.eq(0)]
