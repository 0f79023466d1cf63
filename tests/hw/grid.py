"""Small designs for the tests of Verilog emission.

`Grid` is a hierarchy of equal blocks: a stream of words is handed from tap to tap; each remembers
the last words it saw and adds a product of the new word and an old one. `Oddities` is a block of
what emitters trip over.
"""

import numpy as np
from amaranth.hdl import Const, Module, ResetInserter, Signal, signed
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hw.base.block import Block, inlined
from hw.base.memory import Ram, SinglePortRam


class Kind(enum.Enum, shape=2):
    """An enumeration, whose names reach RTLIL as attributes."""

    NONE = 0
    SOME = 1


WORD = data.StructLayout({"a": signed(8), "b": signed(8), "sum": 16})


class Tap(Block):
    """Adds a·(the b of `depth` words ago) + weight to `sum`; three cycles a word."""

    def __init__(self, *, depth: int, weight: int):
        super().__init__({"x": In(stream.Signature(WORD)), "y": Out(stream.Signature(WORD))})
        self.depth = depth
        self.weight = weight

    def elaborate(self, platform):
        m = Module()
        past = Ram(width=8, depth=self.depth, lane_width=4)
        m.submodules.past = inlined(past)
        m.submodules.queue = queue = SyncFIFOBuffered(width=32, depth=2)
        word = Signal(WORD)
        place = Signal(range(self.depth))
        filled = Signal()
        rounds = Signal(8, reset_less=True)
        old = Signal(signed(8))
        result = Signal(WORD)
        m.d.comb += [
            past.read.addr.eq(place),
            past.write.addr.eq(place),
            past.write.data.eq(word.b),
            past.read.en.eq(self.x.valid & self.x.ready),
            old.eq(past.read.data),
            result.eq(word),
            result.sum.eq(word.sum + self.weight + word.a * old),
            queue.w_data.eq(result),
            self.y.payload.eq(queue.r_data),
            self.y.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.y.ready),
        ]
        with m.If(~filled):
            m.d.comb += old.eq(0)
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.x.ready.eq(1)
                with m.If(self.x.valid):
                    m.d.sync += word.eq(self.x.payload)
                    m.next = "read"
            with m.State("read"):
                with m.If(queue.w_rdy):
                    m.d.comb += [queue.w_en.eq(1), past.write.en.eq(0b11)]
                    m.d.sync += rounds.eq(rounds + 1)
                    m.next = "step"
            with m.State("step"):
                m.d.sync += place.eq(place + 1)
                with m.If(place == self.depth - 1):
                    m.d.sync += [place.eq(0), filled.eq(1)]
                m.next = "idle"
        return m


class Column(Block):
    """A chain of cells; the last one has another weight."""

    def __init__(self, *, rows: int, depth: int):
        super().__init__({"x": In(stream.Signature(WORD)), "y": Out(stream.Signature(WORD))})
        self.rows = rows
        self.depth = depth

    def elaborate(self, platform):
        m = Module()
        before = wiring.flipped(self.x)
        for row in range(self.rows):
            tap = Tap(depth=self.depth, weight=5 if row == self.rows - 1 else 3)
            m.submodules[f"tap_{row}"] = tap
            wiring.connect(m, before, tap.x)
            before = tap.y
        wiring.connect(m, before, wiring.flipped(self.y))
        return m


class Delay(Block):
    """Hands words on through a single-port memory: one word in, the one of `depth` ago out."""

    def __init__(self, *, depth: int):
        super().__init__({"x": In(stream.Signature(WORD)), "y": Out(stream.Signature(WORD))})
        self.depth = depth

    def elaborate(self, platform):
        m = Module()
        store = SinglePortRam(width=32, depth=self.depth)
        m.submodules.store = inlined(store)
        place = Signal(range(self.depth))
        filled = Signal()
        m.d.comb += [store.addr.eq(place), store.wdata.eq(self.x.payload)]
        with m.If(filled):
            m.d.comb += self.y.payload.eq(store.rdata)
        with m.FSM():
            with m.State("read"):
                m.d.comb += store.en.eq(1)
                m.next = "swap"
            with m.State("swap"):
                m.d.comb += [self.y.valid.eq(self.x.valid), self.x.ready.eq(self.y.ready)]
                with m.If(self.x.valid & self.y.ready):
                    m.d.comb += [store.en.eq(1), store.we.eq(1)]
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == self.depth - 1):
                        m.d.sync += [place.eq(0), filled.eq(1)]
                    m.next = "read"
        return m


class Grid(Block):
    """Stream of 64-bit words in and out through `cols` columns in a row; the upper half stays."""

    cmd: In(stream.Signature(64))
    result: Out(stream.Signature(64))

    def __init__(self, *, rows: int = 4, cols: int = 5, depth: int = 6):
        super().__init__()
        self.rows = rows
        self.cols = cols
        self.depth = depth

    def elaborate(self, platform):
        m = Module()
        m.submodules.delay = delay = Delay(depth=self.depth)
        m.submodules.tags = tags = SyncFIFOBuffered(width=32, depth=256)
        m.d.comb += [
            delay.x.payload.eq(self.cmd.payload[:32]),
            delay.x.valid.eq(self.cmd.valid & tags.w_rdy),
            self.cmd.ready.eq(delay.x.ready & tags.w_rdy),
            tags.w_data.eq(self.cmd.payload[32:]),
            tags.w_en.eq(self.cmd.valid & delay.x.ready),
        ]
        before = delay.y
        for col in range(self.cols):
            m.submodules[f"column_{col}"] = column = Column(rows=self.rows, depth=self.depth)
            wiring.connect(m, before, column.x)
            before = column.y
        m.d.comb += [
            self.result.payload[:32].eq(before.payload),
            self.result.payload[32:].eq(tags.r_data),
            self.result.valid.eq(before.valid & tags.r_rdy),
            before.ready.eq(self.result.ready & tags.r_rdy),
            tags.r_en.eq(self.result.ready & before.valid),
        ]
        return m


class Tally(Block):
    """Sum of the steps since the last reset."""

    step: In(4)
    en: In(1)
    total: Out(8)

    def elaborate(self, platform):
        m = Module()
        with m.If(self.en):
            m.d.sync += self.total.eq(self.total + self.step)
        return m


class Oddities(Block):
    """A stream with what emitters trip over: variable slices, a ROM, reserved words, no bits, a
    reset from the gateware for a block that is a module of its own."""

    def __init__(self):
        super().__init__(
            {
                "x": In(stream.Signature(64)),
                "y": Out(stream.Signature(64)),
                "config": Out(3),
                "nothing": In(0),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = Memory(shape=8, depth=4, init=[3, 1, 4, 1])
        lookup = table.read_port(domain="comb")
        output = Signal(8)  # a word that Verilog reserves
        kind = Signal(Kind)
        word = Signal(data.ArrayLayout(data.StructLayout({"lo": 4, "hi": signed(4)}), 8))
        m.d.comb += [
            word.eq(self.x.payload),
            kind.eq(self.x.payload[:2]),
            lookup.addr.eq(self.x.payload[2:4]),
            output.eq(self.x.payload.word_select(self.x.payload[:3], 8)),
            self.config.eq(self.x.payload[60:]),
            self.y.payload[:8].eq(output + self.config),
            self.y.payload[8:16].eq(self.x.payload.bit_select(self.x.payload[8:13], 8)),
            self.y.payload[16:24].eq(lookup.data),
            self.y.payload[24:32].eq(word[self.x.payload[3:6]].hi),
            self.y.payload[32].eq(self.x.payload == 0),
            self.y.payload[33:40].eq(self.x.payload[8:16].as_signed() >> self.x.payload[:3]),
            self.y.payload[48].eq(self.x.payload[:3] < 8),
            self.y.payload[49].eq(self.x.payload[:3] < 0),
            self.y.payload[50].eq(self.x.payload[:3] > 6),
            self.y.payload[51].eq(self.x.payload[:3] >= Const(0, 4)),
            self.y.payload[52].eq(Const(9) <= self.x.payload[:3]),
            self.y.payload[53].eq(self.x.payload[:3].as_signed() < 0),
            self.y.valid.eq(self.x.valid),
            self.x.ready.eq(self.y.ready),
        ]
        inner = Module()
        inner.submodules.tally = tally = Tally()
        moves = self.x.valid & self.x.ready
        m.submodules.inner = ResetInserter(moves & (self.x.payload[4:7] == 0))(inner)
        m.d.comb += [
            tally.step.eq(self.x.payload[4:]),
            tally.en.eq(moves),
            self.y.payload[56:].eq(tally.total),
        ]
        with m.Switch(kind):
            with m.Case(Kind.NONE):
                m.d.comb += self.y.payload[40:48].eq(1)
            with m.Case(Kind.SOME):
                m.d.comb += self.y.payload[40:48].eq(-self.x.payload[:7].as_signed())
        return m


def simulate(design, x, y, words):
    """Results of Amaranth's simulator for words through streams `x` and `y` of a design."""
    results = []

    async def feed(ctx):
        for word in words:
            ctx.set(x.payload, int(word))
            ctx.set(x.valid, 1)
            await ctx.tick().until(x.ready)
        ctx.set(x.valid, 0)

    async def collect(ctx):
        ctx.set(y.ready, 1)
        for _ in words:
            (payload,) = await ctx.tick().sample(y.payload).until(y.valid)
            results.append(payload)

    simulator = Simulator(design)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(collect)
    simulator.run()
    return np.array(results, np.uint64)
