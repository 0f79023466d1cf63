"""Decides what a frame means, does it once, and answers."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from hw.arch.commands import MAGIC
from hw.arch.frames import FRAME, LINK_STATUS, NAK, REPLY, LinkOpcode, LinkStatus
from hw.arch.version import LINK_PROTOCOL_VERSION
from hw.base.block import Block
from hw.base.layouts import layout
from hw.link.collector import ResultCollector
from hw.link.items import BYTE, RECEIVED
from hw.link.session import Session, Verdict

RESET_CYCLES = 4
_COUNTS = ("frames", "damaged", "repeated", "refused")
_REFUSALS = {
    Verdict.BAD_VERSION: LinkStatus.BAD_VERSION,
    Verdict.BAD_SESSION: LinkStatus.BAD_SESSION,
    Verdict.BAD_SEQUENCE: LinkStatus.BAD_SEQUENCE,
}


class Responder(Block):
    """One request after the other; see `hw.arch.frames` for what they do.

    Parameters
    ----------
    request_words, reply_words : int
        Capacity of the command buffer; most result words in a reply.
    config_hash : int
        Of the accelerator, for STATUS.

    Members
    -------
    frame : in, stream of RECEIVED
        Headers of whole frames.
    keep, drop : out, 1
        Verdict on the payload, which waits in the command buffer.
    overflow : in, 1
        The command buffer lost a byte (`PacketFifo`).
    room : in, 16
        Words that fit into it.
    results : in, stream of 8
        Bytes of result words.
    restart : out, 1
        Resets the accelerator and the command buffer.
    reply : out, stream of BYTE
        Bytes of replies, without CRC.
    """

    def __init__(self, *, request_words: int, reply_words: int, config_hash: int):
        super().__init__(
            {
                "frame": In(stream.Signature(RECEIVED)),
                "keep": Out(1),
                "drop": Out(1),
                "overflow": In(1),
                "room": In(16),
                "results": In(stream.Signature(8)),
                "restart": Out(1),
                "reply": Out(stream.Signature(BYTE)),
            }
        )
        self.request_words = request_words
        self.reply_words = reply_words
        self.config_hash = config_hash

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._make(m)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.frame.ready.eq(1)
                with m.If(self.frame.valid):
                    self._judge(m)
            with m.State("EXECUTE"):
                self._execute(m)
            with m.State("RESTART"):
                m.d.comb += self.restart.eq(1)
                m.d.sync += self.step.eq(self.step + 1)
                with m.If(self.step == RESET_CYCLES - 1):
                    m.next = "REPLY"
            with m.State("COLLECT"):
                with m.If(~self.collector.busy):
                    m.d.sync += self.kept.words.eq(self.collector.words)
                    m.next = "REPLY"
            with m.State("REPLY"):
                self._begin_reply(m)
                m.next = "HEADER"
            self._send(m)
        return m

    def _make(self, m: Module) -> None:
        """Registers, parts, and what does not depend on the state."""
        m.submodules.session = self.session = Session()
        collector = ResultCollector(words=self.reply_words)
        m.submodules.collector = self.collector = collector
        self.counts = {name: Signal(16, name=name) for name in _COUNTS}
        words = max(self.reply_words, LINK_STATUS.words)
        answer = data.StructLayout({"opcode": 8, "status": 8, "words": bits_for(words)})
        self.request = Signal(layout(FRAME))
        self.kept = Signal(answer)  # the answer to the session's last request
        self.now = Signal(answer)  # the answer to be sent
        self.account = Signal()  # its payload is the account of STATUS, not what was collected
        self.repeats = Signal()  # it is the kept answer
        self.header = Signal(layout(FRAME))
        self.step = Signal(
            range(8 * words + 1)
        )  # of whatever is under way: a cycle, or a byte of the reply
        header = self.frame.payload.header
        m.d.comb += [
            self.session.header.eq(header),
            self.collector.most.eq(self.request.count),
            self.collector.wait.eq(self.request.wait),
        ]
        connect(m, flipped(self.results), self.collector.results)

    def _count(self, m: Module, name: str) -> None:
        m.d.sync += self.counts[name].eq(self.counts[name] + 1)

    def _judge(self, m: Module) -> None:
        """A frame is here: refuse it, repeat the last answer, or let it be executed."""
        received = self.frame.payload
        header = received.header
        # Whatever the verdict: this payload must not stay in front of the next frame's.
        m.d.comb += self.drop.eq(~self.keep)
        m.d.sync += [
            self.request.eq(header),
            self.now.opcode.eq(header.opcode | REPLY),
            self.now.status.eq(LinkStatus.OK),
            self.now.words.eq(0),
            self.account.eq(0),
            self.repeats.eq(0),
            self.step.eq(0),
        ]
        m.next = "REPLY"
        with m.If(~received.good):
            self._count(m, "damaged")
            m.d.sync += [
                # Nothing of a damaged header is repeated: none of its fields can be trusted.
                self.request.eq(0),
                self.now.opcode.eq(NAK | REPLY),
                self.now.status.eq(LinkStatus.DAMAGED),
            ]
        with m.Else():
            self._count(m, "frames")
            self._follow(m)

    def _follow(self, m: Module) -> None:
        """Act on the verdict."""
        header = self.frame.payload.header
        with m.Switch(self.session.verdict):
            with m.Case(Verdict.EXECUTE):
                writes = header.opcode == LinkOpcode.WRITE
                m.d.comb += [self.session.accept.eq(1), self.keep.eq(writes & ~self.overflow)]
                m.d.sync += [
                    self.repeats.eq(1),
                    self.kept.opcode.eq(header.opcode | REPLY),
                    self.kept.status.eq(LinkStatus.OK),
                    self.kept.words.eq(0),
                ]
                with m.If(writes & self.overflow):
                    too_long = header.length > self.request_words
                    m.d.sync += self.kept.status.eq(
                        Mux(too_long, LinkStatus.BAD_LENGTH, LinkStatus.BUSY)
                    )
                m.next = "EXECUTE"
            with m.Case(Verdict.REPEAT):
                self._count(m, "repeated")
                m.d.sync += self.repeats.eq(1)
            with m.Case(Verdict.STATUS):
                m.d.sync += [self.account.eq(1), self.now.words.eq(LINK_STATUS.words)]
            for verdict, status in _REFUSALS.items():
                with m.Case(verdict):
                    self._count(m, "refused")
                    m.d.sync += self.now.status.eq(status)

    def _execute(self, m: Module) -> None:
        """Start what was asked for."""
        m.next = "REPLY"
        with m.Switch(self.request.opcode):
            with m.Case(LinkOpcode.WRITE):
                pass  # the payload was kept or dropped with the verdict
            with m.Case(LinkOpcode.OPEN, LinkOpcode.RESET, LinkOpcode.READ, LinkOpcode.PING):
                with m.If(self.request.length != 0):
                    m.d.sync += self.kept.status.eq(LinkStatus.BAD_LENGTH)
                with m.Elif(self.request.opcode == LinkOpcode.READ):
                    m.d.comb += self.collector.start.eq(1)
                    m.next = "COLLECT"
                with m.Elif(self.request.opcode != LinkOpcode.PING):
                    m.next = "RESTART"
            with m.Default():
                m.d.sync += self.kept.status.eq(LinkStatus.BAD_OPCODE)

    def _begin_reply(self, m: Module) -> None:
        """Fix the header of the reply."""
        answer = Mux(self.repeats, self.kept.as_value(), self.now.as_value())
        shown = Signal.like(self.now)
        m.d.comb += shown.eq(answer)
        m.d.sync += [
            self.step.eq(0),
            self.now.eq(answer),
            self.header.version.eq(LINK_PROTOCOL_VERSION),
            self.header.opcode.eq(shown.opcode),
            self.header.status.eq(shown.status),
            self.header.sequence.eq(self.request.sequence),
            self.header.length.eq(shown.words),
            self.header.session.eq(self.session.number),
            self.header.count.eq(self.room),
        ]

    def _send(self, m: Module) -> None:
        """Header, payload, end."""
        moves = self.reply.valid & self.reply.ready
        step = self.step
        header_bytes = 8 * FRAME.words
        with m.State("HEADER"):
            m.d.comb += [
                self.reply.valid.eq(1),
                self.reply.payload.data.eq(self.header.as_value().word_select(step[:4], 8)),
                # Byte 0 is read meanwhile: outside PAYLOAD the address is 0.
                self.collector.read.eq(1),
            ]
            with m.If(moves):
                m.d.sync += step.eq(step + 1)
                with m.If(step == header_bytes - 1):
                    m.d.sync += step.eq(0)
                    m.next = "PAYLOAD"
                    with m.If(self.now.words == 0):
                        m.next = "END"
        with m.State("PAYLOAD"):
            account = self._tell(m).as_value()
            following = step + 1
            m.d.comb += [
                self.reply.valid.eq(1),
                self.reply.payload.data.eq(self.collector.data),
                self.collector.read.eq(moves),
                self.collector.address.eq(following),
            ]
            with m.If(self.account):
                m.d.comb += self.reply.payload.data.eq(account.word_select(step[:5], 8))
            with m.If(moves):
                m.d.sync += step.eq(following)
                with m.If(following == self.now.words << 3):
                    m.next = "END"
        with m.State("END"):
            m.d.comb += [self.reply.valid.eq(1), self.reply.payload.end.eq(1)]
            with m.If(moves):
                m.next = "IDLE"

    def _tell(self, m: Module) -> data.View:
        """What STATUS tells."""
        account = Signal(layout(LINK_STATUS))
        m.d.comb += [
            account.magic.eq(MAGIC),
            account.hash.eq(self.config_hash),
            account.request_words.eq(self.request_words),
            account.reply_words.eq(self.reply_words),
            account.sequence.eq(self.session.sequence),
            *(account[name].eq(count) for name, count in self.counts.items()),
        ]
        return account
