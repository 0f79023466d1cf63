"""The psum output of a column: words of the segments' tails become beats for the buffer."""

from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, ValueLike, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import Config
from hw.base.block import Block
from hw.base.layouts import of_bank
from hw.base.queue import Queue
from hw.noc.psums import CollectorBeat
from hw.pe.layouts import ChainWord, at_once, end_shape, reaches, segment_ends


class CollectorConfig(data.StructLayout):
    """What a collector must know of a pass.

    `tails`: a bit a row; `windows`: their number; `single`: it is 1; ends as in `PassConfig`, of
    the words of a segment's window and of those of an ifmap word; `odd`: of the latter the last one
    holds one psum.
    """

    def __init__(self, config: Config):
        slots = config.pe.psum_spad // config.pe.macs
        pairs = config.pe.macs == 2
        super().__init__(
            {
                "active": 1,
                "tails": config.array.rows,
                "slot_end": end_shape(slots),
                "step_end": end_shape(slots) if pairs else 0,
                "odd": 1 if pairs else 0,
                "windows": config.control.map_bits,
                "single": 1,
            }
        )


def collector_constants(config: Config, constants: data.View) -> dict[str, ValueLike]:
    """The fields of `CollectorConfig` that follow from a pass table's `CONSTANTS`."""
    return {
        **segment_ends(config, constants),
        "odd": constants.odd,
        "windows": constants.windows,
        "single": constants.windows == 1,
    }


class ColumnCollector(Block):
    """Takes every window's psums, segment by segment from the bottom, and packs them into beats.

    The row of the next word is known a cycle ahead. No PE has a word of a pass within three cycles
    after its issue, with `control.pipeline` five: so long the collector may take to learn of it.

    Timing
    ------
    A pass of one window; both rows are tails of segments, of two slots each.

        cycle                     0  1  2  3  4  5  6  7  8  9
        issued                    1  1  1  1  1  1  1  1  1  1
        inputs.0.valid            0  0  0  0  1  1  0  0  0  0
        inputs.0.payload.psums.0  .  .  .  .  5  6  .  .  .  .
        inputs.0.ready            0  0  1  1  1  1  0  0  0  0
        inputs.1.valid            0  0  0  0  1  1  1  1  0  0
        inputs.1.payload.psums.0  .  .  .  .  7  7  7  8  .  .
        inputs.1.ready            0  0  0  0  0  0  1  1  0  0
        done                      0  0  0  0  0  0  0  0  1  1
        output.valid              0  0  0  0  0  0  1  0  1  0
        output.payload.0          .  .  .  .  .  .  5  .  7  .
        output.payload.1          .  .  .  .  .  .  6  .  8  .
        output.ready              1  1  1  1  1  1  1  1  1  1

    Members
    -------
    configs : in, array of 2 CollectorConfig(config)
        Configuration of the column for both pass tables.
    issued : in, 2
        Number modulo 4 of the newest pass that has begun.
    done : out, 2
        Number modulo 4 of the last pass that this column has finished.
    inputs : in, config.array.rows times stream of ChainWord(config)
        The outputs of the column's PEs; only words with `tail` are taken.
    output : out, stream of CollectorBeat(config)
        The column's psums in the order of the pass.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "configs": In(data.ArrayLayout(CollectorConfig(config), 2)),
                "issued": In(2),
                "done": Out(2),
                "inputs": In(stream.Signature(ChainWord(config))).array(config.array.rows),
                "output": Out(stream.Signature(CollectorBeat(config))),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        queue = Queue(CollectorBeat(config), depth=config.noc.column_fifo)
        m.submodules.queue = queue
        connect(m, queue.output, flipped(self.output))
        bank = ~self.done[0]  # of the pass after the last one done
        configs = Signal(self.configs.shape(), reset_less=True)
        announced, issued = Signal(2), Signal(2)
        m.d.sync += [
            # A copy of its own for each column: the tables are wired to all of them, and no word
            # comes before it is there.
            configs.eq(self.configs),
            announced.eq(self.issued),
            issued.eq(announced),  # a cycle after the pass's configuration
        ]
        passes = Signal()  # the pass is over
        m.d.sync += self.done.eq(self.done + passes)
        now = of_bank(m, configs, bank, "now")
        waiting = issued == self.done
        current, running = self._running(m, now, ~waiting & now.active, passes)

        here = Signal(config.array.rows)  # the row whose word is wanted, one bit a row
        wanted = Signal.like(here)  # a cycle later
        m.d.sync += here.eq(wanted)
        word = Signal(ChainWord(config))
        entry = _Entry(*(Signal(name=name) for name in ("arrived", "may", "taken")))
        m.d.comb += entry.taken.eq(entry.may & entry.arrived)
        m.d.comb += entry.arrived.eq(
            running
            & Cat(here[i] & one.valid & one.payload.tail for i, one in enumerate(self.inputs)).any()
        )
        chosen = self._chosen(m, here, wanted)
        # `chosen` has a bit for each row: masks and an OR need no decoder in front of the words.
        masked = [Mux(chosen[i], one.payload.as_value(), 0) for i, one in enumerate(self.inputs)]
        m.d.comb += word.eq(reduce(or_, masked))
        # Whether a word has come is left out: no path leads from one PE to all others.
        m.d.comb += [
            one.ready.eq(running & entry.may & here[i] & one.payload.tail)
            for i, one in enumerate(self.inputs)
        ]
        segment_done = self._pack(m, current, word.psums, entry, queue.input)

        top = Signal()  # no tail follows in this window
        last_window = self._windows(m, current, running, segment_done & top)
        below = Cat(
            here[index:].any() for index in range(config.array.rows)
        )  # this row and those below
        above = Signal(config.array.rows)  # tails that follow in this window
        m.d.comb += [
            above.eq(current.tails & ~below),
            top.eq(~above.any()),
            passes.eq(Mux(running, segment_done & top & last_window, ~waiting & ~now.active)),
        ]
        # Found from registers and ahead of the word, so that no priority chain stands in its path.
        first, again = _lowest(now.tails), _lowest(current.tails)
        if not config.control.pipeline:  # the pass after this one begins at once
            following = _lowest(of_bank(m, configs, ~bank, "following").tails)
            first, again = Mux(waiting, first, following), Mux(last_window, following, again)
        with m.If(~running):
            m.d.comb += wanted.eq(first)
        with m.Elif(segment_done):
            m.d.comb += wanted.eq(Mux(top, again, _lowest(above)))
        with m.Else():
            m.d.comb += wanted.eq(here)
        return m

    def _running(self, m: Module, now, begins: Value, passes: Signal) -> tuple[data.View, Signal]:
        """The configuration of the pass under way, and whether there is one.

        With `control.pipeline` both from registers; the collector rests a cycle between passes.
        """
        running = Signal()
        if not self.config.control.pipeline:
            m.d.comb += running.eq(begins)
            return now, running
        current = Signal(CollectorConfig(self.config), reset_less=True)
        m.d.sync += [current.eq(now), running.eq(begins & ~passes)]
        return current, running

    def _chosen(self, m: Module, here: Signal, wanted: Signal) -> Value:
        """`here` for the words themselves, whose many bits would draw it away from all else.

        With `control.pipeline` from registers of its own, which hold the opposite: synthesis would
        make one of two that are equal.
        """
        if not self.config.control.pipeline:
            return here
        elsewhere = Signal.like(here, init=-1)
        m.d.sync += elsewhere.eq(~wanted)
        return ~elsewhere

    def _windows(self, m: Module, current, running: Signal, step: Value) -> Signal:
        """Count the windows; returns "this is the last one"."""
        behind = Signal(self.config.control.map_bits, init=2)  # number of the next window, from 1
        ends, last = Signal(name="window_ends"), Signal(name="last_window")
        m.d.comb += last.eq(current.single | ends)
        with m.If(step):
            m.d.sync += [behind.eq(behind + 1), ends.eq(behind == current.windows)]
        # Between passes there is no step, where the collector rests.
        with m.If(~running if self.config.control.pipeline else step & last):
            m.d.sync += [behind.eq(behind.init), ends.eq(0)]
        return last

    def _pack(
        self, m: Module, current: data.View, word: data.View, entry: "_Entry", beats
    ) -> Signal:
        """Pack psums without gaps; a segment's end closes the beat. Returns "segment done".

        A word of two psums may fill a beat and leave one psum over, which starts the next beat, or
        is a beat of its own where the segment ends.
        """
        config = self.config
        lanes, width = config.pe.macs, config.noc.psum_out
        held = Array(
            Signal(signed(config.array.psum_width), name=f"held_{i}", reset_less=True)
            for i in range(width)
        )
        level = Signal(range(width - 1 + lanes))  # psums held
        flush = Signal()  # one psum is left of a segment that has ended
        count = Signal(range(lanes + 1))
        total = Signal(range(width + lanes))
        push, last, over, done = (Signal(name=n) for n in ("push", "last", "over", "done"))
        m.d.comb += [
            last.eq(self._last(m, entry.taken, current.slot_end, "slot")),
            count.eq(lanes),
            total.eq(level + count),
            over.eq(total > width if lanes == 2 else 0),
            push.eq(last | (total >= width if lanes == 2 else level == width - 1)),
            entry.may.eq(~flush & (~push | beats.ready)),
            beats.valid.eq(flush | (entry.arrived & push)),
            done.eq(Mux(flush, beats.ready, entry.taken & last & ~over)),
        ]
        if lanes == 2:
            with m.If(current.odd & self._last(m, entry.taken, current.step_end, "step")):
                m.d.comb += count.eq(1)
        for i in range(width):
            fresh = word[0] if lanes == 1 else Mux(level == i, word[0], word[1])
            m.d.comb += beats.payload[i].eq(Mux(level > i, held[i], fresh))
        with m.If(entry.taken):
            with m.If(push):
                m.d.sync += [level.eq(over), flush.eq(over & last)]
                with m.If(over):
                    m.d.sync += held[0].eq(word[lanes - 1])
            with m.Else():
                m.d.sync += level.eq(total)
                for k in range(lanes):
                    with m.If(level + k < width):
                        m.d.sync += held[level + k].eq(word[k])
        with m.If(flush & beats.ready):
            m.d.sync += [flush.eq(0), level.eq(0)]
        return done

    def _last(self, m: Module, taken: Signal, end: Value, name: str) -> Value:
        """Count words; returns "the last one before the count starts over"."""
        index = Signal(max(len(end) - 1, 1), name=name)
        ends, last = Signal(name=f"{name}_ends"), Signal(name=f"last_{name}")
        m.d.comb += last.eq(ends | at_once(end))
        with m.If(taken):
            m.d.sync += [index.eq(index + 1), ends.eq(reaches(index, end))]
        with m.If(taken & last):
            m.d.sync += index.eq(0)
        return last


@dataclass(frozen=True)
class _Entry:
    """The handshake of the word that is wanted: it `arrived`, it `may` come, it is `taken`.

    `may` never depends on `arrived`, which comes late out of the column's PEs.
    """

    arrived: Signal
    may: Signal
    taken: Signal


def _lowest(bits: Value) -> Value:
    """The lowest bit that is set, alone."""
    return Cat(bit & ~bits[:index].any() for index, bit in enumerate(bits))
