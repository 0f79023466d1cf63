"""A few runs of the fuzzer on several clusters, and two networks on the RTL of a small mesh."""

import pytest

from tests.campaigns.fuzz.cases import CASES, make_case, network_case
from tests.campaigns.fuzz.configs import MESHES, SMALL_MESH, clustered
from tests.campaigns.fuzz.networks import residual, separable
from tests.campaigns.fuzz.runner import run_case

SEED = 1


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
    case = network_case(SMALL_MESH, theme, profile=stall_seed is None, stall_seed=stall_seed)
    outcome = run_case(case, rtl=True)
    assert outcome.status == "passed", outcome.message
    assert outcome.cycles > 0
