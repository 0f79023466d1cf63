"""Float tensors at the edges of a model, against TensorFlow Lite Micro."""

import ctypes
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.frontends import load_model
from compiler.ir.ops import Place
from numerics.float32 import exponential, logarithm
from sim.golden import run_graph
from tests.support.tflite.layers import tflm_run
from tests.support.tflite.writer import ModelWriter


def check(tmp_path: Path, model: bytes, x: np.ndarray) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    graph = load_model(path)
    assert all(node.place is Place.HOST for node in graph.nodes)
    result = run_graph(graph, x)[graph.outputs[0]]
    np.testing.assert_array_equal(result, tflm_run(model, x))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["SOFTMAX", "LOG_SOFTMAX", "MEAN"])
def test_float_steps(tmp_path: Path, kind: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (1, 5, 4, 37)
    writer = ModelWriter()
    x = writer.tensor("x", shape, "float32")
    if kind == "MEAN":
        axes = writer.constant("axes", np.asarray([1, 2], dtype=np.int32))
        y = writer.tensor("y", (1, 37), "float32")
        writer.operator(kind, [x, axes], y, KeepDims=False)
    else:
        y = writer.tensor("y", shape, "float32")
        writer.operator(kind, [x], y, **({"Beta": 1.0} if kind == "SOFTMAX" else {}))
    values = random.normal(0, 4, shape).astype(np.float32)
    check(tmp_path, writer.finish([x], [y]), values)


def test_quantize_and_back(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    writer = ModelWriter()
    x = writer.tensor("x", (1, 1000), "float32")
    q = writer.tensor("q", (1, 1000), scale=0.25, zero_point=-7)
    y = writer.tensor("y", (1, 1000), "float32")
    writer.operator("DEQUANTIZE", [writer.operator("QUANTIZE", [x], q)], y)
    values = random.normal(0, 20, (1, 1000)).astype(np.float32)
    values[0, :8] = (0.125, -0.125, 0.375, -0.375, 1e6, -1e6, 0.0, -0.0)
    check(tmp_path, writer.finish([x], [y]), values)


@pytest.mark.parametrize(("name", "function"), [("expf", exponential), ("logf", logarithm)])
def test_float_functions_equal_the_c_library(name: str, function: Any) -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc is known to round this way")
    reference = getattr(ctypes.CDLL("libm.so.6"), name)
    reference.restype, reference.argtypes = ctypes.c_float, [ctypes.c_float]
    random = np.random.default_rng(5)
    values = random.normal(0, 20, 20_000).astype(np.float32)
    if name == "logf":
        values = np.exp(values / 8)
    expected = np.asarray([reference(float(value)) for value in values], dtype=np.float32)
    np.testing.assert_array_equal(function(values), expected)


def test_exponential_at_its_limits() -> None:
    values = np.asarray([-np.inf, -200.0, -103.0, 0.0, 88.0, 89.0, 1e30], dtype=np.float32)
    result = exponential(values)
    assert result[0] == result[1] == 0.0
    assert result[2] > 0.0
    assert result[3] == 1.0
    assert np.isfinite(result[4]) and np.isposinf(result[5:]).all()
