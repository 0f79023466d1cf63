"""Boxes and filters go where they belong, raw or decoded by the one decoder of codes."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.arch.config import Config
from hw.arch.program.coding import MASK_WORDS, mask_code
from hw.control.codes.payloads import Payloads

ZERO = 5


def block(coding="mask"):
    return Payloads(Config.of({"link.coding": coding}))


def words(rng, count):
    values = rng.integers(0, 256, count * 8).astype("u1")
    values[rng.random(values.size) < 0.7] = ZERO
    return values.view("<u8").astype(np.uint64).tolist()


async def begin(ctx, dut, kind, coded, count):
    """The cycle in which a command begins."""
    ctx.set(getattr(dut, kind), 1)
    ctx.set(dut.coded, coded)
    ctx.set(dut.decoded, count if coded else 0)
    await ctx.tick()
    ctx.set(getattr(dut, kind), 0)
    ctx.set(dut.coded, not coded)  # they count with the command alone
    ctx.set(dut.decoded, 77)


async def passed(ctx, dut, rng, kind, payload, count):
    """(what came of a payload, what came on the other stream); `count` words are wanted."""
    names = ("load", "filter") if kind == "load" else ("filter", "load")
    code, other_code = (getattr(dut, f"{name}_code") for name in names)
    out, other = (getattr(dut, f"{name}_words") for name in names)
    found, stray, sent, waited = [], [], 0, 0
    ctx.set(other_code.valid, 0)
    ctx.set(other.ready, 1)
    while sent < len(payload) or len(found) < count or (ctx.get(dut.busy) and not ctx.get(dut.bad)):
        ctx.set(dut.filling, kind == "load" and len(found) < count)
        ctx.set(code.valid, sent < len(payload) and rng.random() < 0.7)
        ctx.set(code.payload, payload[min(sent, len(payload) - 1)])
        ctx.set(dut.last, sent == len(payload) - 1)
        ctx.set(out.ready, len(found) < count and rng.random() < 0.7)
        if ctx.get(out.valid & out.ready):
            found.append(ctx.get(out.payload))
        if ctx.get(other.valid):
            stray.append(ctx.get(other.payload))
        sent += ctx.get(code.valid & code.ready)
        waited += 1
        assert waited < 60 * (len(payload) + count)
        await ctx.tick()
    ctx.set(code.valid, 0)
    return found, stray


def simulate(dut, bench, *, clocked=True):
    simulator = Simulator(dut)
    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_payloads_of_both_kinds_in_any_order():
    dut, rng, data = block(), random.Random(4), np.random.default_rng(4)

    async def bench(ctx):
        for number in range(40):
            kind, coded = rng.choice(("load", "conv")), number % 3 > 0
            raw = words(data, rng.choice((1, MASK_WORDS, MASK_WORDS + 1, 19)))
            payload = mask_code(np.array(raw, np.uint64), 8, ZERO).tolist() if coded else raw
            await begin(ctx, dut, kind, coded, len(raw))
            assert ctx.get(dut.busy) == coded
            assert await passed(ctx, dut, rng, kind, payload, len(raw)) == (raw, [])
            assert ctx.get(dut.bad) == ctx.get(dut.busy) == 0

    simulate(dut, bench)


@pytest.mark.parametrize("kind", ["load", "conv"])
@pytest.mark.parametrize("by", [-1, 0, MASK_WORDS + 1])
def test_damage_is_found(kind, by):
    """A changed bit, or a code of other words than are wanted."""
    dut, rng, data = block(), random.Random(by), np.random.default_rng(5)

    async def bench(ctx):
        raw = words(data, 2 * MASK_WORDS - 1) + [1]
        code = mask_code(np.array(raw, np.uint64), 8, ZERO).tolist()
        if not by:
            code[rng.randrange(len(code))] ^= 1 << rng.randrange(64)
        await begin(ctx, dut, kind, 1, len(raw) + by)
        name, left = "load" if kind == "load" else "filter", len(raw) + by
        source, out = getattr(dut, f"{name}_code"), getattr(dut, f"{name}_words")
        for _ in range(200):
            ctx.set(dut.filling, left > 0)
            ctx.set(out.ready, 1)
            ctx.set(source.valid, bool(code))
            ctx.set(source.payload, code[0] if code else 0)
            ctx.set(dut.last, len(code) == 1)
            left -= ctx.get(out.valid)
            if ctx.get(source.valid & source.ready):
                del code[0]
            await ctx.tick()
        assert ctx.get(dut.bad & dut.busy)

    simulate(dut, bench)


@pytest.mark.parametrize("coding", ["none", "mask"])
@pytest.mark.parametrize("kind", ["load", "conv"])
def test_raw_words_pass_in_the_same_cycle(coding, kind):
    dut = block(coding)
    name = "load" if kind == "load" else "filter"
    code, out = getattr(dut, f"{name}_code"), getattr(dut, f"{name}_words")

    async def bench(ctx):
        if coding == "mask":  # without codes nothing is clocked
            await begin(ctx, dut, kind, 0, 2)
        for valid, ready in ((0, 0), (0, 1), (1, 0), (1, 1)):
            ctx.set(code.valid, valid)
            ctx.set(code.payload, 1 << 63)
            ctx.set(out.ready, ready)
            seen = (out.payload, out.valid, code.ready, dut.busy, dut.bad)
            await ctx.delay(1e-7)
            assert [ctx.get(signal) for signal in seen] == [1 << 63, valid, ready, 0, 0]

    simulate(dut, bench, clocked=coding == "mask")
