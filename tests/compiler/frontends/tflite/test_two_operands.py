"""Operators of two tensors, and how they are broadcast, against TensorFlow Lite Micro."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from compiler.ir.ops import Add, Mul
from hw.arch.errors import RowforgeError
from tests.support.tflite.checking import Build, Built, check, check_twin
from tests.support.tflite.layers import LayerWriter

IMAGE = (1, 4, 5, 3)
SHAPES = {
    "equal": (IMAGE, IMAGE),
    "gate": (IMAGE, (1, 1, 1, 3)),
    "gate first": ((1, 1, 1, 3), IMAGE),
    "row": (IMAGE, (1, 1, 5, 1)),
    "both": ((1, 4, 1, 3), (1, 1, 5, 3)),
    "scalar": (IMAGE, ()),
    "lower rank": (IMAGE, (5, 3)),
    "lower rank that leads with 1": ((1, 2, 1, 3), (1, 3)),
    "items": ((2, 3, 1, 4), (1, 3, 2, 1)),
    "matrix": ((3, 7), (1, 7)),
}
QUANTISED = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")


def operation(kind: str, first: Sequence[int], second: Sequence[int], **how: object) -> Build:
    """An operator of two inputs; how: `dtype`, `constant` second one, `activation`, `target`."""
    dtype = str(how.get("dtype", "int8"))

    def build(layers: LayerWriter) -> Built:
        a = layers.activation(first, dtype=dtype)
        if how.get("constant"):
            b = layers.constant(second)
        elif kind in ("MAXIMUM", "MINIMUM"):
            b = layers.like(a, second)
        else:
            b = layers.activation(second, dtype=dtype)
        shape = how.get("target") or np.broadcast_shapes(first, second)
        if kind in ("MAXIMUM", "MINIMUM"):
            y = layers.like(a, shape)
        else:
            product = layers._scales[a] * layers._scales[b]
            largest = max(layers._scales[a], layers._scales[b])
            scale = product * 60 if kind in ("MUL", "SQUARED_DIFFERENCE") else largest
            y = layers.activation(shape, scale=scale * layers.random.uniform(0.7, 2.0), dtype=dtype)
        inputs = [a] if how.get("constant") else [a, b]
        options = {}
        if kind in ("ADD", "SUB", "MUL", "DIV"):
            options["FusedActivationFunction"] = int(how.get("activation", 0))
        return inputs, layers.writer.operator(kind, [a, b], y, **options)

    return build


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("kind", QUANTISED)
def test_operands_are_broadcast(tmp_path: Path, kind: str, name: str) -> None:
    build = operation(kind, *SHAPES[name])
    layers = LayerWriter(3)
    check(layers, *build(layers), tmp_path)


@pytest.mark.parametrize("activation", [1, 2, 3])
@pytest.mark.parametrize("kind", ["SUB", "MUL"])
def test_a_fused_activation(tmp_path: Path, kind: str, activation: int) -> None:
    layers = LayerWriter(activation)
    build = operation(kind, IMAGE, (1, 1, 1, 3), activation=activation)
    check(layers, *build(layers), tmp_path)


@pytest.mark.parametrize("kind", QUANTISED)
def test_the_uint8_twin(tmp_path: Path, kind: str) -> None:
    check_twin(operation(kind, IMAGE, (1, 4, 1, 1)), 5, tmp_path)


@pytest.mark.parametrize("kind", ["SUB", "MAXIMUM", "MINIMUM"])
def test_int16(tmp_path: Path, kind: str) -> None:
    layers = LayerWriter(1)
    check(layers, *operation(kind, IMAGE, (1, 1, 1, 3), dtype="int16")(layers), tmp_path)


@pytest.mark.parametrize("activation", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
def test_float32(tmp_path: Path, kind: str, activation: int) -> None:
    layers = LayerWriter(2)
    how = {"dtype": "float32", "activation": activation}
    check(layers, *operation(kind, IMAGE, (1, 1, 5, 1), **how)(layers), tmp_path)


@pytest.mark.parametrize("second", [(), (3,), (5, 3), (1, 4, 5, 1)])
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_a_constant(tmp_path: Path, kind: str, second: tuple[int, ...]) -> None:
    layers = LayerWriter(4)
    check(layers, *operation(kind, IMAGE, second, constant=True)(layers), tmp_path)


@pytest.mark.parametrize(("kind", "node"), [("ADD", Add), ("MUL", Mul)])
def test_sums_and_products_stay_on_the_accelerator(tmp_path: Path, kind: str, node: type) -> None:
    """The host repeats the smaller operand only."""
    layers = LayerWriter(0)
    graph = check(layers, *operation(kind, IMAGE, (1, 1, 1, 3))(layers), tmp_path)
    assert [type(found) for found in graph.nodes[1:]] == [node]
    assert graph.nodes[0].name.startswith(f"000_{kind} repeating")


def prelu(shape: Sequence[int], slopes: Sequence[int], *, constant: bool, dtype: str) -> Build:
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape, dtype=dtype)
        if constant:
            alpha = layers.constant(slopes)
        else:
            alpha = layers.activation(slopes, dtype="int8" if dtype == "int16" else dtype)
        y = layers.activation(shape, dtype=dtype)
        return [x] if constant else [x, alpha], layers.writer.operator("PRELU", [x, alpha], y)

    return build


@pytest.mark.parametrize("slopes", [(3,), (1, 1, 3), (4, 5, 3), IMAGE, ()])
@pytest.mark.parametrize("constant", [True, False])
def test_prelu(tmp_path: Path, slopes: tuple[int, ...], constant: bool) -> None:
    for seed in range(2):
        layers = LayerWriter(seed)
        build = prelu(IMAGE, slopes, constant=constant, dtype="int8")
        check(layers, *build(layers), tmp_path)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_prelu_of_other_types(tmp_path: Path, dtype: str) -> None:
    layers = LayerWriter(1)
    check(layers, *prelu(IMAGE, (1, 1, 3), constant=False, dtype=dtype)(layers), tmp_path)
    check_twin(prelu(IMAGE, (1, 1, 3), constant=True, dtype="int8"), 2, tmp_path)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            operation("SUB", IMAGE, (1, 4, 5, 2), target=IMAGE),
            "shapes [1, 4, 5, 3] and [1, 4, 5, 2]",
        ),
        (prelu((1, 1, 1, 3), IMAGE, constant=False, dtype="int8"), "its slopes have shape"),
    ],
)
def test_refusals(tmp_path: Path, build: Build, words: str) -> None:
    layers = LayerWriter(0)
    inputs, output = build(layers)
    assert isinstance(output, int)
    (tmp_path / "m.tflite").write_bytes(layers.finish(inputs, [output]))
    with pytest.raises(RowforgeError) as error:
        load_model(tmp_path / "m.tflite")
    assert words in str(error.value)
