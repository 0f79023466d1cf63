"""The pass nest and the pass tables on the emitted Verilog."""

import pytest

from hw.arch.config import Config
from tb.cases import blocks
from tb.cases.case import Demand

CONFIGS = {
    "default": {},
    "1x1": {"rows": 1, "cols": 1, "row_patterns": 2, "col_patterns": 2},
    "5x3, 16 bits": {"rows": 5, "cols": 3, "data_width": 16, "noc_filter": 4, "row_patterns": 7},
}


def test_walker():
    blocks.walker(Demand()).run()


@pytest.mark.parametrize("name", sorted(CONFIGS))  # the smallest first: it is the quick one
def test_sequencer(name):
    blocks.sequencer(Config(**CONFIGS[name]), Demand(seed=name)).run()
