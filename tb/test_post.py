"""The post-processor on the emitted Verilog; its arithmetic is tested in `tests/hw`."""

from functools import partial

import pytest

from hw.arch.config import Config
from hw.post.processor import PostProcessor
from tb.build import simulate
from tb.models.post import GEOMETRIES


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_modes(geometry):
    fields = {**geometry, "post_channels": 32}
    case = {"config": fields, "seed": str(geometry), "items": 40}
    simulate(partial(PostProcessor, Config(**fields)), "post_bench", case)
