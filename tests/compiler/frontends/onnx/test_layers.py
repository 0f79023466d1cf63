"""ONNX layers against ONNX Runtime in every bit: random ones, and what exporters leave around."""

from pathlib import Path

import numpy as np
import pytest

from compiler.ir.ops import Conv, HostStep, Pool
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from sim.golden import run_graph
from tests.compiler.support import check_graph
from tests.support.onnx.models import ModelMaker, check, graph_of, oracle, places
from tests.support.onnx.processor import exact_products, need, wide_lanes
from tests.support.onnx.random import KINDS, random_case

Q8 = (0.03125, 7, "uint8")
QS8 = (0.0625, -5, "int8")


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("seed", range(30))
def test_random_layers(tmp_path: Path, kind: str, seed: int) -> None:
    if kind in ("conv", "product"):
        need(exact_products)
    case = random_case(kind, seed)
    check(case.model, tmp_path, np.random.default_rng(seed), levels=case.levels)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("seed", range(100, 108))
def test_random_layers_on_the_command_stream(tmp_path: Path, kind: str, seed: int) -> None:
    graph = graph_of(random_case(kind, seed).model, tmp_path)
    check_graph(graph, preset("tiny"), np.random.default_rng(seed), dump=True)


# ---- what exporters leave around the core -------------------------------------------------------


def conv_weights(m: ModelMaker, rng: np.random.Generator, M: int, C: int, R: int = 3) -> str:
    values = m.constant(rng.integers(-128, 128, (M, C, R, R)).astype(np.int8))
    return m.op("DequantizeLinear", values, *m.scale(2.0**-7, 0, "int8"))


def test_nhwc_input_of_a_converted_model(tmp_path: Path) -> None:
    """A transpose at either end is bookkeeping: no host step moves anything."""
    rng, m = np.random.default_rng(0), ModelMaker()
    x = m.op("Transpose", m.input("x", ("batch", 8, 7, 3)), perm=[0, 3, 1, 2])
    y = m.op("Conv", m.requantise(x, Q8), conv_weights(m, rng, 4, 3), pads=[1, 1, 1, 1])
    y = m.op("Transpose", m.quantise(y, Q8), perm=[0, 2, 3, 1])
    graph = check(m.model(y), tmp_path, rng)
    assert places(graph)["Transpose"] == "folded"
    assert not any(n.function == "rearrange" for n in graph.nodes if isinstance(n, HostStep))


def test_flattened_image_into_a_product(tmp_path: Path) -> None:
    """Gemm's columns are permuted when the model is read, so that the flattening is free."""
    rng, m = np.random.default_rng(1), ModelMaker()
    x = m.dequantise(m.input("x", (1, 3, 6, 6), "uint8"), Q8)
    y = m.requantise(m.op("Conv", x, conv_weights(m, rng, 5, 3)), QS8)
    y = m.op("Reshape", y, m.constant(np.asarray([0, -1])))
    w = m.constant(rng.integers(-128, 128, (80, 6)).astype(np.int8))
    w = m.op("DequantizeLinear", w, *m.scale(2.0**-7, 0, "int8"))
    y = m.op("MatMul", y, w)
    y = m.op("Add", y, m.constant(rng.integers(-9, 9, 6).astype(np.float32)))
    graph = check(m.model(m.quantise(y, (0.25, 3, "int8"))), tmp_path, rng, levels=(False,))
    products = [node for node in graph.nodes if isinstance(node, Conv)]
    assert products[1].image == (4, 4, 5)
    assert all(node.place.value != "host" for node in graph.nodes)


def test_shape_arithmetic_of_pytorch(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(2), ModelMaker()
    x = m.input("x", ("batch", 2, 4, 4), "int8")
    pooled = m.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    batch = m.op("Gather", m.op("Shape", pooled), m.constant(np.asarray(0)), axis=0)
    batch = m.op("Unsqueeze", batch, m.constant(np.asarray([0])))
    minus = m.op("ConstantOfShape", m.constant(np.asarray([1])))
    minus = m.op("Sub", m.op("Cast", minus, to=7), m.constant(np.asarray([1])))
    shape = m.op("Concat", batch, minus, axis=0)
    graph = check(m.model(m.op("Reshape", pooled, shape)), tmp_path, rng)
    assert places(graph)["Reshape"] == places(graph)["Concat"] == "folded"


def test_quantised_initializers_are_folded(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(3), ModelMaker()
    x = m.dequantise(m.input("x", (1, 3, 5, 5), "int8"), QS8)
    floats = m.constant(rng.standard_normal((4, 3, 3, 3)).astype(np.float32))
    w = m.requantise(m.op("Identity", floats), (2.0**-5, 0, "int8"))
    check(m.model(m.quantise(m.op("Conv", x, w), (0.5, 1, "int8"))), tmp_path, rng)


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("form", ["qdq", "QLinearConcat", "integers"])
def test_concatenation(tmp_path: Path, axis: int, form: str) -> None:
    rng, m = np.random.default_rng(axis), ModelMaker()
    other = (0.05, 9, "uint8") if form == "QLinearConcat" else Q8
    shapes = [[1, 8, 4, 4], [1, 8, 4, 4]]
    shapes[1][axis] = 3
    a, b = (m.input(n, tuple(s), "uint8") for n, s in zip("ab", shapes, strict=True))
    if form == "qdq":
        y = m.op("Concat", m.dequantise(a, Q8), m.dequantise(b, Q8), axis=axis)
        y = m.quantise(y, Q8)
    elif form == "integers":
        y = m.op("Concat", a, b, axis=axis)
    else:
        parts = (a, *m.scale(*Q8), b, *m.scale(*other))
        y = m.op(form, *m.scale(*Q8), *parts, domain="com.microsoft", axis=axis)
    check(m.model(y), tmp_path, rng)


def test_padding_and_clamps_of_their_own(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(5), ModelMaker()
    x = m.dequantise(m.input("x", (1, 3, 5, 5), "int8"), QS8)
    y = m.op("Pad", x, m.constant(np.asarray([0, 0, 1, 2, 0, 0, 0, 1])))
    y = m.op("Relu", m.requantise(y, QS8))
    y = m.op("MaxPool", y, kernel_shape=[2, 2])
    check(m.model(m.quantise(y, (0.125, 3, "int8"))), tmp_path, rng)


def test_padding_joins_the_convolution(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(6), ModelMaker()
    x = m.dequantise(m.input("x", (1, 3, 6, 6), "int8"), QS8)
    y = m.op("Pad", x, m.constant(np.asarray([0, 0, 1, 1, 0, 0, 1, 1])))
    y = m.op("Conv", m.requantise(y, QS8), conv_weights(m, rng, 4, 3))
    graph = check(m.model(m.quantise(y, (0.5, 1, "int8"))), tmp_path, rng)
    assert places(graph)["Pad"] == "folded"


@pytest.mark.parametrize("columns", [1, 2, 10, 12, 33, 100])
def test_softmax_of_floats(tmp_path: Path, columns: int) -> None:
    need(wide_lanes)
    rng, m = np.random.default_rng(columns), ModelMaker()
    x = m.dequantise(m.input("x", (4, columns), "int8"), (0.3, 3, "int8"))
    check(m.model(m.op("Softmax", x, axis=-1)), tmp_path, rng)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("columns", [2, 10, 1000])
def test_softmax_of_integers(tmp_path: Path, dtype: str, columns: int) -> None:
    rng, m = np.random.default_rng(columns), ModelMaker()
    x = m.input("x", (20, columns), dtype)
    scale, zero = float(rng.choice([1 / 256, 0.0039])), int(np.iinfo(dtype).min)
    quantisation = *m.scale(0.07, 3, dtype), *m.scale(scale, zero, dtype)
    y = m.op("QLinearSoftmax", x, *quantisation, domain="com.microsoft", axis=-1, opset=13)
    check(m.model(y), tmp_path, rng, levels=(False,))


def test_softmax_far_below_its_maximum(tmp_path: Path) -> None:
    """Exponentials below e^-88 are subnormal numbers, not clamped."""
    need(wide_lanes)
    rng, m = np.random.default_rng(3), ModelMaker()
    x = m.dequantise(m.input("x", (50, 6), "int8"), (0.5, 3, "int8"))
    check(m.model(m.op("Softmax", x, axis=-1)), tmp_path, rng)


def test_softmax_of_integers_is_float32(tmp_path: Path) -> None:
    """Four equal maxima of a row share 254 steps: a tie in float32, less in exact sums."""
    m = ModelMaker()
    x = m.input("x", (1, 100), "uint8")
    q = *m.scale(4.983657360076904, 3, "uint8"), *m.scale(0.003921568859368563, 139, "uint8")
    model = m.model(
        m.op("QLinearSoftmax", x, *q, domain="com.microsoft", axis=-1, opset=13),
    )
    feeds = {"x": np.full((1, 100), 90, np.uint8)}
    feeds["x"][0, 1], feeds["x"][0, ::25] = 91, 94
    (expected,) = oracle(model, feeds, optimised=False)
    actual = run_graph(graph_of(model, tmp_path), feeds)["t0"]
    assert set(expected[0, ::25]) == {139 + 64}
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("operator", ["QLinearGlobalAveragePool", "QLinearAveragePool"])
@pytest.mark.parametrize("image", [(2, 2), (3, 6), (8, 8)])
def test_one_integer_window_is_summed_in_integers(
    tmp_path: Path, operator: str, image: tuple[int, int]
) -> None:
    """Means that are ties go where ONNX Runtime's integer kernel takes them, on the array."""
    rng, m = np.random.default_rng(4), ModelMaker()
    x = m.input("x", (1, 64, *image), "int8")
    q = *m.scale(0.0625, -48, "int8"), *m.scale(0.03125, -41, "int8")
    given = {} if "Global" in operator else {"kernel_shape": image, "strides": image}
    y = m.op(operator, x, *q, domain="com.microsoft", **given)
    graph = check(m.model(y), tmp_path, rng)
    assert places(graph)[operator] == "array"


@pytest.mark.parametrize("include", [0, 1])
def test_an_integer_average_counts_what_ceil_mode_adds(tmp_path: Path, include: int) -> None:
    rng, m = np.random.default_rng(5), ModelMaker()
    x = m.input("x", (1, 3, 6, 7), "uint8")
    given = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [0, 1, 0, 1], "ceil_mode": 1}
    q = *m.scale(0.06, 7, "uint8"), *m.scale(0.05, 9, "uint8")
    y = m.op(
        "QLinearAveragePool", x, *q, domain="com.microsoft", count_include_pad=include, **given
    )
    check(m.model(y), tmp_path, rng)


def test_requantisation_between_types(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(8), ModelMaker()
    x = m.dequantise(m.input("x", (1, 4, 5, 6), "int8"), QS8)
    y = m.requantise(x, (0.07, 100, "uint8"))
    check(m.model(m.quantise(y, (0.05, 3, "uint8"))), tmp_path, rng, levels=(False,))


def test_an_average_without_ties_runs_on_the_array(tmp_path: Path) -> None:
    for taps, kind in ((5, Pool), (4, HostStep)):
        rng, m = np.random.default_rng(taps), ModelMaker()
        x = m.dequantise(m.input("x", (1, 3, taps, taps), "int8"), QS8)
        y = m.op("GlobalAveragePool", x)
        graph = check(m.model(m.quantise(y, QS8)), tmp_path, rng, levels=(False,))
        served = [node for node in graph.nodes if node.op == "GlobalAveragePool"]
        assert isinstance(served[0], kind)


@pytest.mark.parametrize(
    ("width", "taps", "pads"),
    [
        (2045, (3, 3), [0, 0, 0, 0]),
        (2046, (3, 3), [0, 0, 0, 0]),
        (2043, (3, 3), [0, 1, 0, 1]),
        (2044, (3, 3), [0, 1, 0, 1]),
        (60, (32, 3), [0, 0, 0, 0]),
        (60, (33, 3), [0, 0, 0, 0]),
        (60, (40, 60), [0, 0, 0, 0]),
    ],
)
def test_the_order_of_float_sums(
    tmp_path: Path, width: int, taps: tuple[int, int], pads: list[int]
) -> None:
    rng, m = np.random.default_rng(width), ModelMaker()
    x = m.input("x", (1, 1, 40, width))
    model = m.model(m.op("AveragePool", x, kernel_shape=list(taps), pads=pads))
    check(model, tmp_path, rng, levels=(False,))


def test_an_inexact_sum_runs_on_the_host(tmp_path: Path) -> None:
    """Seen with these scales: one pair of 65,536 rounds otherwise in fixed point."""
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(60):
        m = ModelMaker()
        scales = [float(np.float32(s)) for s in rng.uniform(0.01, 0.2, 3)]
        zeros = [int(n) for n in rng.integers(-128, 128, 3)]
        a, b, y = ((s, z, "int8") for s, z in zip(scales, zeros, strict=True))
        both = [m.dequantise(m.input(n, (1, 16, 4, 4), "int8"), q) for n, q in (("a", a), ("b", b))]
        graph = check(m.model(m.quantise(m.op("Add", *both), y)), tmp_path, rng, levels=(False,))
        node = next(node for node in graph.nodes if node.op == "Add")
        seen.add(node.place.value)
        if isinstance(node, HostStep):
            assert "differs from float32" in node.reason
    assert seen == {"array", "host"}


@pytest.mark.parametrize("sign", [1, -1])
def test_batch_normalisation_behind_a_convolution(tmp_path: Path, sign: int) -> None:
    """Powers of two throughout, so that float32 is exact and no bias is rounded."""
    rng, m = np.random.default_rng(11), ModelMaker()
    x = m.dequantise(m.input("x", (1, 3, 6, 6), "int8"), QS8)
    w = m.constant(rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8))
    w = m.op("DequantizeLinear", w, *m.scale(2.0**-7, 0, "int8"))
    gamma = np.array([0.5, sign * 2.0, 1.0, sign * 0.25], dtype=np.float32)
    beta, mean = (rng.integers(-8, 8, 4).astype(np.float32) / 4 for _ in range(2))
    parameters = [m.constant(p) for p in (gamma, beta, mean, np.ones(4, dtype=np.float32))]
    y = m.op("Relu", m.op("BatchNormalization", m.op("Conv", x, w), *parameters, epsilon=0.0))
    graph = check(m.model(m.quantise(y, (0.25, -20, "int8"))), tmp_path, rng, levels=(False,))
    assert [n.op for n in graph.nodes if n.place.value == "array"] == ["Conv"]


def test_a_matrix_for_every_item(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(12), ModelMaker()
    x = m.input("x", (2, 3, 5, 7), "uint8")
    w = (
        m.constant(rng.integers(0, 256, (2, 3, 7, 4)).astype(np.uint8)),
        *m.scale(0.01, 120, "uint8"),
    )
    y = m.op("QLinearMatMul", x, *m.scale(*Q8), *w, *m.scale(0.3, 9, "uint8"))
    check(m.model(y), tmp_path, rng)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_product_that_yields_floats(tmp_path: Path, rows: int) -> None:
    rng, m = np.random.default_rng(15), ModelMaker()
    values = m.constant(rng.integers(-128, 128, (9, 5)).astype(np.int8))
    scales = m.constant(rng.uniform(0.01, 0.02, 5).astype(np.float32))
    w = values, scales, m.constant(np.zeros(5, dtype=np.int8))
    bias = m.constant(rng.integers(-999, 999, 5).astype(np.int32))
    x = m.input("x", (rows, 9), "uint8")
    y = m.op("QGemm", x, *m.scale(*Q8), *w, bias, domain="com.microsoft")
    check(m.model(y), tmp_path, rng)


@pytest.mark.parametrize("keepdims", [0, 1])
def test_reduce_mean_over_an_image(tmp_path: Path, keepdims: int) -> None:
    rng, m = np.random.default_rng(13), ModelMaker()
    x = m.dequantise(m.input("x", (2, 3, 5, 5), "int8"), QS8)
    y = m.op("ReduceMean", x, axes=[-1, 2], keepdims=keepdims)
    check(m.model(m.quantise(y, QS8)), tmp_path, rng, levels=(False,))


@pytest.mark.parametrize("batch", [1, 2])
def test_means_that_can_be_ties(tmp_path: Path, batch: int) -> None:
    """Float32 sums decide them; where vectors start in them depends on the channel and the item."""
    rng, m = np.random.default_rng(16), ModelMaker()
    x = m.dequantise(m.input("x", (batch, 3, 2, 9), "int8"), (0.07, -5, "int8"))
    y = m.op("ReduceMean", x, axes=[2, 3])
    graph = check(m.model(m.quantise(y, (0.07 / 9, 3, "int8"))), tmp_path, rng, levels=(False,))
    assert places(graph)["ReduceMean"] == "host"
    m = ModelMaker()
    check(m.model(m.op("ReduceMean", m.input("x", (batch, 3, 2, 9)), axes=[2, 3])), tmp_path, rng)


def test_concatenation_of_other_scales(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(14), ModelMaker()
    a, b = (m.input(name, (1, 8, 4, 4), "uint8") for name in "ab")
    y = m.op("Concat", m.dequantise(a, Q8), m.dequantise(b, (0.05, 9, "uint8")), axis=1)
    graph = check(m.model(m.quantise(y, Q8)), tmp_path, rng, levels=(False,))
    assert places(graph)["Concat"] == "array"


# ---- refusals -----------------------------------------------------------------------------------


def refusal(model: object, folder: Path) -> str:
    with pytest.raises(RowforgeError) as caught:
        graph_of(model, folder)
    return str(caught.value)


def test_a_product_of_floats(tmp_path: Path) -> None:
    rng, m = np.random.default_rng(0), ModelMaker()
    x = m.input("x", (1, 3, 5, 5))
    w = m.constant(rng.standard_normal((4, 3, 3, 3)).astype(np.float32))
    y = m.op("Conv", x, w)
    message = refusal(m.model(m.quantise(y, QS8)), tmp_path)
    assert "'n0' cannot run: it computes in floating point" in message
    assert "rowforge quantize" in message


def test_a_product_of_two_activations(tmp_path: Path) -> None:
    m = ModelMaker()
    a = m.dequantise(m.input("a", (3, 4), "int8"), QS8)
    b = m.dequantise(m.input("b", (4, 3), "int8"), QS8)
    message = refusal(m.model(m.quantise(m.op("MatMul", a, b), QS8)), tmp_path)
    assert "weight operand" in message


def test_a_softmax_that_overflows_its_table(tmp_path: Path) -> None:
    m = ModelMaker()
    q = *m.scale(0.1, 3, "uint8"), *m.scale(1 / 256, 0, "uint8")
    x = m.input("x", (3, 1), "uint8")
    y = m.op("QLinearSoftmax", x, *q, domain="com.microsoft", axis=-1, opset=13)
    assert "rows of 1 in 256 steps overflow" in refusal(m.model(y), tmp_path)


def test_a_zero_point_that_is_computed(tmp_path: Path) -> None:
    m = ModelMaker()
    m.op("DynamicQuantizeLinear", m.input("x", (2, 4)), outputs=3)
    w = m.constant(np.ones((4, 3), dtype=np.int8))
    message = refusal(m.model(m.op("MatMulInteger", "t0", w, "t0_2")), tmp_path)
    assert "quantise the model statically" in message


def test_an_unknown_operator(tmp_path: Path) -> None:
    m = ModelMaker()
    x = m.dequantise(m.input("x", (3, 4), "int8"), QS8)
    message = refusal(m.model(m.quantise(m.op("Sin", x), QS8)), tmp_path)
    assert "operator 1 Sin 'n1' cannot run: no such operator is supported" in message
