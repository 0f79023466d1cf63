"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR against TensorFlow Lite Micro."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from hw.arch.errors import RowforgeError
from numerics.host import run_host
from tests.support.tflite.checking import Build, Built, check, check_twin
from tests.support.tflite.layers import LayerWriter

SIZES = [
    ((1, 4, 5, 3), (8, 10)),
    ((1, 4, 5, 3), (7, 3)),
    ((2, 7, 3, 2), (3, 11)),
    ((1, 1, 6, 5), (4, 1)),
    ((1, 13, 9, 1), (13, 9)),
    ((1, 3, 3, 2), (17, 29)),
]
MODES = {"plain": {}, "corners": {"AlignCorners": 1}, "centres": {"HalfPixelCenters": 1}}
BOTH = {"AlignCorners": 1, "HalfPixelCenters": 1}


def resized(
    kind: str, shape: tuple[int, ...], size: tuple[int, int], dtype: str = "int8", **mode: int
) -> Build:
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape, dtype=dtype)
        wanted = layers.writer.constant("size", np.asarray(size, np.int32))
        y = layers.like(x, (shape[0], *size, shape[3]))
        return [x], layers.writer.operator(f"RESIZE_{kind}", [x, wanted], y, **mode)

    return build


@pytest.mark.parametrize("mode", [*MODES, "both"])
@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_nearest(tmp_path: Path, shape: tuple[int, ...], size: tuple[int, int], mode: str) -> None:
    layers = LayerWriter(0)
    build = resized("NEAREST_NEIGHBOR", shape, size, **MODES.get(mode, BOTH))
    check(layers, *build(layers), tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_bilinear(tmp_path: Path, shape: tuple[int, ...], size: tuple[int, int], mode: str) -> None:
    for dtype in ("int8", "float32"):
        layers = LayerWriter(1)
        check(layers, *resized("BILINEAR", shape, size, dtype, **MODES[mode])(layers), tmp_path)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_nearest_of_other_types(tmp_path: Path, dtype: str) -> None:
    layers = LayerWriter(0)
    check(layers, *resized("NEAREST_NEIGHBOR", *SIZES[1], dtype)(layers), tmp_path)


def test_the_uint8_twin_of_nearest(tmp_path: Path) -> None:
    check_twin(resized("NEAREST_NEIGHBOR", *SIZES[1]), 0, tmp_path)


def test_random_sizes(tmp_path: Path) -> None:
    """Many sizes in one file: the positions of either kernel come from their own arithmetic."""
    layers = LayerWriter(7)
    inputs, outputs = [], []
    for kind in ("NEAREST_NEIGHBOR", "BILINEAR"):
        for mode in MODES.values():
            for _ in range(6):
                rows, columns, height, width = layers.random.integers(1, 40, 4).tolist()
                shape, size = (1, rows, columns, 1), (height, width)
                if kind == "BILINEAR" and height > 20 * rows or width > 20 * columns:
                    continue
                (x,), y = resized(kind, shape, size, **mode)(layers)
                inputs.append(x)
                outputs.append(y)
    assert len(outputs) > 20
    check(layers, inputs, outputs, tmp_path)


def test_uint8_in_float32() -> None:
    """The kernel for uint8 adds a half and truncates what it interpolated in float32."""
    x = np.array([0, 3, 255, 7], np.uint8).reshape(1, 2, 2, 1)
    halves = {"rows": ((0, 0), (0, 1), (0.0, 0.5)), "columns": ((0, 0), (0, 1), (0.0, 0.5))}
    (result,) = run_host("resize_bilinear_float", [x], halves)
    np.testing.assert_array_equal(result.reshape(-1), [0, 2, 128, 66])
    assert result.dtype == np.uint8


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (resized("BILINEAR", *SIZES[0], **BOTH), "both aligned corners and half pixel"),
        (resized("BILINEAR", *SIZES[0], "int16"), "type int16"),
        (resized("BILINEAR", (1, 1, 1, 1), (600, 1)), "read beyond its input"),
        (resized("NEAREST_NEIGHBOR", (1, 2, 2, 1), (0, 2)), "shape"),
    ],
)
def test_refusals(tmp_path: Path, build: Build, words: str) -> None:
    layers = LayerWriter(0)
    inputs, output = build(layers)
    assert isinstance(output, int)
    (tmp_path / "m.tflite").write_bytes(layers.finish(inputs, [output]))
    with pytest.raises(RowforgeError, match=words):
        load_model(tmp_path / "m.tflite")
