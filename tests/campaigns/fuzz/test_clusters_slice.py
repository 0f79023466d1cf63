"""A few runs of the fuzzer on several clusters, and two networks on the RTL of a small mesh."""

from dataclasses import replace

import numpy as np
import pytest

from rowforge.configs import preset
from tests.campaigns.fuzz.builder import GraphBuilder
from tests.campaigns.fuzz.cases import CASES, make_case, random_inputs
from tests.campaigns.fuzz.configs import MESHES, clustered
from tests.campaigns.fuzz.networks import residual, separable
from tests.campaigns.fuzz.runner import run_case

SEED = 1
SMALL = preset("tiny_mesh").with_values(
    {
        "array.rows": 1,
        "array.cols": 1,
        "clusters.y": 1,
        "buffer.depth": 64,
        "post.channels": 64,
        "control.access_counters": True,
    }
)


def test_every_mesh_comes_up_equally_often() -> None:
    drawn = [clustered(SEED, number).clusters for number in range(2 * len(MESHES))]
    assert sorted((mesh.y, mesh.x) for mesh in drawn) == sorted(2 * MESHES)


@pytest.mark.parametrize("number", (0, 2, 5, 6))
def test_programs_of_clusters_equal_the_golden_model(number: int) -> None:
    outcome = run_case(make_case(SEED, number * CASES + 2, clusters=True), rtl=False)
    assert outcome.status != "failed", f"{outcome.label}: {outcome.message}"


@pytest.mark.slow
@pytest.mark.parametrize(("theme", "stall_seed"), [(residual, 5), (separable, None)])
def test_networks_on_the_rtl_of_two_clusters(theme, stall_seed) -> None:
    """Two clusters of one PE; tensors stay in the buffer, or not even a layer fits it."""
    rng = np.random.default_rng(7)
    builder = GraphBuilder(rng, SMALL, "int8", wrap=False, size=0.5)
    theme(builder)
    graph = builder.graph(theme.__name__)
    case = replace(
        make_case(SEED, 0),
        config=SMALL,
        graph=graph,
        inputs=[random_inputs(rng, graph)],
        options={
            "wrap": False,
            "dump": False,
            "profile": stall_seed is None,
            "objective": "cycles",
        },
        stall_seed=stall_seed,
    )
    outcome = run_case(case, rtl=True)
    assert outcome.status == "passed", outcome.message
    assert outcome.cycles > 0
