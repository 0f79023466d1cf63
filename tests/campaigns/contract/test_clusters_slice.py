"""The contract on several clusters: the RTL of a small mesh, and what the model refuses to skip."""

import pytest

from tests.campaigns.contract.compare import compare
from tests.campaigns.fuzz.cases import network_case
from tests.campaigns.fuzz.configs import SMALL_MESH
from tests.campaigns.fuzz.networks import residual, separable


@pytest.mark.slow
@pytest.mark.parametrize("theme", [residual, separable])
def test_model_and_rtl_agree_in_every_counter_on_two_clusters(theme) -> None:
    """Tensors stay in the buffers and are shared out, or every layer goes through the host."""
    result = compare(network_case(SMALL_MESH, theme, profile=False, stall_seed=None))
    assert result.exact, result
    assert len(result.layers) > 2
