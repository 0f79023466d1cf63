"""Random QDQ networks against ONNX Runtime without optimisation, and on the command stream."""

from pathlib import Path

import numpy as np
import pytest

from rowforge.configs import preset
from tests.compiler.support import check_graph
from tests.support.onnx.models import check
from tests.support.onnx.networks import random_network


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = check(random_network(seed), tmp_path, rng, levels=(False,))
    if seed % 4 == 0:
        check_graph(graph, preset("tiny"), rng, dump=bool(seed % 8))
