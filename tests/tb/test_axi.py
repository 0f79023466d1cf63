"""The AXI wrapper on the emitted Verilog, with cocotbext-axi at its ports."""

import pytest

from hw.arch.config import Config
from rowforge.configs import preset
from tb.cases import link
from tb.cases.case import Demand
from tests.thorough import thorough

SMALL = {
    "array.rows": 1,
    "array.cols": 1,
    "buffer.depth": 32,
    "post.channels": 16,
    "control.row_patterns": 2,
}


@pytest.mark.slow
@pytest.mark.parametrize("width", [64, 16])
def test_axi(width):
    link.axi(
        Config.of({**SMALL, "control.col_patterns": 2, "link.width": width}), Demand(seed=width)
    ).run()


@pytest.mark.slow
def test_axi_of_a_microcontroller():
    """Firmware answers later than engines; resets and refusals are the same."""
    changes = {"array.rows": 3, "array.cols": 2, "link.width": 16}
    config = Config.of({**preset("icebreaker").values(), **changes})
    # The ports are those of `test_axi`, which has stalls too.
    link.axi(config, Demand(stalls=thorough(0.0, None))).run()
