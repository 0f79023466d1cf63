"""Boxes of tensors in the memory as words of the command stream."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.arch.images.messages import MEMORY_ADDRESS, RANGE_BITS
from hw.arch.images.records import PITCH_BITS, ROWS_BITS, RUN_BITS
from hw.base.block import Block
from hw.base.queue import Queue
from hw.memory.port import WORD_BITS, MemoryPort
from hw.replay.bursts import BurstReader

_ROWS_AHEAD = 4
HALF_BITS = WORD_BITS // 2


PLACE_BITS = MEMORY_ADDRESS + 3  # of a unit's number: a sum of two addresses, and a run, in halves

GATHER_JOB = data.StructLayout(
    {
        "place": PLACE_BITS,
        "run": RUN_BITS,
        "rows": ROWS_BITS,
        "pitch": PITCH_BITS,
        "last": 1,
        "range": RANGE_BITS,
    }
)
"""A GATHER record whose base has been added: `place` is the number of the first unit, `range` the
`MemoryRange` that it is in."""


class Gatherer(Block):
    """Reads rows of units and packs them without gaps, across rows and jobs up to a `last` one.

    A unit is half a word or a whole one. Rows follow each other in the memory's queue, so that the
    next ones are read while one passes.

    Latency: a row's request two cycles after its turn, and its words three cycles after they came.

    Timing
    ------
    Two rows of two words each lie four words apart.

        cycle                         0  1  2  3  4  5  6  7  8  9 10 11 12 13
        job.valid                     1  0  0  0  0  0  0  0  0  0  0  0  0  0
        job.payload.place             2  .  .  .  .  .  .  .  .  .  .  .  .  .
        job.payload.run               2  .  .  .  .  .  .  .  .  .  .  .  .  .
        job.payload.rows              2  .  .  .  .  .  .  .  .  .  .  .  .  .
        job.payload.pitch             4  .  .  .  .  .  .  .  .  .  .  .  .  .
        job.ready                     1  0  0  0  0  1  1  1  1  1  1  1  1  1
        port.request.valid            0  0  0  1  0  0  1  0  0  0  0  0  0  0
        port.request.payload.address  .  .  .  2  .  .  6  .  .  .  .  .  .  .
        port.request.payload.length   .  .  .  1  .  .  1  .  .  .  .  .  .  .
        port.request.ready            1  1  1  1  1  1  1  1  1  1  1  1  1  1
        port.read.valid               0  0  0  0  1  1  0  0  1  1  0  0  0  0
        port.read.payload             .  .  .  .  5  6  .  .  7  8  .  .  .  .
        words.valid                   0  0  0  0  0  0  0  1  1  0  0  1  1  0
        words.payload                 .  .  .  .  .  .  .  5  6  .  .  7  8  .
        words.ready                   1  1  1  1  1  1  1  1  1  1  1  1  1  1
        idle                          1  0  0  0  0  0  0  0  0  0  0  0  0  1

    Members
    -------
    job : in, stream of GATHER_JOB
        What is gathered next.
    stop : in, 1
        Forget the job and all words; hold it until `idle`.
    idle : out, 1
        Every word of every job has passed.
    beyond : out, 1
        A row is not within the memory; it is not read, nor is what follows it, until `stop`.
    value : out, PLACE_BITS + RANGE_BITS
        The word after that row, and the row's range in the low bits.
    words : out, stream of WORD_BITS
        The words of all jobs in order.
    port : out, MemoryPort(exact_log2(words))
        The memory, which is only read.
    """

    def __init__(self, *, words: int, halves: bool):
        bits = exact_log2(words)
        super().__init__(
            {
                "job": In(stream.Signature(GATHER_JOB)),
                "stop": In(1),
                "idle": Out(1),
                "beyond": Out(1),
                "value": Out(PLACE_BITS + RANGE_BITS),
                "words": Out(stream.Signature(WORD_BITS)),
                "port": Out(MemoryPort(bits)),
            }
        )
        self.size = words
        self.halves = halves

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = exact_log2(self.size)
        m.submodules.reader = reader = BurstReader(address_bits=bits)
        connect(m, reader.port, flipped(self.port))
        job = Signal(GATHER_JOB)
        left = Signal(ROWS_BITS)  # rows to be asked for
        end = Signal(PLACE_BITS)
        units = self.size * (1 + self.halves)
        first = job.place >> int(self.halves)
        last = (end - 1) >> int(self.halves)
        m.d.comb += [
            self.job.ready.eq((left == 0) & ~self.stop),
            end.eq(job.place + job.run),
            self.value.eq(Cat(job.range, last + 1)),
            self.beyond.eq((left != 0) & (end > units)),
            reader.stop.eq(self.stop),
            reader.job.payload.address.eq(first),
            reader.job.payload.words.eq(last - first + 1),
        ]
        asks = (left != 0) & ~self.beyond
        if not self.halves:
            m.d.comb += reader.job.valid.eq(asks)
            connect(m, reader.words, flipped(self.words))
            m.d.comb += self.idle.eq((left == 0) & reader.idle)
        else:
            m.submodules.packer = packer = HalfPacker()
            m.submodules.rows = rows = Queue(PACKED_ROW, depth=_ROWS_AHEAD)
            connect(m, rows.output, packer.row)
            connect(m, reader.words, packer.input)
            connect(m, packer.output, flipped(self.words))
            m.d.comb += [
                reader.job.valid.eq(asks & rows.input.ready),
                rows.input.valid.eq(asks & reader.job.ready),
                rows.input.payload.upper.eq(job.place[0]),
                rows.input.payload.run.eq(job.run),
                rows.input.payload.last.eq(job.last & (left == 1)),
                packer.stop.eq(self.stop),
                self.idle.eq((left == 0) & reader.idle & packer.idle & ~rows.output.valid),
            ]
        with m.If(self.job.valid & self.job.ready):
            m.d.sync += [job.eq(self.job.payload), left.eq(self.job.payload.rows)]
        with m.Elif(self.stop):
            m.d.sync += left.eq(0)
        with m.Elif(reader.job.valid & reader.job.ready):
            m.d.sync += [left.eq(left - 1), job.place.eq(job.place + job.pitch)]
        return m


PACKED_ROW = data.StructLayout({"upper": 1, "run": RUN_BITS, "last": 1})
"""A row for the packer: whether it begins in the upper half of a word, its halves, and whether the
payload ends with it."""


class HalfPacker(Block):
    """Takes the halves of rows out of memory words and packs them without gaps.

    Latency: a word that completes a packed one passes it on in the same cycle. A row is taken when
    the one before has passed, and a payload's odd half leaves in a cycle of its own.

    Timing
    ------
    Three halves begin in the upper half of a word; the payload ends with them.

        cycle              0  1  2  3  4
        row.valid          1  0  0  0  0
        row.payload.upper  1  .  .  .  .
        row.payload.run    3  .  .  .  .
        row.payload.last   1  .  .  .  .
        row.ready          1  0  0  0  1
        input.valid        0  1  1  0  0
        input.ready        0  1  1  0  0
        output.valid       0  0  1  1  0
        output.ready       1  1  1  1  1
        idle               1  0  0  0  1

    Members
    -------
    row : in, stream of PACKED_ROW
        Rows in the order of their words; each has at least one half.
    input : in, stream of WORD_BITS
        The words in which each row lies.
    stop : in, 1
        Forget everything.
    idle : out, 1
        No half waits for another one, and no row has begun.
    output : out, stream of WORD_BITS
        Packed words; the upper half of the last one of a payload may be 0.
    """

    def __init__(self):
        word = stream.Signature(WORD_BITS)
        super().__init__(
            {
                "row": In(stream.Signature(PACKED_ROW)),
                "input": In(word),
                "stop": In(1),
                "idle": Out(1),
                "output": Out(word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left, upper, last = Signal(RUN_BITS), Signal(), Signal()
        held, half = Signal(), Signal(HALF_BITS)  # a half that waits for the next one
        low, high = self.input.payload[:HALF_BITS], self.input.payload[HALF_BITS:]
        first = Mux(upper, high, low)
        pair = ~upper & (left > 1)  # this word has two halves of the row
        gives = Signal()  # this word makes an output word
        moves = Signal()
        zero = Const(0, HALF_BITS)
        tail = held & (left == 0) & last  # the payload has ended, and left half a word
        m.d.comb += [
            gives.eq(held | pair),
            self.row.ready.eq((left == 0) & ~tail),
            self.input.ready.eq((left != 0) & (self.output.ready | ~gives)),
            moves.eq(self.input.valid & self.input.ready),
            self.output.valid.eq(tail | (self.input.valid & (left != 0) & gives)),
            self.output.payload.eq(
                Mux(tail, Cat(half, zero), Mux(held, Cat(half, first), self.input.payload))
            ),
            self.idle.eq((left == 0) & ~held),
        ]
        with m.If(moves):
            m.d.sync += [
                left.eq(left - Mux(pair, 2, 1)),
                upper.eq(0),
                held.eq(held == pair),
                half.eq(Mux(pair, high, first)),
            ]
        with m.Elif(tail & self.output.ready):
            m.d.sync += held.eq(0)
        with m.Elif(self.row.valid & self.row.ready):
            m.d.sync += [
                left.eq(self.row.payload.run),
                upper.eq(self.row.payload.upper),
                last.eq(self.row.payload.last),
            ]
        with m.If(self.stop):
            m.d.sync += [left.eq(0), held.eq(0), last.eq(0)]
        return m
