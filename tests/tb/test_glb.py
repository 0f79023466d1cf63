"""The global buffer on the emitted Verilog."""

import pytest

from hw.arch.config import Config
from tb.cases import blocks
from tb.cases.case import Demand

CONFIGS = {
    "default": {"buffer.depth": 32},
    "32 bits a word, psums of 16": {
        "buffer.width": 32,
        "array.psum_width": 16,
        "noc.ifmap": 2,
        "buffer.banks": 6,
        "buffer.depth": 64,
    },
    "128 bits, psums of 20": {"buffer.width": 128, "array.psum_width": 20, "buffer.depth": 32},
    "odd number of banks, psums of 24": {
        "buffer.banks": 11,
        "array.psum_width": 24,
        "noc.psum_in": 8,
        "noc.psum_out": 2,
        "buffer.width": 128,
        "buffer.depth": 32,
    },
    "split": {
        "buffer.banks": 12,
        "buffer.act_banks": 5,
        "buffer.psum_banks": 9,
        "buffer.depth": 32,
    },
    "chip": {
        "array.data_width": 16,
        "array.psum_width": 16,
        "noc.filter": 4,
        "noc.ifmap": 1,
        "buffer.banks": 27,
        "buffer.act_banks": 26,
        "buffer.depth": 32,
    },
    "two banks": {"buffer.banks": 2, "array.psum_width": 16, "noc.psum_in": 1, "noc.psum_out": 2},
    "one psum a beat": {
        "buffer.width": 32,
        "noc.ifmap": 4,
        "noc.psum_in": 1,
        "noc.psum_out": 1,
        "buffer.banks": 4,
        "buffer.depth": 32,
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_traffic(name):
    for case in blocks.glb(Config.of(CONFIGS[name]), Demand(seed=name)):
        case.run()
