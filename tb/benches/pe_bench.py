"""One PE: random passes back to back, with and without stalls."""

from random import Random
from typing import Any

import cocotb

from hw.arch.config import Config
from hw.pe.layouts import ChainWord, FilterBeat, IfmapBeat, PassConfig, PsumWord
from tb import codec
from tb.bus import Bench, Sink, Source, Stalls, read_case
from tb.models import pe as model


class Below(Source):
    """The PE below: its words with `tail` belong to the collector, which takes them by and by."""

    def __init__(self, *args: Any, seed: object = 0, **options: Any):
        super().__init__(*args, seed=seed, **options)
        self._collector = Random(repr((seed, "collector")))

    def transferred(self) -> bool:
        if self.items[0]["tail"]:
            return self._collector.random() < 0.3
        return super().transferred()


class PassFeeder:
    """Shows the PE one pass configuration after the other, as the sequencer does."""

    def __init__(self, dut: Any, layout: Any, passes: list[model.PePass], stalls: Stalls):
        self._dut = dut
        self._layout = layout
        self._passes = passes
        self._stalls = stalls
        self.begun = 0
        self._shown = 0
        dut.config_pass.value = 0
        dut.config_.value = 0

    def sample(self, cycle: int) -> None:
        started = int(self._dut.started.value)
        if self.begun != self._shown and started == self._shown % 4:
            self.begun += 1
        assert started == self.begun % 4, "a pass began twice or before its time"

    def drive(self) -> None:
        if self.begun == self._shown < len(self._passes) and self._stalls.go():
            fields = self._passes[self._shown].fields
            self._shown += 1
            self._dut.config_.value = codec.encode(self._layout, fields)
            self._dut.config_pass.value = self._shown % 4


class Activity:
    """Counts the PE's events."""

    def __init__(self, dut: Any):
        self._dut = dut
        self.fired = self.gated = 0
        self.cycles: list[int] = []

    def sample(self, cycle: int) -> None:
        fired, gated = int(self._dut.fired.value), int(self._dut.gated.value)
        assert not (fired and gated)
        self.fired += fired
        self.gated += gated
        if fired or gated:
            self.cycles.append(cycle)

    def drive(self) -> None:
        """Nothing to drive."""


class PeBench:
    """The device, its streams and a list of passes."""

    def __init__(self, dut: Any, passes: list[model.PePass], config: Config, *, seed: object):
        self.passes = passes
        self.config = config
        random = Random(repr((seed, "rates")))
        stalled = seed is not None

        def rate() -> float:
            return random.choice((0.0, 0.2, 0.6)) if stalled else 0.0

        def source(kind: type[Source], name: str, shape: Any) -> Source:
            return kind(dut, name, shape, seed=seed, stall=rate())

        self.bench = Bench(dut, seed=seed, probe=0.2 if stalled else 0.0)
        self.ifmap = source(Source, "ifmap", IfmapBeat(config))
        self.filters = source(Source, "filters", FilterBeat(config))
        self.below = source(Below, "below", ChainWord(config))
        self.column = source(Source, "column", PsumWord(config))
        self.output = Sink(dut, "output", ChainWord(config), seed=seed, stall=rate())
        self.feeder = PassFeeder(dut, PassConfig(config), passes, Stalls((seed, "pass"), rate()))
        self.activity = Activity(dut)
        self.bench.add(self.ifmap, self.filters, self.below, self.column)
        self.bench.add(self.output, self.feeder, self.activity)
        self._load(random, stalled)

    def _load(self, random: Random, stalled: bool) -> None:
        for item in self.passes:
            self.ifmap.items.extend(model.ifmap_beats(self.config, item))
            self.filters.items.extend(model.filter_beats(self.config, item))
            flags = item.fields
            for psums in item.psums.tolist() if flags["active"] else []:
                if stalled and random.random() < 0.1:
                    stranger = {"psums": psums[::-1], "tail": 1}
                    self.below.items.append(stranger)
                if not flags["head"]:
                    self.below.items.append({"psums": psums, "tail": 0})
                elif not flags["zero"]:
                    self.column.items.append(psums)

    async def run(self) -> None:
        """All passes; everything sent must be used and every result must be right."""
        await self.bench.start()
        expected = [word for item in self.passes for word in model.run_pass(self.config, item)]
        steps = sum(item.steps for item in self.passes)
        sources = (self.ifmap, self.filters, self.below, self.column)
        await self.bench.run(
            lambda: (
                len(self.output.received) >= len(expected)
                and all(source.idle for source in sources)
                and self.feeder.begun == len(self.passes)
            ),
            limit=500 + 20 * steps + 40 * len(expected) + 20 * len(self.ifmap.items),
        )
        await self.bench.idle(8)
        for number, (got, wanted) in enumerate(zip(self.output.values, expected, strict=True)):
            assert got == wanted, f"word {number}: {got}, not {wanted}"
        zeros = sum(model.zero_steps(item) for item in self.passes)
        gated = zeros if self.config.zero_gating else 0
        assert (self.activity.gated, self.activity.fired) == (gated, steps - gated)


@cocotb.test()
async def random_passes(dut: Any) -> None:
    """Passes of every kind with stalls on all streams."""
    case = read_case()
    config = Config(**case["config"])
    random = Random(repr(case["seed"]))
    passes = [
        model.random_pass(config, random, active=random.random() < 0.85)
        for _ in range(case["passes"])
    ]
    await PeBench(dut, passes, config, seed=case["seed"]).run()


@cocotb.test()
async def no_bubbles(dut: Any) -> None:
    """Without stalls a step a cycle, over windows and passes.

    The first pass waits for its filters; all others arrive during the pass before.
    """
    case = read_case()
    config = Config(**case["config"])
    random = Random(repr((case["seed"], "no bubbles")))
    passes = [_long_pass(config, random) for _ in range(case["passes"])]
    bench = PeBench(dut, passes, config, seed=None)
    await bench.run()
    cycles = bench.activity.cycles
    steps = sum(item.steps for item in bench.passes)
    assert cycles[-1] - cycles[0] + 1 == steps, _bubbles(cycles)


def _long_pass(config: Config, random: Random) -> model.PePass:
    """A pass in whose time the streams bring whatever the next one needs."""
    windows = 1
    while True:
        item = model.random_pass(config, random, windows=windows)
        if item.steps >= 4 + config.filter_half // config.noc_filter:
            return item
        windows += 1


def _bubbles(cycles: list[int]) -> str:
    gaps = [
        f"step {i} came {late - early - 1} cycles late"
        for i, (early, late) in enumerate(zip(cycles, cycles[1:], strict=False), start=1)
        if late - early > 1
    ]
    return f"{len(gaps)} bubbles: {'; '.join(gaps[:8])}"
