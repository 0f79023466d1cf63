"""ONNX models of 16-bit activations: exact sums, and float32's errors proven layer by layer."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv, HostStep, Pad
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from sim.golden import run_graph
from sim.golden.edges import Edges
from tests.campaigns.fuzz_graph.onnx.explain import accounted
from tests.compiler.support import check_graph
from tests.rowforge.support import rowforge
from tests.support.onnx.layerwise import by_layer
from tests.support.onnx.models import ModelMaker, feeds_for, graph_of, oracle, places, save

WIDE = preset("tiny_16x8")
ZEROS = {"int16": -11003, "uint16": 41001}
Q16 = {dtype: (2.0**-13, ZEROS[dtype], dtype) for dtype in ZEROS}


def weights(m: ModelMaker, values: np.ndarray, scale: float, axis: int | None = None) -> str:
    """Dequantised int8 weights with one scale, or scales around it along an axis."""
    if axis is None:
        return m.op("DequantizeLinear", m.constant(values), *m.scale(scale, 0, "int8"))
    count = values.shape[axis]
    scales = (scale * np.linspace(0.5, 1.5, count)).astype(np.float32)
    zeros = m.constant(np.zeros(count, np.int8))
    return m.op("DequantizeLinear", m.constant(values), m.constant(scales), zeros, axis=axis)


def network(dtype: str, opset: int = 21) -> onnx.ModelProto:
    """Padded convolutions, a sum, both pools, a join and a classifier, each rounded to 16 bits."""
    rng, m = np.random.default_rng(16), ModelMaker(opset=opset)
    zeros = iter(rng.integers(*((-(1 << 15), 1 << 15) if dtype == "int16" else (0, 1 << 16)), 9))

    def rounded(name: str, scale: float) -> str:
        return m.requantise(name, (scale, int(next(zeros)), dtype))

    def drawn(*shape: int) -> np.ndarray:
        return rng.integers(-127, 128, shape).astype(np.int8)

    x = rounded(m.input("x", (1, 3, 8, 9)), 1.1e-4)
    bias = m.constant(rng.standard_normal(8).astype(np.float32))
    y = m.op("Conv", x, weights(m, drawn(8, 3, 3, 3), 0.004, 0), bias, pads=[1, 0, 1, 2])
    y = rounded(m.op("Relu", y), 9.3e-5)
    z = m.op("Conv", y, weights(m, drawn(8, 1, 3, 3), 0.003, 0), pads=[1, 1, 1, 1], group=8)
    z = rounded(m.op("Add", rounded(z, 1.7e-4), y), 2.9e-4)
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    z = m.op("Concat", m.op("MaxPool", z, **pool), m.op("MaxPool", z, **pool), axis=1)
    z = rounded(m.op("GlobalAveragePool", z), 1.3e-4)
    z = m.op("MatMul", m.op("Flatten", z), weights(m, drawn(16, 6), 0.005, 1))
    return m.model(m.quantise(z, (1.3e-3, int(next(zeros)), dtype)))


def checked(model: onnx.ModelProto, folder: Path, seed: int = 1) -> Graph:
    """Each layer is ONNX Runtime's but for proven differences, and the program is the layers'."""
    graph, rng = graph_of(model, folder), np.random.default_rng(seed)
    found = by_layer(graph, model, feeds_for(model, rng), accounted)
    assert not found.wrong, found.wrong
    assert not found.absent
    check_graph(graph, WIDE, rng, dump=True)
    return graph


@pytest.mark.parametrize("dtype", ZEROS)
def test_a_network_is_onnx_runtimes(tmp_path: Path, dtype: str) -> None:
    model = network(dtype)
    graph = checked(model, tmp_path)
    feeds = feeds_for(model, np.random.default_rng(2))
    (expected,) = oracle(model, feeds, optimised=False)
    (output,) = graph.outputs
    ours = run_graph(graph, feeds)[output]
    assert (ours.dtype, ours.shape) == (expected.dtype, expected.shape)
    assert len(np.unique(expected)) == expected.size
    served = places(graph)
    assert [served[op] for op in ("Conv", "MaxPool", "Concat", "MatMul")] == ["array"] * 4
    assert [served[op] for op in ("Add", "GlobalAveragePool")] == ["host"] * 2


def test_operators_of_onnx_runtimes_own_domain(tmp_path: Path) -> None:
    """Before operator set 21 quantisers take them for 16 bits."""
    model = network("uint16", opset=17)
    assert {node.domain for node in model.graph.node if "Linear" in node.op_type} == {
        "",  # of weights
        "com.microsoft",
    }
    checked(model, tmp_path)


@pytest.mark.parametrize("dtype", ZEROS)
@pytest.mark.parametrize("zero", [-1, 0, 1])
def test_ties_go_to_the_even_step(tmp_path: Path, dtype: str, zero: int) -> None:
    """Powers of two make every second sum a tie; far zero points are odd and even."""
    m, rng = ModelMaker(opset=21), np.random.default_rng(3)
    x = m.dequantise(m.input("x", (1, 4, 6, 5), dtype), Q16[dtype])
    w = weights(m, rng.integers(-3, 4, (5, 4, 1, 1)).astype(np.int8), 1.0)
    scale, middle = 2.0**-12, 0 if dtype == "int16" else 1 << 15
    model = m.model(m.quantise(m.op("Conv", x, w), (scale, middle + 7000 + zero, dtype)))
    feeds = {"x": (ZEROS[dtype] + rng.integers(-1500, 1500, (1, 4, 6, 5))).astype(dtype)}
    (expected,) = oracle(model, feeds, optimised=False)
    ours = run_graph(graph_of(model, tmp_path), feeds)
    np.testing.assert_array_equal(next(reversed(ours.values())), expected)
    checked(model, tmp_path)


def long_product(K: int, dtype: str = "uint16") -> onnx.ModelProto:
    """Sums of K products that can exceed 32 bits from 259 on."""
    m, rng = ModelMaker(opset=21), np.random.default_rng(4)
    x = m.dequantise(m.input("x", (1, K), dtype), (2.0**-13, 0, dtype))
    w = rng.integers(120, 128, (K, 3)).astype(np.int8)
    y = m.op("MatMul", x, weights(m, w, 0.01, 1))
    y = m.op("Add", y, m.constant(np.array([0.3, -7.0, 11.0], np.float32)))
    return m.model(m.quantise(y, (3e-4 * K, 1 << 15, dtype)))


@pytest.mark.parametrize(("K", "parts"), [(240, 0), (500, 2), (1000, 4)])
def test_long_sums_are_added_up_in_parts(tmp_path: Path, K: int, parts: int) -> None:
    graph = checked(long_product(K), tmp_path)
    sums = [node for node in graph.nodes if isinstance(node, Conv)]
    steps = [n for n in graph.nodes if isinstance(n, HostStep) and n.function == "round_sums"]
    assert len(steps) == bool(parts)
    assert len(sums) == max(parts, 1)
    if parts:
        assert steps[0].reason.startswith(f"its sums may exceed 32 bits: the array adds up {parts}")


def test_sums_that_no_parts_can_hold(tmp_path: Path) -> None:
    with pytest.raises(RowforgeError, match="exceed 32 bits even in 16 parts"):
        graph_of(long_product(5000), tmp_path)


def test_what_may_be_off_is_counted_with_its_steps(tmp_path: Path, capsys) -> None:
    """No value is farther off than the run says, and the run tells it by layer.

    Large products cancel but for a little, so that float32 sums err by several steps.
    """
    m, rng = ModelMaker(opset=21), np.random.default_rng(5)
    x = m.dequantise(m.input("x", (1, 250), "int16"), (1e-4, 0, "int16"))
    half = rng.integers(-127, 128, (125, 40)).astype(np.int8)
    w = np.stack([half, -half], axis=1).reshape(250, 40)
    model = m.model(m.quantise(m.op("MatMul", x, weights(m, w, 0.013)), (2e-5, 0, "int16")))
    graph, most, different = graph_of(model, tmp_path), 0, 0
    for seed in range(20):
        x = np.random.default_rng(seed).integers(-32000, 32000, (125, 1))
        x = x + np.random.default_rng(seed).integers(-9, 10, (125, 2))
        feeds = {"x": x.reshape(1, 250).astype(np.int16)}
        edges = Edges()
        (ours,) = (run_graph(graph, feeds, edges=edges)[key] for key in graph.outputs)
        (theirs,) = oracle(model, feeds, optimised=False)
        off = np.abs(ours.astype(int) - theirs.astype(int))
        (steps,) = edges.steps.values()
        assert off.max() <= steps
        assert int((off > 0).sum()) <= sum(edges.values.values())
        most, different = max(most, steps), different + int((off > 0).sum())
    assert most > 1
    assert different > 0, "no value differs: the test shows nothing"
    path, data = save(model, tmp_path), tmp_path / "x.npy"
    np.save(data, feeds["x"])
    told = rowforge(capsys, "run", path, "--preset", "tiny_16x8", "--target", "golden",
                    "--input", data)  # fmt: skip
    assert f" of n2 ({steps} at most) lie so near" in told.out.splitlines()[-1]
    assert told.out.splitlines()[-1].endswith("where they may be as many steps off")


def test_sums_are_the_real_numbers_rounded_once(tmp_path: Path) -> None:
    """Against fractions: the multiplier's 31 bits err by less than 2^-14 of a step."""
    m, rng = ModelMaker(opset=21), np.random.default_rng(6)
    x = m.dequantise(m.input("x", (1, 20), "uint16"), (1e-4, 40000, "uint16"))
    w = rng.integers(-127, 128, (20, 30)).astype(np.int8)
    model = m.model(m.quantise(m.op("MatMul", x, weights(m, w, 0.01)), (3e-4, 30001, "uint16")))
    stored = rng.integers(0, 1 << 16, (1, 20)).astype(np.uint16)
    graph = graph_of(model, tmp_path)
    ours = run_graph(graph, stored)[graph.outputs[0]]
    unit = Fraction(float(np.float32(1e-4))) * Fraction(float(np.float32(0.01)))
    scale = unit / Fraction(float(np.float32(3e-4)))
    sums = (stored.astype(np.int64) - 40000) @ w.astype(np.int64)
    for value, total in zip(ours.flat, sums.flat, strict=True):
        real = min(max(int(total) * scale + 30001, Fraction(0)), Fraction(65535))
        assert abs(int(value) - real) <= Fraction(1, 2) + Fraction(1, 1 << 14)


def test_padding_is_stored_where_zero_points_are_not_0(tmp_path: Path) -> None:
    """Two convolutions of one input share it; with zero point 0 the array pads."""
    for zero, pads in ((5, 1), (0, 0)):
        m, rng = ModelMaker(opset=21), np.random.default_rng(7)
        q = (2.0**-13, zero, "int16")
        x = m.dequantise(m.input("x", (1, 4, 5, 5), "int16"), q)
        outputs = [
            m.quantise(
                m.op("Conv", x, weights(m, drawn, 0.01), pads=[1, 1, 1, 1]),
                (1e-3, 3, "int16"),
            )
            for drawn in rng.integers(-127, 128, (2, 4, 4, 3, 3)).astype(np.int8)
        ]
        graph = checked(m.model(*outputs), tmp_path)
        assert sum(isinstance(node, Pad) for node in graph.nodes) == pads
        assert all(any(n.pad) == (not zero) for n in graph.nodes if isinstance(n, Conv))


def test_other_operators_run_on_the_host_in_float32(tmp_path: Path) -> None:
    m = ModelMaker(opset=21)
    q = Q16["uint16"]
    x = m.dequantise(m.input("x", (1, 3, 4, 4), "uint16"), q)
    y = m.requantise(m.op("Sigmoid", x), (2.0**-16, 0, "uint16"))
    z = m.requantise(m.op("Mul", x, y), q)
    z = m.op("Slice", z, *(m.constant(np.array([n])) for n in (1, 3, 2)))
    z = m.op("ReduceMax", z, m.constant(np.array([3])), keepdims=0)
    model = m.model(m.quantise(z, q))
    graph, rng = graph_of(model, tmp_path), np.random.default_rng(8)
    feeds = feeds_for(model, rng)
    (expected,) = oracle(model, feeds, optimised=False)
    np.testing.assert_array_equal(run_graph(graph, feeds)[graph.outputs[0]], expected)
    check_graph(graph, WIDE, rng, dump=True)


def test_refusals(tmp_path: Path, capsys) -> None:
    path = save(network("int16"), tmp_path)
    for more, part in (
        (("--preset", "tiny"), "array.data_width 8 takes int8 and uint8 tensors, not int16"),
        (("--preset", "tiny_16x8", "--rounding", "tflm"), "choose rounding 'ort'"),
    ):
        outcome = rowforge(capsys, "compile", path, *more, "-o", tmp_path / "m.rfp")
        assert outcome.status == 2
        assert part in outcome.err
    m = ModelMaker(opset=21)
    x = m.dequantise(m.input("x", (1, 4), "int16"), Q16["int16"])
    w = m.op("DequantizeLinear", m.constant(np.ones((4, 3), np.int16)), *m.scale(1, 0, "int16"))
    with pytest.raises(RowforgeError, match="its weights have type int16"):
        graph_of(m.model(m.quantise(m.op("MatMul", x, w), Q16["int16"])), tmp_path)
