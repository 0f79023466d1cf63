"""The filter reader: the filters of a pass out of the global buffer, as words of the link."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from hw.arch.commands import CONSTANTS
from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.engines.nest import nest
from hw.glb.ports import Reader, act_address_bits, read_port

FILTER_BEATS = next(field.width for field in CONSTANTS.fields if field.name == "filter_beats")


def filter_extent(config: Config) -> data.StructLayout:
    """How many filters a pass is sent: filter row tags, filter column tags, beats of each."""
    return data.StructLayout(
        {
            "filters": bits_for(config.array.rows),
            "groups": bits_for(config.array.cols),
            "beats": FILTER_BEATS,
        }
    )


def filter_walk(config: Config) -> data.StructLayout:
    """Where the filters of a pass lie in the buffer, in buffer words.

    Members
    -------
    first : where those of row tag 0 and column tag 0 begin
    stride : from column tag to column tag of a row tag; with `cells` from cell to cell
    jump : added before some row tags, each of which otherwise follows the one before
    turn : row tags before the first of these; 0: there is none
    period : from one of these to the next; 0: there is one at most
    cells : they lie in cells, and row tags `channels` words apart
    across : cells of a channel; channels : of a tap, in successive words; apart : from tap to tap
    """
    rows, reach = bits_for(config.array.rows), act_address_bits(config)
    return data.StructLayout(
        {
            "first": reach,
            "stride": reach,
            "jump": reach,
            "turn": rows,
            "period": rows,
            "cells": 1,
            "across": 8,
            "channels": 8,
            "apart": reach,
        }
    )


class FilterReader(Block):
    """After `seek`, exactly the words that hold the pass's filters, as `walk` finds them.

    What a PE holds is a unit: its beats lie in the buffer as they would come on the link, and begin
    with a new buffer word. A buffer word of 128 bits holds two words of the link, the lower one
    first, of which a unit may need only one at its end; with 32 bits a word of the link takes two.
    With `walk.cells` a unit is not in one piece: each buffer word is a *cell*, the weights of some
    filters for one channel and tap. A unit takes tap by tap, channel by channel the cells of its
    filters, and the next column tag has the cells after these. Buffer words have 64 bits then, or
    128.

    Nothing is read for a pass that has not been sought, so no word can be older than the LOAD that
    filled it. Requests run ahead of the words taken: one a cycle at most, up to four under way, and
    none is lost between units. The first word comes three cycles after `seek` (with
    `control.pipeline` four; with buffer words of 32 bits one more).

    Timing
    ------
    A pass of two units of two beats, each in a word; a jump leads to the second.

        cycle                 0  1  2  3  4  5  6  7
        seek                  1  0  0  0  0  0  0  0
        walk.first            5  5  5  5  5  5  5  5
        walk.turn             1  1  1  1  1  1  1  1
        walk.jump             3  3  3  3  3  3  3  3
        extent.filters        2  2  2  2  2  2  2  2
        extent.groups         1  1  1  1  1  1  1  1
        extent.beats          2  2  2  2  2  2  2  2
        port.request.valid    0  1  0  1  0  0  0  0
        port.request.payload  .  5  .  9  .  .  .  .
        port.request.ready    1  1  1  1  1  1  1  1
        port.data             .  .  7  .  8  .  .  .
        words.valid           0  0  0  1  1  1  1  0
        words.payload         .  .  .  7  7  8  8  .
        words.ready           0  0  0  0  1  0  1  0
        last                  0  0  0  0  1  0  1  0

    Members
    -------
    seek : in, 1
        A pass begins; every word of the pass before has been taken.
    walk : in, filter_walk(config)
        Where its filters lie; constant from `seek` until the last word is taken.
    extent : in, filter_extent(config)
        How many they are; constant likewise.
    last : in, 1
        The word that is taken is its unit's last.
    words : out, stream of LINK_WORD_BITS
        Words of filters.
    port : out, read_port(config.buffer.width)
        Read port of the buffer.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "seek": In(1),
                "walk": In(filter_walk(config)),
                "extent": In(filter_extent(config)),
                "last": In(1),
                "words": Out(stream.Signature(LINK_WORD_BITS)),
                "port": Out(read_port(config.buffer.width)),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.reader = reader = Reader(
            0, width=config.buffer.width, pipeline=config.control.pipeline
        )
        connect(m, reader.port, flipped(self.port))
        self._ask(m, reader.input)
        self._answer(m, reader.output)
        return m

    def _ask(self, m: Module, requests: stream.Interface) -> None:
        """Requests for the words that the beats of each unit begin."""
        config = self.config
        bits = max(LINK_WORD_BITS, config.buffer.width)
        beats = bits // (config.noc.filter * config.array.data_width)
        reads = bits // config.buffer.width
        active, step = Signal(), Signal()
        loops = nest(
            m,
            step,
            {"fid": self.extent.filters, "tid": self.extent.groups, "beat": self.extent.beats},
        )
        finished = loops["fid"].ends
        part, read = Signal(range(max(beats, 2))), Signal(range(max(reads, 2)))
        walk, unit, group = self.walk, loops["beat"].last, loops["tid"]
        place = Signal.like(walk.first)  # the next word
        begun = Signal.like(place)  # where this unit begins
        fires = requests.valid & requests.ready
        onwards, beside = self._cells(m, place, fires, step & unit | self.seek)
        # Units of column tag 0 lie one after another but for jumps: the next row tag's is after it.
        after = Signal.like(place)
        past = Signal.like(place)
        following = Signal.like(place)
        left = Signal.like(walk.turn)  # row tags up to a jump; 0 has none ahead
        m.d.comb += [
            requests.valid.eq(active & (part == 0)),
            requests.payload.address.eq(place),
            step.eq(active & ((part != 0) | (fires & (read == reads - 1)))),
            past.eq(Mux(walk.cells, begun + walk.channels, Mux(fires, place + 1, place))),
            following.eq(Mux(group.index == 0, past, after) + Mux(left == 1, walk.jump, 0)),
        ]
        with m.If(fires):
            m.d.sync += [place.eq(onwards), read.eq(Mux(read == reads - 1, 0, read + 1))]
        with m.If(step):
            m.d.sync += part.eq(Mux(unit | (part == beats - 1), 0, part + 1))
            with m.If(unit & (group.index == 0)):
                m.d.sync += after.eq(past)
            with m.If(unit & group.last):
                m.d.sync += [
                    place.eq(following),
                    begun.eq(following),
                    left.eq(Mux(left == 1, walk.period, left - 1)),
                ]
            with m.Elif(unit):
                next_group = Mux(walk.cells, beside, begun + walk.stride)
                m.d.sync += [place.eq(next_group), begun.eq(next_group)]
            with m.If(finished):
                m.d.sync += active.eq(0)
        with m.If(self.seek):
            m.d.sync += [
                active.eq(1),
                place.eq(walk.first),
                begun.eq(walk.first),
                left.eq(walk.turn),
            ]

    def _cells(self, m: Module, place: Signal, fires: Value, begins: Value) -> tuple[Value, Value]:
        """(the word after `place` in a unit, where the unit of the next column tag begins).

        The second one holds for cells, when the unit ends. `begins`: another unit is next.
        """
        walk = self.walk
        if self.config.buffer.width < LINK_WORD_BITS:
            return place + 1, place
        cell, channel = Signal.like(walk.across), Signal.like(walk.channels)
        # The first cell of this channel, and of this tap, as far as they lie before `place`.
        line, tap = Signal.like(place), Signal.like(place)
        channel_at, tap_at = Signal.like(place), Signal.like(place)
        first = Signal(init=1)  # channel of the first tap
        kept, beside, after = Signal.like(place), Signal.like(place), Signal.like(place)
        last_cell, last_channel = Signal(), Signal()
        m.d.comb += [
            channel_at.eq(Mux(cell == 0, place, line)),
            tap_at.eq(Mux((cell == 0) & (channel == 0), place, tap)),
            last_cell.eq(cell + 1 == walk.across),
            last_channel.eq(channel + 1 == walk.channels),
            after.eq(place + walk.stride),
            beside.eq(Mux(first & fires, after, kept)),
        ]
        with m.If(fires):
            m.d.sync += [line.eq(channel_at), tap.eq(tap_at), cell.eq(cell + 1)]
            with m.If(first):
                m.d.sync += kept.eq(after)
            with m.If(last_cell):
                m.d.sync += [cell.eq(0), channel.eq(channel + 1), first.eq(0)]
                with m.If(last_channel):
                    m.d.sync += channel.eq(0)
        with m.If(begins):
            m.d.sync += [cell.eq(0), channel.eq(0), first.eq(1)]
        down = Mux(last_channel, tap_at + walk.apart, channel_at + 1)
        return Mux(walk.cells, Mux(last_cell, down, after), place + 1), beside

    def _answer(self, m: Module, answers: stream.Interface) -> None:
        """Words of the link from words of the buffer."""
        width, words = self.config.buffer.width, self.words
        read = answers.payload.data
        second = Signal()  # the other half of a word is next
        if width < LINK_WORD_BITS:
            low = Signal(width)
            m.d.comb += [
                words.valid.eq(answers.valid & second),
                words.payload.eq(Cat(low, read)),
                answers.ready.eq(words.ready | ~second),
            ]
            with m.If(answers.valid & answers.ready):
                m.d.sync += second.eq(~second)
                with m.If(~second):
                    m.d.sync += low.eq(read)
        elif width == LINK_WORD_BITS:
            m.d.comb += [
                words.valid.eq(answers.valid),
                words.payload.eq(read),
                answers.ready.eq(words.ready),
            ]
        else:
            m.d.comb += [
                words.valid.eq(answers.valid),
                words.payload.eq(read.word_select(second, LINK_WORD_BITS)),
                answers.ready.eq(words.ready & (second | self.last)),
            ]
            with m.If(words.valid & words.ready):
                m.d.sync += second.eq(~(second | self.last))
