"""The graph's own checks, rounding, layouts and runs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compiler.ir.fold import fold
from compiler.ir.graph import Graph, Tensor
from compiler.ir.ops import Concat, Constant, Conv, HostStep, Node, Pad, Place, Reshape
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, RoundingRule
from sim.golden import run_batch, run_graph


def tensor(key: str, shape: tuple[int, ...], dtype: str = "int8", **fields: Any) -> Tensor:
    return Tensor(name=f"the {key}", key=key, shape=shape, dtype=dtype, **fields)


def graph(tensors: list[Tensor], nodes: list[Node], inputs: str = "x", outputs: str = "y") -> Graph:
    return Graph(
        name="test",
        tensors={item.key: item for item in tensors},
        nodes=tuple(nodes),
        inputs=tuple(inputs.split()),
        outputs=tuple(outputs.split()),
    )


def node(kind: type[Node], reads: str, writes: str, **fields: Any) -> Any:
    return kind(
        name=f"to {writes}", op="TEST", inputs=tuple(reads.split()), output=writes, **fields
    )


def conv(reads: str, writes: str, weights: np.ndarray, **fields: Any) -> Conv:
    stage = Requant(
        scale=np.asarray([0.01]),
        rounding=RoundingRule.TFLM,
        zero_point=0,
        low=-128,
        high=127,
        dtype="int8",
    )
    defaults: dict[str, Any] = {
        "weight_zero_point": np.zeros(1, dtype=np.int64),
        "bias": np.zeros(weights.shape[0], dtype=np.int64),
        "input_zero_point": 3,
        "stage": stage,
    }
    result: Conv = node(Conv, reads, writes, weights=weights, **{**defaults, **fields})
    return result


X, Y = tensor("x", (1, 4)), tensor("y", (1, 2, 2))


def test_lookups() -> None:
    reshape = node(Reshape, "x", "y")
    g = graph([X, Y], [reshape])
    assert g.producer("y") is reshape
    assert g.producer("x") is None
    assert g.consumers("x") == (reshape,)
    assert g.consumers("y") == ()
    assert g.macs == 0


@pytest.mark.parametrize(
    ("tensors", "nodes", "message"),
    [
        ([X, Y], [node(Reshape, "z", "y")], "unknown tensor 'z'"),
        ([X, Y], [node(Reshape, "y", "y")], "before anything has written"),
        ([X, Y], [node(Reshape, "x", "y"), node(Reshape, "x", "y")], "exists already"),
        ([X, Y], [node(Reshape, "x", "x")], "exists already"),
        ([X, Y], [], "nothing writes"),
        ([X], [], "unknown tensor 'y'"),
    ],
)
def test_impossible_graphs(tensors: list[Tensor], nodes: list[Node], message: str) -> None:
    with pytest.raises(RowforgeError, match=message):
        graph(tensors, nodes)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": (1, 0)}, "at least 1"),
        ({"shape": (1 << 20, 1 << 20)}, "at most"),
        ({"dtype": "complex64"}, "type must be one of"),
        ({"data": np.zeros(3)}, "constant data"),
    ],
)
def test_impossible_tensors(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RowforgeError, match=message):
        replace(X, **fields)


def test_places() -> None:
    weights = np.ones((1, 1, 1, 4), dtype=np.int8)
    assert conv("x", "y", weights, image=(1, 1, 4)).place is Place.ARRAY
    assert node(HostStep, "x", "y", function="cast").place is Place.HOST
    assert node(Constant, "", "y", value=np.zeros(1)).place is Place.FOLDED
    assert node(Reshape, "x", "y", folded="free").place is Place.FOLDED


def test_rounding_changes_every_stage_but_raw() -> None:
    weights = np.full((2, 1, 1, 4), 7, dtype=np.int8)
    first = conv("x", "y", weights, image=(1, 1, 4))
    second = conv("x", "z", weights, image=(1, 1, 4), stage=Requant.raw())
    tensors = [X, tensor("y", (1, 2)), tensor("z", (1, 2), "int32")]
    g = graph(tensors, [first, second], outputs="y z").with_rounding(RoundingRule.ORT)
    stages = [n.stage.rounding for n in g.nodes if isinstance(n, Conv)]
    assert stages == [RoundingRule.ORT, RoundingRule.RAW]
    assert g.rounding is RoundingRule.ORT
    with pytest.raises(RowforgeError, match="raw"):
        g.with_rounding(RoundingRule.RAW)
    x = np.asarray([[100, 3, 3, 3]], dtype=np.int8)
    result = run_graph(g, x)
    assert result["z"].tolist() == [[679, 679]]
    assert result["y"].tolist() == [[7, 7]]


def test_convolutions_that_do_not_fit() -> None:
    weights = np.ones((2, 3, 3, 4), dtype=np.int8)
    for change in (
        {"image": (2, 2, 4)},
        {"image": (4, 4, 5)},
        {"groups": 3, "image": (4, 4, 12)},
        {"stride": (0, 1)},
        {"pad": (0, 0, 0, -1)},
        {"bias": np.zeros(3, dtype=np.int64)},
        {"weight_zero_point": np.zeros(3, dtype=np.int64)},
    ):
        with pytest.raises(RowforgeError):
            conv("x", "y", weights, **{"image": (4, 4, 4), **change})


def test_padding_that_differs_from_the_zero_point_is_not_folded() -> None:
    tensors = [tensor("x", (1, 3, 3, 1)), tensor("p", (1, 5, 5, 1)), tensor("y", (1, 3, 3, 2))]
    weights = np.arange(18, dtype=np.int8).reshape(2, 3, 3, 1)
    last = conv("p", "y", weights, image=(5, 5, 1))
    amounts = ((0, 0), (1, 1), (1, 1), (0, 0))
    x = np.arange(9, dtype=np.int8).reshape(1, 3, 3, 1)
    for value, folded in ((3, True), (4, False)):
        g = graph(tensors, [node(Pad, "x", "p", pads=amounts, value=value), last])
        after = fold(g)
        assert bool(after.nodes[0].folded) is folded
        assert after.macs == g.macs
        for key, array in run_graph(g, x).items():
            np.testing.assert_array_equal(run_graph(after, x)[key], array)
    shown = graph(tensors, [node(Pad, "x", "p", pads=amounts, value=3), last], outputs="p y")
    assert not fold(shown).nodes[0].folded


def test_chained_reshapes_lead_back_to_the_image() -> None:
    shapes = {"x": (1, 2, 3, 2), "a": (1, 12), "b": (1, 1, 1, 12), "y": (1, 5)}
    tensors = [tensor(key, shape) for key, shape in shapes.items()]
    weights = np.arange(60, dtype=np.int8).reshape(5, 1, 1, 12)
    g = graph(
        tensors,
        [
            node(Reshape, "x", "a"),
            node(Reshape, "a", "b"),
            conv("b", "y", weights, image=(1, 1, 12)),
        ],
    )
    after = fold(g)
    moved = after.nodes[2]
    assert isinstance(moved, Conv)
    assert moved.inputs == ("x",)
    assert moved.weights.shape == (5, 2, 3, 2)
    x = np.arange(-6, 6, dtype=np.int8).reshape(1, 2, 3, 2)
    for key, array in run_graph(g, x).items():
        np.testing.assert_array_equal(run_graph(after, x)[key], array)


def test_the_models_own_layout() -> None:
    x = tensor("x", (1, 2, 3, 4), permutation=(0, 3, 1, 2))
    y = tensor("y", (1, 2, 3, 4), permutation=(0, 3, 1, 2), model_shape=(1, 24))
    g = graph([x, y], [node(Reshape, "x", "y")])
    nchw = np.arange(24, dtype=np.int8).reshape(1, 4, 2, 3)
    result = run_graph(g, nchw)
    np.testing.assert_array_equal(result["x"], nchw)
    np.testing.assert_array_equal(result["y"], nchw.reshape(1, 24))
    batch = run_batch(g, np.concatenate([nchw, nchw + 1]))
    np.testing.assert_array_equal(batch["y"][1], nchw.reshape(24) + 1)


def test_items_that_cannot_share_a_run_are_run_one_by_one() -> None:
    constant = tensor("c", (2,), data=np.asarray([5, 6], dtype=np.int8))
    tensors = [tensor("x", (1, 2)), constant, tensor("f", (2,)), tensor("y", (4,))]
    g = graph(tensors, [node(Reshape, "x", "f"), node(Concat, "f c", "y", axis=0)])
    batch = run_batch(g, np.asarray([[1, 2], [3, 4]], dtype=np.int8))
    assert batch["y"].tolist() == [[1, 2, 5, 6], [3, 4, 5, 6]]
    assert batch["c"].tolist() == [[5, 6], [5, 6]]
    assert batch["x"].tolist() == [[1, 2], [3, 4]]


def test_inputs_must_fit() -> None:
    g = graph([X, Y], [node(Reshape, "x", "y")])
    good = np.zeros((1, 4), dtype=np.int8)
    assert run_graph(g, {"the x": good})["y"].shape == (1, 2, 2)
    for wrong, message in (
        (good.astype(np.int16), "type int8"),
        (np.zeros((2, 4), dtype=np.int8), "shape"),
        ({"z": good}, "inputs must be"),
    ):
        with pytest.raises(RowforgeError, match=message):
            run_graph(g, wrong)
    with pytest.raises(RowforgeError, match="same number"):
        run_batch(g, np.zeros((0, 4), dtype=np.int8))
    with pytest.raises(RowforgeError, match="shape"):
        run_batch(g, np.zeros((2, 5), dtype=np.int8))


def test_an_unknown_host_step() -> None:
    g = graph([X, Y], [node(HostStep, "x", "y", function="fly")])
    with pytest.raises(RowforgeError, match="fly"):
        run_graph(g, np.zeros((1, 4), dtype=np.int8))
