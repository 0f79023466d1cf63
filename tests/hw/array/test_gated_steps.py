# amaranth: UnusedElaboratable=no
"""A step whose activation stands for zero leaves the psum scratchpad of its PE alone."""

import pytest
from amaranth.sim import Simulator

from hw.arch.config import Config
from hw.pe.dense import DensePE

STEPS, TAPS = 2, 5
CYCLES = 60


def accesses(config: Config, ifmap: list[int]) -> list[tuple[int, int]]:
    """A window of `TAPS` words with `STEPS` filters: (cycle, address) where the scratchpad's
    address changes, then (cycle, -1) where it is written."""
    pe = DensePE(config)
    module = pe.elaborate(None)
    spad = module.submodules.psum_spad
    read, write = spad.read_ports[0], spad.write_ports[0]
    found: list[tuple[int, int]] = []

    async def run(ctx):
        fields = {"active": 1, "head": 1, "zero": 1, "tail": 1, "release": 1, "windows": 1}
        fields |= {"step_end": STEPS - 2, "slot_end": STEPS - 2, "last_tap": TAPS - 2}
        fields |= {"last_free": TAPS - 1, "single": 1}
        ctx.set(pe.config, fields)
        ctx.set(pe.config_pass, 1)
        ctx.set(pe.output.ready, 1)
        weights, words = [3] * (STEPS * TAPS), list(ifmap)
        before = None
        for cycle in range(CYCLES):
            ctx.set(pe.filters.valid, bool(weights))
            last = int(len(weights) == 1)
            ctx.set(pe.filters.payload, {"words": weights[:1], "last": last})
            ctx.set(pe.ifmap.valid, bool(words))
            ctx.set(pe.ifmap.payload.words[0], words[0] if words else 0)
            if ctx.get(pe.filters.ready) and weights:
                weights.pop(0)
            if ctx.get(pe.ifmap.ready) and words:
                words.pop(0)
            address = ctx.get(read.addr)
            assert address == ctx.get(write.addr)
            if before is not None and address != before:
                found.append((cycle, address))
            if ctx.get(write.en):
                found.append((cycle, -1))
            before = address
            await ctx.tick()
        assert not weights and not words

    simulator = Simulator(module)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    return found


WIDTHS = {
    "8 bits": {"noc.filter": 1},
    "16 bits": {"noc.filter": 1, "array.data_width": 16},
    "pipeline": {"noc.filter": 1, "control.pipeline": 1},
}


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize(
    ("ifmap", "moves", "writes"),
    [
        # Two slots in turn: the address moves with every step, and all but the last round write.
        ([1, 1, 1, 1, 1], 2 * TAPS, 2 * TAPS - 2),
        # The first round defines the slots, the last one reads them; nothing between them moves.
        ([0, 0, 0, 0, 0], 4, 2),
        ([5, 0, 7, 0, 9], 6, 4),
    ],
)
def test_only_steps_that_need_a_psum_move_the_address(name, ifmap, moves, writes):
    found = accesses(Config.of({"noc.ifmap": 1, **WIDTHS[name]}), ifmap)
    assert sum(address < 0 for _, address in found) == writes
    # The first slot's number is where the register begins.
    assert sum(address >= 0 for _, address in found) == moves - 1


def test_without_gating_every_step_does():
    config = Config.of({"noc.ifmap": 1, "noc.filter": 1, "pe.zero_gating": False})
    assert accesses(config, [0] * TAPS) == accesses(config, [1] * TAPS)
