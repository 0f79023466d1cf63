"""Runs of consecutive memory words as streams: one block reads them, one writes them."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.base.block import Block
from hw.base.deep_queue import DeepQueue
from hw.base.queue import Queue
from hw.memory.port import MOST_BEATS, WORD_BITS, MemoryPort

COUNT_BITS = 32


def run_of_words(address_bits: int) -> data.StructLayout:
    """Consecutive words: the first one's address, and how many there are, which may be 0."""
    return data.StructLayout({"address": address_bits, "words": COUNT_BITS})


class BurstReader(Block):
    """Reads runs of words by bursts, as far ahead as its queue has room.

    Latency: a request two cycles after its job, and a word three cycles after it came.

    Timing
    ------
    Three words are read with a queue of two: the second burst waits until a place is free.

        cycle                         0  1  2  3  4  5  6  7  8  9 10 11
        job.valid                     1  0  0  0  0  0  0  0  0  0  0  0
        job.payload.address           4  .  .  .  .  .  .  .  .  .  .  .
        job.payload.words             3  .  .  .  .  .  .  .  .  .  .  .
        job.ready                     1  0  0  0  0  0  0  0  0  1  1  1
        port.request.valid            0  0  1  0  0  0  0  0  1  0  0  0
        port.request.payload.address  .  .  4  .  .  .  .  .  6  .  .  .
        port.request.payload.length   .  .  1  .  .  .  .  .  0  .  .  .
        port.request.ready            1  1  1  1  1  1  1  1  1  1  1  1
        port.read.valid               0  0  0  1  1  0  0  0  1  0  0  0
        port.read.payload             .  .  .  7  8  .  .  .  9  .  .  .
        words.valid                   0  0  0  0  0  0  1  1  0  0  0  1
        words.payload                 .  .  .  .  .  .  7  8  .  .  .  9
        words.ready                   0  0  0  0  0  1  1  1  1  1  1  1
        idle                          1  0  0  0  0  0  0  0  0  0  0  0

    Members
    -------
    job : in, stream of run_of_words(address_bits)
        What is read next; the words are within the memory.
    stop : in, 1
        Forget the job and all words; hold it until `idle`.
    idle : out, 1
        No job is left, and no word is on its way.
    words : out, stream of WORD_BITS
        The words of all jobs in order.
    port : out, MemoryPort(address_bits)
        The memory, which is only read.
    """

    def __init__(self, *, address_bits: int, depth: int = 2 * MOST_BEATS):
        super().__init__(
            {
                "job": In(stream.Signature(run_of_words(address_bits))),
                "stop": In(1),
                "idle": Out(1),
                "words": Out(stream.Signature(WORD_BITS)),
                "port": Out(MemoryPort(address_bits)),
            }
        )
        self.address_bits = address_bits
        self.depth = depth

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = DeepQueue(width=WORD_BITS, depth=self.depth)
        burst = min(MOST_BEATS, self.depth)
        address, left = Signal(self.address_bits), Signal(COUNT_BITS)
        room = Signal(range(self.depth + 1), init=self.depth)  # places that no burst is promised
        beats = Signal(range(burst + 1))
        asking, pop = Signal(), Signal()
        request = self.port.request
        ask = ~asking & (left != 0) & (room >= beats) & ~self.stop
        m.d.comb += [
            beats.eq(Mux(left < burst, left, burst)),
            self.job.ready.eq((left == 0) & ~self.stop),
            request.valid.eq(asking),
            request.payload.address.eq(address),
            request.payload.length.eq(beats - 1),
            self.port.read.ready.eq(1),
            queue.input.valid.eq(self.port.read.valid),
            queue.input.payload.eq(self.port.read.payload),
            self.words.payload.eq(queue.output.payload),
            self.words.valid.eq(queue.output.valid & ~self.stop),
            queue.output.ready.eq(self.words.ready | self.stop),
            pop.eq(queue.output.valid & queue.output.ready),
            self.idle.eq(~asking & (left == 0) & (room == self.depth)),
        ]
        m.d.sync += room.eq(room - Mux(ask, beats, 0) + pop)
        with m.If(ask):
            m.d.sync += asking.eq(1)
        with m.If(asking & request.ready):
            m.d.sync += [asking.eq(0), address.eq(address + beats), left.eq(left - beats)]
        with m.Elif(self.stop & ~asking):
            m.d.sync += left.eq(0)
        with m.If(self.job.valid & self.job.ready):
            m.d.sync += [address.eq(self.job.payload.address), left.eq(self.job.payload.words)]
        return m


class BurstWriter(Block):
    """Writes runs of words by bursts; it asks for one when it has all of its words.

    Timing
    ------
    Three words are written with a queue of two.

        cycle                         0  1  2  3  4  5  6  7  8  9 10
        job.valid                     1  0  0  0  0  0  0  0  0  0  0
        job.payload.address           4  .  .  .  .  .  .  .  .  .  .
        job.payload.words             3  .  .  .  .  .  .  .  .  .  .
        words.valid                   1  1  1  0  0  0  0  0  0  0  0
        words.payload                 7  8  9  .  .  .  .  .  .  .  .
        words.ready                   1  1  1  .  .  .  .  .  .  .  .
        port.request.valid            0  0  0  1  0  0  0  0  0  1  0
        port.request.payload.address  .  .  .  4  .  .  .  .  .  6  .
        port.request.payload.length   .  .  .  1  .  .  .  .  .  0  .
        port.request.ready            1  1  1  1  1  1  1  1  1  1  1
        port.write.valid              0  0  0  1  1  1  1  1  0  1  0
        port.write.payload            .  .  .  7  7  7  7  8  .  9  .
        port.write.ready              0  0  0  0  0  0  1  1  1  1  1
        wrote                         0  0  0  0  0  0  1  1  0  1  0
        idle                          1  0  0  0  0  0  0  0  0  0  1

    Members
    -------
    job : in, stream of run_of_words(address_bits)
        Where the next words go; all of them are within the memory.
    words : in, stream of WORD_BITS
        The words of all jobs in order; they may come before their job does.
    stop : in, 1
        Forget the jobs and all words that no burst was asked for; hold it until `idle`.
    idle : out, 1
        No job is left, and no word is on its way.
    wrote : out, 1
        The memory takes a word.
    port : out, MemoryPort(address_bits)
        The memory, which is only written.
    """

    def __init__(self, *, address_bits: int, depth: int = 2 * MOST_BEATS):
        super().__init__(
            {
                "job": In(stream.Signature(run_of_words(address_bits))),
                "words": In(stream.Signature(WORD_BITS)),
                "stop": In(1),
                "idle": Out(1),
                "wrote": Out(1),
                "port": Out(MemoryPort(address_bits)),
            }
        )
        self.address_bits = address_bits
        self.depth = depth

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = DeepQueue(width=WORD_BITS, depth=self.depth)
        m.submodules.jobs = jobs = Queue(run_of_words(self.address_bits), depth=2)
        burst = min(MOST_BEATS, self.depth)
        address, left = Signal(self.address_bits), Signal(COUNT_BITS)
        held = Signal(range(self.depth + DeepQueue.AHEAD + 2))  # words that no burst is asked for
        owed = Signal(range(burst + 1))  # words of the burst that the memory has not taken
        beats = Signal(range(burst + 1))
        asking, put, drop = Signal(), Signal(), Signal()
        request, job = self.port.request, jobs.output
        quiet = ~asking & (owed == 0)
        ask = quiet & (left != 0) & (held >= beats) & ~self.stop
        m.d.comb += [
            beats.eq(Mux(left < burst, left, burst)),
            jobs.input.payload.eq(self.job.payload),
            jobs.input.valid.eq(self.job.valid & ~self.stop),
            self.job.ready.eq(jobs.input.ready & ~self.stop),
            job.ready.eq((left == 0) | self.stop),
            request.valid.eq(asking),
            request.payload.address.eq(address),
            request.payload.length.eq(beats - 1),
            request.payload.write.eq(1),
            queue.input.payload.eq(self.words.payload),
            queue.input.valid.eq(self.words.valid & ~self.stop),
            self.words.ready.eq(queue.input.ready & ~self.stop),
            put.eq(queue.input.valid & queue.input.ready),
            drop.eq(self.stop & quiet & queue.output.valid),
            self.port.write.payload.eq(queue.output.payload),
            self.port.write.valid.eq((owed != 0) & queue.output.valid),
            self.wrote.eq(self.port.write.valid & self.port.write.ready),
            queue.output.ready.eq(drop | self.wrote),
            self.idle.eq(quiet & (left == 0) & ~job.valid & (held == 0)),
        ]
        m.d.sync += [
            held.eq(held + put - drop - Mux(ask, beats, 0)),
            owed.eq(owed - self.wrote + Mux(ask, beats, 0)),
        ]
        with m.If(ask):
            m.d.sync += asking.eq(1)
        with m.If(asking & request.ready):
            m.d.sync += [asking.eq(0), address.eq(address + beats), left.eq(left - beats)]
        with m.Elif(self.stop & ~asking):
            m.d.sync += left.eq(0)
        with m.If(job.valid & job.ready):
            m.d.sync += [
                address.eq(job.payload.address),
                left.eq(Mux(self.stop, 0, job.payload.words)),
            ]
        return m
