"""Result blocks go where they belong, whoever stalls, and a stop leaves the host in step."""

import random

import pytest
from amaranth.sim import Simulator

from hw.arch.commands import RESULT, ResultBlock, Status
from hw.replay.router import ResultRouter

PLACE = ("link", "address", "words")


def block(kind, words, *, status=Status.OK, tag=0):
    """A block's header and words."""
    fields = {"block": kind, "status": status, "tag": tag, "length": len(words)}
    return [*RESULT.pack(fields), *words]


class Bench:
    """A router between streams that stall at random."""

    def __init__(self, seed, *, replaying):
        self.dut = ResultRouter(address_bits=8)
        self.rng, self.replaying = random.Random(seed), replaying
        self.link, self.words, self.jobs = [], [], []
        self.passed = self.ended = self.cycles = 0

    async def step(self, ctx, results, places):
        """A cycle: words and places are offered while there are any, and leave their lists."""
        dut = self.dut
        self.cycles += 1
        assert self.cycles < 2000, "it hangs"

        def offer(port, items, fields):
            valid = bool(items) and (ctx.get(port.valid) or self.rng.random() < 0.7)
            ctx.set(port.valid, valid)
            if valid:
                ctx.set(port.payload, fields(items[0]))

        offer(dut.results, results, lambda word: word)
        offer(dut.scatter, places, lambda place: dict(zip(PLACE, place, strict=True)))
        for port in (dut.link, dut.words, dut.job):
            ctx.set(port.ready, self.rng.random() < 0.7)
        if ctx.get(dut.link.valid & dut.link.ready):
            self.link.append(ctx.get(dut.link.payload))
        if ctx.get(dut.words.valid & dut.words.ready):
            self.words.append(ctx.get(dut.words.payload))
        if ctx.get(dut.job.valid & dut.job.ready):
            self.jobs.append((ctx.get(dut.job.payload.address), ctx.get(dut.job.payload.words)))
        self.passed += ctx.get(dut.passed)
        self.ended += ctx.get(dut.ended)
        taken = ctx.get(dut.results.valid & dut.results.ready)
        placed = ctx.get(dut.scatter.valid & dut.scatter.ready)
        await ctx.tick()
        if taken:
            results.pop(0)
            ctx.set(dut.results.valid, 0)
        if placed:
            places.pop(0)
            ctx.set(dut.scatter.valid, 0)

    def run(self, testbench):
        async def started(ctx):
            ctx.set(self.dut.replaying, self.replaying)
            await testbench(ctx)

        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(started)
        simulator.run()


def random_blocks(rng, count):
    """Blocks, and of each whether it is a data block for the memory."""
    made = []
    for number in range(count):
        kind = rng.choice((ResultBlock.DATA, ResultBlock.DATA, ResultBlock.COUNTERS))
        words = [rng.getrandbits(60) for _ in range(rng.choice((1, 2, 5)))]
        made.append((kind, words, kind is ResultBlock.DATA and rng.random() < 0.5, number))
    return made


def test_blocks_of_a_replay_go_to_memory_or_link():
    made = random_blocks(random.Random(1), 40)
    bench = Bench(2, replaying=1)
    results = [word for kind, words, _, tag in made for word in block(kind, words, tag=tag)]
    results += block(ResultBlock.STATUS, [9], tag=0xABCD)
    data = [(words, stays, at) for kind, words, stays, at in made if kind is ResultBlock.DATA]
    places = [(not stays, at, len(words)) for words, stays, at in data]

    async def testbench(ctx):
        while results:
            await bench.step(ctx, results, places)
        assert ctx.get(bench.dut.tag) == 0xABCD and not ctx.get(bench.dut.failed)
        assert ctx.get(bench.dut.idle)

    bench.run(testbench)
    leaving = [block(kind, words, tag=tag) for kind, words, stays, tag in made if not stays]
    assert bench.link == [word for words in leaving for word in words]
    assert bench.words == [word for words, stays, _ in data if stays for word in words]
    assert bench.jobs == [(at, len(words)) for words, stays, at in data if stays]
    assert (bench.passed, bench.ended, places) == (len(made), 1, [])


def test_without_a_replay_every_block_leaves():
    made = random_blocks(random.Random(3), 10)
    bench = Bench(4, replaying=0)
    results = [word for kind, words, _, tag in made for word in block(kind, words, tag=tag)]
    results += block(ResultBlock.STATUS, [3], status=Status.BAD_FIELD)
    wanted = list(results)

    async def testbench(ctx):
        while results:
            await bench.step(ctx, results, [])
        assert not ctx.get(bench.dut.failed)

    bench.run(testbench)
    assert (bench.link, bench.words, bench.ended) == (wanted, [], 1)
    assert bench.passed == len(made)


@pytest.mark.parametrize(
    ("blocks", "place", "status", "value", "tag"),
    [
        (
            block(ResultBlock.STATUS, [42], status=Status.BAD_FIELD, tag=6),
            None,
            Status.BAD_FIELD,
            42,
            6,
        ),
        (block(ResultBlock.STATUS, [43], status=0x80, tag=7), None, 0x80, 43, 7),
        (block(ResultBlock.DATA, [1, 2], tag=8), (0, 5, 3), Status.BAD_BLOCK, 2, 8),
        (block(ResultBlock.DATA, [1, 2], tag=9), (1, 0, 1), Status.BAD_BLOCK, 2, 9),
    ],
)
def test_a_failure_is_held_until_the_stop(blocks, place, status, value, tag):
    bench = Bench(5, replaying=1)

    async def testbench(ctx):
        dut, results, places = bench.dut, list(blocks), [place] if place else []
        for _ in range(30):
            await bench.step(ctx, results, places)
        for _ in range(2):
            assert ctx.get(dut.failed) and ctx.get(dut.idle)
            failure = ctx.get(dut.failure.status), ctx.get(dut.failure.value)
            assert (*failure, ctx.get(dut.tag)) == (status, value, tag)
            await bench.step(ctx, results, places)
        ctx.set(dut.stop, 1)
        for _ in range(20):
            await bench.step(ctx, results, places)
        assert not ctx.get(dut.failed) and ctx.get(dut.idle)
        assert not results and not places

    bench.run(testbench)
    assert (bench.link, bench.words, bench.ended) == ([], [], 0)


@pytest.mark.parametrize("came", range(1, 5))
def test_a_block_that_is_leaving_is_filled_up_with_zeros(came):
    bench, whole = Bench(6, replaying=1), block(ResultBlock.COUNTERS, [11, 12, 13, 14])

    async def testbench(ctx):
        results = whole[:came]
        while results:
            await bench.step(ctx, results, [])
        ctx.set(bench.dut.stop, 1)
        while not ctx.get(bench.dut.idle):
            await bench.step(ctx, [], [])
        ctx.set(bench.dut.stop, 0)
        results = block(ResultBlock.COUNTERS, [21])
        while results:
            await bench.step(ctx, results, [])

    bench.run(testbench)
    filled = whole[:came] + [0] * (len(whole) - came)
    assert bench.link == filled + block(ResultBlock.COUNTERS, [21])


def test_a_block_that_stays_is_given_up_at_a_stop():
    bench = Bench(7, replaying=1)

    async def testbench(ctx):
        results, places = block(ResultBlock.DATA, [1, 2, 3])[:3], [(0, 8, 3)]
        while results:
            await bench.step(ctx, results, places)
        ctx.set(bench.dut.stop, 1)
        await bench.step(ctx, [], [])
        assert ctx.get(bench.dut.idle)

    bench.run(testbench)
    assert (bench.words, bench.link, bench.jobs) == ([1, 2], [], [(8, 3)])
