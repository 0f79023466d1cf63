"""The pass nest and the pass tables on the emitted Verilog."""

from functools import partial

import pytest

from hw.arch.config import Config
from hw.sequencer.sequencer import Sequencer
from hw.sequencer.walker import NestWalker
from tb.build import simulate

CONFIGS = {
    "default": {},
    "1x1": {"rows": 1, "cols": 1, "row_patterns": 2, "col_patterns": 2},
    "5x3, 16 bits": {"rows": 5, "cols": 3, "data_width": 16, "noc_filter": 4, "row_patterns": 7},
}


def test_walker():
    simulate(partial(NestWalker), "sequencer_bench", {"seed": 1, "nests": 25}, test="walker")


@pytest.mark.parametrize("name", CONFIGS)
def test_sequencer(name):
    case = {"config": CONFIGS[name], "seed": name, "commands": 3}
    block = partial(Sequencer, Config(**CONFIGS[name]))
    simulate(block, "sequencer_bench", case, test="sequencer")
