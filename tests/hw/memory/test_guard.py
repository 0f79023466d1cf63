"""A memory goes on when its client is reset in the middle of bursts."""

import random

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from hw.memory.arbiter import MemoryArbiter
from hw.memory.guard import MemoryGuard
from hw.memory.ram import RamAdapter
from hw.replay.bursts import BurstReader, BurstWriter

BITS, WORDS, FIRST, LIMIT = 7, 60, 100, 500


def read_after_reset(seed, *, guarded=True):
    """A client that reads or writes is reset at random; what it then reads from `FIRST` on."""
    rng = random.Random(seed)
    m, restart = Module(), Signal()
    inner = Module()
    inner.submodules.reader = reader = BurstReader(address_bits=BITS)
    inner.submodules.writer = writer = BurstWriter(address_bits=BITS)
    inner.submodules.arbiter = arbiter = MemoryArbiter(clients=2, address_bits=BITS)
    m.submodules.inner = ResetInserter(restart)(inner)
    m.submodules.guard = guard = MemoryGuard(address_bits=BITS)
    m.submodules.ram = ram = RamAdapter(
        words=1 << BITS, latency=rng.choice((1, 3, 9)), pace=rng.choice((1, 3))
    )
    for port, client in zip(arbiter.clients, (reader, writer), strict=True):
        connect(m, client.port, port)
    connect(m, arbiter.port, guard.port)
    connect(m, guard.memory, ram.port)
    m.d.comb += guard.restart.eq(restart & guarded)
    found, kinds = [], rng.sample((reader, writer), 2)

    async def begin(ctx, client, address, words):
        ctx.set(client.job.payload, {"address": address, "words": words})
        ctx.set(client.job.valid, 1)
        for _ in range(LIMIT):
            if ctx.get(client.job.ready):
                break
            await ctx.tick()
        await ctx.tick()
        ctx.set(client.job.valid, 0)

    async def words(ctx):
        """Words to be written are their number."""
        number = 0
        ctx.set(writer.words.valid, 1)
        while True:
            ctx.set(writer.words.payload, number)
            _, _, ready, again = await ctx.tick().sample(writer.words.ready, restart)
            number = 0 if again else number + ready

    async def bench(ctx):
        await begin(ctx, writer, 0, 1 << BITS)
        await ctx.tick().repeat(5 * (1 << BITS) + 100)
        ctx.set(reader.words.ready, 1)
        for client in kinds[: rng.randrange(1, 3)]:
            await begin(ctx, client, 0, WORDS)
        await ctx.tick().repeat(rng.randrange(1, 60))
        ctx.set(restart, 1)
        await ctx.tick().repeat(rng.randrange(1, 5))
        ctx.set(restart, 0)
        await begin(ctx, reader, FIRST, 3)
        for _ in range(LIMIT):
            if ctx.get(reader.words.valid):
                found.append(ctx.get(reader.words.payload))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(words, background=True)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("seed", range(6))
def test_after_a_reset_a_client_gets_the_words_that_it_asks_for(seed):
    assert read_after_reset(seed) == [FIRST, FIRST + 1, FIRST + 2]


def test_without_the_guard_words_of_the_old_bursts_come():
    wanted = [FIRST, FIRST + 1, FIRST + 2]
    assert any(read_after_reset(seed, guarded=False) != wanted for seed in range(6))
