"""LOAD: link words into a box of buffer words."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.arch.commands import ADDRESS, REGION
from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.control.box import walk_box
from hw.engines.tables import compact
from hw.glb.ports import act_write_layout


class BoxLoader(Block):
    """Fills a box of buffer words, one buffer word a cycle at best.

    Members
    -------
    region : in, compact(REGION)
        The box, stable while `busy`.
    start : in, 1
        Begin.
    busy : out, 1
        A box is under way.
    overrun : out, 1
        The word to be written lies after the end of the buffer.
    address : out, ADDRESS
        The buffer word to be written.
    payload : in, stream of LINK_WORD_BITS
        Link words; the rest of the box's last one is dropped.
    write : out, stream of act_write_layout(config)
        Writes to the buffer.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "region": In(compact(REGION)),
                "start": In(1),
                "busy": Out(1),
                "overrun": Out(1),
                "address": Out(ADDRESS),
                "payload": In(stream.Signature(LINK_WORD_BITS)),
                "write": Out(stream.Signature(act_write_layout(config))),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        step, outside = Signal(), Signal()
        last, address = walk_box(
            m, self.region, start=self.start, origin=self.region.address, step=step
        )
        word, word_valid = self._words(m, step, last)
        m.d.comb += [
            outside.eq(address >= config.act_banks * config.buffer.depth),
            self.overrun.eq(self.busy & outside),
            self.address.eq(address),
            self.write.valid.eq(self.busy & word_valid & ~outside),
            self.write.payload.addr.eq(address),
            self.write.payload.mask.eq(~0),
            self.write.payload.data.eq(word),
            step.eq(self.write.valid & self.write.ready),
        ]
        with m.If(self.start):
            m.d.sync += self.busy.eq(1)
        with m.Elif(step & last):
            m.d.sync += self.busy.eq(0)
        return m

    def _words(self, m: Module, step: Signal, last: Signal):
        """(buffer word, it is there) out of link words."""
        width = self.config.buffer.width
        source = self.payload
        if width <= LINK_WORD_BITS:
            parts = LINK_WORD_BITS // width
            part = Signal(range(max(parts, 2)))
            final = Signal()
            m.d.comb += [
                final.eq(last | (part == parts - 1)),
                source.ready.eq(step & final),
            ]
            with m.If(step):
                m.d.sync += part.eq(Mux(final, 0, part + 1))
            return source.payload.word_select(part, width), source.valid
        low = Signal(LINK_WORD_BITS)
        have_low = Signal()
        m.d.comb += source.ready.eq(self.busy & (~have_low | step))
        with m.If(source.valid & source.ready):
            m.d.sync += have_low.eq(~have_low)
            with m.If(~have_low):
                m.d.sync += low.eq(source.payload)
        return Cat(low, source.payload), source.valid & have_low
