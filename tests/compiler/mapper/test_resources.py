"""The mapper's resources: by the kinds of a configuration, and nothing else."""

from collections.abc import Sequence
from dataclasses import fields
from math import prod

import numpy as np
import pytest

from compiler.compile import estimate_graph
from compiler.mapper.cost import Cost
from compiler.mapper.resources.dense import DensePe
from compiler.mapper.resources.model import KINDS, array_model
from compiler.mapper.resources.multicast import _deliveries
from compiler.mapper.resources.resource import ResourceKind
from compiler.mapper.resources.work import Ints, PassWork
from compiler.mapper.search import search
from compiler.mapper.space import ConvShape, Plan
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level, Tally
from hw.arch.config import Config, NocConfig
from rowforge.configs import preset, preset_names
from tests.compiler.support import conv_graph

SHAPE = ConvShape(N=1, M=32, C=16, E=10, F=12, R=3, S=3)
BEATS = 512
BITS = 8  # of a word


class OneWire(ResourceKind):
    """Networks of one wire, which filters and ifmaps share, a bit a cycle."""

    resources = ("wire",)
    accesses = (
        Access(Level.BUFFER, DataType.IFMAP, Direction.READ),
        Access(Level.NETWORK, DataType.FILTER, Direction.READ),
    )
    overhead = 1000

    def busy(self, work: PassWork) -> Sequence[Ints]:
        ifmaps, filters = self.words(work)
        return [BITS * (ifmaps + filters)]

    def words(self, work: PassWork) -> Sequence[Ints]:
        taps = work.groups * work.q * work.span * work.steps * self.config.pe.macs
        return [work.pixels * work.each(work.q), work.filters * work.each(taps)]


@pytest.fixture
def one_wire(monkeypatch: pytest.MonkeyPatch) -> Config:
    """A configuration with networks of that kind, which is registered for the test."""
    (item,) = (item for item in fields(NocConfig) if item.name == "kind")
    kinds = (*item.metadata["kinds"], "one_wire")
    monkeypatch.setattr(item, "metadata", {**item.metadata, "kinds": kinds})
    monkeypatch.setitem(KINDS["noc.kind"], "one_wire", OneWire)
    return Config.of({"noc.kind": "one_wire"})


def test_every_kind_that_a_configuration_offers_is_known() -> None:
    offered = {name: item.metadata.get("kinds") for name, item in Config.declared()}
    assert {name: tuple(kinds) for name, kinds in KINDS.items()} == {
        name: offered[name] for name in ("pe.kind", "noc.kind")
    }


def test_parts_name_their_resources_apart() -> None:
    model = array_model(Config())
    assert model.resources == ("compute", "ifmap", "filter", "psum_in", "psum_out")
    assert len(set(model.accesses)) == len(model.accesses)
    assert array_model(Config()).resources is model.resources  # costs are added fast


def test_another_kind_brings_its_own_resources(one_wire: Config) -> None:
    plan, usual = (search(config, SHAPE, BEATS) for config in (one_wire, Config()))
    assert plan.load.busy.keys == ("compute", "wire")
    assert plan.load.bound == "wire" != usual.load.bound
    assert BITS * words_of_every_wave(plan) == plan.load.busy["wire"]
    assert plan.load.accesses.words(data=DataType.PSUM) == 0
    least = plan.load.busy["wire"] + OneWire.overhead * plan.load.passes
    assert plan.cycles >= least and plan.cycles >= plan.load.busy["compute"]


def test_another_kind_changes_what_is_best(one_wire: Config) -> None:
    """Words and passes are dear: the mapper finds a plan with fewer of them."""
    plan, usual = (search(config, SHAPE, BEATS) for config in (one_wire, Config()))
    assert plan.blocks != usual.blocks
    assert plan.cycles < on_one_wire(one_wire, usual)


def on_one_wire(config: Config, plan: Plan) -> int:
    """Cycles of a plan at least, if its networks were of the other kind."""
    return BITS * words_of_every_wave(plan) + OneWire(config).overhead * plan.load.passes


def words_of_every_wave(plan: Plan) -> int:
    """Ifmaps and filters if every wave were sent filters of its own: the wire knows no others."""
    total = 0
    for block in plan.blocks:
        items, rows, columns, _ = block.waves(plan.shape)
        counts = zip((items, rows, columns), block.held, strict=True)
        waves = prod(count for count, held in counts if held)
        words = block.load.accesses
        total += words.words(Level.BUFFER, DataType.IFMAP) + waves * words.words(Level.NETWORK)
    return total


def test_reports_name_the_resources_of_the_kind(one_wire: Config) -> None:
    graph = conv_graph(np.random.default_rng(1), (12, 14, 16), 32, (3, 3))
    (layer,) = estimate_graph(graph, one_wire)
    assert layer.bound == "wire" == layer.mapping["bound"]
    assert layer.accesses.words(Level.BUFFER) > 0


def test_dense_pes_take_a_step_for_each_word_and_window() -> None:
    one = np.array([1])
    work = PassWork(
        windows=7, at=np.array([0]), p=4 * one, q=3 * one, span=5 * one, steps=2 * one,
        columns=one, groups=one, pixels=one, inward=one, outward=one, ends=one, filters=one,
    )  # fmt: skip
    pe = DensePe(Config())
    assert [row.tolist() for row in pe.busy(work)] == [[7 * 3 * 5 * 2]] and not pe.words(work)


@pytest.mark.parametrize(
    "kind",
    [kind for kinds in KINDS.values() for kind in kinds.values()],
    ids=lambda kind: str(kind),
)
def test_figures_are_linear_in_windows_and_words_proportional(kind: type[ResourceKind]) -> None:
    rng = np.random.default_rng(2)
    counts = {
        name: rng.integers(1, 12, 50)
        for name in ("p", "q", "span", "steps", "columns", "groups", "inward", "outward", "ends")
    }
    counts["p"], counts["q"] = rng.integers(1, 5, (2, 50))  # for the smallest preset's scratchpads
    rows, taps = rng.integers(1, 9, (2, 50))

    def work(windows: int, times: int = 1) -> PassWork:
        entries = {name: times * counts[name] for name in ("inward", "outward", "ends")}
        pixels = times * rows * ((windows - 1) * 2 + taps)
        return PassWork(
            windows=windows, at=np.arange(50), pixels=pixels, filters=times * rows,
            **{**counts, **entries},
        )  # fmt: skip

    for config in (Config(), *map(preset, preset_names())):
        part = kind(config)
        for figures in (part.busy, part.words):
            one, two, seven = (figures(work(windows)) for windows in (1, 2, 7))
            for first, second, found in zip(one, two, seven, strict=True):
                assert (found == first + 6 * (second - first)).all()
        for once, thrice in zip(part.words(work(5)), part.words(work(5, 3)), strict=True):
            assert (thrice == 3 * once).all()


def test_costs_add_up_whatever_the_resources() -> None:
    access = Access(Level.SPAD, DataType.PSUM, Direction.WRITE)
    cost = Cost(
        cycles=10, passes=2, busy=Tally(("a", "b"), (3, 9)), accesses=Accesses.of({access: 5})
    )
    both = cost + cost * 2
    assert (both.cycles, both.passes, both.busy["b"], both.accesses[access]) == (30, 6, 27, 15)
    half = both.share(1, 2)
    assert (half.cycles, half.busy["a"], half.accesses[access]) == (15, 4, 7)
    assert cost.bound == "b" and Cost().bound == ""
    assert Cost(busy=Tally(("a", "b"), (4, 4))).bound == "a"
    assert sum([cost, cost], Cost()) == cost * 2


@pytest.mark.parametrize("words", [1, 2, 4])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_beats_that_a_full_fifo_cannot_take_hold_the_ifmap_network(words: int, depth: int) -> None:
    """Cycle by cycle: a beat is put where a place was free, and a word of the first one leaves."""
    config = Config.of({"noc.ifmap": words, "pe.ifmap_fifo": depth, "pe.ifmap_spad": 16})
    found = _deliveries(config)
    assert len(found) == config.pe.ifmap_spad + 1
    for channels in range(1, config.pe.ifmap_spad + 1):
        beats = [min(words, channels - first) for first in range(0, channels, words)]
        fifo: list[int] = []
        cycles = 0
        while beats:
            free = len(fifo) < depth
            if fifo:
                fifo[0] -= 1
                fifo = [left for left in fifo if left]
            if free:
                fifo.append(beats.pop(0))
            cycles += 1
        assert found[channels] == cycles
