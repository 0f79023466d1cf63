"""STORE: a box of buffer words becomes a data block, while the decoder goes on."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.commands import ADDRESS, CODE, REGION, RESULT, Opcode, ResultBlock, Status
from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.base.layouts import layout
from hw.control.box import walk_box
from hw.control.codes.masker import Masker, coded_word
from hw.engines.tables import compact
from hw.glb.ports import Reader, read_port


class BoxStorer(Block):
    """Sends a data block: its header, then a box of buffer words packed into link words.

    One buffer word a cycle at best. A block always has the length that its header announced: where
    the box holds less, or leaves the buffer, zeros fill it up, and the storer has failed.

    A box that may be `coded` is read twice. What is read first is encoded only to find how long the
    code is. If that is less than the box's words, the block that follows is the code.

    Members
    -------
    region : in, compact(REGION)
        The box of the STORE, taken with `start`.
    tag : in, 16
        The tag of the STORE, taken with `start`.
    code : in, compact(CODE)
        How the code looks, taken with `start`; of use if `region.coded`.
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
                "code": In(compact(CODE)),
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
        job = _Job(
            region=Signal(compact(REGION), name="region"),
            tag=Signal.like(self.tag, name="tag"),
            code=Signal(compact(CODE), name="code_fields"),
            sending=Signal(name="sending"),
            outside=Signal(name="outside"),
            again=Signal(name="again"),
            coded=Signal(name="coded"),
        )
        reader, address = self._read(m, job)
        words = stream.Signature(coded_word(config)).create()
        self._link_words(m, job, reader.output, words)
        with m.If(self.start):
            m.d.sync += [
                job.region.eq(self.region),
                job.tag.eq(self.tag),
                job.code.eq(self.code),
                job.coded.eq(0),
            ]
        with m.If(self.start | job.again):
            m.d.sync += job.sending.eq(1)
        with m.Elif(words.valid & words.ready & words.payload.last):
            m.d.sync += job.sending.eq(0)
        self._block(m, job, words, address)
        return m

    def _read(self, m: Module, job: "_Job") -> tuple[Reader, Signal]:
        """(reader of the box's words, with labels `_label`; the next address)."""
        config, region = self.config, job.region
        reader = Reader(_label(config), width=config.buffer.width, pipeline=config.control.pipeline)
        m.submodules.reader = reader
        connect(m, reader.port, flipped(self.port))
        asking = Signal()  # addresses are still to be asked for
        step = Signal()
        begins = self.start | job.again
        origin = Mux(self.start, self.region.address, region.address)
        walk = walk_box(m, region, start=begins, origin=origin, step=step)
        label = reader.input.payload.label
        m.d.comb += [
            # The address is checked word by word: a box is no interval, so its ends tell nothing.
            job.outside.eq(asking & (walk.address >= config.act_banks * config.buffer.depth)),
            reader.input.valid.eq(asking & ~job.outside),
            reader.input.payload.address.eq(walk.address),
            reader.input.payload.skip.eq(0),
            label.last.eq(walk.last),
            step.eq(reader.input.valid & reader.input.ready),
        ]
        with m.If(begins):
            m.d.sync += asking.eq(1)
        with m.Elif(step & walk.last):
            m.d.sync += asking.eq(0)
        if config.link.codes:
            block = Signal.like(job.code.blocks)  # of the item
            m.d.comb += label.partial.eq(block + 1 == job.code.blocks)
            with m.If(begins):
                m.d.sync += block.eq(0)
            with m.Elif(walk.turns):
                m.d.sync += block.eq(Mux(label.partial, 0, block + 1))
        return reader, walk.address

    def _block(self, m: Module, job: "_Job", words: stream.Interface, address: Value) -> None:
        """The data block, filled up with zeros once nothing more comes.

        Its header has promised a length, so an address outside the buffer cannot end it early.
        """
        region, sending, outside = job.region, job.sending, job.outside
        left = Signal.like(region.words)
        filling = Signal()
        short = Signal()  # zeros were sent
        encoding = self._encoder(m, job, words)
        header = Signal(layout(RESULT))
        length = region.words if encoding is None else Mux(job.coded, encoding.length, region.words)
        m.d.comb += [
            header.block.eq(Mux(job.coded, ResultBlock.CODED, ResultBlock.DATA)),
            header.tag.eq(job.tag),
            header.length.eq(length),
        ]
        moved = self.result.valid & self.result.ready
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") & ~fsm.ongoing("FAILED"))
            with m.State("IDLE"):
                with m.If(self.start):
                    m.next = "HEADER"
                    if encoding is not None:
                        with m.If(self.region.coded):
                            m.next = "COUNT"
            if encoding is not None:
                self._code(m, job, words, encoding)
            with m.State("HEADER"):
                m.d.comb += [self.result.valid.eq(1), self.result.payload.eq(header.as_value())]
                m.d.sync += left.eq(region.words)
                with m.If(self.result.ready):
                    m.next = "WORDS"
                    if encoding is not None:
                        with m.If(job.coded):
                            m.next = "CODE"
            with m.State("WORDS"):
                m.d.comb += [
                    self.result.valid.eq((words.valid | filling) & (left != 0)),
                    self.result.payload.eq(Mux(filling, 0, words.payload.data)),
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

    def _encoder(self, m: Module, job: "_Job", words: stream.Interface) -> "_Encoding | None":
        """The encoder, which takes words of the box while it is busy."""
        if not self.config.link.codes:
            return None
        m.submodules.encoder = encoder = Masker(self.config)
        region = self.region
        e = _Encoding(
            encoder=encoder,
            length=Signal.like(region.words, name="code_length"),
            left=Signal.like(region.words, name="box_left"),
            over=Signal(name="over"),
        )
        m.d.comb += [encoder.zero.eq(job.code.zero), encoder.words.payload.eq(words.payload)]
        with m.If(encoder.busy):
            m.d.comb += [
                encoder.words.valid.eq(words.valid),
                words.ready.eq(encoder.words.ready),
            ]
        with m.If(self.start):
            m.d.comb += encoder.start.eq(region.coded)
            m.d.sync += [e.length.eq(0), e.left.eq(region.words), e.over.eq(0)]
        return e

    def _code(self, m: Module, job: "_Job", words: stream.Interface, e: "_Encoding") -> None:
        """The states of a box that may be coded."""
        encoder = e.encoder
        with m.State("COUNT"):
            taken = words.valid & words.ready
            m.d.comb += encoder.code.ready.eq(1)
            m.d.sync += [
                e.length.eq(e.length + encoder.code.valid),
                e.left.eq(e.left - taken),
                e.over.eq(e.over | (taken & (e.left == 0))),
            ]
            with m.If(~encoder.busy):
                # A box of other than the announced words is an error, which raw ones show.
                shorter = (e.length < job.region.words) & (e.left == 0) & ~e.over
                m.d.comb += [job.again.eq(1), encoder.start.eq(shorter)]
                m.d.sync += job.coded.eq(shorter)
                m.next = "HEADER"
            with m.Elif(job.outside):
                m.next = "HEADER"
        with m.State("CODE"):
            m.d.comb += [
                self.result.valid.eq(encoder.code.valid),
                self.result.payload.eq(encoder.code.payload),
                encoder.code.ready.eq(self.result.ready),
            ]
            with m.If(~encoder.busy):
                m.next = "IDLE"

    def _link_words(
        self, m: Module, job: "_Job", item: stream.Interface, sink: stream.Interface
    ) -> None:
        """Link words out of buffer words."""
        config = self.config
        width, lanes = config.buffer.width, config.lanes
        label, word = item.payload.label, sink.payload
        used = Signal(lanes)  # of the buffer word
        m.d.comb += used.eq(~0)
        if config.link.codes:
            with m.If(label.partial):
                m.d.comb += used.eq(Cat(lane < job.code.lanes for lane in range(lanes)))
        if width <= LINK_WORD_BITS:
            parts = LINK_WORD_BITS // width
            held, held_used = Signal.like(word.data), Signal.like(word.used)
            part = Signal(range(max(parts, 2)))
            final = Signal()
            m.d.comb += [
                final.eq(label.last | (part == parts - 1)),
                word.data.eq(held | (item.payload.data << (part * width))),
                word.used.eq(held_used | (used << (part * lanes))),
                word.last.eq(label.last),
                sink.valid.eq(item.valid & final),
                item.ready.eq(sink.ready | ~final),
            ]
            with m.If(item.valid & item.ready):
                m.d.sync += [
                    part.eq(Mux(final, 0, part + 1)),
                    held.eq(Mux(final, 0, word.data)),
                    held_used.eq(Mux(final, 0, word.used)),
                ]
            return
        high = Signal()
        m.d.comb += [
            word.data.eq(item.payload.data.word_select(high, LINK_WORD_BITS)),
            word.used.eq(used.word_select(high, len(word.used))),
            word.last.eq(high & label.last),
            sink.valid.eq(item.valid),
            item.ready.eq(sink.ready & high),
        ]
        with m.If(sink.valid & sink.ready):
            m.d.sync += high.eq(~high)


def _label(config: Config) -> data.StructLayout:
    """What goes with a buffer word.

    `last`: it is the last of its box; `partial`: maybe not all its lanes hold channels.
    """
    return data.StructLayout({"last": 1, **({"partial": 1} if config.link.codes else {})})


@dataclass(frozen=True)
class _Job:
    """The STORE under way: its box, tag and code, and how far it is.

    `sending`: words of the box are still to come; `outside`: the next one is not in the buffer;
    `again`: its words are read once more; `coded`: the block is a code.
    """

    region: data.View
    tag: Signal
    code: data.View
    sending: Signal
    outside: Signal
    again: Signal
    coded: Signal


@dataclass(frozen=True)
class _Encoding:
    """The encoder, and what it finds at first.

    `length`: words of the code; `left`: words that the box announced and has not given; `over`: it
    gave more.
    """

    encoder: Masker
    length: Signal
    left: Signal
    over: Signal
