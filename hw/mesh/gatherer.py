"""Results of clusters: their blocks in the order in which they were asked for."""

from enum import IntEnum
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.arch.commands import RESULT, ResultBlock, Status
from hw.arch.config import LINK_WORD_BITS
from hw.base.block import Block
from hw.base.layouts import layout
from hw.base.queue import Queue

EXPECTED = 8
"""Asked-for results that wait at most."""


class Answers(IntEnum):
    """What is expected of clusters."""

    BLOCKS = 0  # a block of each
    ENDS = 1  # a status block of each; that of the last one stands for all
    GUEST = 2  # blocks up to a status block


def expectation(clusters: int) -> data.StructLayout:
    """Which clusters answer, and with what."""
    return data.StructLayout({"clusters": clusters, "answers": 2})


REPORT = data.StructLayout({"status": 8, "value": LINK_WORD_BITS})
"""An error that no cluster has found."""

COPIED = data.StructLayout({"word": LINK_WORD_BITS, "last": 1})
"""A word of a block that goes to other clusters."""


class ResultGatherer(Block):
    """Passes the blocks of clusters on, in the order in which they were asked for.

    A block is never interrupted. Between two blocks a cluster that reports an error has precedence;
    its status block is the last that leaves, and `failed` stays until a reset.

    Timing
    ------
    Cluster 0 is asked for a block, which comes in cycle 2: its header D, which says one word, and
    that word. Then the distributor wants a block of cluster 1 copied, which has two words after its
    header E.

        cycle                   0 1 2 3 4 5 6 7 8 9 10 11 12
        expect.valid            1 0 0 0 0 0 0 0 0 0  0  0  0
        expect.payload.clusters 1 . . . . . . . . .  .  .  .
        expect.ready            1 1 1 1 1 1 1 1 1 1  1  1  1
        blocks.0.valid          0 0 1 1 1 0 0 0 0 0  0  0  0
        blocks.0.payload        . . D D 5 . . . . .  .  .  .
        blocks.0.ready          0 0 0 1 1 0 0 0 0 0  0  0  0
        result.valid            0 0 0 1 1 0 0 0 0 0  0  0  0
        result.payload          . . . D 5 . . . . .  .  .  .
        result.ready            1 1 1 1 1 1 1 1 1 1  1  1  1
        idle                    1 0 0 0 0 0 1 1 1 1  1  1  1
        fetch.valid             0 0 0 0 0 0 1 1 0 0  0  0  0
        fetch.payload           . . . . . . 2 2 . .  .  .  .
        fetch.ready             0 0 0 0 0 0 0 1 0 0  0  0  0
        blocks.1.valid          0 0 0 0 0 1 1 1 1 1  1  1  0
        blocks.1.payload        . . . . . E E E 6 6  7  7  .
        blocks.1.ready          0 0 0 0 0 0 0 1 0 1  0  1  0
        copied.valid            0 0 0 0 0 0 0 0 1 1  1  1  0
        copied.payload.word     . . . . . . . . 6 6  7  7  .
        copied.payload.last     . . . . . . . . 0 0  1  1  .
        copied.ready            0 0 0 0 0 0 0 0 0 1  0  1  0

    Members
    -------
    blocks : in, clusters times stream of LINK_WORD_BITS
        What the clusters answer.
    expect : in, stream of expectation(clusters)
        Who answers next.
    fetch : in, stream of clusters
        The cluster, a bit, whose next block is copied; taken with the header of the block, when all
        that was expected before has left.
    copied : out, stream of COPIED
        Its words.
    report : in, stream of REPORT
        An error of the stream; taken between two blocks.
    result : out, stream of LINK_WORD_BITS
        The blocks.
    idle : out, 1
        Nothing is expected.
    failed : out, 1
        A cluster's error, or a reported one, has been passed on.
    """

    def __init__(self, *, clusters: int):
        word = stream.Signature(LINK_WORD_BITS)
        super().__init__(
            {
                "blocks": In(word).array(clusters),
                "expect": In(stream.Signature(expectation(clusters))),
                "fetch": In(stream.Signature(clusters)),
                "copied": Out(stream.Signature(COPIED)),
                "report": In(stream.Signature(REPORT)),
                "result": Out(word),
                "idle": Out(1),
                "failed": Out(1),
            }
        )
        self.clusters = clusters

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.expected = expected = Queue(expectation(self.clusters), depth=EXPECTED)
        m.d.comb += [
            expected.input.valid.eq(self.expect.valid),
            expected.input.payload.eq(self.expect.payload),
            self.expect.ready.eq(expected.input.ready),
        ]
        s = _State(self.clusters)
        self._select(m, s)
        m.d.comb += self.idle.eq(~expected.output.valid & ~s.pending.any())
        with m.FSM():
            self._idle(m, s, expected.output)
            self._block(m, s)
            self._copy(m, s)
            self._errors(m, s)
        return m

    def _select(self, m: Module, s: "_State") -> None:
        """The word of the chosen cluster, and who reports an error."""
        words = [
            block.payload & chosen.replicate(LINK_WORD_BITS)
            for block, chosen in zip(self.blocks, s.chosen, strict=True)
        ]
        word: Value = words[0]
        for other in words[1:]:
            word = word | other
        heads = [layout(RESULT)(block.payload) for block in self.blocks]
        m.d.comb += [
            s.word.eq(word),
            s.valid.eq(Cat(block.valid for block in self.blocks)),
            s.faulty.eq(
                Cat(
                    block.valid & (head.block == ResultBlock.STATUS) & (head.status != Status.OK)
                    for block, head in zip(self.blocks, heads, strict=True)
                )
            ),
            *(
                block.ready.eq(s.take & chosen)
                for block, chosen in zip(self.blocks, s.chosen, strict=True)
            ),
            s.offered.eq((s.valid & s.chosen).any()),
        ]

    def _idle(self, m: Module, s: "_State", expected: Any) -> None:
        """Between two blocks."""
        asked = _lowest(s.pending)
        with m.State("IDLE"):
            with m.If(s.faulty.any()):
                m.d.sync += [s.chosen.eq(_lowest(s.faulty)), s.left.eq(2)]
                m.next = "FAULT"
            with m.Elif(self.report.valid):
                m.next = "REPORT"
            with m.Elif(s.pending.any()):
                with m.If((asked & s.valid).any()):
                    m.d.sync += s.chosen.eq(asked)
                    m.next = "HEADER"
            with m.Elif(expected.valid):
                m.d.comb += expected.ready.eq(1)
                m.d.sync += [
                    s.pending.eq(expected.payload.clusters),
                    s.answers.eq(expected.payload.answers),
                ]
            with m.Elif(self.fetch.valid & (self.fetch.payload & s.valid).any()):
                m.d.sync += s.chosen.eq(self.fetch.payload)
                m.next = "FETCH"

    def _block(self, m: Module, s: "_State") -> None:
        """A block is passed on, or dropped if it is a status that another one stands for."""
        head = layout(RESULT)(s.word)
        is_status = head.block == ResultBlock.STATUS
        ends = s.answers == Answers.ENDS
        with m.State("HEADER"):
            drop = ends & (s.pending != s.chosen)
            with m.If(ends & ~is_status):
                m.d.sync += [s.fault.status.eq(Status.BAD_BLOCK), s.fault.value.eq(head.block)]
                m.next = "OWN_FAULT"
            with m.Else():
                m.d.comb += [
                    self.result.valid.eq(~drop),
                    self.result.payload.eq(s.word),
                    s.take.eq(self.result.ready | drop),
                ]
                m.d.sync += [s.left.eq(head.length), s.drop.eq(drop), s.closing.eq(is_status)]
                with m.If(s.take):
                    m.next = "WORDS"
        with m.State("WORDS"):
            over = s.left == 0
            m.d.comb += [
                self.result.valid.eq(s.offered & ~s.drop & ~over),
                self.result.payload.eq(s.word),
                s.take.eq((self.result.ready | s.drop) & ~over),
            ]
            with m.If(s.offered & s.take):
                m.d.sync += s.left.eq(s.left - 1)
            with m.If(over):
                with m.If((s.answers != Answers.GUEST) | s.closing):
                    m.d.sync += s.pending.eq(s.pending & ~s.chosen)
                m.next = "IDLE"

    def _copy(self, m: Module, s: "_State") -> None:
        """A block goes to other clusters; one that waits for words that do not come has failed."""
        head = layout(RESULT)(s.word)
        others = s.faulty & ~s.chosen
        with m.State("FETCH"):
            with m.If(head.block == ResultBlock.DATA):
                m.d.comb += [s.take.eq(1), self.fetch.ready.eq(1)]
                m.d.sync += s.left.eq(head.length)
                m.next = "COPY"
            with m.Else():
                m.d.sync += [s.fault.status.eq(Status.BAD_BLOCK), s.fault.value.eq(head.block)]
                m.next = "OWN_FAULT"
        with m.State("COPY"):
            m.d.comb += [
                self.copied.valid.eq(s.offered & (s.left != 0)),
                self.copied.payload.word.eq(s.word),
                self.copied.payload.last.eq(s.left == 1),
                s.take.eq(self.copied.ready & (s.left != 0)),
            ]
            with m.If(s.offered & s.take):
                m.d.sync += s.left.eq(s.left - 1)
            with m.If(s.left == 0):
                m.next = "IDLE"
            with m.Elif(others.any()):
                m.d.sync += [s.chosen.eq(_lowest(others)), s.left.eq(2)]
                m.next = "FAULT"
            with m.Elif(self.report.valid):
                m.next = "REPORT"

    def _errors(self, m: Module, s: "_State") -> None:
        """A status block of a cluster, or one of the mesh's own; then everything is reset."""
        with m.State("FAULT"):
            m.d.comb += [
                self.result.valid.eq(s.offered),
                self.result.payload.eq(s.word),
                s.take.eq(self.result.ready),
            ]
            with m.If(s.offered & s.take):
                m.d.sync += s.left.eq(s.left - 1)
                with m.If(s.left == 1):
                    m.next = "FAILED"
        with m.State("REPORT"):
            m.d.comb += self.report.ready.eq(1)
            m.d.sync += s.fault.eq(self.report.payload)
            m.next = "OWN_FAULT"
        header = Signal(layout(RESULT))
        m.d.comb += [
            header.block.eq(ResultBlock.STATUS),
            header.status.eq(s.fault.status),
            header.length.eq(1),
        ]
        for state, word, then in (
            ("OWN_FAULT", header.as_value(), "OWN_VALUE"),
            ("OWN_VALUE", s.fault.value, "FAILED"),
        ):
            with m.State(state):
                m.d.comb += [self.result.valid.eq(1), self.result.payload.eq(word)]
                with m.If(self.result.ready):
                    m.next = then
        with m.State("FAILED"):
            m.d.comb += self.failed.eq(1)


class _State:
    """Registers and shared signals of the gatherer.

    `pending`, `answers`: clusters that still answer, and with what; `chosen`: whose block is under
    way, a bit; `left`: its words to come; `drop`: it is not passed on; `closing`: it is a status
    block; `fault`: an error to report. `word`, `offered`, `take`: the chosen cluster's word,
    whether it is there, whether it is taken; `valid`, `faulty`: clusters with a word, with an
    error.
    """

    def __init__(self, clusters: int):
        self.pending = Signal(clusters)
        self.answers = Signal(2)
        self.chosen = Signal(clusters)
        self.left = Signal(24)
        self.drop = Signal()
        self.closing = Signal()
        self.fault = Signal(REPORT)
        self.word = Signal(LINK_WORD_BITS)
        self.offered = Signal()
        self.take = Signal()
        self.valid = Signal(clusters)
        self.faulty = Signal(clusters)


def _lowest(bits: Value) -> Value:
    """The lowest bit that is set, alone."""
    return (bits & (~bits + 1))[: len(bits)]
