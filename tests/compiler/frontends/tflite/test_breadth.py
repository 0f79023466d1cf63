"""What converters emit around the core, operator by operator against TensorFlow Lite Micro.

Each case is a small model of its own; it is also compiled and run by the command executor.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.frontends import load_model
from hw.arch.errors import RowforgeError
from sim.golden import run_graph
from tests.support.tflite.checking import check
from tests.support.tflite.layers import VALID, LayerWriter, tflm_run

Built = tuple[list[int], int]


def ints(layers: LayerWriter, values: Any) -> int:
    """An int32 constant."""
    return layers.writer.constant("n", np.asarray(values, np.int32))


def moved(kind: str, shape: Sequence[int], target: Sequence[int], *limits: Any, **options: int):
    """An operator that only moves values: its output has the input's quantisation."""

    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape)
        operands = [x, *(ints(layers, values) for values in limits)]
        return [x], layers.writer.operator(kind, operands, layers.like(x, target), **options)

    return build


def table(kind: str, scale: float, output: tuple[float, int] | None = None, **options: float):
    def build(layers: LayerWriter) -> Built:
        x = layers.activation((1, 16, 16, 1), scale=scale)
        factor = 1.0 if kind == "LEAKY_RELU" else 0.4
        wanted = output or (float(np.float32(scale * factor)), -3)
        y = layers.activation((1, 16, 16, 1), scale=wanted[0], zero_point=wanted[1])
        return [x], layers.writer.operator(kind, [x], y, **options)

    return build


def conv_on(shape: Sequence[int], kernel: tuple[int, int], **options: Any):
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape)
        return [x], layers.conv(x, 4, kernel, **options)

    return build


def conv_without_bias(rest: list[int]):
    def build(layers: LayerWriter) -> Built:
        x = layers.activation((1, 6, 6, 3))
        w, _ = layers._parameters(x, (4, 3, 3, 3), 4, 0)
        y = layers.activation((1, 6, 6, 4), scale=layers._output_scale(x, 27))
        sizes = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
        return [x], layers.writer.operator("CONV_2D", [x, w, *rest], y, Padding=0, **sizes)

    return build


def mean(shape: Sequence[int], axes: Any, target: Sequence[int], *, keep: bool, same: bool = False):
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape)
        y = layers.like(x, target) if same else layers.activation(target, scale=layers._scales[x])
        return [x], layers.writer.operator("MEAN", [x, ints(layers, axes)], y, KeepDims=keep)

    return build


def every_mean() -> dict[str, Callable[[LayerWriter], Built]]:
    """All sets of axes, kept and not."""
    cases = {}
    for axes in (axes for n in (1, 2, 3, 4) for axes in combinations(range(4), n)):
        shape = (2 if 0 in axes else 1, 5, 4, 3)
        for keep in (False, True):
            target = [1 if a in axes else n for a, n in enumerate(shape) if keep or a not in axes]
            cases[f"mean {axes} {keep}"] = mean(shape, axes, target, keep=keep)
    return cases


def padded_value(value: Any, *, read: bool):
    def build(layers: LayerWriter) -> Built:
        x = layers.activation((1, 5, 5, 2))
        amounts = ints(layers, [[0, 0], [1, 2], [3, 0], [0, 0]])
        stored = np.array(value, np.int8)
        given = layers.writer.constant(
            "v", stored, scale=layers._scales[x], zero_point=layers._zero_points[x]
        )
        y = layers.writer.operator("PADV2", [x, amounts, given], layers.like(x, (1, 8, 8, 2)))
        return [x], layers.conv(y, 3, (3, 3), padding=VALID) if read else y

    return build


def concat_with_constant(layers: LayerWriter) -> Built:
    x = layers.activation((1, 3, 3, 2))
    c = layers.writer.constant(
        "c",
        np.arange(18, dtype=np.int8).reshape(1, 3, 3, 2),
        scale=layers._scales[x],
        zero_point=layers._zero_points[x],
    )
    y = layers.writer.operator("CONCATENATION", [x, c], layers.like(x, (1, 3, 3, 4)), Axis=3)
    return [x], y


def itself(kind: str):
    def build(layers: LayerWriter) -> Built:
        x = layers.activation((1, 3, 3, 2))
        return [x], layers.binary(kind, x, x)

    return build


def joined(shape: Sequence[int], axis: int):
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape)
        z = layers.like(x, shape)
        return [x, z], layers.concat([x, z, x], axis)

    return build


def padded(shape: Sequence[int], pads: Sequence[tuple[int, int]]):
    def build(layers: LayerWriter) -> Built:
        x = layers.activation(shape)
        return [x], layers.pad(x, pads)

    return build


def shape_chain(layers: LayerWriter) -> Built:
    """SHAPE, STRIDED_SLICE, PACK, RESHAPE: how Keras flattens with an unknown batch."""
    x = layers.activation((1, 3, 3, 4))
    a = layers.conv(x, 2, (1, 1))
    write = layers.writer
    size = write.operator("SHAPE", [a], write.tensor("size", (4,), "int32"))
    batch = write.tensor("batch", (), "int32")
    limits = [ints(layers, [n]) for n in (0, 1, 1)]
    write.operator("STRIDED_SLICE", [size, *limits], batch, ShrinkAxisMask=1)
    packed = write.tensor("packed", (2,), "int32")
    write.operator("PACK", [batch, ints(layers, -1)], packed, ValuesCount=2, Axis=0)
    flat = write.operator("RESHAPE", [a, packed], layers.like(a, (1, 18)))
    return [x], layers.fully_connected(flat, 5)


IMAGE = (1, 5, 6, 3)
CASES: dict[str, Callable[[LayerWriter], Built]] = {
    "conv of several items": conv_on((2, 6, 5, 3), (3, 3)),
    "conv 1 x 7": conv_on((1, 6, 9, 3), (1, 7)),
    "conv 7 x 1 valid": conv_on((1, 16, 1, 3), (7, 1), padding=VALID, stride=(3, 1)),
    "conv 5 x 2 dilated": conv_on((1, 16, 9, 3), (5, 2), dilation=(2, 3)),
    "conv without bias": conv_without_bias([]),
    "conv with its bias left out": conv_without_bias([-1]),
    "pad of a matrix": padded((3, 4), [(1, 1), (2, 0)]),
    "pad of a vector": padded((6,), [(1, 2)]),
    "pad of rank 3": padded((1, 5, 2), [(0, 0), (1, 2), (0, 0)]),
    "pad of items": padded(IMAGE, [(1, 1), (0, 0), (0, 0), (0, 0)]),
    "pad of channels": padded(IMAGE, [(0, 0), (0, 0), (0, 0), (8, 8)]),
    "padv2": padded_value(77, read=False),
    "padv2 of one value": padded_value([-77], read=False),
    "padv2 before a convolution": padded_value(5, read=True),
    "mean of one scale": mean(IMAGE, [1, 2], (1, 3), keep=False, same=True),
    "mean of negative and repeated axes": mean(IMAGE, [-2, 1, 2], (1, 3), keep=False),
    "mean along one axis by itself": mean(IMAGE, 2, (1, 5, 3), keep=False),
    "mean of rank 3": mean((1, 9, 3), [1], (1, 3), keep=False),
    "mean of a matrix": mean((3, 9), [1], (3, 1), keep=True),
    **every_mean(),
    **{f"concatenation along {axis}": joined((1, 3, 4, 2), axis) for axis in (0, 1, 2, 3, -1)},
    "concatenation of vectors": joined((1, 6), 1),
    "concatenation of rows": joined((3, 6), 0),
    "concatenation of rank 3": joined((1, 4, 6), 1),
    "concatenation with a constant": concat_with_constant,
    "add to itself": itself("ADD"),
    "mul by itself": itself("MUL"),
    "a shape chain": shape_chain,
    "squeeze": moved("SQUEEZE", (1, 1, 6, 2), (6, 2)),
    "expand dims": moved("EXPAND_DIMS", (1, 6, 2), (1, 1, 6, 2), 1),
    "transpose": moved("TRANSPOSE", IMAGE, (1, 3, 5, 6), [0, 3, 1, 2]),
    "transpose of items": moved("TRANSPOSE", (2, 3), (3, 2), [1, 0]),
    "slice": moved("SLICE", IMAGE, (1, 2, 6, 1), [0, 1, 0, 2], [1, 2, -1, 1]),
    "strided slice": moved(
        "STRIDED_SLICE", IMAGE, (1, 3, 3, 3), [0, 0, 1, 0], [1, 5, 6, 3], [1, 2, 2, 1]
    ),
    "strided slice of one row": moved(
        "STRIDED_SLICE", IMAGE, (1, 6, 3), *([0, -1, 0, 0], [1, 0, 6, 3], [1] * 4), ShrinkAxisMask=2
    ),
    "strided slice with masks": moved(
        "STRIDED_SLICE",
        IMAGE,
        (1, 5, 4, 2),
        *([9, 9, 2, 0], [0, 0, 0, -1], [1] * 4),
        BeginMask=3,
        EndMask=7,
    ),
    "logistic": table("LOGISTIC", 0.06, (1 / 256, -128)),
    "logistic of a large scale": table("LOGISTIC", 2.0, (1 / 256, -128)),
    "logistic of a small scale": table("LOGISTIC", 1e-5, (1 / 256, -128)),
    "tanh": table("TANH", 0.03, (1 / 128, 0)),
    "tanh of a large scale": table("TANH", 3.0, (1 / 128, 0)),
    "hard swish": table("HARD_SWISH", 0.05),
    "hard swish of a large scale": table("HARD_SWISH", 0.9),
    "hard swish of a small scale": table("HARD_SWISH", 1e-4),
    "leaky relu": table("LEAKY_RELU", 0.05, Alpha=0.1),
    "leaky relu of negative slope": table("LEAKY_RELU", 0.05, Alpha=-0.3),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operator(tmp_path: Path, name: str) -> None:
    for seed in range(2):
        layers = LayerWriter(seed)
        check(layers, *CASES[name](layers), tmp_path)


QUANTISED = {"int8": (0.05, 3), "uint8": (0.07, 131), "float32": None}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("float32", "int8"),
        ("int8", "int8"),
        ("uint8", "int8"),
        ("int8", "uint8"),
        ("int8", "float32"),
        ("uint8", "float32"),
    ],
)
def test_ends(tmp_path: Path, source: str, target: str) -> None:
    layers = LayerWriter(0)
    tensors = []
    for name, dtype in (("x", source), ("y", target)):
        known = QUANTISED[dtype]
        quantised = {} if known is None else {"scale": known[0], "zero_point": known[1]}
        tensors.append(layers.writer.tensor(name, (1, 16, 16), dtype, **quantised))
    x, y = tensors
    layers.writer.operator("DEQUANTIZE" if target == "float32" else "QUANTIZE", [x], y)
    content = layers.finish([x], [y])
    (tmp_path / "m.tflite").write_bytes(content)
    if source == "float32":
        # Quotients beyond int32 and infinities are undefined in the reference kernel.
        edges = np.array([1e8, -1e8, 0.075, -0.075, 0.025, -0.0], np.float32)
        values = (layers.random.standard_normal(256) * 4).astype(np.float32)
        values[: edges.size] = edges
    else:
        values = np.arange(256).astype(np.uint8).view(source)
    values = values.reshape(1, 16, 16)
    graph = load_model(tmp_path / "m.tflite")
    result = run_graph(graph, values)[graph.outputs[0]]
    np.testing.assert_array_equal(result, tflm_run(content, values))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (moved("SLICE", IMAGE, (1, 5, 6, 1), [0, 0, 0, 3], [1, 5, 6, 1]), ["3 to 4", "axis of 3"]),
        (moved("SLICE", IMAGE, IMAGE, [0], [1]), ["limits do not fit"]),
        (moved("TRANSPOSE", IMAGE, IMAGE, [0, 1, 1, 2]), ["no order of 4 axes"]),
        (
            moved("STRIDED_SLICE", IMAGE, IMAGE, [0, 4, 0, 0], [1, -9, 6, 3], [1, -1, 1, 1]),
            ["runs backwards"],
        ),
        (table("LOGISTIC", 0.1, (1 / 128, -128)), ["scale and zero point", "0.00390625"]),
        (table("TANH", 1e-9, (1 / 128, 0)), ["2^-26"]),
        (table("HARD_SWISH", 1e-8), ["16-bit arithmetic"]),
        (moved("FLOOR", IMAGE, IMAGE), ["operator 0 FLOOR", "no such operator"]),
    ],
)
def test_refusals(tmp_path: Path, build: Callable[[LayerWriter], Built], words: list[str]) -> None:
    layers = LayerWriter(0)
    inputs, output = build(layers)
    (tmp_path / "m.tflite").write_bytes(layers.finish(inputs, [output]))
    with pytest.raises(RowforgeError) as error:
        load_model(tmp_path / "m.tflite")
    for word in words:
        assert word in str(error.value)
