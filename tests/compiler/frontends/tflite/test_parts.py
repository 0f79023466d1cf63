"""Operators that take tensors apart, put them together or look for a value."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from compiler.ir.ops import HostStep
from hw.arch.errors import RowforgeError
from tests.support.tflite.checking import Build, Built, check, check_twin, compare, tflm_outputs
from tests.support.tflite.layers import LayerWriter
from tests.support.tflite.writer import ModelWriter

IMAGE = (1, 4, 6, 5)
TYPES = ("int8", "int16", "float32")


def numbers(layers: LayerWriter, values: object) -> int:
    """An int32 constant: sizes, axes, positions."""
    return layers.writer.constant("n", np.asarray(values, np.int32))


def split(
    shape: Sequence[int], axis: int, sizes: Sequence[int], *, kind: str, dtype: str = "int8"
) -> Build:
    """SPLIT, whose sizes are equal, or SPLIT_V, where one may be -1."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape, dtype=dtype)
        at, extent = axis % len(shape), shape[axis]
        real = [extent - sum(sizes) - 1 if size == -1 else size for size in sizes]
        outputs = [layers.like(x, (*shape[:at], n, *shape[at + 1 :])) for n in real]
        if kind == "SPLIT":
            operands, options = [numbers(layers, axis), x], {"NumSplits": len(sizes)}
        else:
            operands = [x, numbers(layers, sizes), numbers(layers, axis)]
            options = {"NumSplits": len(sizes)}
        layers.writer.operator(kind, operands, outputs, **options)
        return [x], outputs

    return build


SPLITS = {
    "channels": split((1, 4, 6, 8), 3, [4, 4], kind="SPLIT"),
    "channels from the end": split((1, 4, 6, 6), -1, [2, 2, 2], kind="SPLIT"),
    "rows": split((1, 4, 6, 5), 1, [2, 2], kind="SPLIT"),
    "items": split((2, 3, 5), 0, [1, 1], kind="SPLIT"),
    "one part": split((1, 6), 1, [6], kind="SPLIT"),
    "sizes": split((1, 4, 7, 5), 2, [1, 4, 2], kind="SPLIT_V"),
    "the rest": split((1, 9), 1, [2, -1, 3], kind="SPLIT_V"),
}


@pytest.mark.parametrize("name", SPLITS)
def test_split(tmp_path: Path, name: str) -> None:
    layers = LayerWriter(0)
    check(layers, *SPLITS[name](layers), tmp_path)


def test_split_of_other_types(tmp_path: Path) -> None:
    for dtype in TYPES:
        layers = LayerWriter(1)
        check(layers, *split((1, 6), 1, [3, 3], kind="SPLIT", dtype=dtype)(layers), tmp_path)
    check_twin(SPLITS["sizes"], 0, tmp_path)


def test_layers_between_a_split_and_a_concatenation(tmp_path: Path) -> None:
    layers = LayerWriter(2)
    (x,), (a, b) = split((1, 5, 5, 8), 3, [4, 4], kind="SPLIT")(layers)
    y = layers.binary("ADD", layers.conv(a, 8, (3, 3)), layers.conv(b, 8, (1, 1)))
    check(layers, [x], [y], tmp_path)


def found(kind: str, shape: Sequence[int], axis: int, dtype: str = "int8") -> Build:
    """ARG_MAX or ARG_MIN."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape, dtype=dtype)
        kept = [n for at, n in enumerate(shape) if at != axis % len(shape)]
        y = layers.activation(kept, dtype="int32")
        return [x], layers.writer.operator(kind, [x, numbers(layers, axis)], y, OutputType=2)

    return build


@pytest.mark.parametrize("axis", [0, 1, -2, 3])
@pytest.mark.parametrize("kind", ["ARG_MAX", "ARG_MIN"])
def test_arg(tmp_path: Path, kind: str, axis: int) -> None:
    for dtype in ("int8", "float32"):
        layers = LayerWriter(3)
        check(layers, *found(kind, (2, 3, 4, 5), axis, dtype)(layers), tmp_path)
    check_twin(found(kind, IMAGE, axis), 1, tmp_path)


@pytest.mark.parametrize("kind", ["ARG_MAX", "ARG_MIN"])
def test_arg_of_equal_values_and_nan(tmp_path: Path, kind: str) -> None:
    layers = LayerWriter(0)
    inputs, y = found(kind, (6, 4), 1, "float32")(layers)
    nan, top = np.nan, np.inf
    rows = [[nan, 1, 2, 3], [1, nan, 3, 3], [2, nan, nan, nan], [-top, top, top, -top], [nan] * 4]
    values = np.array([*rows, [0.0, -0.0, 0.0, -0.0]], np.float32)
    check(layers, inputs, y, tmp_path, [values])


def test_arg_of_64_bits(tmp_path: Path) -> None:
    """TensorFlow Lite Micro gives the same positions in 32 bits only."""
    layers = LayerWriter(0)
    (x,), y = found("ARG_MAX", IMAGE, 3)(layers)
    values = layers.input_values(x)
    expected = tflm_outputs(layers.finish([x], [y]), [values], 1)
    long = LayerWriter(0)
    x = long.activation(IMAGE)
    y = long.writer.tensor("y", IMAGE[:3], "int64")
    long.writer.operator("ARG_MAX", [x, numbers(long, 3)], y, OutputType=4)
    content = long.finish([x], [y])
    compare(content, [values], [expected[0].astype(np.int64)], tmp_path)


def softmax(kind: str, classes: int, scale: float) -> Build:
    def build(layers: LayerWriter) -> Built:
        x = layers.activation((3, classes), scale=scale)
        return [x], layers.softmax(x) if kind == "SOFTMAX" else layers.log_softmax(x)

    return build


@pytest.mark.parametrize("scale", [0.003, 0.08, 1.7])
@pytest.mark.parametrize("kind", ["SOFTMAX", "LOG_SOFTMAX"])
def test_the_uint8_twin_of_a_softmax(tmp_path: Path, kind: str, scale: float) -> None:
    for classes in (2, 10, 300):
        check_twin(softmax(kind, classes, scale), 4, tmp_path)


OF_SOFTMAX = {
    "SOFTMAX": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "LOG_SOFTMAX": {"int8": (1 / 16, 127), "uint8": (1 / 16, 255), "int16": (1 / 2048, 0)},
}
"""Scale and zero point that outputs of each type have by definition."""

COMPUTED = {
    ("SOFTMAX", "int8", "softmax"),
    ("SOFTMAX", "uint8", "softmax"),
    ("SOFTMAX", "int16", "softmax16"),
    ("SOFTMAX", "float32", "softmax_float"),
    ("LOG_SOFTMAX", "int8", "log_softmax"),
    ("LOG_SOFTMAX", "uint8", "log_softmax"),
    ("LOG_SOFTMAX", "float32", "log_softmax_float"),
}
"""Types of input and output, and the host step; each is tested for its values elsewhere."""


@pytest.mark.parametrize("kind", OF_SOFTMAX)
def test_types_of_a_softmax_are_computed_or_refused(tmp_path: Path, kind: str) -> None:
    """TensorFlow Lite also has int16 outputs of 8-bit inputs, with scale 1/65536."""
    types = (*OF_SOFTMAX[kind], "float32", "int32")
    found = set()
    for source in types:
        for target in types:
            writer = ModelWriter()
            x = writer.tensor("x", (2, 9), source, scale=0.001, zero_point=0)
            scale, zero_point = OF_SOFTMAX[kind].get(target, (0.001, 0))
            if (source, target) in (("int8", "int16"), ("uint8", "int16")):
                scale, zero_point = 1 / 65536, -32768
            y = writer.tensor("y", (2, 9), target, scale=scale, zero_point=zero_point)
            writer.operator(kind, [x], y, **({"Beta": 1.0} if kind == "SOFTMAX" else {}))
            path = tmp_path / "model.tflite"
            path.write_bytes(writer.finish([x], [y]))
            try:
                (node,) = load_model(path).nodes
            except RowforgeError as error:
                assert f"operator 0 {kind} cannot run: its" in str(error)
                continue
            assert isinstance(node, HostStep) and source == target
            found.add((kind, source, node.function))
    assert found == {entry for entry in COMPUTED if entry[0] == kind}


@pytest.mark.parametrize("scales", [(0.05, 0.05), (0.03, 0.2), (1.1, 0.4), (0.001, 0.01)])
def test_elu(tmp_path: Path, scales: tuple[float, float]) -> None:
    for seed in range(3):
        layers = LayerWriter(seed)
        x = layers.activation((1, 256), scale=scales[0])
        y = layers.activation((1, 256), scale=scales[1])
        every = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
        check(layers, [x], layers.writer.operator("ELU", [x], y), tmp_path, [every])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (split((1, 7), 1, [3, 3], kind="SPLIT"), "parts of"),
        (split((1, 7), 1, [3, 3], kind="SPLIT_V"), "parts of"),
        (found("ARG_MAX", (1, 7), 1, "int16"), "type int16"),
    ],
)
def test_refusals(tmp_path: Path, build: Build, words: str) -> None:
    layers = LayerWriter(0)
    inputs, output = build(layers)
    outputs = [output] if isinstance(output, int) else output
    (tmp_path / "m.tflite").write_bytes(layers.finish(inputs, outputs))
    with pytest.raises(RowforgeError, match=words):
        load_model(tmp_path / "m.tflite")
