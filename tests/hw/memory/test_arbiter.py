"""Clients on one memory: each gets its own words, in order, and waits for a bounded time."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from hw.memory.arbiter import MemoryArbiter
from hw.memory.ram import RamAdapter
from tests.hw.memory.bursts import Client, StallingMemory, simulate

ADDRESS_BITS = 8
EACH = 32  # words of a client


def clients_of(arbiter: MemoryArbiter, seed: str, bursts: int, rate: float) -> list[Client]:
    """A client on each port, in an area of its own."""
    return [
        Client(
            port,
            range(number * EACH, (number + 1) * EACH),
            random.Random(f"{seed} {number}"),
            bursts,
            rate,
        )
        for number, port in enumerate(arbiter.clients)
    ]


@pytest.mark.parametrize("count", [3, 1, 5])
@pytest.mark.parametrize(("rate", "memory_rate"), [(1.0, 0.7), (0.4, 1.0), (0.3, 0.3)])
def test_everybody_gets_its_own_words(count: int, rate: float, memory_rate: float) -> None:
    seed = f"{count} {rate} {memory_rate}"
    dut = MemoryArbiter(clients=count, address_bits=ADDRESS_BITS, outstanding=2)
    memory = StallingMemory(dut.port, random.Random(seed), memory_rate)
    clients = clients_of(dut, seed, 16, rate)
    simulate(dut, clients, memory)
    assert memory.served == 16 * count
    assert sum(client.words_read for client in clients) > 50 * count


def test_a_client_waits_for_one_burst_of_each_other() -> None:
    """All ask without a pause: nobody's wait sees two bursts of one other client."""
    m = Module()
    m.submodules.dut = dut = MemoryArbiter(clients=4, address_bits=ADDRESS_BITS)
    m.submodules.memory = memory = RamAdapter(words=1 << ADDRESS_BITS)
    connect(m, dut.port, memory.port)
    clients = clients_of(dut, "turns", 15, 1.0)
    simulate(m, clients)
    for client in clients:
        assert len(client.accepted) == 15
        for asked, accepted in zip(client.asked, client.accepted, strict=True):
            for other in clients:
                between = [cycle for cycle in other.accepted if asked <= cycle < accepted]
                assert other is client or len(between) <= 1


def test_requests_are_chosen_during_the_burst_before() -> None:
    """A memory that takes a beat a cycle is never idle between long bursts of two readers."""
    m = Module()
    m.submodules.dut = dut = MemoryArbiter(clients=2, address_bits=ADDRESS_BITS)
    m.submodules.memory = memory = RamAdapter(words=1 << ADDRESS_BITS)
    connect(m, dut.port, memory.port)
    beats: list[int] = []

    async def bench(ctx: Any) -> None:
        for client in dut.clients:
            ctx.set(client.request.valid, 1)
            ctx.set(client.request.payload.length, 7)
        for _ in range(100):
            beats.append(ctx.get(dut.port.read.valid))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert beats == [0, 0] + [1] * 98
