"""LOAD: link words into a box of buffer words."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.arch.commands import ADDRESS, REGION
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program.layout import MOST_SPREAD
from hw.base.block import Block
from hw.control.box import walk_box
from hw.engines.tables import compact
from hw.glb.ports import act_write_layout


class BoxLoader(Block):
    """Fills a box of buffer words, one buffer word a cycle at best.

    With `region.channels`, a buffer word gets so many elements in its first lanes, and zeros above.

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
        walk = walk_box(m, self.region, start=self.start, origin=self.region.address, step=step)
        last, address = walk.last, walk.address
        source, filling = self.payload, self.busy
        words = self._words(m, source, filling, step, last)
        spreads = self.region.channels != 0
        if config.lanes > 1:
            spread = self._spread(m, source, step & spreads, last)
            chosen = {name: Mux(spreads, spread[name], words[name]) for name in words}
        else:
            chosen = words
        m.d.comb += source.ready.eq(chosen["ready"])
        m.d.comb += [
            outside.eq(address >= config.act_banks * config.buffer.depth),
            self.overrun.eq(filling & outside),
            self.address.eq(address),
            self.write.valid.eq(filling & chosen["valid"] & ~outside),
            self.write.payload.addr.eq(address),
            self.write.payload.mask.eq(~0),
            self.write.payload.data.eq(chosen["word"]),
            step.eq(self.write.valid & self.write.ready),
        ]
        with m.If(self.start):
            m.d.sync += filling.eq(1)
        with m.Elif(step & last):
            m.d.sync += filling.eq(0)
        return m

    def _spread(
        self, m: Module, source: stream.Interface, step: Value, last: Signal
    ) -> dict[str, Value]:
        """The same where a buffer word takes the next `region.channels` elements alone.

        A link word is taken as soon as the next pixel does not lie in it whole: its last elements
        are kept, and the rest of that pixel is in the word that follows.
        """
        bits, channels = self.config.array.data_width, self.region.channels
        elements = LINK_WORD_BITS // bits
        kept = MOST_SPREAD - 1
        held = Signal(kept * bits)
        window = Cat(held, source.payload)
        place = Signal(range(elements + kept), init=kept)  # the pixel's first element
        there = Signal(range(elements + kept + MOST_SPREAD + 1))
        taken = Signal()
        m.d.comb += [
            there.eq(place + channels),
            taken.eq(last | (there + channels > elements + kept)),
        ]
        with m.If(step):
            m.d.sync += place.eq(Mux(last, kept, Mux(taken, there - elements, there)))
            with m.If(taken):
                m.d.sync += held.eq(source.payload[-kept * bits :])
        lanes = [
            Mux(lane < channels, window.word_select(place + lane, bits), 0)
            for lane in range(min(MOST_SPREAD, self.config.lanes))
        ]
        return {"word": Cat(*lanes), "valid": source.valid, "ready": step & taken}

    def _words(
        self, m: Module, source: stream.Interface, filling: Signal, step: Signal, last: Signal
    ) -> dict[str, Value]:
        """Buffer words out of link words: `word`, whether it is there (`valid`), and whether the
        link word is taken (`ready`)."""
        width = self.config.buffer.width
        if width <= LINK_WORD_BITS:
            parts = LINK_WORD_BITS // width
            part = Signal(range(max(parts, 2)))
            final = Signal()
            m.d.comb += final.eq(last | (part == parts - 1))
            with m.If(step & (self.region.channels == 0)):
                m.d.sync += part.eq(Mux(final, 0, part + 1))
            word = source.payload.word_select(part, width)
            return {"word": word, "valid": source.valid, "ready": step & final}
        low = Signal(LINK_WORD_BITS)
        have_low = Signal()
        with m.If(source.valid & source.ready & (self.region.channels == 0)):
            m.d.sync += have_low.eq(~have_low)
            with m.If(~have_low):
                m.d.sync += low.eq(source.payload)
        ready = filling & (~have_low | step)
        return {"word": Cat(low, source.payload), "valid": source.valid & have_low, "ready": ready}
