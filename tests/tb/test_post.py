"""The post-processor on the emitted Verilog; its arithmetic is tested in `tests/hw`."""

import pytest

from hw.arch.config import Config
from tb.cases import blocks
from tb.cases.case import Demand
from tb.models.post import GEOMETRIES
from tests.thorough import thorough

# Of 8 and of 16 bits, a narrow one and one with many units; `tests/hw` takes all.
CHOSEN = thorough([GEOMETRIES[number] for number in (1, 4, 6, 7)], GEOMETRIES)


@pytest.mark.parametrize("geometry", CHOSEN, ids=str)
def test_modes(geometry):
    config = Config.of({**geometry, "post.channels": 32})
    for case in blocks.post(config, Demand(seed=str(geometry))):
        case.run()
