"""Objectives: figures of schedules, and that a layer is scheduled as it is asked to be."""

from itertools import pairwise

import pytest

from compiler.compile import estimate_graph
from compiler.schedule.goal import OBJECTIVES, Goal
from compiler.stream.traffic import Transfers
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.accesses.sizes import link_bytes
from hw.arch.config import Config
from rowforge.configs import preset

LAYER = LayerShape("conv", 27, 48, 128, 5, 1, 2)
CHIP = preset("eyeriss_v1")


@pytest.mark.slow
def test_a_slow_link_moves_less_and_wins_over_the_link():
    config = CHIP.with_values({"link.rate": 0.3})
    graph = layer_graph("conv", [LAYER], data_width=16, batch=1)
    (fast,) = estimate_graph(graph, CHIP.with_values({"link.rate": 1}))
    (slow,) = estimate_graph(graph, config)
    assert link_bytes(config, slow.accesses) < link_bytes(CHIP, fast.accesses)
    paced = Transfers(**slow.transfers).cycles(slow.computing, 0.3)
    assert paced < Transfers(**fast.transfers).cycles(fast.computing, 0.3)
    assert fast.model_cycles <= slow.model_cycles


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_figures_grow_with_everything(objective):
    """The figure of a lower bound is a lower bound of the figure: the search prunes by it."""
    reads = Access(Level.BUFFER, DataType.IFMAP, Direction.READ)
    steps = [
        (Transfers(), 0, Accesses()),
        (Transfers(exposed=10), 100, Accesses()),
        (Transfers(exposed=10, filters=50), 100, Accesses.of({reads: 10})),
        (Transfers(exposed=10, filters=500, stored=40), 120, Accesses.of({reads: 30})),
    ]
    for rate in (1, 0.3):
        goal = Goal(Config.of({"link.rate": rate}), objective)
        figures = [goal.figure(*step) for step in steps]
        assert all(before <= after for before, after in pairwise(figures))
        assert all(goal.beyond(figure, 8) > figure for figure in figures)


def test_each_objective_is_about_its_own_figure():
    moves = Transfers(filters=300, exposed=30)
    reads = Accesses.of({Access(Level.BUFFER, DataType.IFMAP, Direction.READ): 64})
    config = Config.of({"link.rate": 0.3})
    cycles = moves.cycles(500, 0.3)
    # 300 words at 0.3, a sixth of the time in which the array computes, too, 30 at 0.3
    assert cycles == 1000 + 83 + 100
    link, on_chip = 330 * 4 * 200, 64 * 8 / 16 * 6
    figures = {name: Goal(config, name).figure(moves, 500, reads)[0] for name in OBJECTIVES}
    assert figures["cycles"] == cycles
    assert figures["traffic"] == 330
    assert figures["energy"] == link + on_chip
    assert figures["edp"] == (link + on_chip) * cycles


def test_what_is_loaded_as_a_code_counts_as_long_as_the_code():
    moves = Transfers(filters=100, loaded=160, exposed=10)
    wide = {"array.data_width": 16, "array.psum_width": 32, "noc.filter": 4}
    plain, coded = Config.of(wide), Config.of({**wide, "link.coding": "mask"})
    for config, zeros, loaded in ((plain, 0.75, 160), (coded, 0.75, 50), (coded, 0.0, 160)):
        assert Goal(config, "traffic", zeros).figure(moves, 500)[0] == 110 + loaded
    few, many = (Goal(coded, "cycles", zeros).cycles(moves, 100) for zeros in (0.75, 0.0))
    assert few < many
