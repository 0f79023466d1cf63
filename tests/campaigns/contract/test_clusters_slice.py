"""The contract on several clusters: the RTL of a small mesh, and what the model refuses to skip."""

from dataclasses import replace

import numpy as np
import pytest

from tests.campaigns.contract.compare import compare
from tests.campaigns.fuzz.builder import GraphBuilder
from tests.campaigns.fuzz.cases import make_case, random_inputs
from tests.campaigns.fuzz.networks import residual, separable
from tests.campaigns.fuzz.test_clusters_slice import SMALL


@pytest.mark.slow
@pytest.mark.parametrize("theme", [residual, separable])
def test_model_and_rtl_agree_in_every_counter_on_two_clusters(theme) -> None:
    """Tensors stay in the buffers and are shared out, or every layer goes through the host."""
    rng = np.random.default_rng(7)
    builder = GraphBuilder(rng, SMALL, "int8", wrap=False, size=0.5)
    theme(builder)
    graph = builder.graph(theme.__name__)
    options = {"wrap": False, "dump": False, "objective": "cycles"}
    case = replace(make_case(1, 0), config=SMALL, graph=graph, options=options)
    result = compare(replace(case, inputs=[random_inputs(rng, graph)]))
    assert result.exact, result
    assert len(result.layers) > 2
