"""Random layers against TensorFlow Lite Micro, which runs the very same file."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model, load_tflite
from sim.golden import run_graph
from tests.support.tflite.layers import (
    NO_ACTIVATION,
    RELU,
    RELU6,
    RELU_N1_TO_1,
    SAME,
    VALID,
    LayerWriter,
    tflm_run,
)

ACTIVATIONS = (NO_ACTIVATION, RELU, RELU6, RELU_N1_TO_1)


def check(tmp_path: Path, layers: LayerWriter, inputs: list[int], output: int) -> None:
    """The golden model, folded or not, yields what TensorFlow Lite Micro yields."""
    model = layers.finish(inputs, [output])
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    values = [layers.input_values(tensor) for tensor in inputs]
    expected = tflm_run(model, values)
    assert expected.min() < expected.max() or expected.size == 1
    for load in (load_tflite, load_model):
        graph = load(path)
        named = dict(zip(graph.inputs, values, strict=True))
        result = run_graph(graph, named)[graph.outputs[0]]
        np.testing.assert_array_equal(result, expected)


def pair(random: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    return int(random.integers(low, high)), int(random.integers(low, high))


@pytest.mark.parametrize("seed", range(16))
def test_conv(tmp_path: Path, seed: int) -> None:
    layers = LayerWriter(seed)
    random = layers.random
    groups = (1, 1, 1, 2, 3)[seed % 5]
    C, M = int(random.integers(1, 6)) * groups, int(random.integers(1, 6)) * groups
    padding = (SAME, VALID)[seed % 2]
    low = 9 if padding == VALID else 4
    dilation = (1, 1) if seed % 4 == 3 else pair(random, 1, 3)
    x = layers.activation((1, int(random.integers(low, 14)), int(random.integers(low, 14)), C))
    y = layers.conv(
        x,
        M,
        pair(random, 1, 5),
        stride=pair(random, 1, 4),
        dilation=dilation,
        padding=padding,
        activation=ACTIVATIONS[seed % 4],
        groups=groups,
    )
    check(tmp_path, layers, [x], y)


@pytest.mark.parametrize("seed", range(12))
def test_depthwise(tmp_path: Path, seed: int) -> None:
    layers = LayerWriter(100 + seed)
    random = layers.random
    padding = (SAME, VALID)[seed % 2]
    low = 9 if padding == VALID else 4
    x = layers.activation(
        (1, int(random.integers(low, 14)), int(random.integers(low, 14)), seed % 5 + 1)
    )
    y = layers.depthwise(
        x,
        seed % 3 + 1,
        pair(random, 1, 5),
        stride=pair(random, 1, 4),
        dilation=pair(random, 1, 3),
        padding=padding,
        activation=ACTIVATIONS[seed % 4],
    )
    check(tmp_path, layers, [x], y)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("rows", [(1,), (3,), (1, 5)])
def test_fully_connected(tmp_path: Path, rows: tuple[int, ...], per_channel: bool) -> None:
    layers = LayerWriter(200 + len(rows))
    x = layers.activation((*rows, 37))
    y = layers.fully_connected(x, 11, activation=RELU, per_channel=per_channel)
    check(tmp_path, layers, [x], y)


def test_fully_connected_behind_a_flattened_image(tmp_path: Path) -> None:
    layers = LayerWriter(210)
    x = layers.activation((1, 6, 5, 3))
    flat = layers.reshape(layers.conv(x, 4, (3, 3), padding=VALID), (1, 48))
    check(tmp_path, layers, [x], layers.fully_connected(flat, 7))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_pool(tmp_path: Path, kind: str, seed: int) -> None:
    layers = LayerWriter(300 + seed)
    random = layers.random
    shape = (1, int(random.integers(5, 12)), int(random.integers(5, 12)), 3)
    x = layers.activation(shape, scale=0.05, zero_point=int(random.integers(-40, 40)))
    y = layers.pool(
        kind,
        x,
        pair(random, 1, 5),
        stride=pair(random, 1, 4),
        padding=(SAME, VALID)[seed % 2],
        activation=ACTIVATIONS[seed % 4],
    )
    check(tmp_path, layers, [x], y)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["ADD", "MUL"])
def test_binary(tmp_path: Path, kind: str, seed: int) -> None:
    layers = LayerWriter(400 + seed)
    shape = (1, 9, 11, 5)
    a, b = layers.activation(shape), layers.activation(shape)
    y = layers.binary(kind, a, b, activation=ACTIVATIONS[seed % 4])
    check(tmp_path, layers, [a, b], y)


@pytest.mark.parametrize("shape", [(1, 1, 1, 5), (1,), (1, 9, 11, 5), (11, 5), (9, 1, 1)])
@pytest.mark.parametrize("kind", ["ADD", "MUL"])
@pytest.mark.parametrize("constant_first", [False, True])
def test_binary_with_a_constant(
    tmp_path: Path, kind: str, shape: tuple[int, ...], constant_first: bool
) -> None:
    layers = LayerWriter(470 + len(shape))
    a, b = layers.activation((1, 9, 11, 5)), layers.constant(shape)
    pair_of = (b, a) if constant_first else (a, b)
    check(tmp_path, layers, [a], layers.binary(kind, *pair_of, shape=(1, 9, 11, 5)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["SOFTMAX", "LOG_SOFTMAX"])
def test_softmax(tmp_path: Path, kind: str, seed: int) -> None:
    layers = LayerWriter(500 + seed)
    # TensorFlow Lite Micro aborts where a row's exponentials add up to 512 or more.
    scale = float(np.exp(layers.random.uniform(-6 if seed % 3 < 2 else -3, 0)))
    x = layers.activation((1, 7, (3, 40, 700)[seed % 3]), scale=scale)
    y = layers.softmax(x, beta=(1.0, 0.5)[seed % 2]) if kind == "SOFTMAX" else layers.log_softmax(x)
    check(tmp_path, layers, [x], y)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("axes", [(1, 2), (2,), (1, 2, 3), (-1,)])
def test_mean(tmp_path: Path, axes: tuple[int, ...], keep: bool) -> None:
    layers = LayerWriter(600 + len(axes))
    x = layers.activation((1, 7, 6, 5), zero_point=3)
    y = layers.mean(x, [axis % 4 for axis in axes], keep=keep)
    check(tmp_path, layers, [x], y)


@pytest.mark.parametrize("rescaled", [False, True])
@pytest.mark.parametrize("kind", ["RELU", "RELU6", "QUANTIZE"])
def test_unary(tmp_path: Path, kind: str, rescaled: bool) -> None:
    layers = LayerWriter(700)
    x = layers.activation((1, 8, 8, 4), zero_point=-20)
    y = layers.unary(kind, x, rescaled=rescaled and kind != "RELU6")
    check(tmp_path, layers, [x], y)


def test_padding_is_folded_into_every_convolution_that_reads_it(tmp_path: Path) -> None:
    layers = LayerWriter(800)
    x = layers.activation((1, 9, 7, 3))
    padded = layers.pad(x, [(0, 0), (1, 2), (3, 0), (0, 0)])
    left = layers.conv(padded, 4, (3, 3), padding=VALID, stride=(2, 1))
    right = layers.conv(padded, 4, (3, 3), padding=VALID, stride=(2, 1))
    y = layers.binary("ADD", left, right)
    check(tmp_path, layers, [x], y)
    graph = load_model(tmp_path / "model.tflite")
    assert [bool(node.folded) for node in graph.nodes] == [True, False, False, False]
    assert graph.nodes[1].inputs == graph.inputs


def test_channel_padding_and_concatenation_stay(tmp_path: Path) -> None:
    layers = LayerWriter(801)
    x = layers.activation((1, 5, 5, 2))
    padded = layers.pad(x, [(0, 0), (0, 0), (1, 1), (1, 2)])
    joined = layers.concat([padded, padded], 3)
    y = layers.concat([joined, joined], 1)
    check(tmp_path, layers, [x], y)
    graph = load_model(tmp_path / "model.tflite")
    assert not any(node.folded for node in graph.nodes)


def test_a_chain_of_everything(tmp_path: Path) -> None:
    layers = LayerWriter(802)
    x = layers.activation((1, 17, 13, 3))
    a = layers.conv(x, 8, (5, 3), stride=(2, 1), activation=RELU)
    b = layers.depthwise(a, 1, (3, 3), activation=RELU6)
    c = layers.conv(b, 8, (1, 1))
    d = layers.binary("ADD", a, c, activation=RELU)
    e = layers.pool("MAX_POOL_2D", d, (2, 2), stride=(2, 2), padding=VALID)
    flat = layers.reshape(e, (1, 4 * 6 * 8))
    y = layers.softmax(layers.fully_connected(flat, 10))
    check(tmp_path, layers, [x], y)
