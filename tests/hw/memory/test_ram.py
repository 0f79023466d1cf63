"""The memory on the chip: words, latencies, a beat a cycle."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from hw.memory.ram import RamAdapter
from tests.hw.memory.bursts import Client, simulate

WORDS = 64


@pytest.mark.parametrize("rate", [0.5, 1.0])
@pytest.mark.parametrize("latency", [2, 1, 8])
def test_what_is_read_was_written(latency: int, rate: float) -> None:
    dut = RamAdapter(words=WORDS, latency=latency)
    client = Client(dut.port, range(WORDS), random.Random(f"{latency} {rate}"), 40, rate)
    simulate(dut, [client])
    assert client.words_read > 150


@pytest.mark.parametrize("latency", [2, 1, 8, 64])
def test_beats_come_after_the_latency_and_then_every_cycle(latency: int) -> None:
    """Two bursts of five words are asked for at once, to write and to read."""
    dut = RamAdapter(words=WORDS, latency=latency)
    accepted: list[int] = []
    beats: dict[str, list[int]] = {"write": [], "read": []}
    simulated = 3 * latency + 20

    async def bench(ctx: Any) -> None:
        ctx.set(dut.port.request.payload.length, 4)
        ctx.set(dut.port.write.valid, 1)
        for cycle in range(simulated):
            ctx.set(dut.port.request.valid, len(accepted) < 2)
            ctx.set(dut.port.request.payload.write, not accepted)
            if len(accepted) < 2 and ctx.get(dut.port.request.ready):
                accepted.append(cycle)
            if ctx.get(dut.port.write.ready):
                beats["write"].append(cycle)
            if ctx.get(dut.port.read.valid):
                beats["read"].append(cycle)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    first = accepted[0] + latency
    assert accepted[0] == 0
    assert beats["write"] == list(range(first, first + 5))
    # The latency of the second burst runs during the first one.
    second = max(accepted[1] + latency, first + 6)
    assert accepted[1] == (6 if latency == 1 else latency)
    assert beats["read"] == list(range(second, second + 5))
