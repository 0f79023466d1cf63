"""Scales whose quotients put values next to ties: a multiplier's last bits decide the rounding.

TensorFlow Lite Micro derives its multipliers in float64. (Its builds before October 2026 took some
of them from float32 products and quotients, and these tests tell the two apart.)
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from sim.golden import run_graph
from tests.support.tflite.checking import tflm_outputs
from tests.support.tflite.layers import LayerWriter

EVERY = np.arange(-128, 128, dtype=np.int8).reshape(256, 1)
RATIOS = (0.25, 0.3, 0.4, 0.5, 0.75, 0.8, 1.6)
LAYERS = 40


def one(kind: str) -> Callable[[LayerWriter], tuple[list[int], int]]:
    """RELU, LEAKY_RELU, ABS or QUANTIZE."""

    def layer(layers: LayerWriter) -> tuple[list[int], int]:
        x = layers.activation((256, 1))
        y = layers.activation((256, 1), scale=layers._scales[x] * layers.random.choice(RATIOS))
        options = {"Alpha": 0.3} if kind == "LEAKY_RELU" else {}
        return [x], layers.writer.operator(kind, [x], y, **options)

    return layer


def product(kind: str) -> Callable[[LayerWriter], tuple[list[int], int]]:
    """FULLY_CONNECTED, BATCH_MATMUL or MUL of every value and nine others."""

    def layer(layers: LayerWriter) -> tuple[list[int], int]:
        x = layers.activation((256, 1), zero_point=0)
        shape = (9, 1) if kind == "FULLY_CONNECTED" else (1, 9)
        w = layers.constant(shape, data=layers.random.integers(-127, 128, shape).astype(np.int8))
        scale = layers._scales[x] * layers._scales[w] * layers.random.choice(RATIOS) * 16
        y = layers.activation((256, 9), scale=scale)
        return [x], layers.writer.operator(kind, [x, w, -1] if shape[0] == 9 else [x, w], y)

    return layer


def quotient(layers: LayerWriter) -> tuple[list[int], int]:
    """DIV of every value by nine others."""
    x = layers.activation((256, 1))
    data = layers.random.integers(1, 128, (1, 9)).astype(np.int8)
    w = layers.writer.constant("w", data, scale=1 / 50, zero_point=0)
    y = layers.activation((256, 9), scale=layers._scales[x] * layers.random.choice(RATIOS) / 2)
    return [x], layers.writer.operator("DIV", [x, w], y)


def difference(layers: LayerWriter) -> tuple[list[int], int]:
    """SUB of every value and nine others, in 16 bits."""
    x = layers.activation((256, 1), dtype="int16")
    z = layers.activation((1, 900), dtype="int16")
    y = layers.activation((256, 900), dtype="int16")
    return [x, z], layers.writer.operator("SUB", [x, z], y)


KINDS = {
    **{kind: one(kind) for kind in ("RELU", "LEAKY_RELU", "ABS", "QUANTIZE")},
    **{kind: product(kind) for kind in ("FULLY_CONNECTED", "BATCH_MATMUL", "MUL")},
    "DIV": quotient,
    "SUB": difference,
}


@pytest.mark.parametrize("kind", KINDS)
def test_ties_fall_as_in_tensorflow_lite_micro(tmp_path: Path, kind: str) -> None:
    layers = LayerWriter(1)
    inputs, outputs, values = [], [], []
    for _ in range(4 if kind == "SUB" else LAYERS):
        given, output = KINDS[kind](layers)
        inputs += given
        outputs.append(output)
        values += [EVERY] if kind != "SUB" else [layers.input_values(x) for x in given]
    content = layers.finish(inputs, outputs)
    expected = tflm_outputs(content, values, len(outputs))
    (tmp_path / "m.tflite").write_bytes(content)
    graph = load_model(tmp_path / "m.tflite")
    results = run_graph(graph, dict(zip(graph.inputs, values, strict=True)))
    for key, wanted in zip(graph.outputs, expected, strict=True):
        np.testing.assert_array_equal(results[key], wanted)
