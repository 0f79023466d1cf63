"""Words of 64 bits and the beats of an SDRAM's data pins."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.arch.sdram import WORD_BITS, SdramChip, SdramTiming
from hw.base.block import Block


class SdramBeats(Block):
    """Takes a word apart for each WRITE and puts one together for each READ, lowest bits first.

    A READ or WRITE is announced in the cycle before its command is on the pins, and only while
    `free`. The word of a WRITE is taken from `write` with its last beat. Latency: the word of a
    READ is given `timing.capture` plus the beats of a word after it was announced.

    Timing
    ------
    One word of two beats is written and another one read, with a capture of 2 cycles.

        cycle          0  1  2  3  4  5  6  7
        begin_write    1  0  0  0  0  0  0  0
        begin_read     0  0  1  0  0  0  0  0
        free           1  0  1  0  1  1  1  1
        turned         1  1  1  0  0  0  0  1
        write.valid    1  1  0  0  0  0  0  0
        write.payload  7  7  .  .  .  .  .  .
        write.ready    0  1  0  0  0  0  0  0
        dq_oe          0  1  1  0  0  0  0  0
        dq_o           .  7  0  .  .  .  .  .
        dq_i           .  .  .  .  5  0  .  .
        read.valid     0  0  0  0  0  0  1  0
        read.payload   .  .  .  .  .  .  5  .

    Members
    -------
    begin_read, begin_write : in, 1
        A READ or WRITE goes to the pins in the next cycle.
    free : out, 1
        The data pins can have another word: the last one has had its beats.
    turned : out, 1
        No READ is under way whose data would meet those of a WRITE on the pins.
    write : in, stream of WORD_BITS
        Words to be written; each must be there when its WRITE begins.
    read : out, stream of WORD_BITS
        Words that were read; they do not wait.
    dq_o : out, chip.width
        Data to the pins, a register.
    dq_oe : out, 1
        They are driven, a register.
    dq_i : in, chip.width
        Data from the pins.
    """

    def __init__(self, chip: SdramChip, timing: SdramTiming):
        super().__init__(
            {
                "begin_read": In(1),
                "begin_write": In(1),
                "free": Out(1),
                "turned": Out(1),
                "write": In(stream.Signature(WORD_BITS)),
                "read": Out(stream.Signature(WORD_BITS)),
                "dq_o": Out(chip.width),
                "dq_oe": Out(1),
                "dq_i": In(chip.width),
            }
        )
        self.chip = chip
        self.timing = timing

    def elaborate(self, platform: object) -> Module:
        m = Module()
        chip = self.chip
        # Beats still to come of the word that was begun last; 0 while the first one is chosen.
        left = Signal(range(chip.beats))
        writing = Signal()
        m.d.comb += [self.free.eq(left == 0), self.write.ready.eq(writing & (left == 1))]
        with m.If(self.begin_read | self.begin_write):
            m.d.sync += [left.eq(chip.beats - 1), writing.eq(self.begin_write)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.sync += self.dq_oe.eq(self.begin_write | (writing & (left != 0)))
        with m.Switch(left):
            for beat in range(chip.beats):
                with m.Case(-beat % chip.beats):
                    m.d.sync += self.dq_o.eq(self.write.payload.word_select(beat, chip.width))
        self._read(m)
        return m

    def _read(self, m: Module) -> None:
        """A word is there when its last beat is; the ones before it wait in a shift register."""
        chip = self.chip
        captured = Signal(WORD_BITS, reset_less=True)
        under_way = Signal(self.timing.capture + chip.beats)
        m.d.sync += [
            captured.eq(Cat(captured[chip.width :], self.dq_i)),
            under_way.eq(Cat(self.begin_read, under_way)),
        ]
        # From READ to WRITE: the latency, the beats, and a beat in which nobody drives the pins.
        busy = under_way[: chip.cas_latency + chip.beats]
        m.d.comb += [
            self.turned.eq(~busy.any()),
            self.read.valid.eq(under_way[-1]),
            self.read.payload.eq(captured),
        ]
