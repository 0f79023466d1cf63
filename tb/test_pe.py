"""The processing element on the emitted Verilog."""

from functools import partial

import pytest

from hw.arch.config import Config
from hw.pe.pe import PE
from tb.build import simulate

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
    """Random passes; every stall named; no bubbles where a spad takes a word while one is read."""
    config = Config(**CONFIGS[name])
    case = {"config": CONFIGS[name], "seed": name, "passes": 12}
    test = None if config.ifmap_spad > 1 else "random_passes"
    simulate(partial(PE, config), "pe_bench", case, test=test)
