"""ONNX files that are cut, damaged or unsupported: one sentence each, and quickly."""

import re
from pathlib import Path
from time import monotonic

import numpy as np
import onnx
import pytest

from compiler.frontends import load_model
from hw.arch.errors import RowforgeError
from tests.support.onnx.broken import BROKEN, changed, small_model
from tests.support.onnx.damage import damage
from tests.support.onnx.models import ModelMaker
from tests.support.refusals import well_formed

SECONDS = 5.0


def attempt(path: Path, model: onnx.ModelProto | bytes) -> str:
    """The message of the refusal, or "" where the file is still a usable model."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
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


@pytest.mark.parametrize("form", ["qdq", "qoperator"])
def test_the_undamaged_file_is_read(tmp_path: Path, form: str) -> None:
    assert attempt(tmp_path / "m.onnx", small_model(form)) == ""


def test_cut_files(tmp_path: Path) -> None:
    content = small_model().SerializeToString()
    for length in range(0, len(content) - 40, max(1, len(content) // 150)):
        assert attempt(tmp_path / "m.onnx", content[:length]), length


def test_garbage(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for size in (0, 3, 100, 10_000):
        assert attempt(tmp_path / "m.onnx", rng.integers(0, 256, size, dtype=np.uint8).tobytes())


@pytest.mark.parametrize("form", ["qdq", "qoperator"])
@pytest.mark.parametrize("seed", range(4))
def test_seeded_damage(tmp_path: Path, form: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, refused = small_model(form), 0
    for _ in range(120):
        refused += bool(attempt(tmp_path / "m.onnx", damage(model, rng)))
    assert 20 < refused < 120


@pytest.mark.parametrize("name", BROKEN)
def test_kinds_of_damage(tmp_path: Path, name: str) -> None:
    change, words = BROKEN[name]
    message = attempt(tmp_path / "m.onnx", changed(change))
    assert re.search(words, message), message


def test_depth_is_no_matter(tmp_path: Path) -> None:
    m = ModelMaker()
    x = m.input("x", (1, 4))
    for _ in range(2000):
        x = m.op("Relu", x)
    y = m.dequantise(m.quantise(x, (0.1, 0, "uint8")), (0.1, 0, "uint8"))
    for _ in range(1500):
        y = m.op("Flatten", y)
    model = m.model(m.quantise(y, (0.2, 0, "uint8")))
    assert attempt(tmp_path / "m.onnx", model) == ""


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RowforgeError, match="cannot be read"):
        load_model(tmp_path / "absent.onnx")
