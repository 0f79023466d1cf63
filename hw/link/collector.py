"""Gathers result words for a reply, and keeps them for when the reply is asked for again."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arch.frames import WAIT_CYCLES
from hw.base.block import Block
from hw.base.memory import Ram

_WORD_BYTES = 8


class ResultCollector(Block):
    """Takes result bytes when told to, and stops after a whole word.

    Timing
    ------
    One word is wanted: eight bytes are taken, and a ninth one is not.

        cycle             0   1   2   3   4   5   6   7   8   9  10  11
        start             1   0   0   0   0   0   0   0   0   0   0   0
        busy              0   1   1   1   1   1   1   1   1   1   0   0
        results.valid     1   1   1   1   1   1   1   1   1   1   1   1
        results.payload   1   1   2   3   4   5   6   7   8   9   9   9
        results.ready     0   1   1   1   1   1   1   1   1   0   0   0
        words             0   0   0   0   0   0   0   0   0   1   1   1

    Parameters
    ----------
    words : int
        Most words in a reply.

    Members
    -------
    start : in, 1
        Begin; what was kept is lost.
    most : in, 16
        Words to take at most.
    wait : in, 16
        Units of 64 cycles to wait for the first word; for each other word it is one unit.
    busy : out, 1
        High from the cycle after `start` until it is over.
    words : out, range(words + 1)
        Words kept.
    results : in, stream of 8
        Bytes; the eight of a word come without a pause for good between them.
    read : in, 1
        Enable of the read port.
    address : in, ceil_log2(words * _WORD_BYTES)
        A byte kept.
    data : out, 8
        That byte, in the cycle after its address; held while `read` is low.
    """

    def __init__(self, *, words: int):
        most = range(words + 1)
        super().__init__(
            {
                "start": In(1),
                "most": In(16),
                "wait": In(16),
                "busy": Out(1),
                "words": Out(most),
                "results": In(stream.Signature(8)),
                "read": In(1),
                "address": In(ceil_log2(words * _WORD_BYTES)),
                "data": Out(8),
            }
        )
        self.limit = words

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.kept = ram = Ram(width=8, depth=self.limit * _WORD_BYTES)
        place = Signal(3)  # bytes of the word under way
        target = Signal(range(self.limit + 1))
        units, cycle = Signal(16), Signal(range(WAIT_CYCLES))
        late, taken = Signal(), Signal()
        m.d.comb += [
            # Never within a word: its other bytes would be taken for the next reply's first ones.
            late.eq((units == 0) & (place == 0)),
            self.results.ready.eq(self.busy & (self.words != target)),
            taken.eq(self.results.valid & self.results.ready),
            ram.write.en.eq(taken),
            ram.write.addr.eq((self.words << 3) + place),
            ram.write.data.eq(self.results.payload),
            ram.read.en.eq(self.read),
            ram.read.addr.eq(self.address),
            self.data.eq(ram.read.data),
        ]
        with m.If(taken):
            m.d.sync += [units.eq(1), cycle.eq(0), place.eq(place + 1)]
            with m.If(place == _WORD_BYTES - 1):
                m.d.sync += self.words.eq(self.words + 1)
        with m.Elif(self.busy & ((self.words == target) | late)):
            m.d.sync += self.busy.eq(0)
        with m.Elif(units != 0):
            m.d.sync += cycle.eq(cycle + 1)
            with m.If(cycle == WAIT_CYCLES - 1):
                m.d.sync += [cycle.eq(0), units.eq(units - 1)]
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                self.words.eq(0),
                target.eq(Mux(self.most > self.limit, self.limit, self.most)),
                units.eq(self.wait),
                cycle.eq(0),
            ]
        return m
