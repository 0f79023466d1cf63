"""uint8 files of the older converter: each layer has an int8 twin with all values 128 lower.

TensorFlow Lite Micro has no uint8 kernels any more; it runs the twin, whose outputs are the uint8
file's less 128. Input scales are powers of two, because the uint8 kernels multiply scales in
float32 and the int8 ones in double: here both are exact.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.frontends import load_model
from rowforge.configs import preset
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sw_driver.runtime import Runtime
from tests.support.tflite.checking import compare
from tests.support.tflite.layers import tflm_run
from tests.support.tflite.writer import ModelWriter

CONFIG = preset("tiny")
_WINDOW = {"StrideH": 1, "StrideW": 2, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 0}
_POOL = {"StrideH": 2, "StrideW": 1, "FilterHeight": 3, "FilterWidth": 2, "Padding": 0}

# z and v of `test_concatenation_of_other_quantisations`, in the quantisation of the output.
RECORDED = (
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000101020303040505060607080809090a0b0b0c0d0d0e0e0f101011121213"
    "131415151617171818191a1a1b1b1c1d1d1e1f1f20202122222324242525262727282829070f171f272f373f"
    "474f575f676f777f878f979fa7afb7bfc7cfd7dfe7eff7ffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
)


class Twin:
    """Writes one layer as uint8 or as int8; values are given as int8."""

    def __init__(self, dtype: str, seed: int) -> None:
        self.dtype, self.offset = dtype, 128 if dtype == "uint8" else 0
        self.random = np.random.default_rng(seed)
        self.writer = ModelWriter()

    def tensor(self, name: str, shape: tuple[int, ...], scale: float, zero_point: int) -> int:
        """An activation; the zero point is the int8 one."""
        zero = zero_point + self.offset
        return self.writer.tensor(name, shape, self.dtype, scale=scale, zero_point=zero)

    def stored(self, values: np.ndarray) -> np.ndarray:
        """int8 values as this file stores them."""
        return (values.astype(np.int16) + self.offset).astype(self.dtype)

    def weights(self, shape: tuple[int, ...], scale: float) -> int:
        """Symmetric weights: a zero point of 128, or 0."""
        data = self.stored(self.random.integers(-127, 128, shape).astype(np.int8))
        return self.writer.constant("w", data, scale=scale, zero_point=self.offset)

    def bias(self, count: int) -> int:
        """An int32 bias."""
        return self.writer.constant("b", self.random.integers(-900, 900, count).astype(np.int32))


def conv(twin: Twin) -> tuple[list[int], int]:
    x = twin.tensor("x", (1, 7, 6, 3), 2.0**-4, -5)
    y = twin.tensor("y", (1, 7, 3, 4), 0.11, 9)
    operands = [x, twin.weights((4, 3, 3, 3), 0.013), twin.bias(4)]
    twin.writer.operator("CONV_2D", operands, y, FusedActivationFunction=3, **_WINDOW)
    return [x], y


def depthwise(twin: Twin) -> tuple[list[int], int]:
    x = twin.tensor("x", (1, 7, 6, 3), 2.0**-3, 127)
    y = twin.tensor("y", (1, 7, 3, 6), 0.3, -128)
    operands = [x, twin.weights((1, 3, 3, 6), 0.02), twin.bias(6)]
    twin.writer.operator("DEPTHWISE_CONV_2D", operands, y, DepthMultiplier=2, **_WINDOW)
    return [x], y


def fully_connected(twin: Twin) -> tuple[list[int], int]:
    x = twin.tensor("x", (1, 40), 2.0**-5, -128)
    y = twin.tensor("y", (1, 7), 0.06, 3)
    operands = [x, twin.weights((7, 40), 0.02), twin.bias(7)]
    twin.writer.operator("FULLY_CONNECTED", operands, y, FusedActivationFunction=1)
    return [x], y


def add(twin: Twin) -> tuple[list[int], int]:
    x = twin.tensor("x", (1, 5, 4, 3), 0.07, -9)
    z = twin.tensor("z", (1, 5, 4, 3), 0.02, 60)
    y = twin.tensor("y", (1, 5, 4, 3), 0.08, 0)
    twin.writer.operator("ADD", [x, z], y, FusedActivationFunction=0)
    return [x, z], y


def mul(twin: Twin) -> tuple[list[int], int]:
    x = twin.tensor("x", (1, 5, 4, 3), 2.0**-4, -9)
    z = twin.tensor("z", (1, 5, 4, 3), 2.0**-5, 60)
    y = twin.tensor("y", (1, 5, 4, 3), 0.2, -100)
    twin.writer.operator("MUL", [x, z], y, FusedActivationFunction=0)
    return [x, z], y


def max_pool(twin: Twin) -> tuple[list[int], int]:
    x = twin.tensor("x", (1, 6, 5, 3), 0.05, 7)
    y = twin.tensor("y", (1, 3, 5, 3), 0.05, 7)
    twin.writer.operator("MAX_POOL_2D", [x], y, FusedActivationFunction=1, **_POOL)
    return [x], y


def concat(twin: Twin) -> tuple[list[int], int]:
    x = twin.tensor("x", (1, 6, 5, 3), 0.05, 7)
    z = twin.tensor("z", (1, 6, 5, 2), 0.05, 7)
    y = twin.tensor("y", (1, 6, 5, 5), 0.05, 7)
    twin.writer.operator("CONCATENATION", [x, z], y, Axis=3)
    return [x, z], y


def pad(twin: Twin) -> tuple[list[int], int]:
    x = twin.tensor("x", (1, 6, 5, 3), 0.05, 7)
    y = twin.tensor("y", (1, 7, 7, 3), 0.05, 7)
    amounts = twin.writer.constant("p", np.array([[0, 0], [1, 0], [0, 2], [0, 0]], np.int32))
    twin.writer.operator("PAD", [x, amounts], y)
    return [x], y


def relu(twin: Twin) -> tuple[list[int], int]:
    x = twin.tensor("x", (1, 6, 5, 3), 0.05, 7)
    y = twin.tensor("y", (1, 6, 5, 3), 0.03, -128)
    twin.writer.operator("RELU", [x], y)
    return [x], y


LAYERS = (conv, depthwise, fully_connected, add, mul, max_pool, concat, pad, relu)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_a_uint8_layer_is_its_int8_twin(
    tmp_path: Path, layer: Callable[[Twin], tuple[list[int], int]], seed: int
) -> None:
    old, new = Twin("uint8", seed), Twin("int8", seed)
    files = []
    for twin in (old, new):
        inputs, output = layer(twin)
        files.append(twin.writer.finish(inputs, [output]))
    (tmp_path / "old.tflite").write_bytes(files[0])
    graph = load_model(tmp_path / "old.tflite")
    values = [
        old.random.integers(-128, 128, graph.tensors[key].shape).astype(np.int8)
        for key in graph.inputs
    ]
    expected = old.stored(tflm_run(files[1], values))
    named = {
        graph.tensors[key].name: old.stored(v) for key, v in zip(graph.inputs, values, strict=True)
    }
    result = run_graph(graph, named)[graph.outputs[0]]
    assert result.dtype == np.uint8
    assert result.min() < result.max()
    np.testing.assert_array_equal(result, expected)
    config = CONFIG
    program = compile_graph(graph, config)
    (executed,) = (
        Runtime(FunctionalAccelerator(config), config).run(program, named).outputs.values()
    )
    np.testing.assert_array_equal(executed, expected)


def test_average_pooling_rounds_the_stored_values(tmp_path: Path) -> None:
    """Half up of the raw uint8 sum, which the int8 twin's half away from zero is not."""
    twin = Twin("uint8", 0)
    x, y = twin.tensor("x", (1, 2, 2, 1), 0.1, 0), twin.tensor("y", (1, 1, 1, 1), 0.1, 0)
    sizes = {"StrideH": 1, "StrideW": 1, "FilterHeight": 2, "FilterWidth": 2, "Padding": 1}
    twin.writer.operator("AVERAGE_POOL_2D", [x], y, **sizes)
    (tmp_path / "m.tflite").write_bytes(twin.writer.finish([x], [y]))
    graph = load_model(tmp_path / "m.tflite")
    for values, mean in (((0, 1, 0, 1), 1), ((0, 1, 0, 0), 0), ((255, 254, 255, 254), 255)):
        array = np.array(values, np.uint8).reshape(1, 2, 2, 1)
        assert run_graph(graph, array)[graph.outputs[0]].item() == mean


def test_concatenation_of_other_quantisations(tmp_path: Path) -> None:
    """Recorded from the reference kernels of TensorFlow Lite 2.3, which alone have it."""
    writer = ModelWriter()
    quantised = {"x": (0.05, 7), "z": (0.031, 200), "v": (0.4, 0)}
    x, z, v = (
        writer.tensor(name, (1, 256), "uint8", scale=scale, zero_point=zero)
        for name, (scale, zero) in quantised.items()
    )
    y = writer.tensor("y", (1, 1024), "uint8", scale=0.05, zero_point=7)
    writer.operator("CONCATENATION", [x, z, v, z], y, Axis=1)
    every = np.arange(256, dtype=np.uint8).reshape(1, 256)
    expected = np.frombuffer(bytes.fromhex(RECORDED), np.uint8)
    expected = np.concatenate([every[0], expected[:256], expected[256:], expected[:256]])
    compare(writer.finish([x, z, v], [y]), [every] * 3, [expected.reshape(1, 1024)], tmp_path)
