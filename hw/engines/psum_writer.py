"""The psum-out engine: results of the columns to the buffer or, finished, to post-processing."""

from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2, exact_log2

from hw.arch.commands import ADDRESS, CHANNEL, Rounding
from hw.arch.config import Config
from hw.arch.patterns import SEGMENT
from hw.base.block import Block
from hw.base.layouts import of_bank
from hw.engines.nest import nest
from hw.engines.tables import PassTable, column_entry, compact
from hw.glb.ports import act_address_bits, psum_write_layout
from hw.noc.psums import CollectorBeat
from hw.post.items import item_layout


def accumulator_width(config: Config) -> int:
    """Bits of what the post-processor adds the bias to."""
    return max(config.array.psum_width, 32)


class PsumWriter(Block):
    """Takes every window's beats by segment and column, in that fixed order.

    One beat a cycle to the buffer (`psum_beat` / `noc.psum_out` cycles where the network is
    narrower), `post.units` psums a cycle to the post-processor. A pass counts as done when its last
    write was accepted and the post-processor holds nothing of it.

    Timing
    ------
    A pass of two windows with a beat each, which goes back to the buffer; the second beat waits.

        cycle               0  1  2  3  4  5  6  7
        issued              1  1  1  1  1  1  1  1
        columns.0.valid     1  1  1  0  0  0  0  0
        columns.0.ready     1  1  0  0  0  0  0  0
        psums.valid         0  1  1  1  0  0  0  0
        psums.payload.addr  .  4  5  5  .  .  .  .
        psums.ready         1  1  0  1  1  1  1  1
        written_window      0  0  1  1  2  0  0  0
        done                0  0  0  0  0  1  1  1
        closed              0  0  0  0  1  0  0  0

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
    written_window : out, config.control.map_bits
        Windows of the present pass whose psums are in the buffer.
    closed : out, 1
        The last pass of a command is done.
    columns : in, config.array.cols times stream of CollectorBeat(config)
        Psums of every column.
    psums : out, stream of psum_write_layout(config)
        Writes to the buffer.
    items : out, stream of item_layout(config, accumulator_width(config))
        Accumulators for the post-processor.
    post_idle : in, 1
        The post-processor is empty.
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
                "written_window": Out(config.control.map_bits),
                "closed": Out(1),
                "columns": In(stream.Signature(CollectorBeat(config))).array(config.array.cols),
                "psums": Out(stream.Signature(psum_write_layout(config))),
                "items": Out(stream.Signature(item_layout(config, accumulator_width(config)))),
                "post_idle": In(1),
            }
        )
        self.config = config
        self.beat = data.StructLayout(
            {
                "psums": data.ArrayLayout(signed(config.array.psum_width), config.psum_beat),
                "count": bits_for(config.psum_beat),
                "finished": 1,
                "psum_address": ADDRESS,
                "output": ADDRESS,  # without the channel block's part
                "channel": CHANNEL,
                "window_end": 1,
                "pass_end": 1,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.bank.eq(~self.done[0])
        table = of_bank(m, self.tables, self.bank, "table")
        held = _Held(
            beat=Signal(self.beat, name="beat", reset_less=True),
            full=Signal(name="full"),
            leave=Signal(name="leave"),
        )
        self._gather(m, table, held)
        self._write(m, table, held)
        return m

    def _gather(self, m: Module, table: data.View, held: "_Held") -> None:
        """Complete a psum beat from the column's beats and note where it belongs."""
        config = self.config
        beat, full, leave = held.beat, held.full, held.leave
        constants, bases = table.constants, table.bases
        width = config.noc.psum_out
        parts = config.psum_beat // width
        step = Signal()
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
        drained = Signal()  # the pass is gathered; wait until it counts as done
        part = Signal(range(max(parts, 2)))
        left = Signal(signed(10))
        take = Signal()
        m.d.comb += [
            self.segment_index.eq(loops["segment"].index),
            self.column_index.eq(loops["column"].index),
            left.eq(constants.psums - loops["beat"].index * config.psum_beat),
        ]
        arrived = Signal()
        incoming = Signal(CollectorBeat(config))
        for index, source in enumerate(self.columns):
            here = loops["column"].index == index
            m.d.comb += source.ready.eq(here & take)
            with m.If(here):
                m.d.comb += [arrived.eq(source.valid), incoming.eq(source.payload)]
        complete = (part + 1) * width >= Mux(left > config.psum_beat, config.psum_beat, left)
        m.d.comb += [
            take.eq(arrived & (self.issued != self.done) & ~drained & (~full | leave)),
            step.eq(take & complete),
        ]
        window_psums = Signal(ADDRESS)
        window_output = Signal(ADDRESS)
        gathered = Array(beat.psums[i] for i in range(config.psum_beat))
        with m.If(take):
            m.d.sync += part.eq(Mux(complete, 0, part + 1))
            for i in range(width):
                m.d.sync += gathered[(part * width + i)[: bits_for(config.psum_beat)]].eq(
                    incoming[i]
                )
        with m.If(step):
            m.d.sync += [
                beat.count.eq(Mux(left > config.psum_beat, config.psum_beat, left)),
                beat.finished.eq(self.segment.last & table.last),
                beat.psum_address.eq(
                    bases.psum
                    + self.segment.psum
                    + self.column.psum
                    + window_psums
                    + loops["beat"].index
                ),
                beat.output.eq(
                    bases.output + self.segment.output + self.column.output + window_output
                ),
                beat.channel.eq(
                    bases.channel
                    + self.segment.channel
                    + self.column.channel
                    + loops["beat"].index * config.psum_beat
                ),
                beat.window_end.eq(loops["segment"].ends),
                beat.pass_end.eq(loops["window"].ends),
            ]
        m.d.sync += full.eq(step | (full & ~leave))
        with m.If(loops["window"].steps):
            m.d.sync += [
                window_psums.eq(Mux(loops["window"].last, 0, window_psums + constants.psum_beats)),
                window_output.eq(
                    Mux(loops["window"].last, 0, window_output + constants.pixel_words)
                ),
            ]
        with m.If(step & loops["window"].ends):
            m.d.sync += drained.eq(1)
        with m.If(leave & beat.window_end):
            m.d.sync += self.written_window.eq(self.written_window + 1)
        # The post-processor reads the pass's table to the end, so it must not be refilled before.
        with m.If(drained & ~full & self.post_idle):
            m.d.comb += self.closed.eq(table.closing)
            m.d.sync += [drained.eq(0), self.written_window.eq(0), self.done.eq(self.done + 1)]

    def _write(self, m: Module, table: data.View, held: "_Held") -> None:
        """Send the beat to the buffer in one piece, or to the post-processor item by item."""
        config = self.config
        beat, full, leave = held.beat, held.full, held.leave
        units = config.post.units
        items = config.psum_beat // units
        item = Signal(range(max(items, 2)))
        final = Signal()
        first = item * units  # first psum of the item
        slot_bits = config.buffer.width // config.psums_per_word
        words = []
        for word in range(config.banks_per_beat):
            slots = range(word * config.psums_per_word, (word + 1) * config.psums_per_word)
            packed = Cat(_padded(beat.psums[i], slot_bits) for i in slots if i < config.psum_beat)
            words.append(_padded(packed, config.buffer.width))
        channel = Signal(CHANNEL)
        block = Signal(CHANNEL)  # channel block; 32-bit results have blocks of fewer channels
        # A beat is full a cycle after the pass has come to be the present one at the earliest.
        raw = Signal(reset_less=True)
        plane, param = (
            Signal.like(table.constants[name], reset_less=True) for name in ("plane", "param")
        )
        m.d.sync += [
            raw.eq(table.constants.mode == Rounding.RAW.value),
            plane.eq(table.constants.plane),
            param.eq(table.constants.param),
        ]
        reach = act_address_bits(config)  # higher bits reach no bank
        psums = Array(beat.psums[i].as_signed() for i in range(config.psum_beat))
        payload = self.items.payload
        m.d.comb += [
            self.psums.valid.eq(full & ~beat.finished),
            self.psums.payload.addr.eq(beat.psum_address),
            self.psums.payload.data.eq(Cat(words)),
            self.items.valid.eq(full & beat.finished),
            final.eq(first + units >= beat.count),
            leave.eq(Mux(beat.finished, self.items.ready & final, self.psums.ready) & full),
            channel.eq(beat.channel + first),
            block.eq(channel >> exact_log2(config.lanes)),
            payload.addr.eq(
                beat.output
                + (
                    Mux(raw, block << exact_log2(32 // config.array.data_width), block)[:reach]
                    * plane[:reach]
                )[:reach]
            ),
            payload.lane.eq(channel),
            payload.row.eq(param + (channel >> exact_log2(units))),
            payload.bank.eq(self.bank),
        ]
        for i in range(units):
            m.d.comb += [
                payload.acc[i].eq(psums[(first + i)[: bits_for(config.psum_beat)]]),
                payload.mask[i].eq(first + i < beat.count),
            ]
        with m.If(self.items.valid & self.items.ready):
            m.d.sync += item.eq(Mux(final, 0, item + 1))


@dataclass(frozen=True)
class _Held:
    """The beat that is gathered: whether it is `full`, and whether it goes in this cycle."""

    beat: data.View
    full: Signal
    leave: Signal


def _padded(value, width: int):
    """The bits of `value`, with zeros above them up to `width`."""
    bits = Cat(value)
    return Cat(bits, Const(0, width - len(bits))) if len(bits) < width else bits
