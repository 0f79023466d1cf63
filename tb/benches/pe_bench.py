"""One PE: random passes back to back, with and without stalls."""

from collections import Counter
from random import Random
from typing import Any

import cocotb

from hw.arch.config import Config
from hw.pe.kinds import pe_kind
from hw.pe.layouts import ChainWord, FilterBeat, IfmapBeat, PsumWord
from hw.pe.pe import PE_ACCESSES
from tb import codec
from tb.bus import Bench, Sink, Source, Stalls, read_case, stall_rates
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


_SETTLES = 100  # cycles besides its steps after which a PE waits for what is withheld


class PassFeeder:
    """Shows the PE one pass configuration after the other, as the sequencer does."""

    def __init__(self, dut: Any, config: Config, passes: list[model.PePass], stalls: Stalls):
        self._dut = dut
        self._config = config
        self._layout = pe_kind(config).pass_config(config)
        self._passes = passes
        self._stalls = stalls
        self.begun = 0
        self._shown = 0
        dut.config_pass.value = 0
        dut.config_.value = 0

    def add(self, item: model.PePass) -> None:
        """Another pass at the end."""
        self._passes.append(item)

    def sample(self, cycle: int) -> None:
        started = int(self._dut.started.value)
        if self.begun != self._shown and started == self._shown % 4:
            self.begun += 1
        assert started == self.begun % 4, "a pass began twice or before its time"

    def drive(self) -> None:
        if self.begun == self._shown < len(self._passes) and self._stalls.go():
            fields = self._passes[self._shown].fields
            self._shown += 1
            self._dut.config_.value = codec.encode(
                self._layout, model.pass_config(self._config, fields)
            )
            self._dut.config_pass.value = self._shown % 4


EVENTS = (
    "running",
    "fired",
    "gated",
    "starved_ifmap",
    "starved_filter",
    "blocked_in",
    "blocked_out",
)


class Activity:
    """Counts the PE's events, and checks in every cycle that they tell one story.

    A running PE issues a step or lacks one thing; a step that was issued fires or is gated later,
    unless its psum is blocked, for one reason at a time.
    """

    def __init__(self, dut: Any, config: Config):
        self._dut = dut
        self._accesses = PE_ACCESSES if config.control.access_counters else ()
        self.accesses = dict.fromkeys(self._accesses, 0)
        self.counts = dict.fromkeys(EVENTS, 0)
        self.held_running = 0
        self.cycles: list[int] = []
        self.now: set[str] = set()

    @property
    def fired(self) -> int:
        """Steps computed."""
        return self.counts["fired"]

    @property
    def gated(self) -> int:
        """Steps left out because their activation stands for zero."""
        return self.counts["gated"]

    def sample(self, cycle: int) -> None:
        self.now = now = {name for name in EVENTS if int(getattr(self._dut, name).value)}
        for name in now:
            self.counts[name] += 1
        for name in self._accesses:
            self.accesses[name] += int(getattr(self._dut, name).value)
        blocked = now & {"blocked_in", "blocked_out"}
        starved = now & {"starved_ifmap", "starved_filter"}
        assert len(now & {"fired", "gated"}) + len(blocked) <= 1, now
        assert len(starved) + len(blocked) <= 1, now
        assert not starved or "running" in now, now
        self.held_running += bool(blocked) and "running" in now
        if "blocked_out" in now:
            assert int(self._dut.output__valid.value), "blocked by an output that is free"
        if now & {"fired", "gated"}:
            self.cycles.append(cycle)

    def check(self, steps: int) -> None:
        """At rest: every cycle of a running PE was a step or is accounted for."""
        lacking = self.counts["starved_ifmap"] + self.counts["starved_filter"]
        assert self.counts["running"] == steps + lacking + self.held_running, self.counts

    def drive(self) -> None:
        """Nothing to drive."""


class PeBench:
    """The device, its streams and a list of passes."""

    def __init__(self, dut: Any, passes: list[model.PePass], config: Config, *, seed: object):
        self.passes = passes
        self.config = config
        random = Random(repr((seed, "rates")))
        stalled = seed is not None
        rates = stall_rates(0.0, 0.2, 0.6)

        def rate() -> float:
            return random.choice(rates) if stalled else 0.0

        def source(kind: type[Source], name: str, shape: Any) -> Source:
            return kind(dut, name, shape, seed=seed, stall=rate())

        self.bench = Bench(dut, seed=seed, probe=0.2 if stalled else 0.0)
        self.ifmap = source(Source, "ifmap", IfmapBeat(config))
        self.filters = source(Source, "filters", FilterBeat(config))
        self.below = source(Below, "below", ChainWord(config))
        self.column = source(Source, "column", PsumWord(config))
        self.output = Sink(dut, "output", ChainWord(config), seed=seed, stall=rate())
        self.feeder = PassFeeder(dut, config, list(passes), Stalls((seed, "pass"), rate()))
        self.activity = Activity(dut, config)
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

    async def withhold(self, item: model.PePass, names: str, expected: str) -> None:
        """A pass that lacks something for a while; then everything comes and it ends."""
        self.passes[:] = [item]
        self.feeder.add(item)
        self._load(Random(0), False)
        sources = [getattr(self, name) for name in names.split() if name != "output"]
        held = [list(source.items) for source in sources]
        for source in sources:
            source.items.clear()
        if "output" in names:
            self.output.limit = len(self.output.received)
        counts = self.activity.counts
        before, received = dict(counts), len(self.output.received)
        await self.bench.idle(_SETTLES + item.steps + len(self.ifmap.items))
        for _ in range(10):
            await self.bench.step()
            now = self.activity.now - {"running"}
            assert now == {expected}, f"without {names}: {now}"
        for source, items in zip(sources, held, strict=True):
            source.items.extend(items)
        self.output.limit = None
        wanted = model.run_pass(self.config, item)
        await self.bench.run(
            lambda: len(self.output.received) >= received + len(wanted), limit=500 + 2 * item.steps
        )
        await self.bench.idle(8)
        assert self.output.values[received:] == wanted
        fired, gated = (counts[name] - before[name] for name in ("fired", "gated"))
        self._check_steps([item], fired, gated)
        assert not self.activity.now

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
        sending = self._check_steps(self.passes, self.activity.fired, self.activity.gated)
        self.activity.check(self.activity.fired + self.activity.gated)
        if self.config.control.access_counters:
            sums = Counter[str]()
            for item in self.passes:
                sums.update(model.pass_accesses(self.config, item))
            # A round that only sends makes the one before it write, and reads that.
            sums.update({"psum_spad_reads": sending, "psum_spad_writes": sending})
            assert self.activity.accesses == dict(sums)

    def _check_steps(self, passes: list[model.PePass], fired: int, gated: int) -> int:
        """All passes were computed; returns the steps of rounds that they need not have."""
        bounds = [model.gated_steps(self.config, item) for item in passes]
        least, most = (sum(column) for column in zip(*bounds, strict=True))
        assert fired == sum(model.fired_steps(self.config, item) for item in passes)
        assert least <= gated <= most
        return gated - least


@cocotb.test()
async def random_passes(dut: Any) -> None:
    """Passes of every kind with stalls on all streams."""
    case = read_case()
    config = Config.from_dict(case["config"])
    random = Random(repr(case["seed"]))
    passes = [
        model.random_pass(config, random, active=random.random() < 0.85)
        for _ in range(case["passes"])
    ]
    await PeBench(dut, passes, config, seed=case["seed"]).run()


@cocotb.test()
async def stalls_are_told_apart(dut: Any) -> None:
    """Whatever is withheld, the PE names it, alone and in every cycle, until it comes."""
    case = read_case()
    config = Config.from_dict(case["config"])
    random = Random(repr((case["seed"], "stalls")))
    bench = PeBench(dut, [], config, seed=None)
    await bench.bench.start()
    await bench.bench.idle(4)
    assert bench.activity.counts == dict.fromkeys(EVENTS, 0), "a PE without a pass"
    for withheld, expected in WITHHELD.items():
        # Fewer results would all find room in the output's queue and in the pipeline.
        words = config.pe.psum_fifo + 4 if withheld == "output" else 0
        item = _long_pass(config, random, words, head=int(withheld != "below"), zero=0)
        await bench.withhold(item, withheld, expected)


WITHHELD = {
    "ifmap": "starved_ifmap",
    "filters": "starved_filter",
    "ifmap filters": "starved_ifmap",
    "below": "blocked_in",
    "column": "blocked_in",
    "output": "blocked_out",
}
"""What does not come or go, and the event that tells of it."""


@cocotb.test()
async def zeros_take_no_time(dut: Any) -> None:
    """A PE that skips zeros, of a window whose words have come: max(1, words that are not zero).

    Windows of several sizes with nothing, a single word at every place, and all words not zero.
    """
    case = read_case()
    config = Config.from_dict(case["config"])
    if not model.skips(config):
        return
    random = Random(repr((case["seed"], "zeros")))
    bench = PeBench(dut, [], config, seed=None)
    await bench.bench.start()
    most = min(config.pe.ifmap_spad, config.filter_half // config.pe.macs)
    for taps in sorted({1, min(2, most), (most + 1) // 2, most}):
        for places in ([], range(taps), *([place] for place in range(taps))):
            item = model.single_window(config, random, taps, places)
            gated = bench.activity.gated
            await bench.withhold(item, "filters", "starved_filter")
            steps = bench.activity.gated - gated
            assert steps == model.gated_steps(config, item)[0], f"{list(places)} of {taps}: {steps}"


@cocotb.test()
async def no_bubbles(dut: Any) -> None:
    """Without stalls a step a cycle, over windows and passes.

    The first pass waits for its filters; all others arrive during the pass before.
    """
    case = read_case()
    config = Config.from_dict(case["config"])
    random = Random(repr((case["seed"], "no bubbles")))
    passes = [_long_pass(config, random) for _ in range(case["passes"])]
    if model.skips(config):
        passes = [model.without_zeros(item) for item in passes]
    bench = PeBench(dut, passes, config, seed=None)
    await bench.run()
    cycles = bench.activity.cycles
    steps = sum(item.steps for item in bench.passes)
    assert cycles[-1] - cycles[0] + 1 == steps, _bubbles(cycles)


def _long_pass(config: Config, random: Random, words: int = 0, **fields: int) -> model.PePass:
    """A pass in whose time the streams bring whatever the next one needs; `fields` are given.

    It has at least so many words of results.
    """
    windows = 1
    while True:
        item = model.random_pass(config, random, windows=windows)
        item.fields.update(fields)
        if (
            item.steps >= 4 + config.filter_half // config.noc.filter
            and len(model.run_pass(config, item)) >= words
        ):
            return item
        windows += 1


def _bubbles(cycles: list[int]) -> str:
    gaps = [
        f"step {i} came {late - early - 1} cycles late"
        for i, (early, late) in enumerate(zip(cycles, cycles[1:], strict=False), start=1)
        if late - early > 1
    ]
    return f"{len(gaps)} bubbles: {'; '.join(gaps[:8])}"
