"""The decoder of significance masks gives the words of its code, or says that it is damaged."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.arch.config import Config
from hw.arch.program.coding import MASK_WORDS, mask_code
from hw.control.codes.unmasker import Unmasker

ZERO = 5


def decoder(width):
    """The block for elements of a width."""
    return Unmasker(Config.of({"array.data_width": width, "noc.filter": 4, "link.coding": "mask"}))


def plain(rng, count, width, zeros):
    values = rng.integers(0, 1 << width, count * 64 // width).astype(f"<u{width // 8}")
    values[rng.random(values.size) < zeros] = ZERO
    return values.view("<u8").astype(np.uint64)


def run(width, jobs, *, stalls=0.0):
    """(words, cycles, bad) of each (code, words of the box), one after another on one block."""
    dut = decoder(width)
    rng = random.Random(f"{width} {stalls}")
    results = []

    async def bench(ctx):
        for code, count in jobs:
            ctx.set(dut.start, 1)
            ctx.set(dut.coded, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            words, sent, cycles = [], 0, 0
            while ctx.get(dut.busy) and not ctx.get(dut.bad):
                filling = len(words) < count
                ctx.set(dut.filling, filling)
                ctx.set(dut.code.valid, sent < len(code) and rng.random() >= stalls)
                ctx.set(dut.code.payload, int(code[min(sent, len(code) - 1)]))
                ctx.set(dut.last, sent == len(code) - 1)
                ctx.set(dut.words.ready, filling and rng.random() >= stalls)
                taken = ctx.get(dut.code.valid & dut.code.ready)
                if ctx.get(dut.words.valid & dut.words.ready):
                    words.append(ctx.get(dut.words.payload))
                sent += taken
                cycles += 1
                assert cycles < 100 * (len(code) + count)
                await ctx.tick()
            results.append((words, cycles, bool(ctx.get(dut.bad))))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("stalls", [0.0, 0.4])
def test_codes_become_their_words(width, stalls):
    rng = np.random.default_rng(width)
    boxes = [
        plain(rng, count, width, zeros)
        for count in (1, 2, MASK_WORDS - 1, MASK_WORDS, MASK_WORDS + 1, 3 * MASK_WORDS, 40)
        for zeros in (0, 0.5, 0.95, 1)
    ]
    jobs = [(mask_code(words, width, ZERO), len(words)) for words in boxes]
    for (found, _, bad), words in zip(run(width, jobs, stalls=stalls), boxes, strict=True):
        assert (found, bad) == (words.tolist(), False)


@pytest.mark.parametrize("width", [8, 16])
def test_a_mask_takes_one_cycle_of_nine(width):
    for zeros, most in ((1, 1), (0.6, 1.3)):
        words = plain(np.random.default_rng(1), 50 * MASK_WORDS, width, zeros)
        ((_, cycles, _),) = run(width, [(mask_code(words, width, ZERO), len(words))])
        assert 0 <= cycles - 50 * (MASK_WORDS + 1) < 8 + (most - 1) * len(words)


@pytest.mark.parametrize("width", [8, 16])
def test_damage_to_a_word_is_found(width):
    rng = np.random.default_rng(width)
    words = plain(rng, 2 * MASK_WORDS + 3, width, 0.5)
    code = mask_code(words, width, ZERO)
    for place in range(len(code)):
        damaged = code.copy()
        damaged[place] ^= np.uint64(1 << int(rng.integers(64)))
        ((_, _, bad),) = run(width, [(damaged, len(words))])
        assert bad


@pytest.mark.parametrize("width", [8, 16])
def test_a_code_of_another_box_is_found(width):
    words = plain(np.random.default_rng(3), 3 * MASK_WORDS, width, 0.2)
    code = mask_code(words, width, ZERO)
    for count in (MASK_WORDS, 3 * MASK_WORDS - 1, 5 * MASK_WORDS):
        ((_, _, bad),) = run(width, [(code, count)])
        assert bad


@pytest.mark.parametrize("busy", [False, True])
def test_a_raw_payload_passes_in_the_same_cycle(busy):
    dut = decoder(16)

    async def bench(ctx):
        ctx.set(dut.start, busy)
        await ctx.tick()
        for word in (7, 1 << 63):
            ctx.set(dut.code.payload, word)
            for valid, ready in ((0, 0), (0, 1), (1, 0), (1, 1)):
                ctx.set(dut.code.valid, valid)
                ctx.set(dut.words.ready, ready)
                seen = (dut.words.payload, dut.words.valid, dut.code.ready, dut.busy)
                assert [ctx.get(signal) for signal in seen] == [word, valid, ready, 0]
                await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
