"""The replayer: stands between link and core, and replays images from the memory."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.arch.commands import RESULT, ResultBlock, Status
from hw.arch.config import Config
from hw.arch.images.messages import RUN_ACCOUNT
from hw.base.block import Block
from hw.base.layouts import layout
from hw.base.queue import Queue
from hw.memory.arbiter import MemoryArbiter
from hw.memory.port import WORD_BITS, MemoryFault, MemoryPort
from hw.replay.bursts import COUNT_BITS, BurstReader, BurstWriter
from hw.replay.gather import Gatherer
from hw.replay.message_reader import MessageReader
from hw.replay.router import ResultRouter
from hw.replay.walker import FAILURE, ImageWalker

_HOST_DEPTH = 16  # words that a WRITE or a READ has under way
_SCATTERS = 4  # data blocks whose places are known ahead
_RESTART_CYCLES = 4


class Replayer(Block):
    """Serves the host's messages; a RUN replays an image as the core's command stream.

    A replay ends when its image is passed on whole, its checksum is right, the blocks that it
    causes have gone where they belong, and the memory has all of their words. After an error the
    core is reset, and words under way are forgotten. A RUN block reports; the same number again
    only has it repeated. An access to the memory that fails ends the replay, and outside of one
    the next RUN is refused for it.

    Members
    -------
    link : in, stream of WORD_BITS
        Words from the host.
    answer : out, stream of WORD_BITS
        Words to the host.
    command : out, stream of WORD_BITS
        The core's command stream.
    results : in, stream of WORD_BITS
        The core's result stream.
    restart : out, 1
        Reset of the core.
    port : out, MemoryPort(exact_log2(config.memory.words))
        The memory.
    fault : in, MemoryFault(exact_log2(config.memory.words))
        Accesses to it that failed.
    """

    def __init__(self, config: Config):
        word = stream.Signature(WORD_BITS)
        super().__init__(
            {
                "link": In(word),
                "answer": Out(word),
                "command": Out(word),
                "results": In(word),
                "restart": Out(1),
                "port": Out(MemoryPort(exact_log2(config.memory.words))),
                "fault": In(MemoryFault(exact_log2(config.memory.words))),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = _Parts(m, self.config)
        self._memory(m, p)
        self._replay(m, p)
        self._streams(m, p)
        self._control(m, p)
        return m

    def _memory(self, m: Module, p: "_Parts") -> None:
        """Who reads and writes the memory."""
        clients = (p.image, p.gatherer, p.scatterer, p.host_writer, p.host_reader)
        for block, port in zip(clients, p.arbiter.clients, strict=True):
            connect(m, block.port, port)
        connect(m, p.arbiter.port, flipped(self.port))
        connect(m, p.messages.write, p.host_writer.job)
        connect(m, p.messages.write_words, p.host_writer.words)
        connect(m, p.messages.read, p.host_reader.job)
        connect(m, p.host_reader.words, p.messages.read_words)
        m.d.comb += p.messages.written.eq(p.host_writer.idle)

    def _replay(self, m: Module, p: "_Parts") -> None:
        """From the image to its records, and where blocks go."""
        connect(m, p.image.words, p.walker.image)
        connect(m, p.walker.gather, p.gatherer.job)
        connect(m, p.walker.scatter, p.scatters.input)
        connect(m, p.scatters.output, p.router.scatter)
        connect(m, p.router.job, p.scatterer.job)
        connect(m, p.router.words, p.scatterer.words)
        message = p.order.message
        m.d.comb += [
            p.image.job.payload.address.eq(message.address),
            p.image.job.payload.words.eq(message.words),
            p.walker.count.eq(message.words),
            p.walker.inputs.eq(message.input),
            p.walker.outputs.eq(message.output),
            p.walker.open.eq(p.open),
            p.walker.gathered.eq(p.gatherer.idle),
            p.walker.written.eq(p.written),
            p.router.replaying.eq(p.replaying),
            p.messages.replaying.eq(p.replaying | p.reporting),
            p.messages.ended.eq(p.router.ended),
            *(block.stop.eq(p.stop) for block in (p.image, p.gatherer, p.scatterer, p.router)),
        ]
        m.d.sync += [
            p.written.eq(p.written + p.scatterer.wrote),
            p.passed.eq(p.passed + p.router.passed),
            p.ended.eq(p.ended | p.router.ended),
            p.cycles.eq(p.cycles + 1),
        ]

    def _streams(self, m: Module, p: "_Parts") -> None:
        """What the core gets, and what the host gets."""
        gathered, inline = p.gatherer.words, p.walker.command
        m.d.comb += [
            p.replayed.input.payload.eq(Mux(gathered.valid, gathered.payload, inline.payload)),
            p.replayed.input.valid.eq(gathered.valid | inline.valid),
            gathered.ready.eq(p.replayed.input.ready),
            inline.ready.eq(p.replayed.input.ready & ~gathered.valid),
            self.command.payload.eq(p.messages.program.payload),
            self.command.valid.eq(p.messages.program.valid),
            p.messages.program.ready.eq(self.command.ready & ~p.replaying),
        ]
        with m.If(p.replaying):
            m.d.comb += [
                self.command.payload.eq(p.replayed.output.payload),
                self.command.valid.eq(p.replayed.output.valid),
                p.replayed.output.ready.eq(self.command.ready),
            ]
        connect(m, flipped(self.link), p.messages.link)
        connect(m, flipped(self.results), p.router.results)
        connect(m, p.answers.output, flipped(self.answer))
        sources = (p.report, p.messages.answer, p.router.link)
        # Only one of them ever speaks: the others are silent until it has ended.
        m.d.comb += [
            p.answers.input.valid.eq(Cat(source.valid for source in sources).any()),
            p.answers.input.payload.eq(sources[2].payload),
            *(source.ready.eq(p.answers.input.ready) for source in sources),
        ]
        for source in sources[:2]:
            with m.If(source.valid):
                m.d.comb += p.answers.input.payload.eq(source.payload)

    def _control(self, m: Module, p: "_Parts") -> None:
        order = p.messages.order
        quiet = (
            Cat(block.idle for block in (p.image, p.gatherer, p.scatterer, p.router)).all()
            & ~p.scatters.output.valid
            & self.fault.settled
        )
        fault = self.fault.first
        account = Signal(layout(RUN_ACCOUNT))
        count = Signal(range(_RESTART_CYCLES + 1))
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += order.ready.eq(self.fault.settled)
                message, refusal = order.payload.message, order.payload.refusal
                with m.If(order.valid & order.ready):
                    m.d.sync += p.number.eq(message.number)
                    m.next = "REPORT"
                    with m.If(fault.valid):
                        m.d.comb += fault.ready.eq(1)
                        m.d.sync += [*self._failed_access(p.shown), account.eq(0)]
                    with m.Elif(refusal.status != Status.OK):
                        m.d.sync += [p.shown.eq(refusal), account.eq(0)]
                    with m.Elif(p.known & (message.number == p.order.message.number)):
                        m.d.sync += [p.shown.eq(p.failure), account.eq(p.account)]
                    with m.Else():
                        m.d.sync += [p.order.eq(order.payload), p.cycles.eq(0), p.known.eq(1)]
                        m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += [p.replaying.eq(1), p.fresh.eq(1)]
                m.d.sync += [p.written.eq(0), p.passed.eq(0), p.ended.eq(0), count.eq(0)]
                m.next = "START"
            with m.State("START"):
                m.d.comb += [
                    p.replaying.eq(1),
                    p.image.job.valid.eq(1),
                    p.walker.start.eq(p.image.job.ready),
                ]
                with m.If(p.image.job.ready):
                    m.next = "REPLAY"
            with m.State("REPLAY"):
                m.d.comb += p.replaying.eq(1)
                self._watch(m, p, quiet)
            with m.State("STOP"):
                m.d.comb += [
                    p.replaying.eq(1),
                    p.stop.eq(1),
                    p.fresh.eq(1),
                    self.restart.eq(1),
                    fault.ready.eq(1),  # others are of the same replay
                ]
                m.d.sync += [count.eq(count + (count != _RESTART_CYCLES)), p.open.eq(0)]
                with m.If(quiet & (count == _RESTART_CYCLES)):
                    m.next = "ACCOUNT"
            with m.State("ACCOUNT"):
                m.d.comb += p.reporting.eq(1)
                m.d.sync += [
                    p.account.cycles.eq(p.cycles),
                    account.cycles.eq(p.cycles),
                    p.account.tag.eq(p.router.tag),
                    account.tag.eq(p.router.tag),
                    p.shown.eq(p.failure),
                ]
                m.next = "REPORT"
            self._report(m, p, account)

    def _watch(self, m: Module, p: "_Parts", quiet: Value) -> None:
        """Whether the replay is over, and how."""
        answered = Mux(p.walker.ends, p.ended, p.passed == p.walker.blocks)
        repeats = p.order.message.repeat
        with m.If(self.fault.first.valid):
            m.d.sync += self._failed_access(p.failure)
            m.next = "STOP"
        with m.Elif(p.router.failed):
            m.d.sync += p.failure.eq(p.router.failure)
            m.next = "STOP"
        with m.Elif(p.walker.failed):
            m.d.sync += p.failure.eq(p.walker.failure)
            m.next = "STOP"
        with m.Elif(p.gatherer.beyond):
            m.d.sync += [
                p.failure.status.eq(Status.BAD_RANGE),
                p.failure.value.eq(p.gatherer.value),
            ]
            m.next = "STOP"
        with m.Elif(p.walker.done & ~p.replayed.output.valid & answered & quiet):
            m.d.sync += [p.failure.eq(0), p.open.eq(~p.walker.ends)]
            m.next = "ACCOUNT"
            with m.If(repeats != 0):
                m.d.sync += repeats.eq(repeats - 1)
                m.next = "BEGIN"

    def _failed_access(self, failure: Signal) -> list:
        """An access to the memory has failed."""
        return [
            failure.status.eq(Status.BAD_MEMORY),
            failure.value.eq(self.fault.first.payload),
        ]

    def _report(self, m: Module, p: "_Parts", account: Signal) -> None:
        """The RUN block."""
        words = {
            "REPORT": _run_header(p),
            "VALUE": p.shown.value,
            "CYCLES": account.as_value(),
        }
        following = [*list(words)[1:], "IDLE"]
        for (name, word), then in zip(words.items(), following, strict=True):
            with m.State(name):
                m.d.comb += [
                    p.reporting.eq(1),
                    p.report.valid.eq(1),
                    p.report.payload.eq(word),
                ]
                with m.If(p.report.ready):
                    m.next = then


def _run_header(p: "_Parts") -> Value:
    """The first word of the RUN block."""
    fields = {
        "block": ResultBlock.RUN,
        "status": p.shown.status,
        "tag": p.number,
        "length": 2,
    }
    parts = []
    for field in RESULT.fields:
        part = Signal(field.width, name=f"run_{field.name}")
        parts.append((part, fields[field.name]))
    p.m.d.comb += [part.eq(value) for part, value in parts]
    return Cat(part for part, _ in parts)


class _Parts:
    """The blocks of the replayer, and what they share.

    `order`, `failure`, `account`, `known`: the RUN that is executed or was the last one, and how it
    ended; `shown`, `number`: what is reported now, and of which RUN; `replaying`, `reporting`: it
    is under way, or answered; `stop`, `fresh`: words under way are forgotten, and the walker;
    `written`, `passed`, `ended`: words and blocks of this replay, and whether its status block has
    come; `cycles`: since the RUN was taken; `open`: a program goes on.
    """

    def __init__(self, m: Module, config: Config):
        self.m = m
        words = config.memory.words
        bits = exact_log2(words)
        self.stop, self.fresh = Signal(), Signal()
        self.replaying, self.reporting = Signal(), Signal()
        m.submodules.messages = self.messages = MessageReader(words=words)
        m.submodules.arbiter = self.arbiter = MemoryArbiter(clients=5, address_bits=bits)
        m.submodules.image = self.image = BurstReader(address_bits=bits)
        m.submodules.gatherer = self.gatherer = Gatherer(
            words=words, halves=config.buffer.width < WORD_BITS
        )
        m.submodules.scatterer = self.scatterer = BurstWriter(address_bits=bits)
        m.submodules.host_writer = self.host_writer = BurstWriter(
            address_bits=bits, depth=_HOST_DEPTH
        )
        m.submodules.host_reader = self.host_reader = BurstReader(
            address_bits=bits, depth=_HOST_DEPTH
        )
        m.submodules.router = self.router = ResultRouter(address_bits=bits)
        self.walker = ImageWalker(config)
        m.submodules.walker = ResetInserter(self.fresh)(self.walker)
        self.scatters = Queue(self.walker.scatter.payload.shape(), depth=_SCATTERS)
        m.submodules.scatters = self.scatters
        # Its contents are forgotten with the walker's state.
        self.replayed = Queue(WORD_BITS, depth=2)
        m.submodules.replayed = ResetInserter(self.fresh)(self.replayed)
        m.submodules.answers = self.answers = Queue(WORD_BITS, depth=2)
        self.report = stream.Signature(WORD_BITS).create()
        self.order = Signal(self.messages.order.payload.shape())
        self.failure, self.shown = Signal(FAILURE), Signal(FAILURE)
        self.account = Signal(layout(RUN_ACCOUNT))
        self.known, self.open = Signal(), Signal()
        self.number = Signal(16)
        self.written, self.passed = Signal(COUNT_BITS), Signal(24)
        self.ended = Signal()
        self.cycles = Signal(RUN_ACCOUNT.fields[0].width)
