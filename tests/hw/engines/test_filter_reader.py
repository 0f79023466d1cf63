"""The filter reader asks for the words that the functional model reads, one a cycle."""

import random
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.arch.config import Config
from hw.arch.program.layout import cell_filters
from hw.engines.filter_reader import FilterReader
from sim.functional.filters import unit_offsets, unit_places
from sim.functional.patterns import Columns, Rows

PASSES = 8


def _pass(config: Config, rng: random.Random, cells: bool) -> tuple[dict[str, int], Rows, Columns]:
    """Constants and patterns of a pass."""
    channels, taps, each = rng.randint(1, 3), rng.randint(1, 2), cell_filters(config)
    psums = each * rng.randint(1, 3)
    values = channels * taps * psums if cells else rng.randint(1, 40)
    constants = {
        "filter_beats": -(-values // config.noc.filter),
        "cells": int(cells),
        "psums": psums,
        "channels": channels,
        "taps": channels * taps,
        "tap_stride": rng.randint(1, 60),
        "group_stride": rng.randint(1, 900),
        "unit_jump": rng.randrange(1024),
    }
    nothing: dict[str, Any] = {"rows": {}, "slots": {}, "segments": {}, "tails": np.zeros(0, int)}
    turn = rng.randint(0, 3)
    rows = Rows(
        filters=rng.randint(1, 4),
        first_unit=rng.randrange(100),
        turn=turn,
        period=rng.randint(0, 2) if turn else 0,
        **nothing,
    )
    return constants, rows, Columns(groups=rng.randint(1, 3), first_group=7, count=1, columns={})


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("noc", [2, 8])
@pytest.mark.parametrize("cells", [False, True])
def test_a_pass_reads_its_units_without_a_gap(width: int, noc: int, cells: bool) -> None:
    config = Config.of({"buffer.filters": True, "buffer.width": width, "noc.filter": noc})
    dut, rng = FilterReader(config), random.Random(f"{width} {noc} {cells}")
    reach = (1 << len(dut.walk.first)) - 1
    asked: list[int] = []

    async def bench(ctx: Any) -> None:
        for number in range(PASSES):
            constants, rows, columns = _pass(config, rng, cells)
            first = unit_places(config, constants, {"weights": 40}, rows, columns)
            wanted = (first[..., None] + unit_offsets(config, constants)).reshape(-1) & reach
            units, beats = first.size, constants["filter_beats"]
            for name, value in {
                "first": 40 + rows.first_unit + columns.first_group,
                "stride": constants["group_stride"],
                "jump": constants["unit_jump"],
                "turn": rows.turn,
                "period": rows.period,
                "cells": cells,
                "across": constants["psums"] // cell_filters(config),
                "channels": constants["channels"],
                "apart": constants["tap_stride"],
            }.items():
                ctx.set(dut.walk[name], value)
            ctx.set(dut.extent.filters, rows.filters)
            ctx.set(dut.extent.groups, columns.groups)
            ctx.set(dut.extent.beats, beats)
            ctx.set(dut.seek, 1)
            await ctx.tick()
            ctx.set(dut.seek, 0)
            asked.clear()
            # The engine takes beats, and a word of the link with its last or the unit's.
            taken, per_word, patience = 0, 64 // (8 * noc), 0
            while taken < units * beats:
                ready = number % 2 == 0 or rng.random() < 0.6
                grant = number % 2 == 0 or rng.random() < 0.6
                last = taken % beats == beats - 1
                ends = last or taken % beats % per_word == per_word - 1
                valid = ctx.get(dut.words.valid) and ready
                ctx.set(dut.words.ready, int(valid and ends))
                ctx.set(dut.last, int(last))
                ctx.set(dut.port.request.ready, int(grant))
                if grant and ctx.get(dut.port.request.valid):
                    asked.append(ctx.get(dut.port.request.payload))
                taken += bool(valid)
                patience += 1
                await ctx.tick()
            assert [address & reach for address in asked] == wanted.tolist(), number
            if number % 2 == 0:
                assert patience <= units * beats + 3

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
