"""The post-processor against a list of expected buffer writes, with stalls on both sides."""

import random

import pytest
from amaranth.sim import Simulator

from hw.arch.commands import Rounding
from hw.arch.config import Config
from hw.arch.config.modes import rounding_modes
from hw.post.processor import PostProcessor
from tb.models.post import (
    ENTRY,
    GEOMETRIES,
    PostItem,
    expected_writes,
    layer_of,
    make_items,
)
from tb.models.rounding_reference import Vector, vectors_of

PROCESSOR_LATENCY = {"any": 13, "windows": 10}  # as its docstring says


def seen_bytes(config: Config, payload) -> tuple[int, dict[int, int]]:
    """The same of an observed write."""
    size = config.array.data_width // 8
    found = {}
    for lane in range(config.lanes):
        if payload.mask >> lane & 1:
            for byte in range(lane * size, (lane + 1) * size):
                found[byte] = payload.data >> (8 * byte) & 0xFF
    return payload.addr, found


def write_parameters(ctx, dut: PostProcessor, row: int, vectors: tuple[Vector, ...]):
    """One entry a cycle."""
    shape = dut.params.shape()
    for unit, (_, *values) in enumerate(vectors):
        entry = dict(zip(ENTRY, values, strict=False))
        ctx.set(dut.params, shape.const({"en": 1, "row": row, "unit": unit, "data": entry}))
        yield
    ctx.set(dut.params, shape.const({}))


class Bench:
    """A post-processor with its simulator, which takes longer to make than to run."""

    def __init__(self, config, *, acc_width=None):
        self._config = config
        self._dut = PostProcessor(config, acc_width=acc_width)
        self._simulator = Simulator(self._dut)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._source)
        self._simulator.add_testbench(self._sink)
        self._ran = False

    def run(self, layers, items, *, offer=0.7, accept=0.6, seed=0):
        """Every write, as `seen_bytes` shows it, and the cycles from the first item to the last.

        The sink decides on `ready` when it has seen `valid`, which must not wait for it.
        """
        self._layers, self._items, self._seed = layers, items, seed
        self._offer, self._accept = offer, accept
        self._result: list[tuple[int, dict[int, int]]] = []
        self._done = False
        self._first = self._last = 0
        if self._ran:
            self._simulator.reset()
        self._ran = True
        self._simulator.run()
        return self._result, self._last - self._first

    async def _source(self, ctx):
        dut = self._dut
        rng = random.Random(self._seed)
        for bank, layer in enumerate(self._layers):
            ctx.set(dut.cfg[bank], dut.cfg[bank].shape().const(layer.fields()))
        for item in {item.row: item for item in self._items}.values():
            for _ in write_parameters(ctx, dut, item.row, item.vectors):
                await ctx.tick()
        assert not ctx.get(dut.busy)
        shape = dut.items.payload.shape()
        for item in self._items:
            while rng.random() >= self._offer:
                await ctx.tick()
            ctx.set(dut.items.payload, shape.const(item.payload()))
            ctx.set(dut.items.valid, 1)
            await ctx.tick().until(dut.items.ready)
            ctx.set(dut.items.valid, 0)
        while ctx.get(dut.busy):
            await ctx.tick()
        self._done = True

    async def _sink(self, ctx):
        dut = self._dut
        rng = random.Random(self._seed + 1)
        held = None
        cycle = 0
        while not self._done:
            payload = ctx.get(dut.writes.payload) if ctx.get(dut.writes.valid) else None
            assert held is None or payload == held, "a write changed before it was taken"
            assert payload is None or ctx.get(dut.busy)
            ready = rng.random() < self._accept
            ctx.set(dut.writes.ready, ready)
            assert ctx.get(dut.writes.valid) == (payload is not None)
            held = None if ready else payload
            if payload is not None and ready:
                assert payload.mask
                self._result.append(seen_bytes(self._config, payload))
                self._last = cycle
            if not self._first and ctx.get(dut.items.valid):
                self._first = cycle
            cycle += 1
            await ctx.tick()


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_every_mode_beside_raw(geometry):
    """Each mode shares the pipeline with 32-bit results, under random stalls and masks."""
    config = Config.of({**geometry, "post.channels": 32})
    bench = Bench(config)
    for mode in sorted(rounding_modes(config) - {Rounding.RAW}):
        rng = random.Random(f"{geometry} {mode}")
        layers = [
            layer_of(mode, config.array.data_width),
            layer_of(Rounding.RAW, config.array.data_width),
        ]
        items = make_items(config, layers, rng, 60)
        found, _ = bench.run(layers, items, seed=mode)
        assert found == expected_writes(config, layers, items)


@pytest.mark.parametrize("acc_width", [16, 24, 32, 40])
def test_accumulator_widths(acc_width):
    config = Config.of({"post.units": 4, "post.channels": 64})
    rng = random.Random(acc_width)
    layers = [layer_of(Rounding.TFLM, 8), layer_of(Rounding.ORT, 8)]
    items = make_items(config, layers, rng, 300, acc_width=acc_width)
    found, _ = Bench(config, acc_width=acc_width).run(layers, items)
    assert found == expected_writes(config, layers, items)


@pytest.mark.parametrize("pipeline", [0, 1])
@pytest.mark.parametrize("units", [1, 2, 4, 8])
def test_throughput_and_latency(units, pipeline):
    """An item a cycle, and a word a cycle of 32-bit results, when nothing stalls."""
    config = Config.of(
        {
            "post.units": units,
            "noc.psum_out": 8,
            "buffer.banks": 16,
            "post.channels": 32,
            "control.pipeline": pipeline,
        }
    )
    rng = random.Random(units)
    bench = Bench(config)
    for mode, words in ((Rounding.TFLM, 1), (Rounding.RAW, max(1, units // 2))):
        layers = [layer_of(mode, 8)]
        items = make_items(config, layers, rng, 50, full=True)
        found, cycles = bench.run(layers, items, offer=1.0, accept=1.0)
        assert found == expected_writes(config, layers, items)
        assert cycles == PROCESSOR_LATENCY["any"] + pipeline + len(items) * words - 1


def test_masked_words_are_left_out():
    """A channel count that is no multiple of the units leaves no write without a lane."""
    config = Config.of({"post.units": 4, "post.channels": 32})
    layers = [layer_of(Rounding.RAW, 8), layer_of(Rounding.SINGLE, 8)]
    rng = random.Random(1)
    items = [
        PostItem(i % 2, tuple(vectors_of(Rounding.RAW, rng, 32, 4)), mask, 100 + i, 4 * (i % 2), i)
        for i, mask in enumerate((0b0001, 0, 0b1100, 0b0011, 0, 0b1000))
    ]
    found, _ = Bench(config).run(layers, items)
    assert found == expected_writes(config, layers, items)
    assert len(found) == 4


@pytest.mark.parametrize(("psums", "kind"), [(31, "windows"), (32, "any"), (40, "any")])
def test_latency_of_sixteen_bit_data(psums, kind):
    config = Config.of(
        {
            "array.data_width": 16,
            "array.psum_width": psums,
            "noc.filter": 4,
            "post.channels": 32,
            "buffer.banks": 16,
        }
    )
    layers = [layer_of(Rounding.WIDE16, 16)]
    items = make_items(config, layers, random.Random(2), 1, full=True)
    found, cycles = Bench(config).run(layers, items, accept=1.0)
    assert found == expected_writes(config, layers, items)
    assert cycles == PROCESSOR_LATENCY[kind]
