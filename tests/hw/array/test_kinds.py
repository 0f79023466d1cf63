# amaranth: UnusedElaboratable=no
"""Kinds of PE and of networks: each keeps its family's ports, and the array takes what is named."""

from itertools import product

import pytest
from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hw.arch.config import Config
from hw.arch.counters import ACCESS_COUNTERS, COUNTERS
from hw.arch.patterns import COLUMN, ROW
from hw.array.array import PEArray
from hw.array.tables import ArrayTable
from hw.base.unused import mark_used
from hw.emit.verilog import emit
from hw.engines.tables import PassTable
from hw.noc import kinds as noc_kinds
from hw.noc.chains import ColumnChains
from hw.noc.kinds import OPERAND_NETWORKS, PSUM_NETWORKS
from hw.noc.multicast import MulticastNetwork
from hw.noc.operands import ArrayOperand
from hw.noc.psums import CollectorBeat, FeederBeat
from hw.pe import kinds as pe_kinds
from hw.pe.dense import DensePE
from hw.pe.kinds import PES
from hw.pe.layouts import ChainWord, FilterBeat, IfmapBeat, PsumWord
from hw.pe.pe import PE, PE_ACCESSES, PE_COUNTERS
from tests.hw.members import problems

CONFIGS = {
    "default": Config(),
    "accesses": Config.of({"control.access_counters": True}),
    "two macs": Config.of({"pe.macs": 2, "control.pipeline": 1, "array.rows": 3}),
    "16 bits": Config.of(
        {"array.data_width": 16, "noc.filter": 4, "noc.psum_in": 2, "noc.pipeline": 1}
    ),
}
SMALL = Config.of({"array.rows": 2, "array.cols": 2})


def of_kind(config: Config, **kinds: str) -> Config:
    """The configuration with kinds that its own check does not know."""
    chosen = Config.from_dict(config.as_dict())
    for section, kind in kinds.items():
        object.__setattr__(getattr(chosen, section), "kind", kind)
    return chosen


def choices(name: str) -> set[str]:
    return set(dict(Config.declared())[name].metadata["kinds"])


def test_every_kind_that_a_configuration_can_name_is_there():
    assert set(PES) == choices("pe.kind")
    assert set(OPERAND_NETWORKS) == set(PSUM_NETWORKS) == choices("noc.kind")


# ---- signatures ---------------------------------------------------------------------------------


def pe_problems(kind: type[PE], config: Config) -> list[str]:
    """What keeps a kind from the place of a PE."""
    shape, pe = kind.pass_config(config), kind(config)
    wanted = {
        "config": In(shape),
        "config_pass": In(2),
        "started": Out(2),
        "ifmap": In(stream.Signature(IfmapBeat(config))),
        "filters": In(stream.Signature(FilterBeat(config))),
        "below": In(stream.Signature(ChainWord(config))),
        "column": In(stream.Signature(PsumWord(config))),
        "output": Out(stream.Signature(ChainWord(config))),
        **{event: Out(1) for event in kind.events(config)},
    }
    wrong = [] if dict(pe.signature.members) == wanted else ["its ports"]
    constants = kind.pass_constants(config, Signal(PassTable(config)).constants)
    if {"active", "head", "zero", "tail", "release", *constants} != {name for name, _ in shape}:
        wrong.append("its pass configuration")
    if any(shape[name].width != 1 for name in ("active", "head", "zero", "tail", "release")):
        wrong.append("its flags")
    events = data.StructLayout(dict.fromkeys(kind.events(config), 4))
    accesses = PE_ACCESSES if config.control.access_counters else ()
    if set(kind.counted(config, Signal(events))) != {*PE_COUNTERS, *accesses}:
        wrong.append("its counters")
    if not set(kind.PROGRESS) <= set(kind.EVENTS) or not kind.PROGRESS:
        wrong.append("its progress")
    return wrong + problems(pe)


def operand_problems(kind, config: Config, operand: ArrayOperand) -> list[str]:
    """What keeps a kind from the place of an operand network."""
    size = (config.array.rows, config.array.cols)
    beat = IfmapBeat(config) if operand is ArrayOperand.IFMAP else FilterBeat(config)
    network, bus = kind.for_operand(config, operand), kind.bus(config, operand)
    mark_used(network)  # a family's own file makes it
    members = dict(network.signature.members)
    wrong = []
    if bus["payload"].shape != beat:
        wrong.append("its payload")
    entry = members.pop("input")
    if entry.flow is not In or Shape.cast(entry.signature.members["payload"].shape).width != (
        Shape.cast(bus).width
    ):
        wrong.append("its input")
    if members.pop("outputs") != Out(stream.Signature(beat)).array(*size):
        wrong.append("its outputs")
    wrong += unlearnt(network, members, lambda m, table: network.learn(m, operand, table), config)
    for fields, record in ((kind.row_fields, ROW), (kind.column_fields, COLUMN)):
        if not set(fields(config)) <= {field.name for field in record.fields}:
            wrong.append(f"its fields of {record.name}")
    return wrong + problems(network)


def psum_problems(kind, config: Config) -> list[str]:
    """What keeps a kind from the place of the psum network."""
    rows, cols = config.array.rows, config.array.cols
    network, shape = kind(config), kind.pass_config(config)
    members = dict(network.signature.members)
    wanted = {
        "issued": In(2),
        "settled": Out(1),
        "psums_in": In(stream.Signature(FeederBeat(config))).array(cols),
        "psums_out": Out(stream.Signature(CollectorBeat(config))).array(cols),
        "column": Out(stream.Signature(PsumWord(config))).array(rows, cols),
        "below": Out(stream.Signature(ChainWord(config))).array(rows, cols),
        "outputs": In(stream.Signature(ChainWord(config))).array(rows, cols),
    }
    wrong = [name for name, member in wanted.items() if members.pop(name, None) != member]
    constants = kind.pass_constants(config, Signal(PassTable(config)).constants)
    if not set(constants) <= {name for name, _ in shape}:
        wrong.append("its constants")
    wrong += unlearnt(network, members, network.learn, config)
    return wrong + problems(network)


def unlearnt(network, members, learn, config: Config) -> list[str]:
    """Ports of a kind's own that tables full of ones do not reach, or that are no inputs."""
    m = Module()
    tables = Signal(data.ArrayLayout(ArrayTable(config), 2))
    learn(m, tables)
    ports = {name: Value.cast(getattr(network, name)) for name in members}
    reached = {}

    async def look(ctx):
        ctx.set(Value.cast(tables), -1)
        reached.update({name: ctx.get(port) for name, port in ports.items()})

    simulator = Simulator(m)
    simulator.add_testbench(look)
    simulator.run()
    return [
        f"its port {name}"
        for name, member in members.items()
        if member.flow is not In or not reached[name]
    ]


@pytest.mark.parametrize(("kind", "config"), [*product(PES, CONFIGS)])
def test_every_kind_of_pe_has_the_ports_of_a_pe(kind, config):
    assert pe_problems(PES[kind], CONFIGS[config]) == []


@pytest.mark.parametrize(
    ("kind", "config", "operand"), [*product(OPERAND_NETWORKS, CONFIGS, ArrayOperand)]
)
def test_every_kind_of_operand_network_has_its_ports(kind, config, operand):
    assert operand_problems(OPERAND_NETWORKS[kind], CONFIGS[config], operand) == []


@pytest.mark.parametrize(("kind", "config"), [*product(PSUM_NETWORKS, CONFIGS)])
def test_every_kind_of_psum_network_has_its_ports(kind, config):
    assert psum_problems(PSUM_NETWORKS[kind], CONFIGS[config]) == []


def test_the_counters_of_pes_exist():
    assert set(PE_COUNTERS) <= {field.name for field in COUNTERS.fields}
    assert set(PE_ACCESSES) <= {field.name for field in ACCESS_COUNTERS}


class LonelyPE(DensePE):
    """Lacks the psums of the PE below, and says so of an event that it does not tell."""

    PROGRESS = ("computed",)

    def __init__(self, config):
        members = dict(DensePE(config).signature.members)
        del members["below"]
        super(PE, self).__init__(members)

    @classmethod
    def pass_constants(cls, config, constants):
        return {"windows": constants.windows}


def test_a_kind_that_does_not_fit_is_found():
    found = pe_problems(LonelyPE, Config())
    assert found[:3] == ["its ports", "its pass configuration", "its progress"]


class DeafNetwork(MulticastNetwork):
    """Does not know its own columns."""

    def learn(self, m, operand, tables):
        for bank in range(2):
            m.d.comb += [line.enable.eq(1) for line in self.rows[bank]]


def test_a_network_that_learns_nothing_is_found():
    assert operand_problems(DeafNetwork, Config(), ArrayOperand.FILTER) == [
        "its port ids",
        "its port enables",
    ]


# ---- choice -------------------------------------------------------------------------------------


class SecondPE(DensePE):
    """A dense PE under another name, which tells of one event more."""

    EVENTS = (*DensePE.EVENTS, "resting")
    module_name = "second_pe"

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.resting.eq(~self.running)
        return m


class SecondNetwork(MulticastNetwork):
    """A multicast network under another name."""


class SecondChains(ColumnChains):
    """Chains under another name."""


@pytest.fixture
def second(monkeypatch):
    monkeypatch.setitem(pe_kinds.PES, "second", SecondPE)
    monkeypatch.setitem(noc_kinds.OPERAND_NETWORKS, "second", SecondNetwork)
    monkeypatch.setitem(noc_kinds.PSUM_NETWORKS, "second", SecondChains)


def instances(text: str) -> dict[str, int]:
    """How often the array of a design places modules of each kind."""
    names = ("pe", "second_pe", "multicast_network", "second_network", "column_chains")
    words = [line.split()[:1] for line in text.splitlines() if line.endswith(" (")]
    return {name: words.count([f"x_{name}"]) for name in (*names, "second_chains")}


PLAIN = {
    "pe": 4,
    "second_pe": 0,
    "multicast_network": 1,  # the other one is x_multicast_network_1
    "second_network": 0,
    "column_chains": 1,
    "second_chains": 0,
}


@pytest.mark.slow
def test_the_array_takes_the_kinds_of_the_configuration(second):
    assert instances(emit(PEArray(SMALL), "x")) == PLAIN
    assert instances(emit(PEArray(of_kind(SMALL, pe="second")), "x")) == {
        **PLAIN,
        "pe": 0,
        "second_pe": 4,
    }
    assert instances(emit(PEArray(of_kind(SMALL, noc="second")), "x")) == {
        **PLAIN,
        "multicast_network": 0,
        "second_network": 1,
        "column_chains": 0,
        "second_chains": 1,
    }


def test_the_array_counts_the_events_of_the_kind(second):
    shape = PEArray(of_kind(SMALL, pe="second")).activity.shape()
    assert [name for name, _ in shape] == list(SecondPE.EVENTS)
