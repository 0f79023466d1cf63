"""Whose request it is, and whether it is the next one."""

from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hw.arch.frames import EPOCH_BITS, FRAME, SEQUENCE_BITS, LinkOpcode
from hw.arch.version import LINK_PROTOCOL_VERSION
from hw.base.block import Block
from hw.base.layouts import layout


class Verdict(IntEnum):
    """What is to be done with a frame that came whole."""

    EXECUTE = 0
    REPEAT = 1
    STATUS = 2
    BAD_VERSION = 3
    BAD_SESSION = 4
    BAD_SEQUENCE = 5


class Session(Block):
    """Judges requests by version, session and sequence number; see `hw.arch.frames`.

    Members
    -------
    header : in, layout(FRAME)
        The request's header.
    verdict : out, Verdict
        What is to be done with it, in the same cycle.
    accept : in, 1
        With verdict EXECUTE, the request counts from the next cycle on.
    number : out, 32
        Session of the last request accepted.
    sequence : out, SEQUENCE_BITS
        Its sequence number.
    """

    def __init__(self):
        super().__init__(
            {
                "header": In(layout(FRAME)),
                "verdict": Out(Verdict),
                "accept": In(1),
                "number": Out(32),
                "sequence": Out(SEQUENCE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        header = self.header
        following, ours, newer, opens = Signal(SEQUENCE_BITS), Signal(), Signal(), Signal()
        epoch = Signal(EPOCH_BITS)
        m.d.comb += [
            following.eq(self.sequence + 1),
            epoch.eq(self.number + 1),
            ours.eq((header.session == self.number) & (self.number != 0)),
            opens.eq(header.opcode == LinkOpcode.OPEN),
            newer.eq(opens & ~ours & (header.session[:EPOCH_BITS] == epoch)),
            self.verdict.eq(Mux(newer, Verdict.EXECUTE, Verdict.BAD_SESSION)),
        ]
        with m.If(header.version != LINK_PROTOCOL_VERSION):
            m.d.comb += self.verdict.eq(Verdict.BAD_VERSION)
        with m.Elif(header.opcode == LinkOpcode.STATUS):
            m.d.comb += self.verdict.eq(Verdict.STATUS)
        with m.Elif(ours):
            m.d.comb += self.verdict.eq(Verdict.BAD_SEQUENCE)
            with m.If(header.sequence == self.sequence):
                m.d.comb += self.verdict.eq(Verdict.REPEAT)
            with m.Elif((header.sequence == following) & ~opens):
                m.d.comb += self.verdict.eq(Verdict.EXECUTE)
        with m.If(self.accept):
            m.d.sync += [self.number.eq(header.session), self.sequence.eq(header.sequence)]
        return m
