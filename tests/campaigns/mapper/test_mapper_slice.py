"""A few layers of the campaign: what the mapper chooses is near the best of the next mappings."""

from typing import Any

import numpy as np
import pytest

from compiler.cache.plans import kept_flat_plans, kept_search
from compiler.mapper.resources import multicast
from compiler.mapper.search import search
from compiler.mapper.table import _grids_of, table_of
from compiler.nest.flat import flat_plans
from compiler.workloads.layers import LayerShape
from hw.arch.config import Config
from tests.campaigns.mapper.weighing import weigh

LAYERS = {
    "orangecrab_25f": LayerShape("pointwise", 6, 64, 16, 1),
    "ulx3s_85f": LayerShape("plain", 6, 16, 32, 3, 1, 1),
}
SLACK = 0.03


@pytest.mark.parametrize("name", LAYERS)
def test_the_choice_is_near_the_best_of_the_next_ones(name: str) -> None:
    found = weigh(name, LAYERS[name], 8)
    assert found is not None and found.candidates == 8
    assert found.loss < SLACK


def test_a_cost_without_waits_for_the_fifo_is_far_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The campaign finds a cost that is wrong: as if every beat took one cycle of the network."""

    def beats(config: Config) -> np.ndarray[Any, Any]:
        return -(-np.arange(config.pe.ifmap_spad + 1) // config.noc.ifmap)

    monkeypatch.setattr(multicast, "_deliveries", beats)
    _forget()
    try:
        found = weigh("orangecrab_25f", LAYERS["orangecrab_25f"], 8)
    finally:
        _forget()
    assert found is not None
    assert found.loss > SLACK


def _forget() -> None:
    for found in (_grids_of, table_of, search, flat_plans, kept_search, kept_flat_plans):
        found.cache_clear()
