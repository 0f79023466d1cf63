"""The ifmap engine: which pixels of which ifmap rows go to whom, and from where in the buffer."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, ValueLike
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from hw.arch.commands import ADDRESS, TAG
from hw.arch.config import Config
from hw.arch.patterns import SLOT
from hw.base.block import Block
from hw.base.layouts import of_bank
from hw.engines.nest import Begin, LoopCounter, nest
from hw.engines.tables import PassTable, compact
from hw.glb.ports import Reader, read_port
from hw.noc.tags import ifmap_bus, row_bits


class BeatLabel(data.StructLayout):
    """What is known of a beat when its buffer word is asked for.

    `lane`: lane of its first word; `more`: words beyond the first; `pad`: outside the map.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "row": row_bits(config),
                "tag": TAG,
                "bank": 1,
                "lane": range(config.lanes),
                "more": range(max(config.noc.ifmap, 2)),
                "pad": 1,
            }
        )


class IfmapEngine(Block):
    """Streams a pass's ifmaps pixel by pixel: for each pixel all slots, items and rows.

    One beat a cycle while the buffer answers; see docs/architecture.md, "Ifmaps of a pass".
    Addresses only ever grow by what the tables hold: there is no multiplier here.

    Timing
    ------
    A pass of two pixels of two ifmap rows, 16 words apart.

        cycle                           0   1   2   3   4   5   6   7   8
        issued                          0   1   1   1   1   1   1   1   1
        port.request.valid              0   0   1   1   1   1   0   0   0
        port.request.payload            .   .   4  20   5  21   .   .   .
        port.request.ready              1   1   1   1   1   1   1   1   1
        port.data                       .   .   .   1   2   3   4   .   .
        beats.valid                     0   0   0   0   1   1   1   1   0
        beats.payload.tag               .   .   .   .   0   1   0   1   .
        beats.payload.payload.words.0   .   .   .   .   1   2   3   4   .
        beats.ready                     1   1   1   1   1   1   1   1   1
        done                            0   0   0   0   0   0   1   1   1

    Members
    -------
    tables : in, array of 2 PassTable(config)
        Both pass tables.
    slot_bank : out, 1
        Table of the slot to be read.
    slot_index : out, ceil_log2(max(config.array.rows, 2))
        Number of the slot to be read.
    slot : in, compact(SLOT, config)
        That slot, in the same cycle.
    issued : in, 2
        Number modulo 4 of the newest pass.
    done : out, 2
        Number modulo 4 of the last pass finished here.
    quiet : in, 1
        All earlier work is done; a pass with `sync` waits for it.
    port : out, read_port(config.buffer.width)
        Read port of the buffer.
    beats : out, stream of ifmap_bus(config)
        Beats for the ifmap network.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "tables": In(data.ArrayLayout(PassTable(config), 2)),
                "slot_bank": Out(1),
                "slot_index": Out(ceil_log2(max(config.array.rows, 2))),
                "slot": In(compact(SLOT, config)),
                "issued": In(2),
                "done": Out(2),
                "quiet": In(1),
                "port": Out(read_port(config.buffer.width)),
                "beats": Out(stream.Signature(ifmap_bus(config))),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        reader = Reader(
            BeatLabel(config), width=config.buffer.width, pipeline=config.control.pipeline
        )
        m.submodules.reader = reader
        connect(m, reader.port, flipped(self.port))
        self._walk(m, reader)
        self._emit(m, reader)
        return m

    def _walk(self, m: Module, reader: Reader) -> None:
        """One beat after the other: where it is in the buffer, whom it is for.

        What the table says is copied when the pass starts, so that no path begins at both tables.
        """
        config = self.config
        bank = ~self.done[0]
        newest = of_bank(m, self.tables, bank, "newest")
        table = Signal(PassTable(config), reset_less=True)  # of the pass that is walked
        constants, bases = table.constants, table.bases
        slot = Signal(compact(SLOT, config), reset_less=True)  # the entry that is being walked
        loaded = Signal()
        starts = Signal()
        enters = Signal()  # the entry on the slot port is the next one
        step = Signal()
        limits = {
            "po": constants.pixel_outer,
            "pi": constants.pixel_inner,
            "slot": table.slots,
            "item": constants.items,
            "outer": slot.outer,
            "inner": slot.inner,
            "beat": constants.pixel_beats,
        }
        begins = {
            "po": Begin(starts, newest.constants.pixel_outer),
            "pi": Begin(starts, newest.constants.pixel_inner),
            "slot": Begin(starts, newest.slots),
            "item": Begin(starts, newest.constants.items),
            "outer": Begin(enters, self.slot.outer),
            "inner": Begin(enters, self.slot.inner),
            "beat": Begin(starts, newest.constants.pixel_beats),
        }
        loops = nest(m, step, limits, begins=begins)
        # An address for each level: a loop that starts over returns to that of its level, and
        # nothing is subtracted.
        place = Signal(self._place(), reset_less=True)
        pixel = Signal(config.control.map_bits)  # pixels from the first one of the row
        walk = _Walk(table, slot, place, pixel)
        self._next(m, walk, loops, step)
        m.d.comb += [
            self.slot_bank.eq(bank),
            self.slot_index.eq(Mux(~loaded | loops["slot"].last, 0, loops["slot"].index + 1)),
            starts.eq((self.issued != self.done) & ~loaded & (~newest.sync | self.quiet)),
            enters.eq(starts | loops["slot"].steps),
        ]
        with m.If(starts):
            m.d.sync += [loaded.eq(1), table.eq(newest)]
            self._enter(m, walk, newest.bases, 0)
        with m.If(step & loops["po"].ends):
            m.d.sync += [loaded.eq(0), self.done.eq(self.done + 1)]

        x = bases.x + slot.x + pixel
        y = bases.y + place.h
        outside = Signal()
        left = constants.channels - place.channel
        label = reader.input.payload.label
        m.d.comb += [
            outside.eq((y < 0) | (y >= constants.height) | (x < 0) | (x >= constants.width)),
            reader.input.valid.eq(loaded),
            step.eq(loaded & reader.input.ready),
            reader.input.payload.address.eq(place.beat),
            # Padding takes no access to the buffer, but keeps its place in the order of beats.
            reader.input.payload.skip.eq(outside),
            label.row.eq(loops["slot"].index),
            label.tag.eq(place.h + place.item_tag),
            label.bank.eq(bank),
            label.lane.eq(place.lane),
            label.more.eq(Mux(left > config.noc.ifmap, config.noc.ifmap, left) - 1),
            label.pad.eq(outside),
        ]

    def _place(self) -> data.StructLayout:
        """Where the walk is: an address for each loop level, rows from tag 0, channel and lane."""
        return data.StructLayout(
            {
                **dict.fromkeys(("item", "outer", "inner", "beat"), ADDRESS),
                "h_outer": TAG,
                "h": TAG,
                "item_tag": TAG,
                "channel": 8,
                "lane": range(self.config.lanes),
            }
        )

    def _enter(self, m: Module, walk: "_Walk", bases: data.View, pixel: ValueLike) -> None:
        """Begin with the entry on the slot port, at this pixel."""
        place = walk.place
        first = bases.ifmap + self.slot.address + pixel
        m.d.sync += [
            walk.slot.eq(self.slot),
            *(place[level].eq(first) for level in ("item", "outer", "inner", "beat")),
            place.h_outer.eq(self.slot.tag),
            place.h.eq(self.slot.tag),
            place.item_tag.eq(0),
            place.channel.eq(0),
            place.lane.eq(self.slot.lane),
        ]

    def _next(self, m: Module, walk: "_Walk", loops: dict[str, LoopCounter], step: Signal) -> None:
        """Step the place; of loops that step together the outermost has the last word."""
        slot, place, pixel = walk.slot, walk.place, walk.pixel
        constants = walk.table.constants
        strides = {
            "inner": slot.inner_words,
            "outer": slot.outer_words,
            "item": constants.item_stride,
        }
        there = {level: Signal(ADDRESS, name=f"next_{level}") for level in strides}
        outer_pixel, next_outer, next_pixel = (
            Signal(self.config.control.map_bits, name=name)
            for name in ("outer_pixel", "next_outer", "next_pixel")
        )
        pi = loops["pi"]
        m.d.comb += [
            *(there[level].eq(place[level] + stride) for level, stride in strides.items()),
            next_outer.eq(Mux(loops["po"].last, 0, outer_pixel + constants.pixel_step)),
            next_pixel.eq(
                Mux(loops["slot"].ends, Mux(pi.last, next_outer, pixel + 1), pixel),
            ),
        ]
        with m.If(step):
            self._next_beat(m, constants, place)
            with m.If(loops["beat"].ends):
                m.d.sync += [place[each].eq(there["inner"]) for each in ("beat", "inner")]
                m.d.sync += [place.channel.eq(0), place.lane.eq(slot.lane)]
                m.d.sync += place.h.eq(place.h + slot.inner_step)
            with m.If(loops["inner"].ends):
                m.d.sync += [place[each].eq(there["outer"]) for each in ("beat", "inner", "outer")]
                m.d.sync += [
                    place.h_outer.eq(place.h_outer + slot.outer_step),
                    place.h.eq(place.h_outer + slot.outer_step),
                ]
            with m.If(loops["outer"].ends):
                m.d.sync += [place[each].eq(there["item"]) for each in ("beat", *strides)]
                m.d.sync += [
                    place.h_outer.eq(slot.tag),
                    place.h.eq(slot.tag),
                    place.item_tag.eq(place.item_tag + constants.item_tag),
                ]
            with m.If(loops["item"].ends):
                m.d.sync += pixel.eq(next_pixel)
                self._enter(m, walk, walk.table.bases, next_pixel)
            with m.If(pi.ends):
                m.d.sync += outer_pixel.eq(next_outer)

    def _next_beat(self, m: Module, constants, place) -> None:
        """The next channels of the same pixel."""
        lanes, width = self.config.lanes, self.config.noc.ifmap
        m.d.sync += place.channel.eq(place.channel + width)
        if lanes == width:
            m.d.sync += place.beat.eq(place.beat + constants.plane_stride)
            return
        m.d.sync += place.lane.eq(place.lane + width)
        with m.If(place.lane == lanes - width):
            m.d.sync += place.beat.eq(place.beat + constants.plane_stride)

    def _emit(self, m: Module, reader: Reader) -> None:
        """Pick the beat's lanes out of the word and subtract the zero point."""
        config = self.config
        label = reader.output.payload.label
        # A pass's table lasts until its last beat has reached every PE.
        constants = of_bank(m, self.tables, label.bank, "delivered").constants
        width = config.noc.ifmap * config.array.data_width
        stored = Signal(width)
        payload = self.beats.payload
        m.d.comb += [
            stored.eq(
                reader.output.payload.data.word_select(
                    label.lane[exact_log2(config.noc.ifmap) :], width
                )
            ),
            self.beats.valid.eq(reader.output.valid),
            reader.output.ready.eq(self.beats.ready),
            payload.row.eq(label.row),
            payload.tag.eq(label.tag),
            payload.bank.eq(label.bank),
        ]
        if config.noc.ifmap > 1:
            m.d.comb += payload.payload.more.eq(label.more)
        for i in range(config.noc.ifmap):
            raw = stored.word_select(i, config.array.data_width)
            operand = payload.payload.words[i]
            if config.array.data_width == 8:
                sign = raw[7] & constants.signed
                value = Cat(raw, sign).as_signed() - constants.zero
            else:
                value = raw.as_signed()
            m.d.comb += operand.eq(Mux(label.pad, 0, value))


@dataclass(frozen=True)
class _Walk:
    """What the walk holds: the pass's table, the slot's entry, the place and the pixel."""

    table: data.View
    slot: data.View
    place: data.View
    pixel: Signal
