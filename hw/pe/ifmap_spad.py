"""The ifmap scratchpad of a PE: a ring of words in which a window slides."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arch.config import Config
from hw.base.block import Block
from hw.pe.layouts import IfmapBeat
from hw.pe.ring import after, first_word, ring_position


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
        ring = self.config.pe.ifmap_spad
        depth = max(ring, 2)
        m.submodules.words = words = Memory(
            shape=signed(self.config.operand_width), depth=depth, init=[]
        )
        writing, reading = words.write_port(), words.read_port(domain="comb")
        position = ring_position(depth)
        write, read, oldest, kept = (
            Signal(position, name=n) for n in ("write", "read", "oldest", "kept")
        )
        room = Signal()
        word, last = first_word(m, self.config, self.beats.payload, self.put)
        m.d.comb += [
            writing.addr.eq(write.index),
            writing.en.eq(self.put),
            reading.addr.eq(read.index),
            self.word.eq(reading.data),
            self.available.eq(read.as_value() != write.as_value()),
            # From `oldest` on, all words up to `write` may be wanted again by the next window.
            room.eq((oldest.index != write.index) | (oldest.lap == write.lap)),
            kept.eq(after(oldest, ring, self.free)),
            writing.data.eq(word),
            self.put.eq(self.beats.valid & room),
            self.beats.ready.eq(last & (room if self.config.noc.ifmap == 1 else self.put)),
        ]
        with m.If(self.put):
            m.d.sync += write.eq(after(write, ring))
        with m.If(self.step):
            m.d.sync += [
                oldest.eq(kept),
                read.eq(Mux(self.rewind, kept.as_value(), after(read, ring))),
            ]
        return m
