"""The encoder of significance masks makes the code of its words."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.arch.config import Config
from hw.arch.program.coding import MASK_WORDS, mask_code
from hw.control.codes.masker import Masker

ZERO = 5


def plain(rng, count, width, zeros):
    values = rng.integers(0, 1 << width, count * 64 // width).astype(f"<u{width // 8}")
    values[rng.random(values.size) < zeros] = ZERO
    return values.view("<u8").astype(np.uint64)


def run(width, boxes, *, stalls=0.0):
    """(code, cycles) of each box, one after another on one block."""
    dut = Masker(Config.of({"array.data_width": width, "noc.filter": 4, "link.coding": "mask"}))
    rng = random.Random(f"{width} {stalls}")
    results = []

    async def bench(ctx):
        for box in boxes:
            ctx.set(dut.start, 1)
            ctx.set(dut.zero, ZERO)
            await ctx.tick()
            ctx.set(dut.start, 0)
            code, sent, cycles, offered = [], 0, 0, False
            while ctx.get(dut.busy):
                offers = sent < len(box) and (offered or rng.random() >= stalls)
                ctx.set(dut.words.valid, offers)
                ctx.set(dut.words.payload.data, int(box[min(sent, len(box) - 1)]))
                ctx.set(dut.words.payload.used, (1 << 64 // width) - 1)
                ctx.set(dut.words.payload.last, sent == len(box) - 1)
                ctx.set(dut.code.ready, rng.random() >= stalls)
                if ctx.get(dut.code.valid & dut.code.ready):
                    code.append(ctx.get(dut.code.payload))
                taken = ctx.get(dut.words.valid & dut.words.ready)
                offered = offers and not taken
                sent += taken
                cycles += 1
                assert cycles < 100 * (len(box) + 2)
                await ctx.tick()
            assert sent == len(box)
            results.append((code, cycles))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("stalls", [0.0, 0.4])
def test_words_become_their_code(width, stalls):
    rng = np.random.default_rng(width)
    boxes = [
        plain(rng, count, width, zeros)
        for count in (1, 2, MASK_WORDS - 1, MASK_WORDS, MASK_WORDS + 1, 3 * MASK_WORDS, 37)
        for zeros in (0, 0.5, 0.95, 1)
    ]
    for (code, _), box in zip(run(width, boxes, stalls=stalls), boxes, strict=True):
        assert code == mask_code(box, width, ZERO).tolist()


@pytest.mark.parametrize("width", [8, 16])
def test_a_mask_takes_one_cycle_of_nine(width):
    for zeros in (1, 0.6, 0):
        box = plain(np.random.default_rng(1), 50 * MASK_WORDS, width, zeros)
        ((code, cycles),) = run(width, [box])
        # Where a code has more words than its box has groups and words, these decide.
        assert 0 <= cycles - max(50 * (MASK_WORDS + 1), len(code)) < 16
