"""The psum feeder and the psum collector of a column."""

from random import Random
from typing import Any

import cocotb

from hw.arch.config import Config
from hw.noc.collector import CollectorConfig
from hw.noc.psums import CollectorBeat, FeederBeat
from hw.pe.layouts import ChainWord, PsumWord
from tb import codec
from tb.bus import Bench, Sink, Source, Stalls, read_case, stall_rates
from tb.models import column as model

STALLS = stall_rates(0.0, 0.4)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def feeder(dut: Any, stall: float) -> None:
    """Every row gets its words; the column hands them out in the order of the beats."""
    case = read_case()
    config, random = Config.from_dict(case["config"]), Random(repr(case["seed"]))
    bench = Bench(dut, seed=case["seed"], probe=0.2 if stall else 0.0)
    source = Source(dut, "input", FeederBeat(config), seed=case["seed"], stall=stall)
    sinks = [
        Sink(dut, f"outputs__{row}", PsumWord(config), seed=case["seed"], stall=stall)
        for row in range(config.array.rows)
    ]
    bench.add(source, *sinks)
    segments = [model.random_fed_segment(config, random) for _ in range(case["segments"])]
    source.items.extend(beat for segment in segments for beat in segment.beats)
    expected = [(segment.beats[0]["row"], word) for segment in segments for word in segment.words]
    await bench.start()
    await bench.run(
        lambda: sum(len(sink.received) for sink in sinks) >= len(expected),
        limit=40 * len(expected) + 500,
    )
    await bench.idle(10)
    got = sorted(
        (cycle, row, word) for row, sink in enumerate(sinks) for cycle, word in sink.received
    )
    assert len({cycle for cycle, *_ in got}) == len(got), "two rows got a word in one cycle"
    assert len(got) == len(expected)
    for (_, row, word), (wanted_row, wanted) in zip(got, expected, strict=True):
        assert (row, word[: len(wanted)]) == (wanted_row, wanted)
    if not stall:
        cycles = got[-1][0] - got[0][0] + 1
        assert cycles == len(expected), f"{cycles} cycles for {len(expected)} words"


class RowOutput(Source):
    """The output of a PE: a word without `tail` is taken by the PE above, by and by."""

    def __init__(self, *args: Any, seed: object = 0, **options: Any):
        super().__init__(*args, seed=seed, **options)
        self._above = Random(repr((seed, self.name, "above")))

    def transferred(self) -> bool:
        if not self.items[0]["tail"]:
            assert not super().transferred(), f"{self.name}: the collector took a chain word"
            return self._above.random() < 0.4
        return super().transferred()


class PassIssuer:
    """Fills the two configuration banks, never touching one that is in use."""

    def __init__(self, dut: Any, config: Config, passes: list[model.CollectorPass], stalls: Stalls):
        self._dut = dut
        self._config = config
        self._shape = CollectorConfig(config)
        self._passes = passes
        self._stalls = stalls
        self._banks = [dict[str, int](), dict[str, int]()]
        self.issued = self.done = 0
        dut.issued.value = 0
        dut.configs.value = 0

    def sample(self, cycle: int) -> None:
        done = int(self._dut.done.value)
        if done != self.done % 4:
            self.done += 1
        assert done == self.done % 4 and self.done <= self.issued

    def drive(self) -> None:
        free = self.issued - self.done <= 1 and self.issued < len(self._passes)
        if free and self._stalls.go():
            self.issued += 1
            self._banks[self.issued % 2] = self._passes[self.issued - 1].fields
            width = self._shape.size
            bits = [
                codec.encode(self._shape, model.collector_config(self._config, bank))
                for bank in self._banks
            ]
            self._dut.configs.value = bits[0] | bits[1] << width
            self._dut.issued.value = self.issued % 4


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def collector(dut: Any, stall: float) -> None:
    """Passes with any tails; the beats of all windows and segments in order."""
    case = read_case()
    config, random = Config.from_dict(case["config"]), Random(repr(case["seed"]))
    passes = [model.random_collector_pass(config, random) for _ in range(case["passes"])]
    bench = Bench(dut, seed=case["seed"], probe=0.2 if stall else 0.0)
    rows = [
        RowOutput(dut, f"inputs__{row}", ChainWord(config), seed=case["seed"], stall=stall)
        for row in range(config.array.rows)
    ]
    sink = Sink(dut, "output", CollectorBeat(config), seed=case["seed"], stall=stall)
    issuer = PassIssuer(dut, config, passes, Stalls((case["seed"], "issue"), stall))
    bench.add(*rows, sink, issuer)
    for item in passes:
        for row, words in zip(rows, item.words, strict=True):
            row.items.extend(words)
    expected = [beat for item in passes for beat in model.collector_beats(config, item)]
    count = sum(len(words) for item in passes for words in item.words)
    await bench.start()
    await bench.run(
        lambda: (
            len(sink.received) >= len(expected)
            and all(row.idle for row in rows)
            and issuer.done == len(passes)
        ),
        limit=40 * count + 1000,
    )
    await bench.idle(10)
    for got, wanted in zip(sink.values, expected, strict=True):
        assert got[: len(wanted)] == wanted
