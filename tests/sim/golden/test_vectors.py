"""CMSIS-NN's operator vectors on the golden model."""

import numpy as np
import pytest

from sim.golden.run import run_node
from tests.support.cmsis_nn import VECTORS, load_vector
from tests.support.workloads import workload


@pytest.mark.parametrize("name", VECTORS)
def test_operator_vector(name: str) -> None:
    vector = load_vector(workload(f"op_level/cmsis_nn/{name}.npz"))
    result = run_node(vector.node, vector.inputs)
    np.testing.assert_array_equal(result.reshape(-1), vector.expected)


def test_every_vector_is_listed() -> None:
    folder = workload("op_level/cmsis_nn")
    assert sorted(VECTORS) == sorted(path.stem for path in folder.glob("*.npz"))
