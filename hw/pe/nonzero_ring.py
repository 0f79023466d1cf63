"""The ifmap scratchpad of a PE that skips zeros: a ring of the words that are not zero."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arch.config import Config
from hw.base.block import Block
from hw.pe.layouts import IfmapBeat
from hw.pe.ring import after, first_word, ring_position


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
        known                  0  1  2  3  2  3  0  0
        step                   0  1  0  1  1  1  0  0
        used                   0  1  0  1  1  1  0  0
        free                   0  1  0  0  1  1  0  0
        rewind                 0  0  0  1  0  1  0  0
        move                   .  .  .  0  .  2  .  .

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
    known : out, number_bits(config)
        The place of the entry after that one; if there is none, of the next word to come.
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
        With `step` and `rewind`: words between this window's first one and the next window's.
    """

    def __init__(self, config: Config):
        bits = number_bits(config)
        super().__init__(
            {
                "beats": In(stream.Signature(IfmapBeat(config))),
                "valid": Out(1),
                "word": Out(signed(config.operand_width)),
                "offset": Out(bits),
                "known": Out(bits),
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
        # `shown` and `next`: of the entry at the read position and of the one after it.
        write, shown, next_, oldest, kept = (
            Signal(position, name=name) for name in ("write", "shown", "next", "oldest", "kept")
        )
        bits = number_bits(self.config)
        count, base, number = (Signal(bits, name=name) for name in ("count", "base", "number"))
        taken, goes_back = Signal(), Signal()
        m.d.comb += [
            kept.eq(after(oldest, depth, self.free & self.used)),
            goes_back.eq(self.step & self.rewind),
        ]
        word = self._take(m, taken, (oldest, write), (count, base))
        ahead, back = self._numbers(m, count, write, next_, kept)
        self._words(m, word, write, shown)
        m.d.comb += [
            self.offset.eq(number - base),
            self.known.eq(Mux(next_.as_value() == write.as_value(), count, ahead) - base),
        ]
        with m.If(taken):
            m.d.sync += count.eq(count + 1)
        with m.If(self.put):
            m.d.sync += write.eq(after(write, depth))
        with m.If(self.step):
            m.d.sync += oldest.eq(kept)
        with m.If(goes_back):
            m.d.sync += base.eq((Cat(1, base) + Cat(1, self.move))[1:])  # and one more
        place, exists, stored = Signal(position), Signal(), Signal()
        m.d.comb += [
            place.eq(Mux(goes_back, kept.as_value(), next_.as_value())),
            stored.eq(place.as_value() != write.as_value()),
            exists.eq(stored | self.put),  # in the memory, or it comes now
        ]
        with m.If((self.step & (self.used | self.rewind)) | ~self.valid):
            m.d.sync += [
                self.valid.eq(exists),
                number.eq(Mux(stored, Mux(goes_back, back, ahead), count)),
                shown.eq(place),
                next_.eq(after(place, depth, exists)),
            ]
        return m

    def _take(
        self,
        m: Module,
        taken: Signal,
        ends: tuple[data.View, data.View],
        numbers: tuple[Signal, Signal],
    ) -> Value:
        """Take a word of a beat: a zero if it can be counted, others if there is room besides.

        From `oldest` on, all entries up to `write` may be wanted again by the next window. Returns
        the word.
        """
        (oldest, write), (count, base) = ends, numbers
        word, last = first_word(m, self.config, self.beats.payload, taken)
        countable, room, zero = Signal(), Signal(), Signal()
        m.d.comb += [
            zero.eq(word == 0),
            countable.eq((count + 1)[: len(base)] != base),
            room.eq((oldest.index != write.index) | (oldest.lap == write.lap)),
            taken.eq(self.beats.valid & countable & (zero | room)),
            self.put.eq(taken & ~zero),
            self.beats.ready.eq(countable & (zero | room) & last),
        ]
        return word

    def _words(self, m: Module, word: Value, write: data.View, shown: data.View) -> None:
        """The operands: one is written, one is read."""
        depth = max(self.config.pe.ifmap_spad, 2)
        shape = signed(self.config.operand_width)
        m.submodules.words = words = Memory(shape=shape, depth=depth, init=[])
        writing, reading = words.write_port(), words.read_port(domain="comb")
        m.d.comb += [
            writing.addr.eq(write.index),
            writing.data.eq(word),
            writing.en.eq(self.put),
            reading.addr.eq(shown.index),
            self.word.eq(reading.data),
        ]

    def _numbers(
        self, m: Module, count: Signal, write: data.View, ahead: data.View, back: data.View
    ) -> tuple[Value, Value]:
        """The numbers of the entries at two positions; `count` is written."""
        depth = max(self.config.pe.ifmap_spad, 2)
        m.submodules.numbers = numbers = Memory(shape=len(count), depth=depth, init=[])
        writing = numbers.write_port()
        reads = [numbers.read_port(domain="comb") for _ in range(2)]
        m.d.comb += [
            writing.addr.eq(write.index),
            writing.data.eq(count),
            writing.en.eq(self.put),
            reads[0].addr.eq(ahead.index),
            reads[1].addr.eq(back.index),
        ]
        return reads[0].data, reads[1].data
