"""Every node test of the ONNX backend suite at hand: run and equal, or refused with a reason."""

import numpy as np
import onnxruntime
import pytest

from compiler.graph import Graph
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from sim.golden import run_graph
from tests.compiler.compile_support import compile_graph
from tests.support.onnx_node_tests import NodeTest, read_node_test
from tests.workloads import ROOT, workload

FOLDER = ROOT / "onnx_node_tests"
NAMES = sorted(path.name for path in FOLDER.iterdir()) if FOLDER.is_dir() else ["absent"]

AVERAGES = ("AveragePool", "GlobalAveragePool")
REFUSED = {
    "Conv": "floating point; quantise the model first",
    "Gemm": "floating point; quantise the model first",
    "DynamicQuantizeLinear": "no such operator is supported",
}
REFUSED_TESTS = {
    "test_maxpool_with_argmax_2d_precomputed_pads": "the places of its maxima",
    "test_maxpool_with_argmax_2d_precomputed_strides": "the places of its maxima",
    "test_qlinearmatmul_3D": "constant matrix",
}


def graph_or_refusal(test: NodeTest) -> Graph | None:
    """The graph; None where the operator is refused for the reason that is known."""
    reason = REFUSED_TESTS.get(test.name, REFUSED.get(test.op_type))
    if reason is None:
        return test.graph()
    with pytest.raises(RowforgeError, match=reason):
        test.graph()
    return None


@pytest.mark.parametrize("name", NAMES)
def test_on_the_golden_model(name: str) -> None:
    test = read_node_test(workload(f"onnx_node_tests/{name}"))
    graph = graph_or_refusal(test)
    if graph is None:
        return
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(test.path), options)
    tensors = run_graph(graph, test.fed)
    for (key, recorded), runtime in zip(
        test.outputs.items(), session.run(None, test.inputs), strict=True
    ):
        assert tensors[key].dtype == recorded.dtype
        np.testing.assert_array_equal(tensors[key], runtime)
        if test.op_type in AVERAGES:
            # The suite's own numbers are NumPy's, which adds up in another order: each of at
            # most 25 additions rounds a partial sum by half a unit in its last place.
            largest = np.abs(test.inputs["x"]).max()
            np.testing.assert_allclose(tensors[key], recorded, rtol=0, atol=25 * largest * 2**-24)
        else:
            np.testing.assert_array_equal(tensors[key], recorded)


@pytest.mark.parametrize("name", NAMES)
def test_compiles_where_it_runs(name: str) -> None:
    test = read_node_test(workload(f"onnx_node_tests/{name}"))
    graph = graph_or_refusal(test)
    if graph is not None:
        compile_graph(graph, preset("tiny"))
