"""The processing element on the emitted Verilog."""

from functools import partial

import pytest

import tb.build
from hw.arch.config import Config
from hw.pe.kinds import pe_kind
from sim.netlist.cells import cell_models
from tb.build import simulate
from tb.cases import blocks
from tb.cases.case import Demand
from tests.thorough import thorough

CONFIGS = {
    "default": {},
    "two macs": {"pe.macs": 2},
    "weight zero points, two macs": {"pe.macs": 2, "pe.weight_zero_points": True},
    "chip": {
        "array.data_width": 16,
        "array.psum_width": 16,
        "noc.ifmap": 1,
        "noc.filter": 4,
        "pe.ifmap_fifo": 4,
        "pe.psum_fifo": 4,
    },
    "16 bits, two macs": {
        "array.data_width": 16,
        "array.psum_width": 20,
        "pe.macs": 2,
        "noc.filter": 2,
        "noc.ifmap": 4,
    },
    "minimal": {
        "pe.ifmap_spad": 1,
        "pe.filter_spad": 2,
        "pe.psum_spad": 1,
        "pe.ifmap_fifo": 1,
        "noc.ifmap": 1,
        "noc.filter": 1,
        "array.psum_width": 16,
    },
    "small, no gating": {
        "pe.ifmap_spad": 5,
        "pe.filter_spad": 24,
        "pe.psum_spad": 3,
        "noc.ifmap": 8,
        "noc.filter": 4,
        "array.psum_width": 24,
        "pe.zero_gating": False,
    },
    "accesses": {"control.access_counters": True, "pe.psum_spad": 8, "noc.filter": 4},
    "accesses, two macs": {
        "control.access_counters": True,
        "control.pipeline": 1,
        "pe.macs": 2,
        "noc.filter": 8,
    },
    "accesses, 16 bits, no gating": {
        "control.access_counters": True,
        "array.data_width": 16,
        "noc.filter": 4,
        "pe.zero_gating": False,
    },
    "accesses, 16 bits": {
        "control.access_counters": True,
        "array.data_width": 16,
        "noc.filter": 2,
        "pe.psum_spad": 6,
    },
    "skipping": {"pe.kind": "skipping", "control.access_counters": True},
    "skipping, two macs, registers": {
        "pe.kind": "skipping",
        "pe.macs": 2,
        "control.pipeline": 1,
        "control.access_counters": True,
        "pe.weight_zero_points": True,
        "noc.ifmap": 2,
    },
    "skipping, chip": {
        "pe.kind": "skipping",
        "array.data_width": 16,
        "array.psum_width": 16,
        "control.access_counters": True,
        "noc.ifmap": 1,
        "noc.filter": 4,
    },
    "skipping, minimal": {
        "pe.kind": "skipping",
        "pe.ifmap_spad": 1,
        "pe.filter_spad": 2,
        "pe.psum_spad": 1,
        "pe.ifmap_fifo": 1,
        "noc.ifmap": 1,
        "noc.filter": 1,
        "array.psum_width": 16,
    },
    "registers": {"control.pipeline": 1, "control.map_bits": 10, "pe.filter_spad": 64},
    "minimal, two macs": {
        "pe.macs": 2,
        "pe.ifmap_spad": 2,
        "pe.filter_spad": 8,
        "pe.psum_spad": 2,
        "noc.filter": 2,
        "noc.ifmap": 2,
        "array.psum_width": 40,
    },
}


# Each joins what two of the others have, or is one of them without something.
COMPOSED = {"two macs", "accesses", "accesses, 16 bits, no gating", "skipping", "minimal, two macs"}
NAMES = [name for name in CONFIGS if name not in thorough(COMPOSED, set())]


@pytest.mark.parametrize("name", NAMES)
def test_passes(name):
    for case in blocks.pe(Config.of(CONFIGS[name]), Demand(seed=name)):
        case.run()


# A filter scratchpad large enough for block RAM.
NETLIST = {"pe.weight_zero_points": True, "pe.filter_spad": 4096, "pe.psum_spad": 8}


def passes_on_the_netlist():
    config = Config.of(NETLIST)
    case = {"config": config.as_dict(), "seed": "netlist", "passes": 12}
    block = partial(pe_kind(config), config)
    simulate(block, "pe_bench", case, test="random_passes", netlist=True)


@pytest.mark.slow
def test_passes_on_the_ecp5_netlist():
    """The same passes on LUTs, flip-flops, carries, a MULT18X18D and DP16KD."""
    passes_on_the_netlist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("read[35:18] : read[17:0]", "read[17:0] : read[35:18]"),
        ("assign Z = C0 ? ALUT : BLUT", "assign Z = C0 ? BLUT : ALUT"),
    ],
)
def test_a_broken_cell_is_found(monkeypatch, right, wrong):
    cells = cell_models(four_states=True)
    assert cells.count(right) == 1
    monkeypatch.setattr(tb.build, "_cells", lambda _: cells.replace(right, wrong))
    with pytest.raises(AssertionError, match="pe_bench failed"):
        passes_on_the_netlist()
