"""The processing element on the emitted Verilog."""

from functools import partial

import pytest

import tb.build
from hw.arch.config import Config
from hw.pe.pe import PE
from sim.netlist.cells import cell_models
from tb.build import simulate
from tb.cases import blocks
from tb.cases.case import Demand

CONFIGS = {
    "default": {},
    "two macs": {"macs_per_pe": 2},
    "weight zero points, two macs": {"macs_per_pe": 2, "weight_zero_points": True},
    "chip": {
        "data_width": 16,
        "psum_width": 16,
        "noc_ifmap": 1,
        "noc_filter": 4,
        "ifmap_fifo": 4,
        "psum_fifo": 4,
    },
    "16 bits, two macs": {
        "data_width": 16,
        "psum_width": 20,
        "macs_per_pe": 2,
        "noc_filter": 2,
        "noc_ifmap": 4,
    },
    "minimal": {
        "ifmap_spad": 1,
        "filter_spad": 2,
        "psum_spad": 1,
        "ifmap_fifo": 1,
        "noc_ifmap": 1,
        "noc_filter": 1,
        "psum_width": 16,
    },
    "small, no gating": {
        "ifmap_spad": 5,
        "filter_spad": 24,
        "psum_spad": 3,
        "noc_ifmap": 8,
        "noc_filter": 4,
        "psum_width": 24,
        "zero_gating": False,
    },
    "registers": {"control_pipeline": 1, "map_bits": 10, "filter_spad": 64},
    "minimal, two macs": {
        "macs_per_pe": 2,
        "ifmap_spad": 2,
        "filter_spad": 8,
        "psum_spad": 2,
        "noc_filter": 2,
        "noc_ifmap": 2,
        "psum_width": 40,
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_passes(name):
    for case in blocks.pe(Config(**CONFIGS[name]), Demand(seed=name)):
        case.run()


# A filter scratchpad large enough for block RAM.
NETLIST = {"weight_zero_points": True, "filter_spad": 4096, "psum_spad": 8}


def passes_on_the_netlist():
    case = {"config": NETLIST, "seed": "netlist", "passes": 12}
    block = partial(PE, Config(**NETLIST))
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
