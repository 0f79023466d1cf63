"""Blocks without work stand still: what is enabled in vain costs energy, and no result shows it."""

from typing import Any

import pytest
from amaranth.sim import Simulator

from hw.arch.config import Config
from hw.post import processor
from hw.vector import vector

CYCLES = 40


def parts_of(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    """A list that gets every instance of a class that a module makes from now on."""
    made: list[Any] = []
    kind = getattr(module, name)

    def noted(*arguments: Any, **options: Any) -> Any:
        made.append(kind(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(module, name, noted)
    return made


def enabled(dut: Any, ready: Any, parts: list[Any]) -> int:
    """In how many cycles the parts' `en` is 1 while a block that may go on is asked for nothing."""
    count = 0

    async def bench(ctx):
        nonlocal count
        ctx.set(ready, 1)
        for _ in range(CYCLES):
            await ctx.tick()
            count += sum(ctx.get(part.en) for part in parts)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert parts
    return count


@pytest.mark.parametrize("data_width", [8, 16])
def test_lanes_of_an_idle_post_processor(monkeypatch, data_width):
    lanes = parts_of(monkeypatch, processor, "Requantiser")
    dut = processor.PostProcessor(Config.of({"array.data_width": data_width, "noc.filter": 4}))
    assert enabled(dut, dut.writes.ready, lanes) == 0


def test_tables_of_an_idle_vector_engine(monkeypatch):
    tables = parts_of(monkeypatch, vector, "AddTables")
    dut = vector.VectorEngine(Config())
    assert enabled(dut, dut.items.ready, tables) == 0
