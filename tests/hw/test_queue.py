"""The FIFO in all its forms: order, levels and timing are those of a list."""

import random

import pytest
from amaranth.sim import Simulator

from hw.base.queue import Queue

CYCLES = 600


@pytest.mark.parametrize("registered", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 8])
def test_a_queue_is_a_list(depth, registered):
    dut = Queue(8, depth=depth, registered=registered)
    rng = random.Random(f"{depth} {registered}")
    seen = {"most": 0, "moved": 0}

    async def bench(ctx):
        held: list[int] = []
        for cycle in range(CYCLES):
            rate = (0.2, 0.5, 0.9, 1.0)[cycle * 4 // CYCLES]
            offers, wants = rng.random() < rate, rng.random() < (1.0 if rate == 0.2 else 0.7)
            item = rng.randrange(256)
            ctx.set(dut.input.valid, offers)
            ctx.set(dut.input.payload, item)
            ctx.set(dut.output.ready, wants)
            assert ctx.get(dut.output.valid) == bool(held)
            assert ctx.get(dut.input.ready) == (len(held) < depth)
            room = len(held) < depth
            if held and wants:
                assert ctx.get(dut.output.payload) == held.pop(0)
                seen["moved"] += 1
            if offers and room:
                held.append(item)
            seen["most"] = max(seen["most"], len(held))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen["most"] == depth and seen["moved"] > CYCLES // 5
