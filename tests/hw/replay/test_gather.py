"""Rows of the memory become packed words: whole words and halves, odd ends, rows beyond the end."""

import random

import pytest
from amaranth.sim import Simulator

from hw.replay.gather import Gatherer

WORDS = 64
RANGE = 5


def content(seed):
    """The words of the memory."""
    rng = random.Random(seed)
    return [rng.getrandbits(64) for _ in range(WORDS)]


def gathered(words, jobs, halves):
    """What the jobs yield."""
    split = [half for word in words for half in (word & 0xFFFFFFFF, word >> 32)]
    units = split if halves else words
    payload = []
    for job in jobs:
        for row in range(job["rows"]):
            first = job["place"] + row * job["pitch"]
            payload += units[first : first + job["run"]]
        if halves and job["last"]:
            payload += [0] * (len(payload) % 2)
    if not halves:
        return payload
    return [low | high << 32 for low, high in zip(payload[::2], payload[1::2], strict=True)]


def random_jobs(rng, count, halves):
    """Jobs within the memory; the last one ends a payload."""
    jobs = []
    for number in range(count):
        run, rows = rng.choice((1, 2, 3, 5, 30)), rng.choice((1, 1, 2, 3))
        spare = WORDS * (1 + halves) - run
        place = rng.randrange(spare + 1)
        pitch = rng.randrange((spare - place) // (rows - 1) + 1) if rows > 1 else rng.randrange(9)
        last = number == count - 1 or rng.random() < 0.4
        jobs.append(
            {"place": place, "run": run, "rows": rows, "pitch": pitch, "last": last, "range": RANGE}
        )
    return jobs


class Bench:
    """A gatherer whose memory answers when it likes, and whoever takes its words likewise."""

    def __init__(self, halves, seed):
        self.dut = Gatherer(words=WORDS, halves=halves)
        self.rng, self.memory = random.Random(seed), content(seed)
        self.found = []
        self.owed = []  # words of bursts that have been asked for

    async def step(self, ctx, job=None, *, pace=0.7):
        """A cycle in which a job is offered or none; whether it was taken."""
        dut, port = self.dut, self.dut.port
        if job is not None:
            ctx.set(dut.job.payload, job)
        ctx.set(dut.job.valid, job is not None)
        ctx.set(dut.words.ready, self.rng.random() < pace)
        ctx.set(port.request.ready, self.rng.random() < pace)
        gives = bool(self.owed) and self.rng.random() < pace
        ctx.set(port.read.valid, gives)
        if gives:
            ctx.set(port.read.payload, self.owed.pop(0))
        taken = job is not None and ctx.get(dut.job.ready)
        if ctx.get(dut.words.valid & dut.words.ready):
            self.found.append(ctx.get(dut.words.payload))
        if ctx.get(port.request.valid & port.request.ready):
            first = ctx.get(port.request.payload.address)
            beats = ctx.get(port.request.payload.length) + 1
            assert first + beats <= WORDS and not ctx.get(port.request.payload.write)
            self.owed += self.memory[first : first + beats]
        await ctx.tick()
        return bool(taken)

    async def take(self, ctx, jobs):
        """Offer jobs until all are taken and nothing is left."""
        waiting, cycles = list(jobs), 0
        while waiting or not ctx.get(self.dut.idle):
            cycles += 1
            assert cycles < 4000, "it hangs"
            if await self.step(ctx, waiting[0] if waiting else None):
                waiting.pop(0)

    def run(self, testbench):
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(testbench)
        simulator.run()


@pytest.mark.parametrize(("halves", "seed"), [(False, 1), (True, 2), (True, 3)])
def test_random_rows_are_packed_without_gaps(halves, seed):
    jobs = random_jobs(random.Random(seed), 40, halves)
    bench = Bench(halves, seed)
    wanted = gathered(bench.memory, jobs, halves)
    assert not halves or any(word >> 32 == 0 for word in wanted), "no payload has an odd end"

    async def testbench(ctx):
        await bench.take(ctx, jobs)

    bench.run(testbench)
    assert bench.found == wanted


@pytest.mark.parametrize("halves", [False, True])
def test_a_row_up_to_the_end_is_read_and_one_beyond_is_told(halves):
    """Nothing of the row is read, and after a stop the next job is as the first one."""
    bench, units = Bench(halves, 4), 1 + halves
    job = {"run": 3 * units, "rows": 1, "pitch": 0, "last": 1, "range": RANGE}
    last = {**job, "place": (WORDS - 3) * units}
    beyond = {**job, "place": (WORDS - 3) * units + 1}
    wanted = gathered(bench.memory, [last], halves)

    async def testbench(ctx):
        await bench.take(ctx, [last])
        assert not ctx.get(bench.dut.beyond)
        while not await bench.step(ctx, beyond):
            pass
        for _ in range(20):
            await bench.step(ctx)
        assert ctx.get(bench.dut.beyond) and not bench.owed
        assert ctx.get(bench.dut.value) == (WORDS + 1) << 8 | RANGE
        ctx.set(bench.dut.stop, 1)
        await bench.step(ctx)
        assert ctx.get(bench.dut.idle) and not ctx.get(bench.dut.beyond)
        ctx.set(bench.dut.stop, 0)
        await bench.take(ctx, [last])

    bench.run(testbench)
    assert bench.found == 2 * wanted


@pytest.mark.parametrize("halves", [False, True])
def test_a_stop_forgets_rows_and_words_at_any_time(halves):
    jobs = random_jobs(random.Random(5), 12, halves)
    bench = Bench(halves, 6)
    wanted = gathered(bench.memory, jobs, halves)

    async def testbench(ctx):
        for cycles in (1, 2, 3, 5, 9, 17, 40):
            waiting = list(jobs)
            for _ in range(cycles):
                if await bench.step(ctx, waiting[0] if waiting else None):
                    waiting.pop(0)
            ctx.set(bench.dut.stop, 1)
            bench.found.clear()
            for _ in range(400):
                await bench.step(ctx)
            assert ctx.get(bench.dut.idle) and not bench.owed and not bench.found
            ctx.set(bench.dut.stop, 0)
        await bench.take(ctx, jobs)

    bench.run(testbench)
    assert bench.found == wanted
