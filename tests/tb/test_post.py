"""The post-processor on the emitted Verilog; its arithmetic is tested in `tests/hw`."""

import pytest

from hw.arch.config import Config
from tb.cases import blocks
from tb.cases.case import Demand
from tb.models.post import GEOMETRIES


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_modes(geometry):
    config = Config.of({**geometry, "post.channels": 32})
    for case in blocks.post(config, Demand(seed=str(geometry))):
        case.run()
