"""The AXI wrapper on the emitted Verilog, with cocotbext-axi at its ports."""

import pytest

from hw.arch.config import Config
from tb.cases import link
from tb.cases.case import Demand

SMALL = {"rows": 1, "cols": 1, "glb_depth": 32, "post_channels": 16, "row_patterns": 2}


@pytest.mark.parametrize("width", [64, pytest.param(16, marks=pytest.mark.slow)])
def test_axi(width):
    link.axi(Config(**SMALL, col_patterns=2, link_width=width), Demand(seed=width)).run()
