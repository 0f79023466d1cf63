"""Operators of one tensor that compute, against TensorFlow Lite Micro."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from hw.arch.errors import RowforgeError
from numerics.gemmlowp import inverse_square_root
from sim.golden import run_graph
from tests.support.tflite.checking import Build, Built, check, check_twin, compare
from tests.support.tflite.layers import LayerWriter

IMAGE = (1, 4, 6, 5)
EVERY = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)


def table(kind: str, scale: float, wanted: float, zero_point: int | None = None) -> Build:
    """An operator of every int8 value."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation((1, 256), scale=scale, zero_point=zero_point)
        fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(kind, (wanted, None))
        y = layers.activation((1, 256), scale=fixed[0], zero_point=fixed[1])
        options = {"Alpha": 0.2} if kind == "LEAKY_RELU" else {}
        return [x], layers.writer.operator(kind, [x], y, **options)

    return build


@pytest.mark.parametrize("scales", [(0.05, 0.05), (0.03, 0.2), (1.1, 0.4), (0.001, 1e-5)])
def test_abs(tmp_path: Path, scales: tuple[float, float]) -> None:
    for seed in range(3):
        layers = LayerWriter(seed)
        check(layers, *table("ABS", *scales)(layers), tmp_path, [EVERY])


@pytest.mark.parametrize("scales", [(0.05, 0.05), (0.003, 0.2), (1.1, 0.01), (30.0, 0.002)])
def test_rsqrt(tmp_path: Path, scales: tuple[float, float]) -> None:
    for zero_point in (-128, -100, 0, 126):
        layers = LayerWriter(1)
        values = np.maximum(EVERY, zero_point)
        check(layers, *table("RSQRT", *scales, zero_point)(layers), tmp_path, [values])


def test_rsqrt_of_negative_numbers_is_an_error(tmp_path: Path) -> None:
    layers = LayerWriter(0)
    (x,), y = table("RSQRT", 0.1, 0.1, -5)(layers)
    assert isinstance(y, int)
    (tmp_path / "m.tflite").write_bytes(layers.finish([x], [y]))
    with pytest.raises(RowforgeError, match=r"at least 0 \(stored -5\), not -128"):
        run_graph(load_model(tmp_path / "m.tflite"), EVERY)


def test_the_inverse_square_root_is_one() -> None:
    x = np.concatenate([np.arange(70000), 2 ** np.arange(16, 31), [2**31 - 1]]).astype(np.int64)
    multiplier, shift = inverse_square_root(x)
    ours = multiplier * 2.0 ** (shift - 31.0)
    np.testing.assert_allclose(ours, 1 / np.sqrt(np.maximum(x, 1)), rtol=2e-6, atol=0)


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU"])
def test_the_uint8_twin_of_a_table(tmp_path: Path, kind: str) -> None:
    for seed in range(2):
        check_twin(table(kind, 0.04, 0.05), seed, tmp_path)


@pytest.mark.parametrize("unsigned", [False, True])
def test_relu_between_one_and_minus_one(tmp_path: Path, unsigned: bool) -> None:
    """TensorFlow Lite Micro has it within other operators alone, whose bounds these are."""
    layers = LayerWriter(2, unsigned=unsigned)
    x = layers.activation((1, 256), scale=0.02, zero_point=5)
    y = layers.writer.operator("RELU_N1_TO_1", [x], layers.like(x, (1, 256)))
    values, expected = (layers.stored(v) for v in (EVERY, np.clip(EVERY, 5 - 50, 5 + 50)))
    compare(layers.finish([x], [y]), [values], [expected], tmp_path)


@pytest.mark.parametrize("kind", ["ABS", "NEG", "SQUARE", "SQRT", "RSQRT", "EXP"])
def test_float32(tmp_path: Path, kind: str) -> None:
    layers = LayerWriter(5)
    x = layers.activation((1, 40, 50), dtype="float32")
    y = layers.activation((1, 40, 50), dtype="float32")
    values = layers.input_values(x)
    values.reshape(-1)[:4] = [0.0, -0.0, 1e-40, 3e38]
    if kind in ("SQRT", "RSQRT"):
        values = np.abs(values)
    check(layers, [x], layers.writer.operator(kind, [x], y), tmp_path, [values])


def test_casts(tmp_path: Path) -> None:
    """uint8 and int64 are no types of TensorFlow Lite Micro's CAST, but there is one result."""
    codes = {"float32": 0, "int32": 2, "bool": 6, "int16": 7, "int8": 9}
    for source in codes:
        layers = LayerWriter(1)
        x = layers.activation((1, 30), dtype=source)
        values = layers.input_values(x)
        if source == "float32":
            values = np.clip(values * 10, -127, 127)
        outputs = []
        for target in codes:
            if target in ("bool", source) or (source, target) == ("float32", "int8"):
                continue
            y = layers.activation((1, 30), dtype=target)
            types = {"InDataType": codes[source], "OutDataType": codes[target]}
            outputs.append(layers.writer.operator("CAST", [x], y, **types))
        check(layers, [x], outputs, tmp_path, [values])


def reduced(kind: str, axes: Sequence[int], *, keep: bool = False, dtype: str = "int8") -> Build:
    """SUM, REDUCE_MAX or REDUCE_MIN."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation((2, 4, 6, 5), dtype=dtype)
        gone = [axis % 4 for axis in axes]
        shape = [1 if at in gone else n for at, n in enumerate(layers.shape(x))]
        target = [n for at, n in enumerate(shape) if keep or at not in gone]
        if kind == "SUM":
            y = layers.activation(target, scale=layers._scales[x] * 5, dtype=dtype)
        else:
            y = layers.like(x, target)
        listed = layers.writer.constant("n", np.asarray(axes, np.int32))
        return [x], layers.writer.operator(kind, [x, listed], y, KeepDims=keep)

    return build


@pytest.mark.parametrize("axes", [(1, 2), (-1,), (0,), (3, 1), (0, 1, 2, 3)])
@pytest.mark.parametrize("kind", ["SUM", "REDUCE_MAX", "REDUCE_MIN"])
def test_reductions(tmp_path: Path, kind: str, axes: tuple[int, ...]) -> None:
    for keep in (False, True):
        for dtype in ("int8", "float32"):
            layers = LayerWriter(2)
            check(layers, *reduced(kind, axes, keep=keep, dtype=dtype)(layers), tmp_path)
    check_twin(reduced(kind, axes), 3, tmp_path)


def test_sum_of_int16(tmp_path: Path) -> None:
    layers = LayerWriter(2)
    check(layers, *reduced("SUM", (1, 2), dtype="int16")(layers), tmp_path)


def normalised(shape: Sequence[int], dtype: str = "int8") -> Build:
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape, dtype=dtype)
        y = layers.activation(shape, scale=1 / 128, zero_point=0, dtype=dtype)
        return [x], layers.writer.operator("L2_NORMALIZATION", [x], y)

    return build


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (7, 2), (1, 700), (1, 40, 1)])
def test_l2_normalisation(tmp_path: Path, shape: tuple[int, ...]) -> None:
    for dtype in ("int8", "float32"):
        for seed in range(2):
            layers = LayerWriter(seed)
            check(layers, *normalised(shape, dtype)(layers), tmp_path)


def test_l2_normalisation_of_zeros_and_ones(tmp_path: Path) -> None:
    for dtype in ("int8", "float32"):
        layers = LayerWriter(0)
        (x,), y = normalised((5, 4), dtype)(layers)
        zero = 0 if dtype == "float32" else layers._zero_points[x]
        values = np.full((5, 4), zero, np.dtype(dtype))
        values[1, 0], values[2, 3] = zero + 1, zero - 1
        values[3, :2] += np.asarray(1, dtype)
        check(layers, [x], y, tmp_path, [values])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (table("NEG", 0.1, 0.1), "type int8, and TensorFlow Lite Micro"),
        (table("EXP", 0.1, 0.1), "type int8, and TensorFlow Lite Micro"),
        (table("RSQRT", 1e-30, 1e-30), "beyond the kernel's 32-bit arithmetic"),
        (reduced("SUM", (4,)), "do not exist"),
        (reduced("REDUCE_MAX", (1,), dtype="int16"), "type int16"),
    ],
)
def test_refusals(tmp_path: Path, build: Build, words: str) -> None:
    layers = LayerWriter(0)
    inputs, output = build(layers)
    outputs = [output] if isinstance(output, int) else output
    (tmp_path / "m.tflite").write_bytes(layers.finish(inputs, outputs))
    with pytest.raises(RowforgeError, match=words):
        load_model(tmp_path / "m.tflite")
