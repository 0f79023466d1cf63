"""Operators of two tensors, and how they are broadcast, against TensorFlow Lite Micro."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from compiler.ir.ops import Add, Conv, HostStep, Mul
from hw.arch.errors import RowforgeError
from numerics.host import run_host
from tests.support.tflite.checking import Build, Built, check, check_twin, compare
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
@pytest.mark.parametrize("kind", [*QUANTISED, "SQUARED_DIFFERENCE"])
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


@pytest.mark.parametrize("kind", ["SUB", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"])
def test_int16(tmp_path: Path, kind: str) -> None:
    layers = LayerWriter(1)
    check(layers, *operation(kind, IMAGE, (1, 1, 1, 3), dtype="int16")(layers), tmp_path)


@pytest.mark.parametrize("activation", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "kind", ["ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"]
)
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


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_int32(tmp_path: Path, kind: str) -> None:
    """Bare integers, such as the positions of ARG_MAX, wrap to 32 bits."""
    layers = LayerWriter(3)
    check(layers, *operation(kind, IMAGE, (1, 1, 5, 1), dtype="int32")(layers), tmp_path)


def test_floor_div_of_int32(tmp_path: Path) -> None:
    """TensorFlow Lite Micro has it of float32 alone."""
    layers = LayerWriter(3)
    (a, b), y = operation("FLOOR_DIV", (1, 40), (1, 40), dtype="int32")(layers)
    assert isinstance(y, int)
    values = [layers.input_values(tensor) for tensor in (a, b)]
    values[1] = np.where(values[1] % 97 == 0, -7, values[1] % 97 - 48).astype(np.int32)
    values[1][values[1] == 0] = 3
    pairs = zip(values[0][0].tolist(), values[1][0].tolist(), strict=True)
    expected = np.asarray([[p // q for p, q in pairs]])
    compare(layers.finish([a, b], [y]), values, [expected.astype(np.int32)], tmp_path)


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


def quotient(first: Sequence[int], second: Sequence[int], ratio: float) -> Build:
    """DIV whose scales have a ratio of input over divisor times output."""

    def build(layers: LayerWriter) -> Built:
        a, b = layers.activation(first), layers.activation(second)
        scale = layers._scales[a] / layers._scales[b] / ratio
        y = layers.activation(np.broadcast_shapes(first, second), scale=scale)
        return [a, b], layers.writer.operator("DIV", [a, b], y)

    return build


def divisors(layers: LayerWriter, tensor: int) -> np.ndarray:
    """Values without the zero point."""
    values = layers.input_values(tensor)
    zero = layers._zero_points[tensor]
    return np.where(values == zero, zero + (1 if zero < 0 else -1), values).astype(np.int8)


@pytest.mark.parametrize("shapes", [((1, 64, 9), (1, 1, 9)), ((3, 40), (3, 40)), ((1, 5), ())])
def test_quotients(tmp_path: Path, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """From a ratio of 64 on, TensorFlow Lite's kernel never shifts further than C defines."""
    for seed, ratio in enumerate((65.0, 90.0, 400.0)):
        layers = LayerWriter(seed)
        (a, b), y = quotient(*shapes, ratio)(layers)
        values = [layers.input_values(a), divisors(layers, b)]
        check(layers, [a, b], y, tmp_path, values)


def test_small_quotients_and_divisors_of_0() -> None:
    parameters = {
        "zero_points": (0, 0),
        "factor": (1 << 30, 1),  # 1
        "zero_point": 5,
        "low": -128,
        "high": 127,
        "dtype": "int8",
    }
    a, b = np.asarray([1, -1, -127, 124, 3], np.int8), np.asarray([127, 126, 64, -4, 2], np.int8)
    (result,) = run_host("divide_tflm", [a, b], parameters)
    np.testing.assert_array_equal(result, [5, 5, 3, -26, 7])
    with pytest.raises(RowforgeError, match="divide by 0"):
        run_host("divide_tflm", [a, np.zeros(5, np.int8)], parameters)


COMPARED = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")


def compared(kind: str, dtype: str, *, alike: bool = False) -> Build:
    """A comparison into bool; of `alike` quantisations many values are equal."""

    def build(layers: LayerWriter) -> Built:
        a = layers.activation((1, 16, 16, 3), dtype=dtype)
        shape = (1, 16, 16, 1)
        b = layers.like(a, shape) if alike else layers.activation(shape, dtype=dtype)
        y = layers.activation((1, 16, 16, 3), dtype="bool")
        return [a, b], layers.writer.operator(kind, [a, b], y)

    return build


@pytest.mark.parametrize("kind", COMPARED)
def test_comparisons(tmp_path: Path, kind: str) -> None:
    for dtype in ("int8", "float32", "int32"):
        for alike in (False, True):
            layers = LayerWriter(1)
            check(layers, *compared(kind, dtype, alike=alike)(layers), tmp_path)
    check_twin(compared(kind, "int8"), 3, tmp_path)


@pytest.mark.parametrize("kind", ["LOGICAL_AND", "LOGICAL_OR", "EQUAL", "NOT_EQUAL"])
def test_truth_values(tmp_path: Path, kind: str) -> None:
    layers = LayerWriter(1)
    check(layers, *compared(kind, "bool")(layers), tmp_path)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_a_choice_by_a_comparison(tmp_path: Path, dtype: str) -> None:
    layers = LayerWriter(4)
    a = layers.activation(IMAGE, dtype=dtype)
    b = layers.like(a, (1, 1, 1, 3))
    numbers = layers.activation((1, 4, 5, 1), dtype="float32")
    limit = layers.activation((1, 1, 1, 1), dtype="float32")
    less = layers.activation((1, 4, 5, 1), dtype="bool")
    layers.writer.operator("LESS", [numbers, limit], less)
    y = layers.writer.operator("SELECT_V2", [less, a, b], layers.like(a, IMAGE))
    check(layers, [a, b, numbers, limit], y, tmp_path)


def matmul(
    first: Sequence[int], second: Sequence[int], *, x: bool, y: bool, constant: bool = False
) -> Build:
    """BATCH_MATMUL of two activations, or by a constant."""

    def build(layers: LayerWriter) -> Built:
        a = layers.activation(first)
        b = layers.constant(second) if constant else layers.activation(second)
        rows = first[-1] if x else first[-2]
        columns = second[-2] if y else second[-1]
        batch = np.broadcast_shapes(first[:-2], second[:-2])
        inner = first[-2] if x else first[-1]
        scale = layers._scales[a] * layers._scales[b] * 80 * inner**0.5
        out = layers.activation((*batch, rows, columns), scale=scale)
        options = {"AdjX": x, "AdjY": y}
        inputs = [a] if constant else [a, b]
        return inputs, layers.writer.operator("BATCH_MATMUL", [a, b], out, **options)

    return build


MATRICES = {
    "plain": matmul((1, 3, 7), (1, 7, 5), x=False, y=False),
    "turned": matmul((1, 7, 3), (1, 5, 7), x=True, y=True),
    "first turned": matmul((2, 7, 3), (2, 7, 5), x=True, y=False),
    "heads": matmul((1, 4, 6, 8), (1, 4, 5, 8), x=False, y=True),
    "broadcast": matmul((1, 4, 6, 8), (8, 5), x=False, y=False),
    "items": matmul((3, 1, 2, 4), (1, 2, 4, 5), x=False, y=False),
}


@pytest.mark.parametrize("name", MATRICES)
def test_products_of_matrices(tmp_path: Path, name: str) -> None:
    for seed in range(2):
        layers = LayerWriter(seed)
        check(layers, *MATRICES[name](layers), tmp_path)


def test_a_product_by_a_constant_matrix_takes_the_array(tmp_path: Path) -> None:
    for x, y, kind in ((False, False, Conv), (False, True, Conv), (True, False, HostStep)):
        layers = LayerWriter(2)
        first, second = (1, 4, 3, 7), (1, 7, 7)
        if x:
            first = (1, 4, 7, 3)
        (node,) = check(
            layers, *matmul(first, second, x=x, y=y, constant=True)(layers), tmp_path
        ).nodes
        assert isinstance(node, kind)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            operation("SUB", IMAGE, (1, 4, 5, 2), target=IMAGE),
            "shapes [1, 4, 5, 3] and [1, 4, 5, 2]",
        ),
        (prelu((1, 1, 1, 3), IMAGE, constant=False, dtype="int8"), "its slopes have shape"),
        (quotient((1, 4), (1, 4), 2.0**24), "exceed 2^23"),
        (compared("LOGICAL_AND", "int8"), "types int8 and bool"),
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
