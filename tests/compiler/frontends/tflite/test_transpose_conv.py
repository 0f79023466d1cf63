"""TRANSPOSE_CONV by phases against TensorFlow Lite Micro."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from compiler.ir.ops import Conv, HostStep
from hw.arch.errors import RowforgeError
from tests.support.tflite.checking import Build, Built, check, check_twin
from tests.support.tflite.layers import RELU, SAME, VALID, LayerWriter


def transposed(
    image: tuple[int, int, int],
    M: int,
    window: tuple[int, int],
    stride: tuple[int, int] = (2, 2),
    *,
    padding: int = SAME,
    size: Sequence[int] | None = None,
    items: int = 1,
    bias: bool = True,
    per_channel: bool = True,
    activation: int = 0,
) -> Build:
    """A layer into `size` rows and columns, if not given those of the layer that it reverses."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation((items, *image))
        taps = window[0] * window[1] * image[2]
        w, b = layers._parameters(x, (M, *window, image[2]), M, 0, per_channel=per_channel)
        grown = [n * s for n, s in zip(image, stride, strict=False)]
        if padding == VALID:
            grown = [n + max(k - s, 0) for n, k, s in zip(grown, window, stride, strict=True)]
        shape = (items, *(size or grown), M)
        y = layers.activation(shape, scale=layers._output_scale(x, taps))
        wanted = layers.writer.constant("shape", np.asarray(shape, np.int32))
        operands = [wanted, w, x, *([b] if bias else [])]
        options = {"Padding": padding, "StrideH": stride[0], "StrideW": stride[1]}
        options["FusedActivationFunction"] = activation
        return [x], layers.writer.operator("TRANSPOSE_CONV", operands, y, **options)

    return build


CASES = {
    "2 x 2": transposed((5, 4, 6), 3, (2, 2)),
    "2 x 2 valid": transposed((5, 4, 6), 3, (2, 2), padding=VALID),
    "3 x 3": transposed((5, 4, 3), 4, (3, 3)),
    "3 x 3 valid": transposed((5, 4, 3), 4, (3, 3), padding=VALID),
    "4 x 4": transposed((3, 4, 3), 5, (4, 4)),
    "5 x 5 of an odd size": transposed((4, 4, 2), 3, (5, 5), size=(7, 8)),
    "3 x 3 of an odd size": transposed((3, 4, 2), 3, (3, 3), size=(5, 7)),
    "1 x 1": transposed((3, 4, 2), 3, (1, 1)),
    "1 x 1 of stride 3": transposed((3, 2, 2), 3, (1, 1), (3, 3)),
    "stride 1": transposed((5, 4, 3), 4, (3, 3), (1, 1)),
    "stride 1 valid": transposed((5, 4, 3), 4, (3, 3), (1, 1), padding=VALID),
    "stride 3 x 1": transposed((3, 4, 2), 3, (4, 3), (3, 1)),
    "stride 4 of a smaller window": transposed((2, 3, 3), 2, (3, 2), (4, 4)),
    "7 x 2": transposed((3, 3, 2), 2, (7, 2), (2, 3)),
    "items": transposed((3, 4, 2), 3, (3, 3), items=2),
    "no bias": transposed((3, 4, 2), 3, (3, 3), bias=False),
    "one scale": transposed((3, 4, 2), 3, (3, 3), per_channel=False),
    "ReLU": transposed((3, 4, 2), 3, (3, 3), activation=RELU),
}


@pytest.mark.parametrize("name", CASES)
def test_phases(tmp_path: Path, name: str) -> None:
    for seed in range(2):
        layers = LayerWriter(seed)
        check(layers, *CASES[name](layers), tmp_path)


def test_random_layers(tmp_path: Path) -> None:
    """Several in one file, of any window, stride and size that the input reaches to."""
    layers = LayerWriter(11)
    inputs, outputs = [], []
    while len(inputs) < 20:
        H, W, R, S = layers.random.integers(1, 6, 4).tolist()
        U, V, M = layers.random.integers(1, 4, 3).tolist()
        padding = int(layers.random.integers(2))
        size = None
        if padding == SAME:
            size = [n * s - int(layers.random.integers(s)) for n, s in ((H, U), (W, V))]
        build = transposed((H, W, 3), M, (R, S), (U, V), padding=padding, size=size)
        (x,), y = build(layers)
        inputs.append(x)
        outputs.append(y)
    check(layers, inputs, outputs, tmp_path)


def test_the_array_multiplies_and_the_host_spreads(tmp_path: Path) -> None:
    layers = LayerWriter(0)
    graph = check(layers, *CASES["4 x 4"](layers), tmp_path)
    conv, spread = graph.nodes
    assert isinstance(conv, Conv) and conv.weights.shape == (4 * 5, 2, 2, 3)
    assert isinstance(spread, HostStep) and spread.function == "depth_to_space"
    layers = LayerWriter(0)
    (alone,) = check(layers, *CASES["stride 1"](layers), tmp_path).nodes
    assert isinstance(alone, Conv)


def test_the_uint8_twin(tmp_path: Path) -> None:
    """Input scales are powers of two, since the uint8 kernel multiplies scales in float32."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation((1, 4, 3, 3), scale=2.0**-4)
        data = layers.random.integers(-127, 128, (2, 3, 3, 3)).astype(np.int8)
        w = layers._tensor("w", data.shape, "int8", 0.013, 0, data)
        y = layers.activation((1, 8, 6, 2), scale=0.09)
        wanted = layers.writer.constant("shape", np.asarray((1, 8, 6, 2), np.int32))
        options = {"Padding": SAME, "StrideH": 2, "StrideW": 2}
        return [x], layers.writer.operator("TRANSPOSE_CONV", [wanted, w, x], y, **options)

    check_twin(build, 0, tmp_path)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (transposed((3, 4, 2), 3, (3, 3), size=(40, 8)), "do not reach"),
        (transposed((3, 4, 2), 3, (3, 3), (0, 2), size=(6, 8)), "no stride"),
    ],
)
def test_refusals(tmp_path: Path, build: Build, words: str) -> None:
    layers = LayerWriter(0)
    inputs, output = build(layers)
    assert isinstance(output, int)
    (tmp_path / "m.tflite").write_bytes(layers.finish(inputs, [output]))
    with pytest.raises(RowforgeError, match=words):
        load_model(tmp_path / "m.tflite")
