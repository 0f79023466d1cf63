"""Files that are cut, damaged or unsupported: one sentence each, and quickly."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest

from compiler.frontends import load_model
from hw.arch.errors import RowforgeError
from tests.support.refusals import well_formed
from tests.support.tflite.layers import RELU, VALID, LayerWriter
from tests.support.tflite.writer import ModelWriter

SECONDS = 5.0


def small_model() -> bytes:
    layers = LayerWriter(1)
    x = layers.activation((1, 9, 9, 3))
    a = layers.conv(x, 4, (3, 3), padding=VALID, activation=RELU)
    b = layers.depthwise(a, 2, (3, 3))
    c = layers.pool("AVERAGE_POOL_2D", b, (7, 7), padding=VALID)
    y = layers.softmax(layers.fully_connected(layers.reshape(c, (1, 8)), 5))
    return layers.finish([x], [y])


def attempt(path: Path, content: bytes) -> str:
    """The message of the refusal, or "" where the file is still a usable model."""
    path.write_bytes(content)
    start = monotonic()
    try:
        load_model(path)
        return ""
    except RowforgeError as error:
        assert str(path) in str(error)
        assert well_formed(str(error)), str(error)
        return str(error)
    finally:
        assert monotonic() - start < SECONDS


def test_the_undamaged_file_is_read(tmp_path: Path) -> None:
    assert attempt(tmp_path / "m.tflite", small_model()) == ""


def test_cut_files(tmp_path: Path) -> None:
    content = small_model()
    for length in [*range(0, len(content) - 16, max(1, len(content) // 200)), 4, 8, 12]:
        assert attempt(tmp_path / "m.tflite", content[:length]), length


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bits(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    content = np.frombuffer(small_model(), dtype=np.uint8)
    for _ in range(150):
        damaged = content.copy()
        places = random.integers(0, content.size, int(random.integers(1, 4)))
        damaged[places] ^= (1 << random.integers(0, 8, places.size)).astype(np.uint8)
        attempt(tmp_path / "m.tflite", damaged.tobytes())


@pytest.mark.parametrize("word", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_overwritten_words(tmp_path: Path, word: int) -> None:
    content = np.frombuffer(small_model(), dtype=np.uint8)
    for place in range(8, content.size - 4, 12):
        damaged = content.copy()
        damaged[place : place + 4] = np.frombuffer(word.to_bytes(4, "little"), dtype=np.uint8)
        attempt(tmp_path / "m.tflite", damaged.tobytes())


def test_garbage(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for size in (0, 3, 8, 100, 10_000):
        noise = bytearray(random.integers(0, 256, size, dtype=np.uint8).tobytes())
        noise[4:8] = b"TFL3"
        assert attempt(tmp_path / "m.tflite", bytes(noise))
    assert "identifier" in attempt(tmp_path / "m.tflite", b"PK\x03\x04 not a model at all")


def test_a_missing_file_a_folder_and_another_suffix(tmp_path: Path) -> None:
    with pytest.raises(RowforgeError, match="cannot be read"):
        load_model(tmp_path / "absent.tflite")
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(RowforgeError, match="cannot be read"):
        load_model(tmp_path / "folder.tflite")
    with pytest.raises(RowforgeError, match=r"\.tflite"):
        load_model(tmp_path / "model.pb")


def one_operator(
    type_name: str, *, dtype: str = "int8", shape: tuple[int, ...] = (1, 4, 4, 2), **options: Any
) -> bytes:
    writer = ModelWriter()
    scale: Any = 0.1 if dtype != "float32" else ()
    x = writer.tensor("x", shape, dtype, scale=scale)
    y = writer.tensor("y", shape, dtype, scale=scale)
    writer.operator(type_name, [x], y, **options)
    return writer.finish([x], [y])


def float_conv() -> bytes:
    writer = ModelWriter()
    x = writer.tensor("x", (1, 4, 4, 2), "float32")
    w = writer.constant("w", np.zeros((3, 1, 1, 2), dtype=np.float32))
    y = writer.tensor("y", (1, 4, 4, 3), "float32")
    writer.operator("CONV_2D", [x, w], y, StrideH=1, StrideW=1)
    return writer.finish([x], [y])


def weights_with_zero_point() -> bytes:
    writer = ModelWriter()
    x = writer.tensor("x", (1, 4, 4, 2), scale=0.1)
    w = writer.constant("w", np.zeros((3, 1, 1, 2), dtype=np.int8), scale=0.1, zero_point=4)
    y = writer.tensor("y", (1, 4, 4, 3), scale=0.1)
    writer.operator("CONV_2D", [x, w], y, StrideH=1, StrideW=1)
    return writer.finish([x], [y])


def computed_weights() -> bytes:
    writer = ModelWriter()
    x = writer.tensor("x", (1, 4, 4, 2), scale=0.1)
    w = writer.tensor("w", (3, 1, 1, 2), scale=0.1)
    y = writer.tensor("y", (1, 4, 4, 3), scale=0.1)
    writer.operator("CONV_2D", [x, w], y, StrideH=1, StrideW=1)
    return writer.finish([x, w], [y])


def wrong_output_shape() -> bytes:
    writer = ModelWriter()
    x = writer.tensor("x", (1, 4, 4, 2), scale=0.1)
    y = writer.tensor("y", (1, 4, 4, 2), scale=0.1)
    writer.operator(
        "MAX_POOL_2D", [x], y, Padding=1, StrideH=2, StrideW=2, FilterHeight=2, FilterWidth=2
    )
    return writer.finish([x], [y])


def huge_tensor() -> bytes:
    writer = ModelWriter()
    shape = (1, 1 << 20, 1 << 20, 2)
    x, y = (writer.tensor(name, shape, scale=0.1) for name in "xy")
    writer.operator("RELU", [x], y)
    return writer.finish([x], [y])


def misfit() -> bytes:
    writer = ModelWriter()
    x = writer.tensor("x", (1, 4, 4, 2), scale=0.1)
    z = writer.tensor("z", (1, 1, 1, 3), scale=0.1)
    y = writer.tensor("y", (1, 4, 4, 2), scale=0.1)
    writer.operator("ADD", [x, z], y)
    return writer.finish([x, z], [y])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: one_operator("SIGN"), ("operator 0 SIGN", "no such operator")),
        (lambda: one_operator("RELU_N1_TO_1", dtype="int16"), ("operator 0 RELU", "int16")),
        (lambda: one_operator("SOFTMAX", Beta=1.0), ("operator 0 SOFTMAX", "0.00390625")),
        (float_conv, ("operator 0 CONV_2D", "float32", "int8")),
        (weights_with_zero_point, ("operator 0 CONV_2D", "zero point")),
        (computed_weights, ("operator 0 CONV_2D", "weights", "constant")),
        (wrong_output_shape, ("operator 0 MAX_POOL_2D", "[1, 2, 2, 2]")),
        (huge_tensor, ("at most",)),
        (misfit, ("operator 0 ADD", "[1, 1, 1, 3]")),
    ],
)
def test_refusals_say_what_where_and_why(
    tmp_path: Path, build: Callable[[], bytes], words: tuple[str, ...]
) -> None:
    message = attempt(tmp_path / "m.tflite", build())
    for word in words:
        assert word in message
