"""STORE: a box of buffer words becomes a data block, while the decoder goes on."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.commands import ADDRESS, REGION, RESULT, Opcode, ResultBlock, Status
from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.base.layouts import layout
from hw.control.box import walk_box
from hw.engines.tables import compact
from hw.glb.ports import Reader, read_port


class BoxStorer(Block):
    """Sends a data block: its header, then a box of buffer words packed into link words.

    One buffer word a cycle at best. A block always has the length that its header announced: where
    the box holds less, or leaves the buffer, zeros fill it up, and the storer has failed.

    Members
    -------
    region : in, compact(REGION)
        The box of the STORE, taken with `start`.
    tag : in, 16
        The tag of the STORE, taken with `start`.
    start : in, 1
        Begin.
    busy : out, 1
        A block is under way.
    failed : out, 1
        It ended badly; only a reset helps.
    status : out, 8
        How it ended (`Status`), if it failed.
    value : out, ADDRESS
        The second word of the status block, if it failed.
    result : out, stream of LINK_WORD_BITS
        The block: header, then data.
    port : out, read_port(config.buffer.width)
        Read port of the buffer.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "region": In(compact(REGION)),
                "tag": In(16),
                "start": In(1),
                "busy": Out(1),
                "failed": Out(1),
                "status": Out(8),
                "value": Out(ADDRESS),
                "result": Out(stream.Signature(LINK_WORD_BITS)),
                "port": Out(read_port(config.buffer.width)),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        reader = Reader(  # label: the box's last word
            1, width=config.buffer.width, pipeline=config.control.pipeline
        )
        m.submodules.reader = reader
        connect(m, reader.port, flipped(self.port))
        job = _Job(
            region=Signal(compact(REGION), name="region"),
            tag=Signal.like(self.tag, name="tag"),
            sending=Signal(name="sending"),
            outside=Signal(name="outside"),
        )
        region, outside = job.region, job.outside
        asking = Signal()  # addresses are still to be asked for
        step = Signal()
        last, address = walk_box(m, region, start=self.start, origin=self.region.address, step=step)
        m.d.comb += [
            # The address is checked word by word: a box is no interval, so its ends tell nothing.
            outside.eq(asking & (address >= config.act_banks * config.buffer.depth)),
            reader.input.valid.eq(asking & ~outside),
            reader.input.payload.address.eq(address),
            reader.input.payload.skip.eq(0),
            reader.input.payload.label.eq(last),
            step.eq(reader.input.valid & reader.input.ready),
        ]
        words = stream.Signature(LINK_WORD_BITS).create()
        sent_last = self._link_words(m, reader, words)
        with m.If(self.start):
            m.d.sync += [region.eq(self.region), job.tag.eq(self.tag)]
            m.d.sync += [asking.eq(1), job.sending.eq(1)]
        with m.Elif(step & last):
            m.d.sync += asking.eq(0)
        with m.If(sent_last):
            m.d.sync += job.sending.eq(0)
        self._block(m, job, words, address)
        return m

    def _block(self, m: Module, job: "_Job", words: stream.Interface, address: Value) -> None:
        """The data block, filled up with zeros once nothing more comes.

        Its header has promised a length, so an address outside the buffer cannot end it early.
        """
        region, sending, outside = job.region, job.sending, job.outside
        left = Signal.like(region.words)
        filling = Signal()
        short = Signal()  # zeros were sent
        header = Signal(layout(RESULT))
        m.d.comb += [
            header.block.eq(ResultBlock.DATA),
            header.tag.eq(job.tag),
            header.length.eq(region.words),
        ]
        moved = self.result.valid & self.result.ready
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") & ~fsm.ongoing("FAILED"))
            with m.State("IDLE"):
                with m.If(self.start):
                    m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += [self.result.valid.eq(1), self.result.payload.eq(header.as_value())]
                m.d.sync += left.eq(region.words)
                with m.If(self.result.ready):
                    m.next = "WORDS"
            with m.State("WORDS"):
                m.d.comb += [
                    self.result.valid.eq((words.valid | filling) & (left != 0)),
                    self.result.payload.eq(Mux(filling, 0, words.payload)),
                    words.ready.eq(self.result.ready & (left != 0) & ~filling),
                ]
                # A word that is on offer stays until it is taken; only then do zeros follow.
                waiting = self.result.valid & ~self.result.ready
                with m.If((~sending | outside) & ~waiting & (left != 0)):
                    m.d.sync += filling.eq(1)
                with m.If(moved):
                    m.d.sync += [left.eq(left - 1), short.eq(short | filling)]
                with m.If(left == 0):
                    m.d.sync += [filling.eq(0), short.eq(0)]
                    m.next = "IDLE"
                    with m.If(outside):
                        m.d.sync += [self.status.eq(Status.BAD_ADDRESS), self.value.eq(address)]
                        m.next = "FAILED"
                    with m.Elif(sending | short):
                        m.d.sync += [
                            self.status.eq(Status.BAD_LENGTH),
                            self.value.eq(Opcode.STORE),
                        ]
                        m.next = "FAILED"
            with m.State("FAILED"):
                m.d.comb += self.failed.eq(1)

    def _link_words(self, m: Module, reader: Reader, sink) -> Signal:
        """Link words out of buffer words; returns "the box's last link word leaves"."""
        width = self.config.buffer.width
        item = reader.output
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


@dataclass(frozen=True)
class _Job:
    """The STORE under way: its box and tag, and how far it is.

    `sending`: words of the box are still to come; `outside`: the next one is not in the buffer.
    """

    region: data.View
    tag: Signal
    sending: Signal
    outside: Signal
