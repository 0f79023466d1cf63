"""The ifmap scratchpad of a PE: a ring of words in which a window slides."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, ValueLike, signed
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arch.config import Config
from hw.base.block import Block
from hw.pe.layouts import IfmapBeat


class IfmapSpad(Block):
    """Ring of `pe.ifmap_spad` operands, filled one word a cycle from the network's beats.

    The window's words are read in order. A word that the next window does not need is freed as soon
    as it has been used, so the next window, row or pass enters while this one is computed.

    Timing
    ------
    Beats of two words; windows of three words that advance by one, then the end of the row.

        cycle                  0  1  2  3  4  5  6  7
        beats.valid            1  1  1  1  0  0  0  0
        beats.payload.words.0  1  1  3  3  .  .  .  .
        beats.payload.words.1  2  2  4  4  .  .  .  .
        beats.payload.more     1  1  1  1  .  .  .  .
        beats.ready            0  1  0  1  0  0  0  0
        available              0  1  1  1  1  1  1  0
        word                   .  1  2  3  2  3  4  .
        step                   0  1  1  1  1  1  1  0
        free                   0  1  0  0  1  1  1  0
        rewind                 0  0  0  1  0  0  1  0

    Members
    -------
    beats : in, stream of IfmapBeat(config)
        Ifmap words.
    word : out, signed config.operand_width
        The operand at the read position.
    available : out, 1
        It has arrived.
    put : out, 1
        A word is written in this cycle.
    step : in, 1
        The word at the read position is used up, go to the next one.
    free : in, 1
        With `step`: the word is not needed again.
    rewind : in, 1
        With `step`: it was the window's last word; go to the oldest word that is not freed.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "beats": In(stream.Signature(IfmapBeat(config))),
                "word": Out(signed(config.operand_width)),
                "available": Out(1),
                "put": Out(1),
                "step": In(1),
                "free": In(1),
                "rewind": In(1),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = max(self.config.pe.ifmap_spad, 2)
        m.submodules.words = words = Memory(
            shape=signed(self.config.operand_width), depth=depth, init=[]
        )
        writing, reading = words.write_port(), words.read_port(domain="comb")
        # Positions in the ring, each with a bit that changes from lap to lap.
        position = data.StructLayout({"index": range(depth), "lap": 1})
        write, read, oldest, kept = (
            Signal(position, name=n) for n in ("write", "read", "oldest", "kept")
        )
        room = Signal()
        m.d.comb += [
            writing.addr.eq(write.index),
            writing.en.eq(self.put),
            reading.addr.eq(read.index),
            self.word.eq(reading.data),
            self.available.eq(read.as_value() != write.as_value()),
            # From `oldest` on, all words up to `write` may be wanted again by the next window.
            room.eq((oldest.index != write.index) | (oldest.lap == write.lap)),
            kept.eq(self._after(oldest, self.free)),
        ]
        self._unpack(m, writing.data, room)
        with m.If(self.put):
            m.d.sync += write.eq(self._after(write))
        with m.If(self.step):
            m.d.sync += [
                oldest.eq(kept),
                read.eq(Mux(self.rewind, kept.as_value(), self._after(read))),
            ]
        return m

    def _after(self, position: data.View, step: ValueLike = 1) -> Value:
        """The next position if `step`, else the same. A ring of one word laps with every word."""
        depth = self.config.pe.ifmap_spad
        index = position.index
        if depth == 1 << len(index):
            return (position.as_value() + step)[: len(position.as_value())]
        wraps = (index == depth - 1) & step
        return Cat(Mux(wraps, 0, index + step)[: len(index)], position.lap ^ wraps)

    def _unpack(self, m: Module, target: Value, room: Signal) -> None:
        """Take the words of a beat one by one while there is room."""
        beat = self.beats.payload
        m.d.comb += self.put.eq(self.beats.valid & room)
        if self.config.noc.ifmap == 1:
            word = beat.words[0]
            m.d.comb += self.beats.ready.eq(room)
        else:
            position = Signal(range(self.config.noc.ifmap))
            word = beat.words[position]
            m.d.comb += self.beats.ready.eq(self.put & (position == beat.more))
            with m.If(self.put):
                m.d.sync += position.eq(Mux(position == beat.more, 0, position + 1))
        m.d.comb += target.eq(word)
