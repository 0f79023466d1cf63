"""Accesses of layers: what is counted, and what follows from the mapping."""

from dataclasses import replace
from fractions import Fraction

import pytest

from compiler.compile import estimate_graph
from compiler.workloads.networks import network_graph
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level, counted_accesses
from hw.arch.energy import bill, technology
from hw.arch.program import Layer
from rowforge.configs import preset
from rowforge.energy.layer_tally import Gating, LayerTally, PeWork, layer_tally
from rowforge.running.inputs import drawn_input
from rowforge.tracing.rtl import observed
from tests.rowforge.support import FAST_BUILD, small_digits

READ, WRITE = Direction.READ, Direction.WRITE


# ---- what PEs do --------------------------------------------------------------------------------


def test_a_pe_counted_by_hand() -> None:
    """2 filters of 3 taps on 2 channels, 4 windows: step by step."""
    q, S, p, F = 2, 3, 2, 4
    macs = reads = writes = ifmaps = 0
    for _ in range(F):
        for step in range(q * S):
            ifmaps += 1
            for _ in range(p):
                macs += 1
                reads += step > 0
                writes += step < q * S - 1
    words = PeWork(q=q, S=S, reuse=p, F=F).words(Fraction(macs), Fraction(10), gating=Gating.NEVER)
    by_name = {str(access): count for access, count in words.items()}
    assert by_name == {
        "mac.psum.write": macs,
        "spad.filter.read": macs - 10,
        "spad.ifmap.read": ifmaps,
        "spad.psum.read": reads,
        "spad.psum.write": writes,
        "spad.filter.write": p * q * S,
        "spad.ifmap.write": q * (F - 1 + S),
        "network.filter.write": p * q * S,
        "network.ifmap.write": q * (F - 1 + S),
        "network.psum.write": p * F,
    }


def test_skipped_products_may_leave_the_psums_alone() -> None:
    work, spad = PeWork(q=1, S=4, reuse=2, F=8), Access(Level.SPAD, DataType.PSUM, READ)
    touched = {
        gating: work.words(Fraction(800), Fraction(200), gating=gating)[spad] for gating in Gating
    }
    assert touched == {Gating.NEVER: 600, Gating.INSIDE: 500, Gating.ALWAYS: 450}
    whole = PeWork(q=1, S=1, reuse=2, F=8).words(Fraction(800), Fraction(200))
    assert whole[spad] == 0


def test_held_filters_are_delivered_less_often() -> None:
    sent = Access(Level.NETWORK, DataType.FILTER, WRITE)
    once, held = (PeWork(q=1, S=1, reuse=1, F=2, held=n).words(Fraction(80))[sent] for n in (1, 4))
    assert (once, held) == (40, 10)


# ---- layers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "name"), [("alexnet", "eyeriss_v1"), ("mobilenet_v1_0.5_128", "eyeriss_v1_int8")]
)
def test_the_products_of_layers_are_shared_out_without_rest(network: str, name: str) -> None:
    config = preset(name)
    graph = network_graph(network, data_width=config.array.data_width)
    for layer in estimate_graph(graph, config):
        tally = layer_tally(layer, gated_macs=layer.macs // 3)
        assert tally.accesses.words(Level.MAC) == tally.macs == layer.macs > 0
        filters = tally.accesses[Access(Level.SPAD, DataType.FILTER, READ)]
        assert abs(filters - (layer.macs - layer.macs // 3)) <= 1
        psums = tally.accesses.words(Level.NETWORK, DataType.PSUM)
        assert psums >= tally.accesses.words(Level.BUFFER, DataType.PSUM, WRITE)


def test_what_is_counted_is_not_derived() -> None:
    (layer, *_) = estimate_graph(network_graph("alexnet", data_width=16), preset("eyeriss_v1"))
    spad = Access(Level.SPAD, DataType.PSUM, WRITE)
    sent = Access(Level.NETWORK, DataType.FILTER, WRITE)
    for access in (spad, sent):
        counted = replace(layer, accesses=layer.accesses + Accesses.of({access: 5}))
        accesses = layer_tally(counted).accesses
        assert accesses[access] == 5 != layer_tally(layer).accesses[access]
    assert layer_tally(counted).accesses[spad] == layer_tally(layer).accesses[spad]


def test_a_layer_without_products_keeps_its_accesses() -> None:
    moved = Accesses.of({Access(Level.BUFFER, DataType.OFMAP, WRITE): 12})
    layer = Layer("pool", "MAX_POOL", "array", "", 3, accesses=moved)
    assert layer_tally(layer) == LayerTally(moved, 0, None)


def test_tallies_of_layers_add_up() -> None:
    known, unknown = LayerTally(Accesses(), 10, 4), LayerTally(Accesses(), 5, None)
    assert (known + known).gated_macs == 8
    assert (known + LayerTally()).gated_macs == 4
    assert (known + unknown).gated_macs is None
    assert (known + unknown).macs == 15


@pytest.mark.slow
def test_what_is_derived_is_near_what_the_rtl_counts():
    """On the shipped model: exact where products decide, near where rows and edges do."""
    program = small_digits()
    _, result = observed(program, drawn_input(program), optimise=FAST_BUILD)
    derived, counted = Accesses(), Accesses()
    for index, counters in result.counters.items():
        layer = program.layers[index]
        found = counted_accesses(program.config, counters)
        derived += layer_tally(layer, gated_macs=counters["gated_macs"]).accesses
        counted += found
        exact = layer_tally(layer, gated_macs=counters["gated_macs"], counted=found).accesses
        for level in (Level.MAC, Level.SPAD, Level.NETWORK, Level.BUFFER):
            assert exact.words(level) == found.words(level)
        assert exact.words(Level.LINK) == layer.accesses.words(Level.LINK)
    assert result.counters and derived.words(Level.MAC) == counted.words(Level.MAC)
    for level, data, way, most in (
        (Level.SPAD, DataType.IFMAP, READ, 0),
        (Level.SPAD, DataType.IFMAP, WRITE, 0.01),
        (Level.SPAD, DataType.FILTER, READ, 0.1),
        (Level.SPAD, DataType.FILTER, WRITE, 0.1),
        (Level.SPAD, DataType.PSUM, READ, 0.03),
        (Level.SPAD, DataType.PSUM, WRITE, 0.03),
        (Level.NETWORK, DataType.IFMAP, WRITE, 0.01),
        (Level.NETWORK, DataType.FILTER, WRITE, 0.1),
    ):
        ours, theirs = (tally.words(level, data, way) for tally in (derived, counted))
        assert ours == pytest.approx(theirs, rel=most), (level, data, way)
    leaving = counted.words(Level.NETWORK, DataType.PSUM, WRITE)
    hops = counted.words(Level.NETWORK, DataType.HOP, WRITE)
    assert derived.words(Level.NETWORK, DataType.PSUM, WRITE) == leaving + hops


# ---- a recorded schedule ------------------------------------------------------------------------

# AlexNet's CONV layers at batch 4 on eyeriss_v1 at commit 5f13dce: mapping of most of the layer
# (q, S, p, F, U), products, bytes at the buffer, bytes on the link, published share of zeros.
BEFORE = {
    "conv1": ((1, 11, 8, 55, 4), 421_660_800, 12_588_840, 22_117_392, 0.0001),
    "conv2": ((2, 5, 8, 27, 1), 895_795_200, 36_323_072, 27_077_304, 0.387),
    "conv3": ((2, 3, 16, 13, 1), 598_081_536, 40_304_640, 17_615_744, 0.725),
    "conv4": ((2, 3, 16, 13, 1), 448_561_152, 26_314_752, 13_153_296, 0.793),
    "conv5": ((2, 3, 16, 13, 1), 299_040_768, 17_098_752, 11_629_032, 0.776),
}


def test_the_counting_rule_gives_the_energy_of_the_schedule_before() -> None:
    config, table = preset("eyeriss_v1"), technology()
    energy = dict.fromkeys(Level, 0.0)
    for (q, S, p, F, U), macs, glb_bytes, link_bytes, zeros in BEFORE.values():
        gated = round(macs * zeros)
        work = PeWork(q=q, S=S, reuse=p, F=F, U=U)
        words = work.words(Fraction(macs), Fraction(gated), gating=Gating.NEVER)
        words[Access(Level.BUFFER, DataType.PSUM, READ)] = Fraction(glb_bytes, 2)
        words[Access(Level.LINK, DataType.ANY, READ)] = Fraction(link_bytes, 8)
        accesses = Accesses.of({access: round(count) for access, count in words.items()})
        found = bill(config, table, accesses, gated_macs=gated)
        for level in Level:
            energy[level] += found.at(level)
    told = {level: round(value / 1e9, 2) for level, value in energy.items() if value}
    assert told == {
        Level.MAC: 1.30,
        Level.SPAD: 6.17,
        Level.NETWORK: 1.15,
        Level.BUFFER: 0.40,
        Level.LINK: 9.16,
    }
    assert round(sum(energy.values()) / 1e9, 2) == 18.17
