"""Property 8: scratchpads are never read before they are loaded, nor overwritten unread."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Mux, Signal, Value

from hw.arch.config import Config
from hw.base.block import Block
from hw.pe.filter_spad import FilterSpad
from hw.pe.ifmap_spad import IfmapSpad
from hw.pe.ring import ring_position
from hw.properties.harness.bench import ProofBench, implies
from hw.properties.harness.property import Property
from hw.properties.harness.shrunk import shrunk

_ROWS = 4  # beats in a half of the filter scratchpad


@dataclass(frozen=True)
class IfmapWordsStay(Property):
    """The `IfmapSpad` of a configuration."""

    number = 8
    title = "an ifmap word is there until it is freed, and is read as it came"

    config: Config

    @classmethod
    def of(cls, block: Block) -> Iterator["IfmapWordsStay"]:
        if isinstance(block, IfmapSpad):
            yield cls(_only(block.config, "pe.ifmap_spad", "noc.ifmap"))

    @property
    def subject(self) -> str:
        beats = f"beats of {self.config.noc.ifmap}"
        return f"IfmapSpad of {self.config.pe.ifmap_spad} words, {beats}"

    @property
    def reduced(self) -> str:
        return f"words of {self.config.operand_width} bits stand for wider ones"

    def build(self, bench: ProofBench) -> None:
        m, ring = bench.m, self.config.pe.ifmap_spad
        spad = IfmapSpad(self.config)
        inside = bench.place(spad)
        # The walk's promises: it steps where a word is there.
        bench.assume(implies(spad.step, spad.available))
        bench.polite(spad.beats, "beats")
        # Distances from the oldest word that is not freed: to the read position, to the end.
        places = range(ring + 1)
        read, held = Signal(places, name="distance_read"), Signal(places, name="distance_held")
        freed = Signal()
        m.d.comb += freed.eq(spad.step & spad.free)
        m.d.sync += held.eq(held + spad.put - freed)
        with m.If(spad.step):
            m.d.sync += read.eq(Mux(spad.rewind, 0, read + 1 - freed))
        followed, rank = Signal(), Signal(places, name="rank")
        value = Signal(len(spad.word))
        chosen = bench.free(1, "chosen")
        words = spad.beats.payload.words
        with m.If(followed):
            m.d.sync += rank.eq(rank - freed)
            with m.If(freed & (rank == 0)):
                m.d.sync += followed.eq(0)
        with m.Elif(spad.put & chosen):
            m.d.sync += [followed.eq(1), rank.eq(held - freed)]
            if self.config.noc.ifmap > 1:
                m.d.sync += value.eq(Value.cast(words[inside.signal("turn")]))
            else:
                m.d.sync += value.eq(Value.cast(words[0]))
        bench.claim("no more words are kept than fit", (held <= ring) & (read <= held))
        bench.claim("a word that is followed is kept", implies(followed, rank < held))
        bench.claim("a word is available iff it is loaded", spad.available == (read != held))
        if ring > 1:
            self._positions(bench, inside, read, held, followed, rank, value)
        bench.claim(
            "the word read is the one that came",
            implies(
                followed & spad.available & (rank == read),
                Value.cast(spad.word).as_unsigned() == value,
            ),
        )
        if self.config.noc.ifmap > 1:
            turn, more = inside.signal("turn"), spad.beats.payload.more
            # No beat is half taken where none is offered.
            bench.claim("words of a beat are taken in order", implies(~spad.beats.valid, turn == 0))
            bench.claim(
                "no more words are taken than come", implies(spad.beats.valid, turn <= more)
            )
            bench.claim(
                "a beat leaves with its last word",
                (spad.beats.valid & spad.beats.ready) == (spad.put & (turn == more)),
            )

    def _positions(self, bench: ProofBench, inside, read, held, followed, rank, value) -> None:
        """Where the positions are in the ring, and that the word followed is at its rank."""
        m, ring = bench.m, self.config.pe.ifmap_spad
        place_in_ring = ring_position(ring)
        oldest = place_in_ring(inside.signal("oldest"))
        bench.claim("the oldest word is in the ring", oldest.index < ring)
        for name, distance in (("read", read), ("write", held)):
            position = place_in_ring(inside.signal(name))
            total = Signal(range(2 * ring + 1), name=f"{name}_total")
            m.d.comb += total.eq(oldest.index + distance)
            wraps = total >= ring
            bench.claim(
                f"the position of {name} is at its distance from the oldest word",
                (position.index == Mux(wraps, total - ring, total))
                & (position.lap == (oldest.lap ^ wraps)),
            )
        look = inside.submodule("words").read_port(domain="comb")
        place = Signal(range(2 * ring + 1), name="place")
        m.d.comb += [
            place.eq(oldest.index + rank),
            look.addr.eq(Mux(place >= ring, place - ring, place)),
        ]
        bench.claim(
            "the word followed is at its rank",
            implies(followed, Value.cast(look.data).as_unsigned() == value),
        )


@dataclass(frozen=True)
class FiltersStay(Property):
    """The `FilterSpad` of a configuration, told which words are wanted or not."""

    number = 8
    title = "a filter row is there until its half is released, and is read as it came"

    config: Config
    indexed: bool

    @classmethod
    def of(cls, block: Block) -> Iterator["FiltersStay"]:
        if isinstance(block, FilterSpad):
            config = _only(block.config, "pe.filter_spad", "pe.macs", "noc.filter")
            rows = min(config.filter_half // config.noc.filter, _ROWS)
            sizes = {"pe.filter_spad": 2 * rows * config.noc.filter, "array.data_width": 1}
            yield cls(shrunk(config, sizes), block.indexed)

    @property
    def subject(self) -> str:
        config = self.config
        kind = ", indexed" if self.indexed else ""
        return f"FilterSpad, beats of {config.noc.filter} for {config.pe.macs} MACs{kind}"

    @property
    def reduced(self) -> str:
        rows = self.config.filter_half // self.config.noc.filter
        return f"{rows} rows a half and weights of {self.config.weight_width} bits stand for more"

    def build(self, bench: ProofBench) -> None:
        m, config = bench.m, self.config
        spad = FilterSpad(config, indexed=self.indexed)
        inside = bench.place(spad)
        rows = config.filter_half // config.noc.filter
        memory = inside.part("memory")
        put = spad.beats.valid & spad.beats.ready
        row, read_row = inside.signal("row"), inside.signal("read_row")
        ram = memory.component
        filling, reading = ram.write.addr[0], ram.read.addr[0]
        leaves = spad.step & spad.release
        # What the walk and the compiler promise: steps and reads only of a half that is complete,
        # no more beats a half than fit, no row read that was not sent, halves left at the end.
        bench.assume(implies(spad.step | spad.enable, spad.loaded))
        bench.assume(implies(put & (row == rows - 1), spad.beats.payload.last))
        bench.assume(implies(spad.step & spad.release, spad.rewind))
        if config.pe.macs < config.noc.filter or self.indexed:
            bench.assume(implies(spad.enable | spad.step, read_row < rows))
        # The row of the solver's choice, from its arrival to the release of its half.
        followed, value = Signal(), Signal(len(ram.read.data))
        half, place = Signal(), Signal(range(max(rows, 2)), name="place")
        complete = Signal()  # its half is
        with m.If(followed):
            with m.If(put & spad.beats.payload.last):
                m.d.sync += complete.eq(1)
            with m.If(leaves & complete & (half == reading)):
                m.d.sync += followed.eq(0)
        with m.Elif(put & bench.free(1, "chosen")):
            m.d.sync += [
                followed.eq(1),
                half.eq(filling),
                place.eq(row),
                value.eq(Value.cast(spad.beats.payload.words)),
                complete.eq(spad.beats.payload.last),
            ]
        loaded, full = spad.loaded, ~spad.beats.ready
        bench.claim("both halves are complete only if one is", implies(full, loaded))
        bench.claim("halves alternate", (filling ^ reading) == (loaded & ~full))
        bench.claim("rows stay inside their half", row < rows)
        bench.claim(
            "a row followed is in a half that is filled or complete",
            implies(
                followed,
                Mux(complete, full | (loaded & (half == reading)), (half == filling) & ~full),
            ),
        )
        bench.claim(
            "a row that came is before the next one",
            implies(followed & ~complete, place < row),
        )
        look = memory.submodule("mem").read_port(domain="comb")
        now = memory.submodule("mem").read_port(domain="comb")
        m.d.comb += [
            look.addr.eq((place << 1) | half),
            now.addr.eq((read_row << 1) | reading),
        ]
        bench.claim("the row followed is not overwritten", implies(followed, look.data == value))
        kept, out = inside.signal("kept"), ram.read.data
        if self.indexed:  # an index leaves its row with the end of the row, or says so by `rewind`
            bench.assume(implies(kept, read_row == bench.past(read_row, "read_row")))
        bench.claim("no row is kept of a half that has been left", implies(kept, loaded))
        bench.claim(
            "the row that is kept at the memory's output is the present one",
            implies(kept & loaded, out == now.data),
        )
        mine = followed & complete & (half == reading) & (place == read_row)
        shown = bench.past(spad.enable & mine, "shown")
        was = bench.past(value, "value")
        width = config.pe.macs * config.weight_width
        group = bench.past(inside.signal("group"), "group")
        bench.claim(
            "the weights read are those that came",
            implies(shown, Value.cast(spad.weights) == was.word_select(group, width)),
        )


def _only(config: Config, *names: str) -> Config:
    """What a scratchpad depends on; all else as in every configuration."""
    return shrunk(Config(), {name: config.value(name) for name in names})
