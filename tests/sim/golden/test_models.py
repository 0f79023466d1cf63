"""The golden model against TensorFlow Lite Micro's recorded tensors of real models."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model, load_tflite
from compiler.ir.graph import Graph
from sim.golden import run_batch, run_graph
from tests.support.workloads import workload

GOLDENS = (
    "mlperf_tiny/ad01_int8:rand",
    "mlperf_tiny/kws_ref_model:rand",
    "mlperf_tiny/kws_ref_model:kws01_first600",
    "mlperf_tiny/pretrainedResnet_quant:img4",
    "mlperf_tiny/pretrainedResnet_quant:rand",
    "mlperf_tiny/vww_96_int8:img4",
    "mlperf_tiny/vww_96_int8:rand",
    "tflite/cifar10_q:img4",
    "tflite/cifar10_q:rand",
    "tflite/hello_world_int8:rand",
    "tflite/mbnet96_0.25_q:img4",
    "tflite/mbnet96_0.25_q:rand",
    "tflite/mnist_arduino_q:mnist10",
    "tflite/mnist_arduino_q:rand",
    "tflite/mnist_resnet_q:mnist10",
    "tflite/mnist_resnet_q:rand",
    "tflite/mnist_valid_q:mnist10",
    "tflite/mnist_valid_q:rand",
    "tflite/model_magic_wand:rand",
    "tflite/person_detect:img4",
    "tflite/person_detect:rand",
    "tflite/person_detect:real2",
    "tflite/ptq_mnist_lenet-300-100:rand",
    "tflite/tf2_mobilenet_v2_1.0_224_ptq:img4",
    "tflite/tf2_mobilenet_v2_1.0_224_ptq:rand",
    "tflite/vww96_q:img4",
    "tflite/vww96_q:rand",
)
SLOW = (
    "mlperf_tiny/kws_ref_model:kws01_first600",
    "tflite/tf2_mobilenet_v2_1.0_224_ptq:img4",
    "tflite/tf2_mobilenet_v2_1.0_224_ptq:rand",
)
UNFOLDED = ("mlperf_tiny/pretrainedResnet_quant:rand", "tflite/mbnet96_0.25_q:img4")


@lru_cache(maxsize=1)
def folded(path: Path) -> Graph:
    return load_model(path)


def files(case: str) -> tuple[Path, dict[str, np.ndarray]]:
    model, inputs = case.split(":")
    folder, name = model.split("/")
    path = workload(f"{model}.tflite")
    with np.load(workload(f"{folder}/goldens/{name}_{inputs}.npz")) as golden:
        return path, {key: golden[key] for key in golden.files}


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def check(graph: Graph, golden: dict[str, np.ndarray]) -> None:
    """Output, tensor before the softmax, intermediates of item 0, digests of all tensors."""
    x = golden["input"]
    tensors = run_batch(graph, x.reshape(-1, *x.shape[2:]))
    by_index = {key.rsplit("_", 1)[1]: array for key, array in tensors.items()}
    expected = golden["output_tflm"]
    np.testing.assert_array_equal(tensors[graph.outputs[0]].reshape(expected.shape), expected)
    for key, values in golden.items():
        if key.startswith("mid_") and len(values):
            actual = tensors[key.removeprefix("mid_")][:1].reshape(values.shape)
            np.testing.assert_array_equal(actual, values, err_msg=key)
            assert actual.dtype == values.dtype
    for column, name in enumerate(golden.get("digest_names", ())):
        actual_digests = [digest(item) for item in by_index[name]]
        assert actual_digests == list(golden["digest16_tflm"][:, column]), name
    if "last_mac_output_tflm" in golden:
        expected = golden["last_mac_output_tflm"]
        assert any(
            array.size == expected.size and np.array_equal(array.reshape(expected.shape), expected)
            for array in tensors.values()
        )


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow if c in SLOW else ()) for c in GOLDENS]
)
def test_every_tensor(case: str) -> None:
    path, golden = files(case)
    check(folded(path), golden)


@pytest.mark.parametrize("case", UNFOLDED)
def test_every_tensor_without_folding(case: str) -> None:
    path, golden = files(case)
    check(load_tflite(path), golden)


def test_one_inference_is_an_item_of_a_batch() -> None:
    path, golden = files("mlperf_tiny/kws_ref_model:rand")
    graph = folded(path)
    batch = run_batch(graph, golden["input"][:3].reshape(3, 49, 10, 1))
    single = run_graph(graph, golden["input"][1])
    for key, array in single.items():
        np.testing.assert_array_equal(array, batch[key][1:2] if key in batch else None)


@pytest.mark.slow
def test_keyword_accuracy() -> None:
    path, golden = files("mlperf_tiny/kws_ref_model:kws01_first600")
    with np.load(workload("datasets/kws01_first600.npz")) as data:
        features, labels = data["features"], data["label"]
    graph = folded(path)
    guesses = run_batch(graph, features.reshape(-1, 49, 10, 1))[graph.outputs[0]].argmax(axis=-1)
    recorded = golden["output_tflm"].reshape(600, -1).argmax(axis=-1)
    assert (guesses == labels).mean() == (recorded == labels).mean()
    assert (guesses == labels).mean() > 0.88


def test_multiply_accumulates_of_the_reference_models() -> None:
    counts = {
        "ad01_int8": 0.264e6,
        "kws_ref_model": 2.66e6,
        "pretrainedResnet_quant": 12.50e6,
        "vww_96_int8": 7.49e6,
    }
    for name, expected in counts.items():
        assert load_model(workload(f"mlperf_tiny/{name}.tflite")).macs == pytest.approx(
            expected, rel=2e-3
        )
