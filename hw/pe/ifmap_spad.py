"""The ifmap scratchpad of a PE: a ring of words in which a window slides."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.arch.config import Config
from hw.elaboration import Block
from hw.pe.layouts import IfmapBeat


class IfmapSpad(Block):
    """Ring of `ifmap_spad` operands, filled one word a cycle from the network's beats.

    The window's words are read in order. A word that the next window does not need is freed as soon
    as it has been used, so the next window, row or pass enters while this one is computed.

    Members
    -------
    beats : input stream of `IfmapBeat`
    word : operand at the read position; `available` says that it has arrived
    step : the word at the read position is used up, go to the next one
    free : with `step`: the word is not needed again
    rewind : with `step`: it was the window's last word; go to the oldest word that is not freed
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "beats": In(stream.Signature(IfmapBeat(config))),
                "word": Out(signed(config.operand_width)),
                "available": Out(1),
                "step": In(1),
                "free": In(1),
                "rewind": In(1),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self.config.ifmap_spad
        m.submodules.words = words = Memory(
            shape=signed(self.config.operand_width), depth=max(depth, 2), init=[]
        )
        writing, reading = words.write_port(), words.read_port(domain="comb")
        write, read, oldest = (
            Signal(range(max(depth, 2)), name=n) for n in ("write", "read", "oldest")
        )
        used = Signal(bits_for(depth))  # words held and not freed
        ahead = Signal(bits_for(depth))  # words from the read position on
        put = Signal()
        freed = Signal()
        left = Signal.like(used)
        m.d.comb += [
            writing.addr.eq(write),
            writing.en.eq(put),
            reading.addr.eq(read),
            self.word.eq(reading.data),
            self.available.eq(ahead != 0),
            freed.eq(self.step & self.free),
            left.eq(used - freed),
        ]
        m.d.sync += used.eq(left + put)
        self._unpack(m, writing.data, write, put, used)
        with m.If(freed):
            m.d.sync += oldest.eq(self._after(oldest))
        with m.If(self.step & self.rewind):
            m.d.sync += [
                ahead.eq(left + put),
                read.eq(Mux(freed, self._after(oldest), oldest)),
            ]
        with m.Else():
            m.d.sync += ahead.eq(ahead + put - self.step)
            with m.If(self.step):
                m.d.sync += read.eq(self._after(read))
        return m

    def _after(self, pointer: Signal):
        following = (pointer + 1)[: len(pointer)]
        if self.config.ifmap_spad == 1 << len(pointer):
            return following
        return Mux(pointer == self.config.ifmap_spad - 1, 0, following)

    def _unpack(self, m: Module, target, write: Signal, put: Signal, used: Signal) -> None:
        """Take the words of a beat one by one while there is room."""
        beat = self.beats.payload
        m.d.comb += put.eq(self.beats.valid & (used != self.config.ifmap_spad))
        if self.config.noc_ifmap == 1:
            word = beat.words[0]
            m.d.comb += self.beats.ready.eq(used != self.config.ifmap_spad)
        else:
            position = Signal(range(self.config.noc_ifmap))
            word = beat.words[position]
            m.d.comb += self.beats.ready.eq(put & (position == beat.more))
            with m.If(put):
                m.d.sync += position.eq(Mux(position == beat.more, 0, position + 1))
        m.d.comb += target.eq(word)
        with m.If(put):
            m.d.sync += write.eq(self._after(write))
