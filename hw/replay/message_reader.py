"""The host's messages among the words of the link."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.arch.commands import MAGIC, RESULT, ResultBlock, Status
from hw.arch.images.messages import (
    MEMORY_ADDRESS,
    MEMORY_MAGIC,
    MESSAGE,
    MOST_WORDS,
    RANGE_BITS,
    MemoryRange,
    Message,
)
from hw.base.block import Block
from hw.base.layouts import layout
from hw.memory.port import WORD_BITS
from hw.replay.bursts import run_of_words
from hw.replay.walker import FAILURE

ORDER = data.StructLayout({"message": layout(MESSAGE), "refusal": FAILURE})
"""A RUN; or, with a status that is not OK, a message that is refused."""


class MessageReader(Block):
    """Serves WRITE and READ, hands RUN on, and lets programs pass to the core.

    A message is told from a program where one could begin; within a program every word passes. A
    WRITE is served while an image is replayed; whatever else comes waits until the replay is over,
    and until all words of earlier WRITEs are in the memory.

    Timing
    ------
    Words that are no message pass in the cycle in which they come, but wait for a replay.

        cycle            0  1  2  3  4
        link.valid       1  1  1  1  0
        link.payload     5  6  6  7  .
        link.ready       1  0  1  1  .
        replaying        0  1  0  0  0
        program.valid    1  0  1  1  0
        program.payload  5  .  6  7  .
        program.ready    1  1  1  1  1

    Members
    -------
    link : in, stream of WORD_BITS
        Words from the host.
    program : out, stream of WORD_BITS
        Words that are no message.
    ended : in, 1
        The status block of a program ends in this cycle.
    replaying : in, 1
        An image is replayed.
    write : out, stream of run_of_words(exact_log2(words))
        Where the words of a WRITE go.
    write_words : out, stream of WORD_BITS
        Those words.
    written : in, 1
        All of them are in the memory.
    read : out, stream of run_of_words(exact_log2(words))
        What a READ asks for.
    read_words : in, stream of WORD_BITS
        Those words.
    answer : out, stream of WORD_BITS
        The MEMORY blocks that answer READs.
    order : out, stream of ORDER
        RUNs, and messages that are refused; it is valid only outside of replays.
    """

    def __init__(self, *, words: int):
        word = stream.Signature(WORD_BITS)
        job = stream.Signature(run_of_words(exact_log2(words)))
        super().__init__(
            {
                "link": In(word),
                "program": Out(word),
                "ended": In(1),
                "replaying": In(1),
                "write": Out(job),
                "write_words": Out(word),
                "written": In(1),
                "read": Out(job),
                "read_words": In(word),
                "answer": Out(word),
                "order": Out(stream.Signature(ORDER)),
            }
        )
        self.size = words

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = [Signal(WORD_BITS, name=f"message_{i}") for i in range(MESSAGE.words)]
        message = layout(MESSAGE)(Cat(words))
        left = Signal(MEMORY_ADDRESS)
        refusal = Signal(FAILURE)
        m.d.comb += [
            self.order.payload.refusal.eq(refusal),
            self.program.payload.eq(self.link.payload),
            self.write_words.payload.eq(self.link.payload),
            self.write.payload.address.eq(message.address),
            self.write.payload.words.eq(message.words),
            self.read.payload.eq(self.write.payload),
            self.order.payload.message.as_value().eq(Cat(words)),
        ]
        with m.FSM():
            self._idle(m)
            self._fields(m, words, refusal)
            self._check(m, message, refusal)
            self._write(m, left, message)
            self._read(m, left, message)
            with m.State("ORDER"):
                m.d.comb += self.order.valid.eq(~self.replaying & self.written)
                with m.If(self.order.valid & self.order.ready):
                    m.next = "IDLE"
        return m

    def _idle(self, m: Module) -> None:
        word, begins = self.link.payload, Signal()
        m.d.comb += begins.eq(word == MEMORY_MAGIC)
        passes = self.program.valid & self.program.ready
        with m.State("IDLE"):
            m.d.comb += [
                self.program.valid.eq(self.link.valid & ~begins & ~self.replaying),
                self.link.ready.eq(begins | (self.program.ready & ~self.replaying)),
            ]
            with m.If(self.link.valid & begins):
                m.next = "FIELD0"
            with m.Elif(passes & (word == MAGIC)):
                m.next = "PROGRAM"
        with m.State("PROGRAM"):
            m.d.comb += [
                self.program.valid.eq(self.link.valid),
                self.link.ready.eq(self.program.ready),
            ]
            with m.If(self.ended):
                m.next = "IDLE"

    def _fields(self, m: Module, words: list[Signal], refusal: data.View) -> None:
        """The words of a message, and the sum of their quarters."""
        total = Signal(16)
        quarters = [self.link.payload.word_select(i, 16) for i in range(4)]
        for part, word in enumerate(words):
            with m.State(f"FIELD{part}"):
                m.d.comb += self.link.ready.eq(1)
                with m.If(self.link.valid):
                    m.d.sync += word.eq(self.link.payload)
                    m.d.sync += total.eq(total + sum(quarters) if part else sum(quarters[:3]))
                    m.next = f"FIELD{part + 1}" if part + 1 < len(words) else "SUM"
        with m.State("SUM"):
            m.next = "CHECK"
            m.d.sync += refusal.status.eq(Status.OK)
            with m.If(total != layout(MESSAGE)(Cat(words)).checksum):
                self._refuse(m, refusal, Status.BAD_MESSAGE, total)

    def _refuse(
        self, m: Module, refusal: data.View, status: Status, value, then: str = "ORDER"
    ) -> None:
        m.d.sync += [refusal.status.eq(status), refusal.value.eq(value)]
        m.next = then

    def _check(self, m: Module, message, refusal: data.View) -> None:
        """What the message wants, and whether that is within the memory."""
        end = Signal(MEMORY_ADDRESS + 1)
        beyond = Signal()
        m.d.comb += beyond.eq(end > self.size)
        m.d.sync += end.eq(message.address + message.words)
        with m.State("CHECK"):
            self._refuse(m, refusal, Status.BAD_MESSAGE, message.message)
            with m.Switch(message.message):
                with m.Case(Message.WRITE):
                    m.d.sync += refusal.status.eq(Status.OK)
                    m.next = "WRITE"
                    with m.If(beyond):
                        self._refuse(
                            m, refusal, Status.BAD_RANGE, Cat(_code(MemoryRange.WRITE), end), "SKIP"
                        )
                with m.Case(Message.READ):
                    m.next = "READ"
                    with m.If(beyond | (message.words > MOST_WORDS)):
                        self._refuse(
                            m, refusal, Status.BAD_RANGE, Cat(_code(MemoryRange.READ), end)
                        )
                with m.Case(Message.RUN):
                    m.d.sync += refusal.status.eq(Status.OK)
                    m.next = "ORDER"
                    with m.If(beyond):
                        self._refuse(
                            m, refusal, Status.BAD_RANGE, Cat(_code(MemoryRange.IMAGE), end)
                        )

    def _write(self, m: Module, left: Signal, message) -> None:
        """Words for the memory; those of a WRITE that is refused are skipped."""
        with m.State("WRITE"):
            m.d.sync += left.eq(message.words)
            m.d.comb += self.write.valid.eq(message.words != 0)
            with m.If(message.words == 0):
                m.next = "IDLE"
            with m.Elif(self.write.ready):
                m.next = "WRITE_WORDS"
        with m.State("WRITE_WORDS"):
            m.d.comb += [
                self.write_words.valid.eq(self.link.valid),
                self.link.ready.eq(self.write_words.ready),
            ]
            with m.If(self.link.valid & self.write_words.ready):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.next = "IDLE"
        with m.State("SKIP"):
            m.d.sync += left.eq(message.words)
            m.next = "SKIP_WORDS"
        with m.State("SKIP_WORDS"):
            m.d.comb += self.link.ready.eq(left != 0)
            with m.If(left == 0):
                m.next = "ORDER"
            with m.Elif(self.link.valid):
                m.d.sync += left.eq(left - 1)

    def _read(self, m: Module, left: Signal, message) -> None:
        """A MEMORY block."""
        header = layout(RESULT)(self.answer.payload)
        with m.State("READ"):
            m.d.sync += left.eq(message.words)
            m.d.comb += self.read.valid.eq(~self.replaying & self.written)
            with m.If(self.read.valid & self.read.ready):
                m.next = "READ_HEADER"
        with m.State("READ_HEADER"):
            m.d.comb += [
                header.block.eq(ResultBlock.MEMORY),
                header.length.eq(left),
                self.answer.valid.eq(1),
            ]
            with m.If(self.answer.ready):
                m.next = "READ_WORDS"
        with m.State("READ_WORDS"):
            with m.If(left == 0):
                m.next = "IDLE"
            with m.Else():
                m.d.comb += [
                    self.answer.payload.eq(self.read_words.payload),
                    self.answer.valid.eq(self.read_words.valid),
                    self.read_words.ready.eq(self.answer.ready),
                ]
                with m.If(self.read_words.valid & self.answer.ready):
                    m.d.sync += left.eq(left - 1)


def _code(field: MemoryRange) -> Const:
    """A range as the lowest byte of the value of BAD_RANGE."""
    return Const(field, RANGE_BITS)
