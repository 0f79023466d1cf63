"""The records of an image: what becomes the command stream, and what tells others what to do."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arch.commands import BEGIN, Status, begin
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.images.messages import MEMORY_ADDRESS, MemoryRange
from hw.arch.images.records import IMAGE, IMAGE_VERSION, RECORD, RUN_BITS, Base, RecordKind
from hw.base.block import Block
from hw.base.layouts import layout
from hw.memory.port import WORD_BITS
from hw.replay.bursts import COUNT_BITS
from hw.replay.checksum import ImageChecksum
from hw.replay.gather import GATHER_JOB

FAILURE = data.StructLayout({"status": 8, "value": WORD_BITS})
"""Why a replay ends early: a `Status`, and the offending value."""


def scatter_job(address_bits: int) -> data.StructLayout:
    """Where a data block goes: to the link, or to words of the memory."""
    return data.StructLayout({"link": 1, "address": address_bits, "words": RUN_BITS})


class ImageWalker(Block):
    """Takes the words of an image and does what its records say; a reset makes it forget one.

    A record takes four cycles, and INLINE one more for each of its words. A GATHER that follows
    another one is passed on while the words of that one pass; INLINE waits for them.

        state  WORD0  WORD1  SUM  CHECK  BEGIN x 3  WORD0  WORD1  SUM  CHECK  INLINE x n  ..

    Members
    -------
    start : in, 1
        Begin with the next word, the first one of an image. What follows holds until `done`.
    count : in, COUNT_BITS
        Words of the image.
    open : in, 1
        A program has begun that no image has ended: only then may one go on with it.
    inputs, outputs : in, MEMORY_ADDRESS
        First words of the input and of the output area.
    image : in, stream of WORD_BITS
        The words of the image.
    command : out, stream of WORD_BITS
        Words of the command stream, but for those that are gathered.
    gather : out, stream of GATHER_JOB
        What is gathered.
    gathered : in, 1
        All words that were to be gathered have passed.
    scatter : out, stream of scatter_job(exact_log2(config.memory.words))
        Where the next data block goes.
    written : in, COUNT_BITS
        Words of data blocks that the memory has taken since the start.
    blocks : out, 24
        Result blocks that the image causes, the status block apart.
    ends : out, 1
        The image ends the program, which a status block answers.
    done : out, 1
        Everything is passed on, and the checksum of the image is right.
    failed : out, 1
        The image cannot be replayed.
    failure : out, FAILURE
        Why.
    """

    def __init__(self, config: Config):
        word = stream.Signature(WORD_BITS)
        places = scatter_job(exact_log2(config.memory.words))
        super().__init__(
            {
                "start": In(1),
                "count": In(COUNT_BITS),
                "open": In(1),
                "inputs": In(MEMORY_ADDRESS),
                "outputs": In(MEMORY_ADDRESS),
                "image": In(word),
                "command": Out(word),
                "gather": Out(stream.Signature(GATHER_JOB)),
                "gathered": In(1),
                "scatter": Out(stream.Signature(places)),
                "written": In(COUNT_BITS),
                "blocks": Out(24),
                "ends": Out(1),
                "done": Out(1),
                "failed": Out(1),
                "failure": Out(FAILURE),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checksum = checksum = ImageChecksum()
        s = _Walk()
        taken = self.image.valid & self.image.ready
        m.d.comb += [
            checksum.start.eq(self.start),
            checksum.en.eq(taken),
            checksum.data.eq(self.image.payload),
        ]
        with m.If(taken):
            m.d.sync += s.left.eq(s.left - 1)
        self._places(m, s)
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [s.left.eq(self.count), s.promised.eq(0), s.heading.eq(1)]
                m.next = "WORD0"
            self._words(m, s)
            self._header(m, s)
            self._records(m, s)
            self._end(m, s, checksum)
        return m

    def _fail(self, m: Module, status: Status, value) -> None:
        m.d.sync += [self.failure.status.eq(status), self.failure.value.eq(value)]
        m.next = "FAILED"

    def _places(self, m: Module, s: "_Walk") -> None:
        """The record's first word with its base, and the word after its run; a rank of registers
        each, which is what SUM and the wait for the image's words are long enough for."""
        record = s.record
        base = Signal(MEMORY_ADDRESS)
        m.d.comb += s.range.eq(MemoryRange.ABSOLUTE)
        with m.Switch(record.base):
            with m.Case(Base.INPUT):
                m.d.comb += [base.eq(self.inputs), s.range.eq(MemoryRange.INPUT)]
            with m.Case(Base.OUTPUT):
                m.d.comb += [base.eq(self.outputs), s.range.eq(MemoryRange.OUTPUT)]
        m.d.sync += s.first.eq(base + record.address)
        m.d.comb += s.end.eq(s.first + record.run)

    def _words(self, m: Module, s: "_Walk") -> None:
        """The two words of the header or a record, and the sum of their quarters."""
        word = self.image.payload
        quarters = [word.word_select(i, 16) for i in range(4)]
        with m.State("WORD0"):
            with m.If((s.left == 1) & ~s.heading):
                m.next = "CRC"
            with m.Elif(s.left < RECORD.words + 1):
                self._fail(m, Status.BAD_RECORD, s.left)
            with m.Else():
                m.d.comb += self.image.ready.eq(1)
                with m.If(self.image.valid):
                    m.d.sync += [s.words[0].eq(word), s.sum.eq(sum(quarters[:3]))]
                    m.next = "WORD1"
        with m.State("WORD1"):
            m.d.comb += self.image.ready.eq(1)
            with m.If(self.image.valid):
                m.d.sync += [s.words[1].eq(word), s.sum.eq(s.sum + sum(quarters))]
                m.next = "SUM"
        with m.State("SUM"):
            m.next = "CHECK"
            with m.If(s.sum != s.record.checksum):
                self._fail(m, Status.BAD_RECORD, s.sum)
            with m.Elif(s.heading):
                m.next = "HEADER"

    def _header(self, m: Module, s: "_Walk") -> None:
        """Whom the image was made for, and how a program begins."""
        with m.State("HEADER"):
            m.d.sync += [
                s.heading.eq(0),
                s.passing.eq(1 + BEGIN.words),
                self.blocks.eq(s.header.blocks),
                self.ends.eq(s.header.ends),
            ]
            m.next = "WORD0"
            with m.If(s.header.begins):
                m.next = "BEGIN"
            with m.If(s.header.version != IMAGE_VERSION):
                self._fail(m, Status.BAD_VERSION, s.header.version)
            with m.Elif(s.header.hash != config_hash(self.config)):
                self._fail(m, Status.BAD_CONFIGURATION, s.header.hash)
            with m.Elif(~s.header.begins & ~self.open):
                self._fail(m, Status.BAD_RECORD, 0)
        # These words are no part of the image: damaged ones would be discarded without an answer.
        words = Array(Const(word, WORD_BITS) for word in reversed(begin(config_hash(self.config))))
        with m.State("BEGIN"):
            m.d.comb += [
                self.command.valid.eq(1),
                self.command.payload.eq(words[(s.passing - 1)[:2]]),
            ]
            with m.If(self.command.ready):
                m.d.sync += s.passing.eq(s.passing - 1)
                with m.If(s.passing == 1):
                    m.next = "WORD0"

    def _records(self, m: Module, s: "_Walk") -> None:
        record, halves = s.record, self.config.buffer.width < WORD_BITS
        unknown = record.run == 0
        with m.State("CHECK"):
            m.d.sync += s.passing.eq(record.run)
            self._fail(m, Status.BAD_RECORD, record.record)
            with m.Switch(record.record):
                with m.Case(RecordKind.INLINE), m.If(~unknown & (record.run < s.left)):
                    m.next = "INLINE"
                with m.Case(RecordKind.GATHER):
                    odd = (record.rows == 0) | (record.base == Base.LINK)
                    with m.If(~(unknown | odd | (record.half & (not halves)))):
                        m.next = "GATHER"
                with m.Case(RecordKind.SCATTER), m.If(~unknown):
                    m.next = "SCATTER"
                with m.Case(RecordKind.WAIT), m.If(record.address <= s.promised):
                    m.next = "WAIT"
        with m.State("INLINE"):
            m.d.comb += [
                self.command.payload.eq(self.image.payload),
                self.command.valid.eq(self.image.valid & self.gathered),
                self.image.ready.eq(self.command.ready & self.gathered),
            ]
            with m.If(self.image.valid & self.image.ready):
                m.d.sync += s.passing.eq(s.passing - 1)
                with m.If(s.passing == 1):
                    m.next = "WORD0"
        job = self.gather.payload
        m.d.comb += [
            job.place.eq(Cat(record.half, s.first) if halves else s.first),
            job.run.eq(record.run),
            job.rows.eq(record.rows),
            job.pitch.eq(record.pitch),
            job.last.eq(record.last),
            job.range.eq(s.range),
        ]
        with m.State("GATHER"):
            m.d.comb += self.gather.valid.eq(1)
            with m.If(self.gather.ready):
                m.next = "WORD0"
        with m.State("WAIT"), m.If(self.written >= record.address):
            m.next = "WORD0"
        self._scatter(m, s)

    def _scatter(self, m: Module, s: "_Walk") -> None:
        link = s.record.base == Base.LINK
        beyond = ~link & (s.end > self.config.memory.words)
        job = self.scatter.payload
        m.d.comb += [job.link.eq(link), job.address.eq(s.first), job.words.eq(s.record.run)]
        with m.State("SCATTER"):
            m.d.comb += self.scatter.valid.eq(~beyond)
            with m.If(beyond):
                self._fail(m, Status.BAD_RANGE, Cat(s.range, s.end))
            with m.Elif(self.scatter.ready):
                m.d.sync += s.promised.eq(s.promised + Mux(link, 0, s.record.run))
                m.next = "WORD0"

    def _end(self, m: Module, s: "_Walk", checksum: ImageChecksum) -> None:
        """The last word of the image."""
        with m.State("CRC"):
            m.d.comb += self.image.ready.eq(self.gathered)
            with m.If(self.image.valid & self.gathered):
                m.next = "DONE"
                with m.If(self.image.payload != checksum.value):
                    self._fail(m, Status.BAD_IMAGE, checksum.value)
        with m.State("DONE"):
            m.d.comb += self.done.eq(1)
            m.next = "DONE"
        with m.State("FAILED"):
            m.d.comb += self.failed.eq(1)


class _Walk:
    """Registers of the walker.

    `words`: header or record, seen as `header` and `record`; `heading`: it is the header; `sum`: of
    their quarters; `left`: words of the image to come; `passing`: of them, or of BEGIN, words
    for the command stream; `promised`: words of data blocks that records have places for; `first`,
    `end`, `range`: where the record's first word is, the word after its run, and within what.
    """

    def __init__(self) -> None:
        self.words = [Signal(WORD_BITS, name=f"record_{i}") for i in range(RECORD.words)]
        self.record = layout(RECORD)(Cat(self.words))
        self.header = layout(IMAGE)(Cat(self.words))
        self.heading = Signal()
        self.sum = Signal(16)
        self.left = Signal(COUNT_BITS)
        self.passing = Signal(RUN_BITS)
        self.promised = Signal(COUNT_BITS)
        self.first = Signal(MEMORY_ADDRESS + 1)
        self.end = Signal(MEMORY_ADDRESS + 2)
        self.range = Signal(8)
