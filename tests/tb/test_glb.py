"""The global buffer on the emitted Verilog."""

import pytest

from hw.arch.config import Config
from tb.cases import blocks
from tb.cases.case import Demand

CONFIGS = {
    "default": {"glb_depth": 32},
    "32 bits a word, psums of 16": {
        "glb_width": 32,
        "psum_width": 16,
        "noc_ifmap": 2,
        "glb_banks": 6,
        "glb_depth": 64,
    },
    "128 bits, psums of 20": {"glb_width": 128, "psum_width": 20, "glb_depth": 32},
    "odd number of banks, psums of 24": {
        "glb_banks": 11,
        "psum_width": 24,
        "noc_psum_in": 8,
        "noc_psum_out": 2,
        "glb_width": 128,
        "glb_depth": 32,
    },
    "split": {"glb_banks": 12, "glb_act_banks": 5, "glb_psum_banks": 9, "glb_depth": 32},
    "chip": {
        "data_width": 16,
        "psum_width": 16,
        "noc_filter": 4,
        "noc_ifmap": 1,
        "glb_banks": 27,
        "glb_act_banks": 26,
        "glb_depth": 32,
    },
    "two banks": {"glb_banks": 2, "psum_width": 16, "noc_psum_in": 1, "noc_psum_out": 2},
    "one psum a beat": {
        "glb_width": 32,
        "noc_ifmap": 4,
        "noc_psum_in": 1,
        "noc_psum_out": 1,
        "glb_banks": 4,
        "glb_depth": 32,
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_traffic(name):
    for case in blocks.glb(Config(**CONFIGS[name]), Demand(seed=name)):
        case.run()
