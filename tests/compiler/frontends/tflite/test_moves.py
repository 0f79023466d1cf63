"""Operators that only move values, against TensorFlow Lite Micro or, where it has none, NumPy."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import load_model
from hw.arch.errors import RowforgeError
from sim.golden import run_graph
from tests.support.tflite.checking import Build, Built, check, check_twin, compare
from tests.support.tflite.layers import LayerWriter

IMAGE = (1, 4, 6, 5)


def moved(
    kind: str,
    shape: Sequence[int],
    target: Sequence[int],
    *limits: object,
    dtype: str = "int8",
    **options: int,
) -> Build:
    """An operator of one tensor and constant numbers; its output has the input's quantisation."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape, dtype=dtype)
        numbers = [layers.writer.constant("n", np.asarray(n, np.int32)) for n in limits]
        return [x], layers.writer.operator(kind, [x, *numbers], layers.like(x, target), **options)

    return build


def stacked(shape: Sequence[int], axis: int, count: int, *, constant: bool = False) -> Build:
    """PACK of inputs, the last one constant if asked for."""

    def build(layers: LayerWriter) -> Built:
        inputs = [layers.activation(shape)]
        inputs += [layers.like(inputs[0], shape) for _ in range(count - 1)]
        operands = list(inputs)
        if constant:
            data = layers.random.integers(-128, 128, shape).astype(np.int8)
            first = inputs[0]
            scale, zero = layers._scales[first], layers._zero_points[first]
            operands.append(layers._tensor("c", shape, "int8", scale, zero, data))
        at = axis % (len(shape) + 1)
        target = (*shape[:at], len(operands), *shape[at:])
        y = layers.like(inputs[0], target)
        options = {"Axis": axis, "ValuesCount": len(operands)}
        return inputs, layers.writer.operator("PACK", operands, y, **options)

    return build


def unstacked(shape: Sequence[int], axis: int) -> Build:
    """UNPACK of all positions."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape)
        at = axis % len(shape)
        target = (*shape[:at], *shape[at + 1 :])
        outputs = [layers.like(x, target) for _ in range(shape[at])]
        layers.writer.operator("UNPACK", [x], outputs, Axis=axis, Num=shape[at])
        return [x], outputs

    return build


def gathered(
    kind: str,
    shape: Sequence[int],
    positions: object,
    target: Sequence[int],
    *,
    computed: bool = False,
    **options: int,
) -> Build:
    """GATHER or GATHER_ND by constant positions, or by those of ARG_MAX."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape)
        inputs = [x]
        if computed:
            where = np.asarray(positions)
            peaks = layers.activation((*where.shape, 4))
            inputs.append(peaks)
            axis = layers.writer.constant("n", np.asarray([where.ndim], np.int32))
            chosen = layers.activation(where.shape, dtype="int32")
            layers.writer.operator("ARG_MAX", [peaks, axis], chosen, OutputType=2)
        else:
            chosen = layers.writer.constant("n", np.asarray(positions, np.int32))
        y = layers.like(x, target)
        return inputs, layers.writer.operator(kind, [x, chosen], y, **options)

    return build


REFLECT, SYMMETRIC = {"Mode": 0}, {"Mode": 1}
AROUND = [[0, 0], [1, 2], [3, 0], [0, 1]]
CASES: dict[str, Build] = {
    "pack": stacked((1, 3, 4), 1, 3),
    "pack at the end": stacked((1, 3, 4), -1, 2),
    "pack items": stacked((3, 4), 0, 2, constant=True),
    "unpack": unstacked((1, 3, 4), 1),
    "unpack from the end": unstacked((2, 3, 4), -1),
    "gather": gathered("GATHER", IMAGE, [4, 0, 0], (1, 4, 6, 3), Axis=3),
    "gather rows": gathered("GATHER", IMAGE, [[3, 1], [0, 2]], (1, 2, 2, 6, 5), Axis=1),
    "gather one": gathered("GATHER", IMAGE, 2, (1, 4, 5), Axis=-2),
    "gather items": gathered("GATHER", (3, 4), [2, 2], (2, 4), Axis=0),
    "gather computed": gathered("GATHER", IMAGE, [0, 0, 0], (1, 3, 6, 5), computed=True, Axis=1),
    "gather in batches": gathered(
        "GATHER", (2, 4, 3), [[0, 0], [0, 0]], (2, 2, 3), computed=True, Axis=1, BatchDims=1
    ),
    "gather values": gathered("GATHER_ND", (3, 4, 2), [[[0, 3], [2, 1]]], (1, 2, 2)),
    "gather nd of all": gathered("GATHER_ND", (3, 4), [[0, 3], [2, 1], [1, 1]], (3,)),
    "gather nd computed": gathered("GATHER_ND", (4, 3, 2), [[0], [0]], (2, 3, 2), computed=True),
    "reflect": moved("MIRROR_PAD", IMAGE, (1, 7, 9, 6), AROUND, **REFLECT),
    "symmetric": moved("MIRROR_PAD", IMAGE, (1, 7, 9, 6), AROUND, **SYMMETRIC),
    "mirror a vector": moved("MIRROR_PAD", (4,), (11,), [[3, 4]], **SYMMETRIC),
    "reverse": moved("REVERSE_V2", IMAGE, IMAGE, [2]),
    "reverse all items": moved("REVERSE_V2", (3, 4), (3, 4), [0]),
    "broadcast": moved("BROADCAST_TO", (1, 4, 1, 5), IMAGE, IMAGE),
    "broadcast a row": moved("BROADCAST_TO", (5,), (1, 2, 5), [1, 2, 5]),
    "depth to space": moved("DEPTH_TO_SPACE", (1, 3, 4, 8), (1, 6, 8, 2), BlockSize=2),
    "space to depth": moved("SPACE_TO_DEPTH", (2, 6, 9, 2), (2, 2, 3, 18), BlockSize=3),
    "batch to space": moved(
        "BATCH_TO_SPACE_ND", (4, 3, 3, 2), (1, 5, 4, 2), [2, 2], [[1, 0], [0, 2]]
    ),
    "batch to space of rank 3": moved("BATCH_TO_SPACE_ND", (4, 3, 2), (2, 5, 2), [2], [[0, 1]]),
    "space to batch": moved(
        "SPACE_TO_BATCH_ND", (2, 4, 6, 3), (12, 2, 2, 3), [2, 3], [[0, 0], [0, 0]]
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_moved(tmp_path: Path, name: str) -> None:
    layers = LayerWriter(1)
    check(layers, *CASES[name](layers), tmp_path)


@pytest.mark.parametrize("name", ["pack", "unpack", "gather", "reflect", "depth to space"])
def test_the_uint8_twin(tmp_path: Path, name: str) -> None:
    check_twin(CASES[name], 1, tmp_path)


@pytest.mark.parametrize("kind", ["PACK", "MIRROR_PAD", "GATHER"])
def test_float32(tmp_path: Path, kind: str) -> None:
    layers = LayerWriter(3)
    x = layers.activation((1, 3, 4), dtype="float32")
    if kind == "PACK":
        y = layers.activation((1, 2, 3, 4), dtype="float32")
        layers.writer.operator(kind, [x, x], y, Axis=1, ValuesCount=2)
    else:
        y = layers.activation((1, 5, 4), dtype="float32")
        pads, rows = [[0, 0], [1, 1], [0, 0]], [2, 1, 0, 0, 1]
        numbers = np.asarray(pads if kind == "MIRROR_PAD" else rows, np.int32)
        options = {"Axis": 1} if kind == "GATHER" else {"Mode": 1}
        layers.writer.operator(kind, [x, layers.writer.constant("n", numbers)], y, **options)
    check(layers, [x], y, tmp_path)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@pytest.mark.parametrize("counts", [(1, 2, 1, 3), (2, 1, 1, 1), (1, 1, 1, 1)])
def test_tile(tmp_path: Path, dtype: str, counts: tuple[int, ...]) -> None:
    """TensorFlow Lite Micro has no TILE; the whole tensor is repeated along each axis."""
    layers = LayerWriter(1)
    target = [n * c for n, c in zip(IMAGE, counts, strict=True)]
    (x,), y = moved("TILE", IMAGE, target, counts, dtype=dtype)(layers)
    assert isinstance(y, int)
    values = layers.input_values(x)
    compare(layers.finish([x], [y]), [values], [np.tile(values, counts)], tmp_path)


def test_space_to_batch_pads_with_the_real_value_0(tmp_path: Path) -> None:
    """As TensorFlow Lite does; TensorFlow Lite Micro never sets the value that it pads with."""
    pads = [[1, 0], [2, 1]]
    build = moved("SPACE_TO_BATCH_ND", (1, 3, 3, 2), (4, 2, 3, 2), [2, 2], pads)
    layers = LayerWriter(0)
    (x,), y = build(layers)
    assert isinstance(y, int)
    (tmp_path / "m.tflite").write_bytes(layers.finish([x], [y]))
    graph = load_model(tmp_path / "m.tflite")
    values = layers.input_values(x)
    zero = layers._zero_points[x]
    padded = np.pad(values, [(0, 0), *pads, (0, 0)], constant_values=zero)
    expected = np.concatenate([padded[:, i::2, j::2] for i in range(2) for j in range(2)])
    result = run_graph(graph, values)[graph.outputs[0]]
    np.testing.assert_array_equal(result, expected)


def test_a_dilated_convolution_between_space_to_batch_and_back(tmp_path: Path) -> None:
    """How converters write dilation where the batch is not known."""
    layers = LayerWriter(2)
    x = layers.activation((1, 6, 6, 3))
    padded = layers.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)])
    block = layers.writer.constant("n", np.asarray([2, 2], np.int32))
    nothing = layers.writer.constant("n", np.zeros((2, 2), np.int32))
    spread = layers.like(x, (4, 5, 5, 3))
    layers.writer.operator("SPACE_TO_BATCH_ND", [padded, block, nothing], spread)
    y = layers.conv(spread, 4, (3, 3), padding=1)
    back = layers.like(y, (1, 6, 6, 4))
    layers.writer.operator("BATCH_TO_SPACE_ND", [y, block, nothing], back)
    check(layers, [x], back, tmp_path)


@pytest.mark.parametrize("value", [-1, 4])
def test_a_computed_position_that_does_not_exist(tmp_path: Path, value: int) -> None:
    layers = LayerWriter(0)
    x = layers.activation((4, 3))
    where = layers.activation((2,), dtype="int32")
    y = layers.like(x, (2, 3))
    layers.writer.operator("GATHER", [x, where], y, Axis=0)
    (tmp_path / "m.tflite").write_bytes(layers.finish([x, where], [y]))
    graph = load_model(tmp_path / "m.tflite")
    arrays = [layers.input_values(x), np.asarray([0, value], np.int32)]
    with pytest.raises(RowforgeError, match=f"must be 0 to 3, not {value}"):
        run_graph(graph, dict(zip(graph.inputs, arrays, strict=True)))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (gathered("GATHER", IMAGE, [5], (1, 4, 6, 1), Axis=3), "does not exist"),
        (gathered("GATHER", IMAGE, [0], (1, 4, 6, 1), Axis=4), "axis 4"),
        (gathered("GATHER_ND", (3, 4), [[0, 4]], (1,)), "does not exist"),
        (moved("MIRROR_PAD", (4,), (8,), [[4, 0]], **REFLECT), "mirrors no 4"),
        (moved("BROADCAST_TO", (1, 3), (2, 4), [2, 4]), "does not fit"),
        (moved("TILE", (1, 3), (1, 3), [1]), "does not fit"),
        (moved("DEPTH_TO_SPACE", (1, 3, 4, 6), (1, 6, 8, 1), BlockSize=2), "do not fit"),
        (moved("SPACE_TO_DEPTH", (1, 3, 4, 6), (1, 1, 2, 24), BlockSize=0), "do not fit"),
        (moved("SPACE_TO_BATCH_ND", (1, 3, 4, 6), (2, 1, 4, 6), [2, 1], [[0, 0]] * 2), "fit"),
        (moved("REVERSE_V2", (1, 3), (1, 3), [2]), "do not exist"),
    ],
)
def test_refusals(tmp_path: Path, build: Build, words: str) -> None:
    layers = LayerWriter(0)
    inputs, output = build(layers)
    outputs = [output] if isinstance(output, int) else output
    (tmp_path / "m.tflite").write_bytes(layers.finish(inputs, outputs))
    with pytest.raises(RowforgeError, match=words):
        load_model(tmp_path / "m.tflite")
