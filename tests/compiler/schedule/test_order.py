"""Schedules come in the order of their figures, though bounds spare weighing most of them."""

from itertools import islice

import numpy as np
import pytest

from compiler.operators.convolve import ConvOperation
from compiler.schedule import chunks, tiling
from compiler.schedule.goal import Figure, Goal, least_first
from compiler.schedule.space import Space
from hw.arch.config import Config
from tests.compiler.figures import CONFIGS
from tests.compiler.support import conv_graph

NARROW = Config.of({"buffer.banks": 10, "buffer.depth": 64, "pe.psum_spad": 16})


@pytest.mark.parametrize("seed", range(20))
def test_the_order_is_that_of_sorting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    figures = rng.integers(0, 12, 40).tolist()
    ties = rng.integers(0, 3, 40).tolist()
    bounds = [figure - int(rng.integers(0, 4)) for figure in figures]
    weighed: list[int] = []

    def weigh(item: int) -> tuple[Figure, int, int]:
        weighed.append(item)
        return (figures[item],), ties[item], item

    items = [(item, (bound,)) for item, bound in enumerate(bounds)]
    right = sorted(range(40), key=lambda item: (figures[item], ties[item]))
    assert list(islice(least_first(items, weigh), 5)) == right[:5]
    needed = [item for item, bound in enumerate(bounds) if bound <= figures[right[4]]]
    assert sorted(weighed) == needed
    assert list(least_first(items, weigh)) == right


@pytest.mark.parametrize("objective", ["cycles", "traffic", "energy", "edp"])
@pytest.mark.parametrize(
    ("config", "image", "filters", "taps", "more"),
    [
        (CONFIGS["tiny"], (24, 20, 24), 20, (3, 3), {"pad": (1, 1, 1, 1)}),
        (CONFIGS["tiny"], (20, 20, 32), 32, (3, 3), {"groups": 32, "stride": (2, 2)}),
        (CONFIGS["tiny"], (9, 9, 48), 32, (3, 3), {"groups": 4}),
        (NARROW, (9, 8, 96), 40, (3, 3), {"pad": (1, 1, 1, 1)}),
        (CONFIGS["two_macs"], (6, 1, 40), 33, (5, 1), {"batch": 4}),
    ],
)
def test_bounds_are_below_the_figures(objective, config, image, filters, taps, more) -> None:
    """Otherwise the order would be another than that of the figures."""
    (node,) = conv_graph(np.random.default_rng(1), image, filters, taps, **more).nodes
    operation = ConvOperation(config, node, True, objective)
    space, goal = Space(config), Goal(config, objective)
    free = space.limit(0)
    choices = [
        choice
        for kind in tiling._Kind
        for choice in tiling._choices(space, operation, (False, False), free, goal, kind)
    ]
    assert choices
    for choice in choices:
        counts = tiling.tile_sizes(operation, choice.size).items()
        least = sum(n * operation.least_tile_cycles(part) for part, n in counts)
        assert choice.figure <= goal.figure(choice.moves, least)
    for schedule in chunks._schedules(space, operation):
        least_figure, _, _ = chunks._with_least(operation, schedule, goal)
        assert chunks._ideal(operation, schedule, goal) <= least_figure
