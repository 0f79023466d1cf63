"""Who has the write port, and who waits for how long."""

from typing import Any

import pytest
from amaranth.sim import Simulator

from hw.glb.arbiter import WriteArbiter


@pytest.mark.parametrize(
    ("patient", "turns"), [(0, [0, 1, 0, 1, 0, 1, 0, 1, 1, 1]), (1, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1])]
)
def test_only_a_patient_second_waits_for_all_of_the_first(patient: int, turns: list[int]) -> None:
    dut = WriteArbiter(8)
    seen = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.port.ready, 1)
        ctx.set(dut.patient, patient)
        for cycle in range(len(turns)):
            ctx.set(dut.first.valid, cycle < 8)
            ctx.set(dut.first.payload, 1)
            ctx.set(dut.second.valid, 1)
            ctx.set(dut.second.payload, 2)
            assert ctx.get(dut.port.payload) == 1 + ctx.get(dut.second.ready)
            fires = ctx.get(dut.first.valid) and ctx.get(dut.first.ready)
            assert fires + ctx.get(dut.second.ready) == 1
            seen.append(ctx.get(dut.second.ready))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == turns
