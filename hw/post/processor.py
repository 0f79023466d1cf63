"""The post-processor: accumulators in, buffer writes out."""

from collections.abc import Iterable

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from hw.arch.commands import Rounding
from hw.arch.config import Config
from hw.arch.config.modes import rounding_modes
from hw.base.block import Block
from hw.base.delay_line import DelayLine
from hw.base.memory import Ram
from hw.base.queue import Queue
from hw.post.items import item_layout
from hw.post.layouts import (
    BANKS,
    PARAM_LAYOUT,
    buffer_write_layout,
    of_bank,
    placement_layout,
    processor_config_layout,
    stored_param_layout,
)
from hw.post.packer import Packer
from hw.post.requantise import Requantiser, lane_latency


class PostProcessor(Block):
    """Requantises `post.units` accumulators a cycle and writes them into the global buffer.

    An item enters, its row of the parameter memory is read (1 cycle), every lane requantises one
    accumulator (`Requantiser`), and `Packer` places the results in buffer words (1 cycle). The
    whole pipeline is held while a write waits; it takes an item a cycle otherwise, in mode RAW one
    in max(1, post.units * 32 / buffer.width) cycles. Order is kept.

    Latency: `latency` cycles from the cycle in which an item is taken to the one in which its
    (first) write is valid: 13, or 10 with 16-bit data and psums of fewer than 32 bits; with
    `control.pipeline` one more, for a queue of two writes between packer and buffer.

    Parameters
    ----------
    config : Config
        Uses `array.data_width`, `array.psum_width`, `buffer.width`, `post.units`, `post.channels`,
        `control.pipeline`.
    acc_width : int or None
        Accumulator bits, 16 to 40. None: `array.psum_width`.
    modes : iterable of Rounding or None
        Modes that are built. None: `rounding_modes`.

    Members
    -------
    items : in, stream of item_layout(config, acc_width)
        `row` selects among `post.channels` / `post.units` parameter rows, by its low bits.
    writes : out, stream of buffer_write_layout(config)
        Registered. Writes without a lane are left out.
    cfg : in, array of BANKS processor_config_layout(config)
        By `bank` of the item; constant while items of that bank are in flight.
    params : in, {en: 1, row: ceil_log2(max(config.post.channels // config.post.units, 2)), unit:
            range(config.post.units), data: PARAM_LAYOUT}
        Writes the entry `data` of lane `unit` of row `row`. A row must not be written while items
        that use it are on their way. Channel c of a layer belongs to row c // post.units, unit c %
        post.units.
    busy : out, 1
        An item is in flight, or a write waits. An item that is offered and not yet taken does not
        count.
    """

    def __init__(
        self,
        config: Config,
        *,
        acc_width: int | None = None,
        modes: Iterable[Rounding] | None = None,
    ):
        self.config = config
        self.acc_width = config.array.psum_width if acc_width is None else acc_width
        self.modes = rounding_modes(config) if modes is None else frozenset(modes)
        rows = config.post.channels // config.post.units
        super().__init__(
            {
                "items": In(stream.Signature(item_layout(config, self.acc_width))),
                "writes": Out(stream.Signature(buffer_write_layout(config))),
                "cfg": In(data.ArrayLayout(processor_config_layout(config), BANKS)),
                "params": In(
                    data.StructLayout(
                        {
                            "en": 1,
                            "row": ceil_log2(max(rows, 2)),
                            "unit": range(config.post.units),
                            "data": PARAM_LAYOUT,
                        }
                    )
                ),
                "busy": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from an item to its first write, without stalls."""
        return 1 + lane_latency(self.modes) + Packer.latency + self.config.control.pipeline

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.packer = packer = Packer(self.config)
        writing = self._writes(m, packer)
        flight = Signal(1 + lane_latency(self.modes))  # items in the pipeline, the newest in bit 0
        en = Signal()
        m.d.comb += [
            # One enable for all ranks: bubbles do not close up, but no rank needs a handshake.
            en.eq(~flight[-1] | packer.taken),
            self.items.ready.eq(en),
            self.busy.eq(flight.any() | writing),
            packer.valid.eq(flight[-1]),
        ]
        with m.If(en):
            m.d.sync += flight.eq(Cat(self.items.valid, flight))
        entries = self._parameters(m, en)
        # The lanes stand still while nothing is in them, so that their clocks can be gated.
        self._lanes(m, en, en & flight.any(), entries, packer)
        self._placement(m, en, len(flight), packer)
        return m

    def _writes(self, m: Module, packer: Packer) -> Value:
        """Lead the packer's writes out; returns whether one waits."""
        if not self.config.control.pipeline:
            connect(m, flipped(self.writes), packer.writes)
            return self.writes.valid
        shape = buffer_write_layout(self.config)
        m.submodules.write_queue = queue = Queue(shape, depth=2)
        connect(m, packer.writes, queue.input)
        connect(m, queue.output, flipped(self.writes))
        return packer.writes.valid | self.writes.valid

    def _parameters(self, m: Module, en: Signal) -> data.View:
        """The parameter entries of the item that was taken in the cycle before."""
        units = self.config.post.units
        stored = stored_param_layout(self.modes)
        entries = data.ArrayLayout(stored, units)
        entry = Signal(stored)
        m.submodules.parameters = ram = Ram(
            width=entries.size,
            depth=self.config.post.channels // units,
            lane_width=stored.size,
        )
        m.d.comb += [entry[name].eq(self.params.data[name]) for name in stored.members]
        m.d.comb += [
            ram.read.en.eq(en & self.items.valid),
            ram.read.addr.eq(self.items.payload.row),
            ram.write.en.eq(Cat(self.params.en & (self.params.unit == i) for i in range(units))),
            ram.write.addr.eq(self.params.row),
            ram.write.data.eq(entry.as_value().replicate(units)),
        ]
        return entries(ram.read.data)

    def _lanes(
        self, m: Module, en: Signal, moves: Value, entries: data.View, packer: Packer
    ) -> None:
        item = self.items.payload
        acc = Signal(item.acc.shape(), reset_less=True)
        bank = Signal(reset_less=True)
        with m.If(en):
            m.d.sync += [acc.eq(item.acc), bank.eq(item.bank)]
        for i in range(self.config.post.units):
            lane = Requantiser(
                acc_width=self.acc_width, data_width=self.config.array.data_width, modes=self.modes
            )
            m.submodules[f"lane_{i}"] = lane
            m.d.comb += [
                lane.en.eq(moves),
                lane.acc.eq(acc[i]),
                *(lane.params[name].eq(entries[i][name]) for name in entries[i].shape().members),
                lane.bank.eq(bank),
                packer.results[i].eq(lane.result),
                packer.raw[i].eq(lane.raw),
            ]
            m.d.comb += [lane.cfg[b].eq(self.cfg[b].lane) for b in range(BANKS)]

    def _placement(self, m: Module, en: Signal, delay: int, packer: Packer) -> None:
        """Carry where an item belongs past the lanes."""
        item = self.items.payload
        place = Signal(placement_layout(self.config))
        m.d.comb += [place[name].eq(item[name]) for name in ("mask", "addr", "lane", "bank")]
        # A memory in place of `delay` ranks of registers.
        line = DelayLine(width=len(place.as_value()), delay=delay)
        m.submodules.placement = line
        m.d.comb += [line.en.eq(en), line.value.eq(place), packer.place.eq(line.delayed)]
        layer = of_bank(self.cfg, packer.place.bank)
        m.d.comb += [
            packer.raw_mode.eq(layer.lane.mode == Rounding.RAW),
            packer.plane.eq(layer.plane),
        ]
