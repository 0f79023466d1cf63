"""Third-party ONNX models against ONNX Runtime's recorded tensors."""

from functools import lru_cache

import numpy as np
import pytest

from compiler.frontends import load_model
from compiler.ir.graph import Graph
from compiler.ir.ops import HostStep
from hw.arch.errors import RowforgeError
from sim.golden import run_batch, run_graph
from tests.campaigns.models.onnx import MODELS
from tests.support.workloads import workload

# Outputs of all recorded inputs that differ between the optimisation levels of ONNX Runtime: at
# the higher one it rounds averages and the softmax of this model otherwise.
LEVELS_DIFFER = {"resnet8_cifar10_qdq_s8s8_pc": 10}


@lru_cache(maxsize=1)
def graph_of(name: str) -> Graph:
    return load_model(workload(f"onnx/{name}.onnx"))


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(workload(f"onnx/goldens/{name}.npz")) as arrays:
        return {key: arrays[key] for key in arrays.files}


@pytest.mark.parametrize("name", MODELS)
def test_outputs_without_optimisation(name: str) -> None:
    graph, expected = graph_of(name), golden(name)
    for x, y in zip(expected["input"], expected["output_ort_noopt"], strict=False):
        actual = run_graph(graph, x)[graph.outputs[0]]
        assert actual.dtype == y.dtype
        np.testing.assert_array_equal(actual, y)


@pytest.mark.parametrize("name", MODELS)
def test_outputs_with_optimisation(name: str) -> None:
    graph, expected = graph_of(name), golden(name)
    x, y = expected["input"], expected["output_ort"]
    actual = run_batch(graph, x.reshape(-1, *x.shape[2:]))[graph.outputs[0]]
    differ = np.count_nonzero(actual.reshape(y.shape) != y)
    assert differ == LEVELS_DIFFER.get(name, 0)


@pytest.mark.parametrize("name", MODELS)
def test_intermediate_tensors(name: str) -> None:
    graph, expected = graph_of(name), golden(name)
    tensors = run_graph(graph, expected["input"][0])
    written = {node.output.replace("/", "_"): node.output for node in graph.nodes}
    recorded = [key for key in expected if key.startswith("mid_")]
    assert recorded
    for key in recorded:
        actual, reference = tensors[written[key.split("_", 2)[2]]], expected[key][0]
        assert actual.dtype == reference.dtype
        assert actual.shape == reference.shape
        np.testing.assert_array_equal(actual, reference, key)


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_is_its_items(name: str) -> None:
    graph, x = graph_of(name), golden(name)["input"][:3]
    batch = run_batch(graph, x.reshape(-1, *x.shape[2:]))
    single = run_graph(graph, x[1])
    for key in (*graph.outputs, *(node.output for node in graph.nodes)):
        if single[key].shape[:1] == (1,) and batch[key].shape[0] == 3:
            np.testing.assert_array_equal(batch[key][1].reshape(single[key].shape), single[key])


@pytest.mark.parametrize("name", MODELS)
def test_layouts_cost_nothing(name: str) -> None:
    steps = [node for node in graph_of(name).nodes if isinstance(node, HostStep)]
    assert "rearrange" not in {step.function for step in steps}


def test_the_same_network_by_both_front_ends() -> None:
    tflite = load_model(workload("mlperf_tiny/pretrainedResnet_quant.tflite"))
    onnx = graph_of("pretrainedResnet_quant_tf2onnx_qdq")
    assert onnx.macs == tflite.macs
    kinds = [
        [type(node).__name__ for node in graph.nodes if node.place.value == "array"]
        for graph in (onnx, tflite)
    ]
    assert kinds[0].count("Conv") == kinds[1].count("Conv")
    assert kinds[0].count("Add") == kinds[1].count("Add") == 3


def test_a_float_model_is_refused() -> None:
    with pytest.raises(RowforgeError, match="Convolution28.*floating point.*rowforge quantize"):
        load_model(workload("onnx/mnist_8.onnx"))
