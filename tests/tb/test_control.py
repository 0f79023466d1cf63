"""The pass nest and the pass tables on the emitted Verilog."""

import pytest

from hw.arch.config import Config
from tb.cases import blocks
from tb.cases.case import Demand
from tests.thorough import thorough

CONFIGS = {
    "default": {},
    "1x1": {"array.rows": 1, "array.cols": 1, "control.row_patterns": 2, "control.col_patterns": 2},
    "5x3, 16 bits": {
        "array.rows": 5,
        "array.cols": 3,
        "array.data_width": 16,
        "noc.filter": 4,
        "control.row_patterns": 7,
    },
}


def test_walker():
    blocks.walker(Demand()).run()


NAMES = sorted(set(CONFIGS) - thorough({"default"}, set()))  # between the other two in size


@pytest.mark.parametrize("name", NAMES)  # the smallest first: it is the quick one
def test_sequencer(name):
    blocks.sequencer(Config.of(CONFIGS[name]), Demand(seed=name)).run()
