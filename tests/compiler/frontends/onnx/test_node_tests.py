"""Every node test of the ONNX backend suite at hand: run and equal, or refused with a reason."""

import numpy as np
import onnxruntime
import pytest

from compiler.ir.graph import Graph
from compiler.options import CompileOptions
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.running.compilation import Compiled
from rowforge.running.execution import run_program
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sw_driver.runtime import Runtime
from tests.compiler.support import compile_graph
from tests.support.onnx.node_tests import NodeTest, read_node_test
from tests.support.workloads import ROOT, workload

FOLDER = ROOT / "onnx_node_tests"
NAMES = sorted(path.name for path in FOLDER.iterdir()) if FOLDER.is_dir() else ["absent"]

AVERAGES = ("AveragePool", "GlobalAveragePool")
REFUSED = {
    "Conv": "floating point; quantise the model first",
    "Gemm": "floating point; quantise the model first",
}


def graph_or_refusal(test: NodeTest) -> Graph | None:
    """The graph; None where the operator is refused for the reason that is known."""
    reason = REFUSED.get(test.op_type)
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
def test_on_the_command_stream(name: str) -> None:
    test = read_node_test(workload(f"onnx_node_tests/{name}"))
    graph = graph_or_refusal(test)
    if graph is None:
        return
    config, golden = preset("tiny"), run_graph(graph, test.fed)
    program = compile_graph(graph, config, CompileOptions(dump=True))
    outcome = Runtime(FunctionalAccelerator(config), config).run(program, test.fed)
    for key, array in outcome.outputs.items():
        assert array.dtype == golden[key].dtype
        np.testing.assert_array_equal(array, golden[key])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "test_qlinearconv",
        "test_qlinearmatmul_3D",
        "test_convinteger_with_padding",
        "test_matmulinteger",
        "test_maxpool_2d_uint8",
        "test_clip_default_int8_max",
    ],
)
def test_on_the_rtl(name: str) -> None:
    test = read_node_test(workload(f"onnx_node_tests/{name}"))
    compiled = Compiled(
        compile_graph(test.graph(), preset("tiny"), CompileOptions(dump=True)), test.graph()
    )
    result = run_program(compiled, test.fed, "rtl", check=True)
    assert result.difference is None
    for key, recorded in test.outputs.items():
        np.testing.assert_array_equal(result.outputs[key], recorded)
