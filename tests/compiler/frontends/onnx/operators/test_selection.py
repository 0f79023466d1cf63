"""Operators that choose values: steps on stored integers, Splits in parts, sentences."""

from pathlib import Path

import numpy as np
import pytest

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv, HostStep
from hw.arch.errors import RowforgeError
from tests.compiler.frontends.onnx.test_moves import Made, X, Y, Z
from tests.support.onnx.models import ModelMaker, check, graph_of, unchecked


def _steps(graph: Graph) -> list[str]:
    return [n.function for n in graph.nodes if isinstance(n, HostStep) and not n.folded]


def _convolutions(graph: Graph) -> int:
    return sum(isinstance(node, Conv) for node in graph.nodes)


def test_halves_of_a_product_at_two_scales(tmp_path: Path) -> None:
    m = Made(1)
    m.op("Split", m.conv(bias=False), outputs=2, axis=1)
    halves = m.nodes[-1].output
    graph = check(
        m.model(m.quantise(halves[0], Y), m.quantise(halves[1], Z)),
        tmp_path,
        m.rng,
        levels=(False,),
    )
    assert _convolutions(graph) == 2
    assert _steps(graph) == ["slice", "slice"]


def test_a_part_that_nothing_reads_counts(tmp_path: Path) -> None:
    """Three parts of nine channels, although only the first is read."""
    m = ModelMaker()
    x = m.dequantise(m.input("x", (1, 9, 4, 4), "int8"), X)
    part = m.op("Split", x, outputs=3, axis=1)
    graph = check(m.model(m.quantise(part, X)), tmp_path, np.random.default_rng(1), levels=(False,))
    assert _steps(graph) == ["slice"]


def test_channel_shuffle_and_concatenation_of_parts(tmp_path: Path) -> None:
    """ShuffleNet's block: a Split, a product of one half, a Concat, channels in another order."""
    m = Made(2)
    x = m.dequantise(m.quantise(m.op("Relu", m.conv(M=8)), Y), Y)
    m.op("Split", x, m.constant(np.asarray([4, 4])), outputs=2, axis=1)
    first, second = m.nodes[-1].output
    second = m.dequantise(m.quantise(m.conv(second, M=4), Y), Y)
    joined = m.op("Concat", first, second, axis=1)
    split = m.op("Reshape", joined, m.shape(1, 2, 4, 6, 6))
    moved = m.op("Transpose", split, perm=[0, 2, 1, 3, 4])
    y = m.op("Reshape", moved, m.shape(1, 8, 6, 6))
    graph = check(m.model(m.quantise(y, Y)), tmp_path, m.rng, levels=(False,))
    assert _convolutions(graph) == 2


def test_upsampling_keeps_its_scale(tmp_path: Path) -> None:
    """Resize by 2 of stored values, as a decoder has it; the product reads the larger map."""
    m = Made(3)
    x = m.dequantise(m.quantise(m.op("Relu", m.conv()), Y), Y)
    scales = m.constant(np.asarray([1, 1, 2, 2], np.float32))
    up = m.op(
        "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )  # fmt: skip
    y = m.quantise(m.conv(m.dequantise(m.quantise(up, Y), Y), C=6), Z)
    graph = check(m.model(y), tmp_path, m.rng, levels=(False,))
    assert _steps(graph) == ["take_ort"]


def test_depth_to_space_is_bookkeeping(tmp_path: Path) -> None:
    m = Made(4)
    deep = m.op("DepthToSpace", m.conv(M=8), blocksize=2)
    back = m.op("SpaceToDepth", deep, blocksize=2)
    graph = check(m.model(m.quantise(back, Y)), tmp_path, m.rng, levels=(False,))
    assert set(_steps(graph)) <= {"rearrange"}


SENTENCES = [
    ("Slice", (np.asarray([9]), np.asarray([9])), {}, "nothing is left of axis 0"),
    ("Slice", (np.asarray([0]), np.asarray([1]), np.asarray([7])), {}, "axis 7 does not exist"),
    ("Slice", (np.asarray([0]), np.asarray([1, 2])), {}, "its starts, ends, axes and steps"),
    ("Gather", (np.asarray([4]),), {}, "its indices do not lie within an axis of 4"),
    ("Tile", (np.asarray([1, 0, 1, 1]),), {}, "its repeats"),
    ("Tile", (np.asarray([1, 1, 9999, 9999]),), {}, "its result would have shape"),
    ("Expand", (np.asarray([3, 1, 1, 1]),), {}, "does not broadcast to"),
    ("DepthToSpace", (), {"blocksize": 3}, "its blocks of 3 do not fit"),
    ("DepthToSpace", (), {}, "its blocks of 0 do not fit"),
    ("Concat", (np.zeros((0, 4), np.int8),), {"axis": 0}, "has no values"),
    ("Dropout", ("", np.asarray(True)), {}, "it drops values at random"),
    ("Split", (np.asarray([1, 1]),), {}, "do not make up 4"),
    ("Resize", ("", np.asarray([1, 1, 0, 2], np.float32)), {}, "its scales"),
    ("Resize", ("", "", np.asarray([1, 1, 2])), {}, "its sizes"),
    ("Resize", ("", "", np.asarray([4, 4, 2, 2])), {"mode": "cubic"}, "its mode 'cubic'"),
    (
        "Resize",
        ("", "", np.asarray([4, 8, 4, 2])),
        {"mode": "linear"},
        "resize height and width alone",
    ),
]


@pytest.mark.parametrize(("op_type", "constants", "attributes", "sentence"), SENTENCES)
def test_what_does_not_fit_is_refused(
    op_type: str, constants: tuple, attributes: dict, sentence: str, tmp_path: Path
) -> None:
    m = ModelMaker()
    x = m.input("x", (4, 4, 4, 4), "int8")
    given = [c if isinstance(c, str) else m.constant(c) for c in constants]
    y = m.op(op_type, x, *given, outputs=2 if op_type == "Split" else 1, **attributes)
    path = tmp_path / "model.onnx"
    names = list(m.nodes[-1].output)
    with pytest.raises(RowforgeError, match="cannot run") as raised:
        graph_of(unchecked(m, *(names or [y])), path.parent)
    assert sentence in str(raised.value)
