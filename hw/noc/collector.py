"""The psum output of a column: words of the segments' tails become beats for the buffer."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from hw.arch.config import Config
from hw.elaboration import Block, instantiate
from hw.layouts import of_bank
from hw.noc.queue import Queue
from hw.pe.layouts import ChainWord


class CollectorBeat(data.ArrayLayout):
    """`noc_psum_out` psums; a window's last beat may hold fewer, the rest is anything."""

    def __init__(self, config: Config):
        super().__init__(signed(config.psum_width), config.noc_psum_out)


class CollectorConfig(data.StructLayout):
    """What a collector must know of a pass; fields as in `CONSTANTS`, `tails` a bit a row."""

    def __init__(self, config: Config):
        super().__init__(
            {
                "active": 1,
                "tails": config.rows,
                "steps": bits_for(config.psum_spad // config.macs_per_pe),
                "psums": bits_for(config.psum_spad),
                "odd": 1,
                "windows": config.map_bits,
            }
        )


class ColumnCollector(Block):
    """Takes every window's psums, segment by segment from the bottom, and packs them into beats.

    The row of the next word is known a cycle ahead. No PE has a word of a pass within three cycles
    after its issue: so long the collector may take to learn of it.

    Members
    -------
    configs : configuration of the column for both pass tables
    issued : number modulo 4 of the newest pass that has begun
    done : number modulo 4 of the last pass that this column has finished
    inputs : the outputs of the column's PEs; only words with `tail` are taken
    output : stream of `CollectorBeat`
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "configs": In(data.ArrayLayout(CollectorConfig(config), 2)),
                "issued": In(2),
                "done": Out(2),
                "inputs": In(stream.Signature(ChainWord(config))).array(config.rows),
                "output": Out(stream.Signature(CollectorBeat(config))),
            }
        )
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        queue = Queue(CollectorBeat(config), depth=config.column_fifo)
        instantiate(m, platform, "queue", queue)
        connect(m, queue.output, flipped(self.output))
        bank = ~self.done[0]  # of the pass behind the last one done
        configs = Signal(self.configs.shape(), reset_less=True)
        announced, issued = Signal(2), Signal(2)
        m.d.sync += [
            configs.eq(self.configs),
            announced.eq(self.issued),
            issued.eq(announced),  # a cycle behind the pass's configuration
        ]
        current = of_bank(m, configs, bank, "current")
        waiting = issued == self.done
        running = Signal()
        m.d.comb += running.eq(~waiting & current.active)

        here = Signal(config.rows)  # the row whose word is wanted, one bit a row
        word = Signal(ChainWord(config))
        arrived = Signal()
        taken = Signal()
        m.d.comb += arrived.eq(
            running
            & Cat(here[i] & one.valid & one.payload.tail for i, one in enumerate(self.inputs)).any()
        )
        with m.Switch(here):
            for index, source in enumerate(self.inputs):
                with m.Case("-" * (config.rows - 1 - index) + "1" + "-" * index):
                    m.d.comb += word.eq(source.payload)
        m.d.comb += [one.ready.eq(taken & here[i]) for i, one in enumerate(self.inputs)]
        segment_done = self._pack(m, current, word.psums, arrived, taken, queue.input)

        window = Signal(config.map_bits)
        above = Signal(config.rows)  # tails that follow in this window
        below = Cat(here[index:].any() for index in range(config.rows))  # and those before it
        following = Signal(config.rows)  # tails of the pass behind this one
        m.d.comb += [
            above.eq(current.tails & ~below),
            following.eq(of_bank(m, configs, ~bank, "following").tails),
        ]
        with m.If(waiting):
            m.d.sync += here.eq(_lowest(current.tails))
        with m.Elif(~current.active):
            m.d.sync += [self.done.eq(self.done + 1), here.eq(_lowest(following))]
        with m.Elif(segment_done):
            m.d.sync += here.eq(_lowest(Mux(above.any(), above, current.tails)))
            with m.If(~above.any()):
                m.d.sync += window.eq(window + 1)
                with m.If(window + 1 == current.windows):
                    m.d.sync += [window.eq(0), self.done.eq(self.done + 1)]
                    m.d.sync += here.eq(_lowest(following))
        return m

    def _pack(self, m: Module, current, word, arrived, taken, beats):
        """Pack psums without gaps; a segment's end closes the beat. Returns "segment done".

        A word of two psums may fill a beat and leave one psum over, which starts the next beat, or
        is a beat of its own where the segment ends.
        """
        config = self.config
        lanes, width = config.macs_per_pe, config.noc_psum_out
        held = Array(
            Signal(signed(config.psum_width), name=f"held_{i}", reset_less=True)
            for i in range(width)
        )
        level = Signal(range(width + 1))  # psums held
        step = Signal(bits_for(config.psum_spad // lanes))  # of the round
        sent = Signal(bits_for(config.psum_spad + lanes))  # psums of the segment taken so far
        flush = Signal()  # one psum is left of a segment that has ended
        count = Signal(range(lanes + 1))
        total = Signal(range(width + lanes))
        push, last, over, done = (Signal(name=n) for n in ("push", "last", "over", "done"))
        last_step = step + 1 == current.steps
        m.d.comb += [
            count.eq(Mux(current.odd & last_step, 1, lanes)),
            total.eq(level + count),
            last.eq(sent + count >= current.psums),
            over.eq(total > width),
            push.eq(last | (total >= width)),
            taken.eq(arrived & ~flush & (~push | beats.ready)),
            beats.valid.eq(flush | (arrived & push)),
            done.eq(Mux(flush, beats.ready, taken & last & ~over)),
        ]
        for i in range(width):
            fresh = word[0] if lanes == 1 else Mux(level == i, word[0], word[1])
            m.d.comb += beats.payload[i].eq(Mux(level > i, held[i], fresh))
        with m.If(taken):
            m.d.sync += [step.eq(Mux(last_step, 0, step + 1)), sent.eq(sent + count)]
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
        with m.If(done):
            m.d.sync += [sent.eq(0), step.eq(0)]
        return done


def _lowest(bits: Value) -> Value:
    """The lowest bit that is set, alone."""
    return Cat(bit & ~bits[:index].any() for index, bit in enumerate(bits))
