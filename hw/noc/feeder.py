"""The psum input of a column: beats from the buffer become words for the heads of its segments."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import Config
from hw.base.block import Block
from hw.base.queue import Queue
from hw.noc.psums import FeederBeat
from hw.pe.layouts import PsumWord


class ColumnFeeder(Block):
    """FIFO of beats, handed out `pe.macs` psums a cycle to one PE of the column, in order.

    Timing
    ------
    Three beats: two psums and one for row 0, two for row 1, whose PE is late.

        cycle                  0  1  2  3  4  5  6  7
        input.valid            1  1  1  0  0  0  0  0
        input.payload.row      0  0  1  .  .  .  .  .
        input.payload.count    2  1  2  .  .  .  .  .
        input.payload.psums.0  5  7  8  .  .  .  .  .
        input.payload.psums.1  6  .  9  .  .  .  .  .
        input.ready            1  1  1  1  1  1  1  1
        outputs.0.valid        0  1  1  1  0  0  0  0
        outputs.0.payload.0    .  5  6  7  .  .  .  .
        outputs.0.ready        1  1  1  1  1  1  1  1
        outputs.1.valid        0  0  0  0  1  1  1  0
        outputs.1.payload.0    .  .  .  .  8  8  9  .
        outputs.1.ready        1  1  1  1  0  1  1  1

    Members
    -------
    input : in, stream of FeederBeat(config)
        Psums from the buffer, with the chains that they are for.
    outputs : out, config.array.rows times stream of PsumWord(config)
        Psums for the PE of every row.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "input": In(stream.Signature(FeederBeat(config))),
                "outputs": Out(stream.Signature(PsumWord(config))).array(config.array.rows),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        lanes = config.pe.macs
        # Registered: a choice by position and a wide fan-out to all rows follow the queue.
        queue = Queue(FeederBeat(config), depth=config.noc.column_fifo, registered=True)
        m.submodules.queue = queue
        connect(m, flipped(self.input), queue.input)
        beat = queue.output.payload
        place = _Place(
            position=Signal(range(max(config.noc.psum_in, 2)), name="position"),
            behind=Signal(range(config.noc.psum_in + 2), name="behind"),
            taken=Signal(name="taken"),
        )
        final = Signal()
        word = Signal(PsumWord(config))
        straddles = self._pair(m, beat, place, word) if lanes > 1 else 0
        if lanes == 1:
            m.d.comb += [
                word[0].eq(beat.psums[place.position]),
                place.behind.eq(place.position + 1),
            ]
        m.d.comb += [
            final.eq((place.behind >= beat.count) | straddles if config.noc.psum_in > 1 else 1),
            queue.output.ready.eq(place.taken & final),
        ]
        with m.If(place.taken):
            m.d.sync += place.position.eq(Mux(final, 0, place.behind))
        m.d.comb += place.taken.eq(self._deliver(m, queue.output, word))
        return m

    def _pair(self, m: Module, beat: data.View, place: "_Place", word: data.View) -> Signal:
        """Words of two psums, or of one at the end of an odd round.

        Such a word shifts the pairs after it: the first psum of a pair may be the last one of its
        beat. It is kept then, and the beat is done with. Returns whether that happens next.
        """
        step = Signal.like(beat.steps)
        following = Signal.like(beat.steps)
        held = Signal(signed(self.config.array.psum_width))
        holding = Signal()
        straddles = Signal()
        position, behind = place.position, place.behind
        m.d.comb += [
            following.eq(Mux(step + 1 == beat.steps, 0, step + 1)),
            word[0].eq(Mux(holding, held, beat.psums[position])),
            word[1].eq(beat.psums[Mux(holding, position, position + 1)[: len(position)]]),
            behind.eq(position + Mux(holding | (beat.odd & (following == 0)), 1, 2)),
            straddles.eq((behind + 1 == beat.count) & ~(beat.odd & (following + 1 == beat.steps))),
        ]
        with m.If(place.taken):
            m.d.sync += [
                step.eq(following),
                holding.eq(straddles),
                held.eq(beat.psums[behind[: len(position)]]),
            ]
        return straddles

    def _deliver(self, m: Module, beats: stream.Interface, word: data.View) -> Value:
        """Show the word to the beat's row; returns whether that takes it."""
        ready = []
        for index, output in enumerate(self.outputs):
            here = beats.payload.row == index
            m.d.comb += [output.payload.eq(word), output.valid.eq(beats.valid & here)]
            ready.append(here & output.ready)
        return beats.valid & Cat(ready).any()


@dataclass(frozen=True)
class _Place:
    """The next word of a beat: its first psum, the psum after it, and whether it is `taken`."""

    position: Signal
    behind: Signal
    taken: Signal
