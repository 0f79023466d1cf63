"""Values beside a rounding edge: counted exactly, and no other value differs from ONNX Runtime."""

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import numpy as np
import pytest

from compiler.ir.ops import Conv
from numerics.quantisation import Requant, RoundingRule
from sim.golden import run_batch, run_graph
from sim.golden.convolution import accumulate
from sim.golden.edges import Edges, edge_steps, has_edges
from tests.support.onnx.models import ModelMaker, graph_of, oracle

UNIT = Fraction(1, 1 << 24)
HALF = Fraction(1, 2)


def conv(rng: np.random.Generator, groups: int = 1, **given: object) -> Conv:
    """A layer whose scale makes ties, and values beside them, frequent."""
    C, M = (2, 6) if groups == 1 else (1, 2 * groups)
    scales = np.array([0.5, 0.25, 0.125, 0.5 + 2.0**-22, 0.3, 1 / 3])[rng.integers(0, 6, M)]
    stage = Requant(
        scale=scales,
        offset=np.array([0.0, 0.5, 2.0**-22])[rng.integers(0, 3, M)],
        rounding=RoundingRule.ORT,
        zero_point=-3,
        low=-40,
        high=90,
        dtype="int8",
    )
    fields = {
        "name": "c",
        "op": "Conv",
        "inputs": ("x",),
        "output": "y",
        "image": (6, 5, C * groups),
        "weights": rng.integers(-9, 10, (M, 3, 2, C)).astype(np.int8),
        "weight_zero_point": np.asarray(rng.integers(-2, 3, M), dtype=np.int64),
        "bias": rng.integers(-50, 50, M),
        "input_zero_point": 4,
        "stride": (2, 1),
        "pad": (1, 0, 2, 1),
        "dilation": (1, 2),
        "groups": groups,
        "stage": stage,
        "float_sums": True,
    }
    return Conv(**(fields | given))


def by_fractions(node: Conv, images: np.ndarray) -> np.ndarray:
    """The steps in exact arithmetic, one product at a time."""
    E, F, M = node.output_image
    _, R, S, C = node.weights.shape
    found = np.zeros((len(images), E, F, M), dtype=np.int64)
    for n, e, f, m in np.ndindex(*found.shape):
        total = magnitude = 0
        for r, s, c in np.ndindex(R, S, C):
            y = e * node.stride[0] - node.pad[0] + r * node.dilation[0]
            x = f * node.stride[1] - node.pad[1] + s * node.dilation[1]
            if not (0 <= y < node.image[0] and 0 <= x < node.image[1]):
                continue
            channel = m // (M // node.groups) * C + c
            product = (int(images[n, y, x, channel]) - node.input_zero_point) * (
                int(node.weights[m, r, s, c]) - int(node.weight_zero_point[m])
            )
            total, magnitude = total + product, magnitude + abs(product)
        stage = node.stage
        bias = int(node.bias[m]) + Fraction(float(stage.offset[m]))
        scale = Fraction(float(stage.scale[m]))
        real = (total + bias) * scale
        edge = floor(real) + HALF
        bound = (R * S * C + 8) * UNIT * (magnitude + abs(bias)) * scale
        bound += 4 * UNIT * abs(edge) + UNIT
        reached = ceil(real - bound - HALF), round(real), floor(real + bound + HALF)
        ends = [min(max(value + stage.zero_point, stage.low), stage.high) for value in reached]
        found[n, e, f, m] = max(ends[2] - ends[1], ends[1] - ends[0])
    return found


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_counts_are_exact(seed: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    node = conv(rng, groups)
    images = rng.integers(-30, 30, (2, *node.image)).astype(np.int8)
    psums = accumulate(node, images)
    expected = by_fractions(node, images)
    assert 5 < expected.sum() < expected.size / 2
    np.testing.assert_array_equal(edge_steps(node, images, psums), expected)
    edges = Edges()
    edges.add(node, images, psums)
    assert edges.values[node.name] == expected.sum()
    assert edges.steps == {node.name: 1}


@pytest.mark.parametrize("groups", [1, 3])
def test_few_candidates_are_gathered_one_by_one(groups: int) -> None:
    """Scales that make ties rare, so that the other way to the magnitudes is taken."""
    rng = np.random.default_rng(groups)
    node = conv(rng, groups)
    scale = np.full(len(node.weights), 0.01234567)
    scale[0] = 0.5
    stage = Requant(
        scale=scale,
        rounding=RoundingRule.ORT,
        zero_point=-3,
        low=-6,
        high=0,
        dtype="int8",
        offset=np.zeros(len(scale)),
    )
    node = conv(np.random.default_rng(groups), groups, stage=stage)
    images = rng.integers(-30, 30, (4, *node.image)).astype(np.int8)
    expected = by_fractions(node, images)
    assert 0 < expected.sum() * 16 < expected.size
    np.testing.assert_array_equal(edge_steps(node, images, accumulate(node, images)), expected)


def test_results_of_16_bits_may_be_several_steps_off() -> None:
    rng = np.random.default_rng(5)
    stage = Requant(
        scale=np.full(6, 0.6),
        offset=np.zeros(6),
        fixed=True,
        rounding=RoundingRule.ORT,
        zero_point=-700,
        low=-(1 << 15),
        high=(1 << 15) - 1,
        dtype="int16",
    )
    node = conv(rng, stage=stage)
    node = replace(node, weights=rng.integers(-120, 120, node.weights.shape).astype(np.int8))
    images = rng.integers(-(1 << 15), 1 << 15, (9, *node.image)).astype(np.int16)
    expected = by_fractions(node, images)
    assert len(set(expected.flat)) > 5 < expected.max()
    found = edge_steps(node, images, accumulate(node, images))
    np.testing.assert_array_equal(found, expected)
    edges = Edges()
    edges.add(node, images, accumulate(node, images))
    assert edges.steps == {node.name: expected.max()}


def test_layers_of_integers_have_none() -> None:
    node = conv(np.random.default_rng(0))
    assert has_edges(node)
    assert not has_edges(conv(np.random.default_rng(0), float_sums=False))
    exact = Requant(
        scale=np.ones(1), rounding=RoundingRule.TFLM, zero_point=0, low=0, high=9, dtype="int8"
    )
    assert not has_edges(conv(np.random.default_rng(0), stage=exact))
    assert not has_edges(conv(np.random.default_rng(0), stage=Requant.raw()))


# ---- whole models -------------------------------------------------------------------------------


def qdq_model(kind: str, scale: float, w_scale: float) -> tuple[object, str]:
    """One product whose output's scale makes every odd sum a tie of real numbers."""
    rng, m = np.random.default_rng(3), ModelMaker()
    conv = kind == "Conv"
    x = m.dequantise(m.input("x", (1, 8, 9, 9) if conv else (1, 64), "int8"), (scale, 3, "int8"))
    w = m.constant(rng.integers(-20, 20, (6, 8, 3, 3) if conv else (64, 40)).astype(np.int8))
    w = m.op("DequantizeLinear", w, *m.scale(w_scale, 0, "int8"))
    y_scale = float(np.float32(scale)) * float(np.float32(w_scale)) * 128
    y = m.quantise(m.op(kind, x, w), (y_scale, 5, "int8"))
    return m.model(y), y


@pytest.mark.parametrize("kind", ["Conv", "MatMul"])
@pytest.mark.parametrize("scales", [(0.1, 0.07), (0.013, 0.0031)])
def test_what_differs_from_onnx_runtime_is_counted(
    tmp_path: Path, kind: str, scales: tuple[float, float]
) -> None:
    model, y = qdq_model(kind, *scales)
    graph = graph_of(model, tmp_path)
    (node,) = (node for node in graph.nodes if isinstance(node, Conv))
    assert node.float_sums
    wrong = counted = 0
    for seed in range(20):
        shape = (1, 8, 9, 9) if kind == "Conv" else (1, 64)
        x = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
        edges = Edges()
        ours = run_graph(graph, x, edges=edges)
        (theirs,) = oracle(model, {"x": x}, optimised=False)
        stored = graph.tensors[node.inputs[0]].from_model_layout(ours[node.inputs[0]])
        mask = edge_steps(node, stored.reshape(-1, *node.image), accumulate(node, stored)) > 0
        near = graph.tensors[y].in_model_layout(mask.reshape(graph.tensors[y].shape))
        differs = ours[y] != theirs
        assert not (differs & ~near.reshape(differs.shape)).any()
        assert edges.values == {node.name: int(mask.sum())}
        wrong, counted = wrong + int(differs.sum()), counted + int(mask.sum())
    assert wrong > 0, "no value differs: the test shows nothing"
    assert counted >= wrong


def test_a_batch_counts_what_its_items_count(tmp_path: Path) -> None:
    model, _ = qdq_model("Conv", 0.1, 0.07)
    graph = graph_of(model, tmp_path)
    x = np.random.default_rng(0).integers(-128, 128, (5, 8, 9, 9)).astype(np.int8)
    together, one_by_one = Edges(), Edges()
    run_batch(graph, x, edges=together)
    for item in x:
        run_graph(graph, item[np.newaxis], edges=one_by_one)
    assert together == one_by_one
    assert sum(together.values.values()) > 0


def test_integer_operators_are_not_counted(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(0), ModelMaker()
    x = m.input("x", (1, 3, 5, 5), "uint8")
    w = m.constant(rng.integers(0, 255, (4, 3, 3, 3)).astype(np.uint8))
    one, zero = m.constant(np.float32(0.5)), m.constant(np.uint8(0))
    y = m.op("QLinearConv", x, one, zero, w, one, zero, one, zero)
    graph = graph_of(m.model(y), tmp_path)
    edges = Edges()
    run_graph(graph, np.ones((1, 3, 5, 5), dtype=np.uint8), edges=edges)
    assert not edges.values
