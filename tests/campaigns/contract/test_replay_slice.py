"""A slice of the contract of programs in a memory, on a simulator that other tests have built."""

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.images.records import RecordKind
from sim.cycles.session import HostSession
from tests.campaigns.contract.replays import Memory, compare_replays
from tests.campaigns.fuzz.cases import Case, random_inputs
from tests.campaigns.fuzz_network.cases import small_graph
from tests.sim.test_outside_memory import BEHAVIOUR, SDRAM, SMALL

CONFIG = Config.of(SMALL | SDRAM)
SEEDS = (4, 9, 17)
"""Small networks: of one a tensor is gathered in rows with a pitch, of one the host has a step in
the middle."""


def network(seed: int) -> Case:
    rng = np.random.default_rng([1, seed])
    graph = small_graph(rng, CONFIG, simulated=True)
    assert graph is not None
    inputs = [random_inputs(rng, graph)]
    return Case(seed=1, index=seed, theme="network", config=CONFIG, graph=graph, inputs=inputs)


@pytest.mark.slow
def test_model_and_rtl_agree_in_cycles_and_counters_of_replays() -> None:
    results = [compare_replays(network(seed), Memory(SDRAM), behaviour=BEHAVIOUR) for seed in SEEDS]
    assert all(result.exact for result in results), results
    assert all(result.session is not None for result in results)
    sessions = [HostSession.of(result.program) for result in results]
    kinds = {int(kind) for session in sessions for kind in session.records[:, 0]}
    assert kinds == set(RecordKind)
    assert {len(session.images) for session in sessions} == {1, 2}
    assert any((session.records[:, 2] > 1).any() for session in sessions), "no rows with a pitch"
