"""The ifmap scratchpad of a PE that skips zeros: a ring of the words that are not zero."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arch.config import Config
from hw.base.block import Block
from hw.pe.layouts import IfmapBeat
from hw.pe.ring import after, first_word, ring_position


class RingEntry(data.StructLayout):
    """A word that is not zero; `number`: which of the words that came, modulo a power of two."""

    def __init__(self, config: Config):
        super().__init__({"word": signed(config.operand_width), "number": number_bits(config)})


def number_bits(config: Config) -> int:
    """Bits of a word's number: two scratchpads of words are told apart.

    The words that have come may be so many ahead of the window, less one.
    """
    return (2 * config.pe.ifmap_spad).bit_length()


class NonzeroRing(Block):
    """Ring of `pe.ifmap_spad` operands that are not zero, filled a word a cycle.

    Zeros are counted, not stored. Every entry has its number, and the window has that of its first
    word: their difference, the offset, is the word's place in the window. Entries are read in
    order; one that the next window does not need is freed as soon as it has been used.

    Timing
    ------
    Windows of three words that advance by one, of the words 1, 0, 3, 4 and the end of the row. A
    word that comes where no entry waits is shown in the next cycle.

        cycle                  0  1  2  3  4  5  6  7
        beats.valid            1  1  1  1  0  0  0  0
        beats.payload.words.0  1  0  3  4  .  .  .  .
        beats.ready            1  1  1  1  1  1  1  1
        valid                  0  1  0  1  1  1  0  0
        word                   .  1  .  3  3  4  .  .
        offset                 .  0  .  2  1  2  .  .
        lead                   0  1  2  3  3  3  0  0
        step                   0  1  0  1  1  1  0  0
        used                   0  1  0  1  1  1  0  0
        free                   0  1  0  0  1  1  0  0
        rewind                 0  0  0  1  0  1  0  0
        move                   .  .  .  1  .  3  .  .

    Members
    -------
    beats : in, stream of IfmapBeat(config)
        Ifmap words.
    valid : out, 1
        There is an entry at the read position.
    word : out, signed config.operand_width
        Its operand.
    offset : out, number_bits(config)
        Its place, counted from the window's first word.
    follows : out, 1
        There is an entry after it.
    following : out, number_bits(config)
        The place of that one.
    lead : out, number_bits(config)
        Words that have come, counted from the window's first one.
    put : out, 1
        A word is stored in this cycle.
    step : in, 1
        What the window has at hand is done.
    used : in, 1
        With `step`: it was the entry at the read position, go to the next one.
    free : in, 1
        With `step` and `used`: the entry is not needed again.
    rewind : in, 1
        With `step`: the window is done; go to the oldest entry that is not freed.
    move : in, number_bits(config)
        With `step` and `rewind`: words from this window's first one to the next window's.
    """

    def __init__(self, config: Config):
        bits = number_bits(config)
        super().__init__(
            {
                "beats": In(stream.Signature(IfmapBeat(config))),
                "valid": Out(1),
                "word": Out(signed(config.operand_width)),
                "offset": Out(bits),
                "follows": Out(1),
                "following": Out(bits),
                "lead": Out(bits),
                "put": Out(1),
                "step": In(1),
                "used": In(1),
                "free": In(1),
                "rewind": In(1),
                "move": In(bits),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self.config.pe.ifmap_spad
        position = ring_position(depth)
        # `next`: of the entry after the one that is shown.
        write, next_, oldest, kept = (
            Signal(position, name=name) for name in ("write", "next", "oldest", "kept")
        )
        bits = number_bits(self.config)
        count, base, new_base = (Signal(bits, name=name) for name in ("count", "base", "new_base"))
        incoming, goes_back, taken = Signal(RingEntry(self.config)), Signal(), Signal()
        m.d.comb += [
            incoming.number.eq(count),
            kept.eq(after(oldest, depth, self.free & self.used)),
            goes_back.eq(self.step & self.rewind),
            new_base.eq(Mux(goes_back, base + self.move, base)),
            self.lead.eq(count - base),
        ]
        self._take(m, incoming, taken, oldest, write)
        ahead, back = self._memory(m, incoming, write, next_, kept)
        m.d.comb += [
            self.follows.eq(next_.as_value() != write.as_value()),
            self.following.eq(ahead.number - base),
        ]
        with m.If(taken):
            m.d.sync += count.eq(count + 1)
        with m.If(self.put):
            m.d.sync += write.eq(after(write, depth))
        with m.If(self.step):
            m.d.sync += [oldest.eq(kept), base.eq(new_base)]
        place, entry = Signal(position), Signal(RingEntry(self.config))
        stored = Signal()  # it is in the memory: not the one that comes now
        m.d.comb += [
            place.eq(Mux(goes_back, kept.as_value(), next_.as_value())),
            stored.eq(place.as_value() != write.as_value()),
            entry.eq(Mux(stored, Mux(goes_back, back, ahead), incoming)),
        ]
        with m.If((self.step & (self.used | self.rewind)) | ~self.valid):
            m.d.sync += [
                self.valid.eq(stored | self.put),
                self.word.eq(entry.word),
                self.offset.eq(entry.number - new_base),
                next_.eq(Mux(stored | self.put, after(place, depth), place.as_value())),
            ]
        return m

    def _take(
        self, m: Module, incoming: data.View, taken: Signal, oldest: data.View, write: data.View
    ) -> None:
        """Take the words of a beat one by one: zeros while they can be counted, others while
        there is room besides.

        From `oldest` on, all entries up to `write` may be wanted again by the next window.
        """
        word, last = first_word(m, self.config, self.beats.payload, taken)
        countable, room, zero = Signal(), Signal(), Signal()
        m.d.comb += [
            incoming.word.eq(word),
            zero.eq(incoming.word == 0),
            countable.eq(~self.lead.all()),
            room.eq((oldest.index != write.index) | (oldest.lap == write.lap)),
            taken.eq(self.beats.valid & countable & (zero | room)),
            self.put.eq(taken & ~zero),
            self.beats.ready.eq(countable & (zero | room) & last),
        ]

    def _memory(
        self, m: Module, incoming: data.View, write: data.View, ahead: data.View, back: data.View
    ) -> tuple[data.View, data.View]:
        """The entries at two positions; `incoming` is written."""
        shape = RingEntry(self.config)
        m.submodules.entries = entries = Memory(
            shape=shape, depth=max(self.config.pe.ifmap_spad, 2), init=[]
        )
        writing = entries.write_port()
        reads = [entries.read_port(domain="comb") for _ in range(2)]
        m.d.comb += [
            writing.addr.eq(write.index),
            writing.data.eq(incoming),
            writing.en.eq(self.put),
            reads[0].addr.eq(ahead.index),
            reads[1].addr.eq(back.index),
        ]
        return reads[0].data, reads[1].data
