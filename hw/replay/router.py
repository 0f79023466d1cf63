"""Where result blocks go while an image is replayed: to the link, or to the memory."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.arch.commands import RESULT, ResultBlock, Status
from hw.base.block import Block
from hw.base.layouts import layout
from hw.memory.port import WORD_BITS
from hw.replay.bursts import run_of_words
from hw.replay.walker import FAILURE, scatter_job


class ResultRouter(Block):
    """Takes the core's result blocks apart.

    Without a replay all of them pass to the link. In a replay a data block goes where the next
    scatter job says, which waits for it or it for the job; other blocks leave by the link, but for
    the status block, which ends the replay. A word passes in the cycle in which it comes.

    Timing
    ------
    A data block of two words waits for its place and goes to word 4; then the status block comes.

        cycle                             0           1  2  3           4  5  6
        replaying                         1           1  1  1           1  1  1
        results.valid                     1           1  1  1           1  1  0
        results.payload          8589934594  8589934594  5  6  4294967297  0  .
        results.ready                     0           1  1  1           1  1  .
        scatter.valid                     0           1  0  0           0  0  0
        scatter.payload.address           .           4  .  .           .  .  .
        scatter.payload.words             .           2  .  .           .  .  .
        scatter.ready                     0           1  .  .           .  .  .
        job.valid                         0           1  0  0           0  0  0
        job.payload.address               .           4  .  .           .  .  .
        job.payload.words                 .           2  .  .           .  .  .
        job.ready                         1           1  1  1           1  1  1
        words.valid                       0           0  1  1           0  0  0
        words.payload                     .           .  5  6           .  .  .
        words.ready                       1           1  1  1           1  1  1
        link.valid                        0           0  0  0           0  0  0
        idle                              1           1  0  0           1  0  1
        passed                            0           0  0  1           0  0  0
        ended                             0           0  0  0           0  1  0

    Members
    -------
    replaying : in, 1
        An image is replayed.
    stop : in, 1
        Results come no more: a block that is leaving is filled up with zeros. Hold it until `idle`.
    results : in, stream of WORD_BITS
        The core's result blocks.
    scatter : in, stream of scatter_job(address_bits)
        Where the data blocks go, in their order.
    job : out, stream of run_of_words(address_bits)
        Where in the memory the words of a data block go.
    words : out, stream of WORD_BITS
        Those words.
    link : out, stream of WORD_BITS
        Blocks that leave, headers and all.
    idle : out, 1
        No block is under way.
    passed : out, 1
        A block other than a status block ends.
    ended : out, 1
        The status block ends; in a replay it is only said here.
    tag : out, 16
        Of the last status block.
    failed : out, 1
        A status block was not OK, or a data block has another length than its scatter job.
    failure : out, FAILURE
        Which; held until the next replay.
    """

    def __init__(self, *, address_bits: int):
        word = stream.Signature(WORD_BITS)
        super().__init__(
            {
                "replaying": In(1),
                "stop": In(1),
                "results": In(word),
                "scatter": In(stream.Signature(scatter_job(address_bits))),
                "job": Out(stream.Signature(run_of_words(address_bits))),
                "words": Out(word),
                "link": Out(word),
                "idle": Out(1),
                "passed": Out(1),
                "ended": Out(1),
                "tag": Out(16),
                "failed": Out(1),
                "failure": Out(FAILURE),
            }
        )
        self.address_bits = address_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(RESULT.fields[-1].width)
        status = Signal(8)
        header = layout(RESULT)(self.results.payload)
        m.d.comb += [
            self.link.payload.eq(self.results.payload),
            self.words.payload.eq(self.results.payload),
            self.job.payload.address.eq(self.scatter.payload.address),
            self.job.payload.words.eq(self.scatter.payload.words),
        ]
        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += self.idle.eq(1)
                m.d.sync += [left.eq(header.length), status.eq(header.status)]
                with m.If(self.stop):
                    m.d.comb += [self.results.ready.eq(1), self.scatter.ready.eq(1)]
                with m.Elif(self.results.valid):
                    self._header(m, header)
            with m.State("LEAVES"):
                self._pass(m, left, self.link, self.passed)
                self._fill(m, left)
            with m.State("STAYS"):
                self._pass(m, left, self.words, self.passed)
                with m.If(self.stop):
                    m.next = "HEADER"
            with m.State("STATUS_LEAVES"):
                self._pass(m, left, self.link, self.ended)
            with m.State("STATUS"):
                self._status(m, status)
            with m.State("BAD"):
                m.d.comb += [self.failed.eq(1), self.idle.eq(1)]
                with m.If(self.stop):
                    m.next = "HEADER"
        return m

    def _header(self, m: Module, header) -> None:
        """Where the block goes follows from its header; every block has words."""
        place = self.scatter
        is_status = header.block == ResultBlock.STATUS
        is_data = header.block == ResultBlock.DATA
        with m.If(is_status & self.replaying):
            m.d.comb += self.results.ready.eq(1)
            m.d.sync += self.tag.eq(header.tag)
            m.next = "STATUS"
        with m.Elif(is_status):
            self._leave(m, "STATUS_LEAVES")
        with m.Elif(~(self.replaying & is_data)):
            self._leave(m, "LEAVES")
        with m.Elif(place.valid & (place.payload.words != header.length)):
            m.d.sync += [
                self.failure.status.eq(Status.BAD_BLOCK),
                self.failure.value.eq(header.length),
                self.tag.eq(header.tag),
            ]
            m.next = "BAD"
        with m.Elif(place.valid & place.payload.link):
            m.d.comb += place.ready.eq(self.link.ready)
            self._leave(m, "LEAVES")
        with m.Elif(place.valid):
            m.d.comb += [
                self.job.valid.eq(1),
                self.results.ready.eq(self.job.ready),
                place.ready.eq(self.job.ready),
            ]
            with m.If(self.job.ready):
                m.next = "STAYS"

    def _leave(self, m: Module, then: str) -> None:
        """The header leaves."""
        m.d.comb += [self.link.valid.eq(1), self.results.ready.eq(self.link.ready)]
        with m.If(self.link.ready):
            m.next = then

    def _pass(self, m: Module, left: Signal, to: stream.Interface, ends: Signal) -> None:
        """The words of a block."""
        with m.If(~self.stop):
            m.d.comb += [to.valid.eq(self.results.valid), self.results.ready.eq(to.ready)]
            with m.If(self.results.valid & to.ready):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.d.comb += ends.eq(1)
                    m.next = "HEADER"

    def _fill(self, m: Module, left: Signal) -> None:
        """After a stop: the link is owed all words of a block whose header has left."""
        with m.If(self.stop):
            m.d.comb += [self.link.payload.eq(0), self.link.valid.eq(1)]
            with m.If(self.link.ready):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.next = "HEADER"

    def _status(self, m: Module, status: Signal) -> None:
        """A replay's status block, which has one word."""
        m.d.comb += self.results.ready.eq(1)
        with m.If(self.results.valid):
            m.d.sync += [
                self.failure.status.eq(status),
                self.failure.value.eq(self.results.payload),
            ]
            m.next = "HEADER"
            with m.If(status == Status.OK):
                m.d.comb += self.ended.eq(1)
            with m.Else():
                m.next = "BAD"
        with m.If(self.stop):
            m.next = "HEADER"
