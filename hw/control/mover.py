"""LOAD and STORE: boxes of buffer words in and out."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.commands import ADDRESS, REGION
from hw.arch.config import LINK_WORD_BITS, Config
from hw.control.nest import nest
from hw.control.tables import compact
from hw.elaboration import Block, instantiate
from hw.glb.ports import Reader, act_write_layout, read_port


class Mover(Block):
    """Walks a box of buffer words, row by row, plane by plane; one buffer word a cycle at best.

    Members
    -------
    region : the box, stable while busy; load, store : begin; busy
    overrun : the word asked for lies behind the buffer; `address` is where
    payload : stream of words to load; data : stream of words stored
    write, port : ports of the buffer
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "region": In(compact(REGION)),
                "load": In(1),
                "store": In(1),
                "busy": Out(1),
                "overrun": Out(1),
                "address": Out(ADDRESS),
                "payload": In(stream.Signature(LINK_WORD_BITS)),
                "data": Out(stream.Signature(LINK_WORD_BITS)),
                "write": Out(stream.Signature(act_write_layout(config))),
                "port": Out(read_port(config.glb_width)),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        reader = Reader(1, width=config.glb_width)  # label: the box's last word
        instantiate(m, platform, "reader", reader)
        connect(m, reader.port, flipped(self.port))
        loading, storing = Signal(), Signal()
        step = Signal()
        last, address = self._walk(m, step)
        outside = Signal()
        m.d.comb += [
            outside.eq(address >= config.act_banks * config.glb_depth),
            self.overrun.eq((loading | storing) & outside),
            self.address.eq(address),
        ]
        word, word_valid = self._link_to_words(m, loading, step, last)
        sent_last = self._words_to_link(m, reader)
        asking = Signal()  # addresses of a STORE are still to be asked for
        m.d.comb += [
            self.write.valid.eq(loading & word_valid & ~outside),
            self.write.payload.addr.eq(address),
            self.write.payload.mask.eq(~0),
            self.write.payload.data.eq(word),
            reader.input.valid.eq(asking & ~outside),
            reader.input.payload.address.eq(address),
            reader.input.payload.skip.eq(0),
            reader.input.payload.label.eq(last),
            step.eq(
                Mux(
                    loading,
                    self.write.valid & self.write.ready,
                    reader.input.valid & reader.input.ready,
                )
            ),
            self.busy.eq(loading | storing),
        ]
        with m.If(self.load):
            m.d.sync += loading.eq(1)
        with m.Elif(loading & step & last):
            m.d.sync += loading.eq(0)
        with m.If(self.store):
            m.d.sync += [storing.eq(1), asking.eq(1)]
        with m.Elif(asking & step & last):
            m.d.sync += asking.eq(0)
        with m.If(sent_last):
            m.d.sync += storing.eq(0)
        return m

    def _walk(self, m: Module, step: Signal):
        """Returns (last word of the box, address): addresses only add strides."""
        region = self.region
        loops = nest(m, step, {"plane": region.planes, "row": region.rows, "word": region.run})
        offsets = {
            name: Signal(ADDRESS, name=f"{name}_offset") for name in ("plane", "row", "word")
        }
        strides = {"word": 1, "row": region.row_stride, "plane": region.plane_stride}
        inside = []
        for name in ("word", "row", "plane"):
            inside.append(name)
            there = Signal(ADDRESS, name=f"{name}_there")
            m.d.comb += there.eq(Mux(loops["plane"].ends, 0, offsets[name] + strides[name]))
            with m.If(loops[name].steps):
                m.d.sync += [offsets[each].eq(there) for each in inside]
        address = Signal(ADDRESS)
        m.d.comb += address.eq(region.address + offsets["word"])
        return loops["plane"].ends, address

    def _link_to_words(self, m: Module, loading: Signal, step: Signal, last: Signal):
        """Buffer words out of link words; the rest of the box's last link word is dropped."""
        width = self.config.glb_width
        source = self.payload
        if width <= LINK_WORD_BITS:
            parts = LINK_WORD_BITS // width
            part = Signal(range(max(parts, 2)))
            final = Signal()
            m.d.comb += [
                final.eq(last | (part == parts - 1)),
                source.ready.eq(loading & step & final),
            ]
            with m.If(loading & step):
                m.d.sync += part.eq(Mux(final, 0, part + 1))
            return source.payload.word_select(part, width), source.valid
        low = Signal(LINK_WORD_BITS)
        have_low = Signal()
        m.d.comb += source.ready.eq(loading & (~have_low | step))
        with m.If(source.valid & source.ready):
            m.d.sync += have_low.eq(~have_low)
            with m.If(~have_low):
                m.d.sync += low.eq(source.payload)
        return Cat(low, source.payload), source.valid & have_low

    def _words_to_link(self, m: Module, reader: Reader) -> Signal:
        """Link words out of buffer words; returns "the box's last link word leaves"."""
        width = self.config.glb_width
        item, sink = reader.output, self.data
        sent_last = Signal()
        moved = Signal()
        m.d.comb += moved.eq(sink.valid & sink.ready)
        if width <= LINK_WORD_BITS:
            parts = LINK_WORD_BITS // width
            held = Signal(LINK_WORD_BITS)
            part = Signal(range(max(parts, 2)))
            final = Signal()
            m.d.comb += [
                final.eq(item.payload.label | (part == parts - 1)),
                sink.payload.eq(held | (item.payload.data << (part * width))),
                sink.valid.eq(item.valid & final),
                item.ready.eq(sink.ready | ~final),
                sent_last.eq(moved & item.payload.label),
            ]
            with m.If(item.valid & item.ready):
                m.d.sync += [
                    part.eq(Mux(final, 0, part + 1)),
                    held.eq(Mux(final, 0, sink.payload)),
                ]
            return sent_last
        high = Signal()
        m.d.comb += [
            sink.payload.eq(item.payload.data.word_select(high, LINK_WORD_BITS)),
            sink.valid.eq(item.valid),
            item.ready.eq(sink.ready & high),
            sent_last.eq(moved & high & item.payload.label),
        ]
        with m.If(moved):
            m.d.sync += high.eq(~high)
        return sent_last
