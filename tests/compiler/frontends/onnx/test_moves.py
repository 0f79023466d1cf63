"""Products whose QuantizeLinear stands further on: after moves, pools, joins, or nowhere."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from compiler.ir.graph import Graph
from compiler.ir.ops import Conv, HostStep
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from sim.golden import run_graph
from tests.compiler.support import check_graph
from tests.support.onnx.exact import UNIT, check_exact
from tests.support.onnx.models import ModelMaker, check, feeds_for, graph_of, oracle

X = (0.0617, -3, "int8")
Y = (0.09, 7, "int8")
Z = (0.05, 30, "uint8")


class Made(ModelMaker):
    """A model with a quantised image and convolutions of it."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.x = self.dequantise(self.input("x", (1, 4, 6, 6), "int8"), X)

    def conv(self, x: str = "", M: int = 6, C: int = 4, *, bias: bool = True) -> str:
        values = self.constant(self.rng.integers(-30, 31, (M, C, 3, 3)).astype(np.int8))
        scales = self.constant((self.rng.uniform(0.5, 2.0, M) * 0.00931).astype(np.float32))
        zero = self.constant(np.zeros(M, np.int8))
        w = self.op("DequantizeLinear", values, scales, zero, axis=0)
        given = (self.constant(self.rng.uniform(-1, 1, M).astype(np.float32)),) if bias else ()
        return self.op("Conv", x or self.x, w, *given, pads=[1, 1, 1, 1])

    def shape(self, *sizes: int) -> str:
        return self.constant(np.asarray(sizes))


def dropout(m: Made) -> str:
    return m.op("Dropout", m.conv())


def dropout_with_a_mask(m: Made) -> str:
    return m.op("Dropout", m.conv(), outputs=2)


def identity(m: Made) -> str:
    return m.op("Identity", m.op("Identity", m.conv()))


def reshape(m: Made) -> str:
    return m.op("Reshape", m.conv(), m.shape(2, 3, -1))


def flatten(m: Made) -> str:
    return m.op("Flatten", m.conv())


def transpose(m: Made) -> str:
    return m.op("Transpose", m.conv(), perm=[0, 2, 3, 1])


def squeeze(m: Made) -> str:
    return m.op("Squeeze", m.conv(), m.shape(0))


def unsqueeze(m: Made) -> str:
    return m.op("Unsqueeze", m.conv(), m.shape(2))


def relu(m: Made) -> str:
    return m.op("Relu", m.op("Dropout", m.conv()))


def clip(m: Made) -> str:
    bounds = m.constant(np.float32(-1.0)), m.constant(np.float32(4.0))
    return m.op("Clip", m.op("Transpose", m.conv(), perm=[0, 3, 1, 2]), *bounds)


def clips_around_moves(m: Made) -> str:
    y = m.op("Clip", m.conv(), "", m.constant(np.float32(5.0)))
    y = m.op("Relu", m.op("Reshape", y, m.shape(1, 3, 2, 36)))
    return m.op("Clip", m.op("Flatten", y), m.constant(np.float32(0.5)))


def pool(m: Made) -> str:
    return m.op("MaxPool", m.conv(), kernel_shape=[2, 2], strides=[2, 2])


def padded_pool(m: Made) -> str:
    y = m.op("MaxPool", m.conv(), kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    return m.op("Relu", y)


def global_pool(m: Made) -> str:
    return m.op("Flatten", m.op("GlobalMaxPool", m.op("Relu", m.conv())))


def padding(m: Made) -> str:
    y = m.op("Pad", m.conv(), m.shape(0, 0, 1, 0, 0, 0, 0, 2), m.constant(np.float32(0.3)))
    return m.op("Clip", y, m.constant(np.float32(0.4)))


def concat(m: Made) -> str:
    return m.op("Concat", m.conv(), m.op("Relu", m.conv(M=3)), axis=1)


def concat_with_stored(m: Made) -> str:
    return m.op("Relu", m.op("Concat", m.x, m.conv(), m.x, axis=1))


def concat_with_constant(m: Made) -> str:
    value = m.constant(m.rng.uniform(-2, 2, (1, 2, 6, 6)).astype(np.float32))
    return m.op("Concat", value, m.conv(), axis=1)


def nested_concats(m: Made) -> str:
    first = m.op("Concat", m.conv(M=2), m.conv(M=2), axis=2)
    second = m.op("Concat", m.op("Relu", m.conv(M=2)), m.conv(M=2), axis=2)
    return m.op("MaxPool", m.op("Concat", first, second, axis=1), kernel_shape=[2, 2])


def same_twice(m: Made) -> str:
    y = m.conv()
    return m.op("Concat", y, y, m.op("Relu", y), axis=1)


FORMS = (
    dropout, dropout_with_a_mask, identity, reshape, flatten, transpose, squeeze, unsqueeze, relu,
    clip, clips_around_moves, pool, padded_pool, global_pool, padding, concat, concat_with_stored,
    concat_with_constant, nested_concats, same_twice,
)  # fmt: skip


def on_host(graph: Graph) -> list[HostStep]:
    return [n for n in graph.nodes if isinstance(n, HostStep) and n.place.value == "host"]


@pytest.mark.parametrize("q", [Y, Z], ids=["int8", "uint8"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_forms(tmp_path: Path, form: Any, q: tuple[float, int, str]) -> None:
    m = Made(len(form.__name__))
    x = m.x if q is Y else m.requantise(m.x, Z)
    m.x = x
    graph = check_exact_two(m.model(m.quantise(form(m), q)), tmp_path, m.rng, q is Y)
    assert not any(step.op in ("Conv", "QuantizeLinear") for step in on_host(graph)) or q is Z
    check_graph(graph, preset("tiny"), m.rng)


def check_exact_two(model: Any, folder: Path, rng: np.random.Generator, single: bool) -> Graph:
    """The real number's rounding where the model has one level, else ONNX Runtime's values."""
    if single:
        return check_exact(model, folder, rng)
    return near(model, folder, rng)


def near(model: Any, folder: Path, rng: np.random.Generator) -> Graph:
    """All outputs are ONNX Runtime's in every bit: these seeds have no value at an edge."""
    graph, feeds = graph_of(model, folder), feeds_for(model, rng)
    ours = run_graph(graph, feeds)
    for value, theirs in zip(
        model.graph.output, oracle(model, feeds, optimised=False), strict=True
    ):
        actual = ours[value.name]
        assert (actual.dtype, actual.shape) == (theirs.dtype, theirs.shape)
        np.testing.assert_array_equal(actual, theirs)
    return graph


def test_several_quantisations_of_one_product(tmp_path: Path) -> None:
    """One product for each scale; two readers of one scale share it."""
    m = Made(1)
    y = m.op("Relu", m.conv())
    outputs = [m.quantise(y, Y), m.quantise(m.op("MaxPool", y, kernel_shape=[2, 2]), Z)]
    outputs += [m.quantise(y, Y), m.quantise(m.op("Flatten", y), Y)]
    graph = near(m.model(*outputs), tmp_path, m.rng)
    convs = [node for node in graph.nodes if isinstance(node, Conv)]
    assert len(convs) == 2
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)
    check_graph(graph, preset("tiny"), m.rng)


def test_quantised_before_products_and_sums_alone(tmp_path: Path) -> None:
    """As TensorRT wants it: each branch of a block has a QuantizeLinear of its own."""
    m = Made(2)
    y = m.op("Relu", m.conv())
    y = m.op("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    left = m.op("Relu", m.conv(m.requantise(y, Y), M=5, C=6))
    left = m.conv(m.requantise(left, Y), M=6, C=5)
    total = m.op("Add", m.requantise(left, Y), m.requantise(y, (0.11, 2, "int8")))
    y = m.op("Relu", total)
    one, two = m.quantise(y, Y), m.quantise(m.op("Flatten", y), (0.2, -9, "int8"))
    graph = near(m.model(one, two), tmp_path, m.rng)
    assert not on_host(graph) or all(step.op == "Add" for step in on_host(graph))
    check_graph(graph, preset("tiny"), m.rng)


@pytest.mark.parametrize("constant_nodes", [False, True])
@pytest.mark.parametrize("floats", [False, True])
def test_narrow_integers_of_brevitas(tmp_path: Path, constant_nodes: bool, floats: bool) -> None:
    """Quantise, Clip, dequantise: weights are clipped when read, activations by their stage."""
    rng, m = np.random.default_rng(3), ModelMaker()

    def value(array: np.ndarray) -> str:
        if not constant_nodes:
            return m.constant(array)
        return m.op("Constant", value=onnx.numpy_helper.from_array(np.asarray(array)))

    def narrow(x: str, low: int, high: int, dtype: str) -> str:
        bounds = (np.asarray(edge, dtype=dtype) for edge in (low, high))
        return m.op("Clip", x, *map(value, bounds))

    def activation(x: str, q: tuple[float, int, str], low: int, high: int) -> str:
        return m.dequantise(narrow(m.quantise(x, q), low, high, q[2]), q)

    x = activation(m.input("x", (1, 3, 8, 8)), X, -60, 61)
    if floats:
        w = m.quantise(m.constant(rng.normal(0, 0.3, (6, 3, 3, 3)).astype(np.float32)),
                       (0.009, 0, "int8"))  # fmt: skip
    else:
        w = value(rng.integers(-128, 128, (6, 3, 3, 3)).astype(np.int8))
    w = m.dequantise(narrow(w, -7, 7, "int8"), (0.009, 0, "int8"))
    unit = np.float32(X[0]) * np.float32(0.009)
    bias = value(rng.integers(-900, 900, 6).astype(np.int32))
    bias = m.op("DequantizeLinear", bias, m.constant(unit), m.constant(np.int32(0)))
    y = m.op("Relu", m.op("Conv", x, w, bias, pads=[1, 1, 1, 1]))
    y = activation(y, (0.05, 0, "uint8"), 3, 15)
    y = activation(m.op("MaxPool", y, kernel_shape=[2, 2]), (0.07, 0, "uint8"), 2, 12)
    model = m.model(y)
    graph = near(model, tmp_path, rng)
    assert {step.op for step in on_host(graph)} <= {"QuantizeLinear", "DequantizeLinear", "Clip"}
    assert sum(node.op == "Clip" and not node.folded for node in graph.nodes) == 0
    check_graph(graph, preset("tiny"), rng)


def test_weights_with_several_readers(tmp_path: Path) -> None:
    m = Made(4)
    values = m.constant(m.rng.integers(-30, 31, (4, 4, 3, 3)).astype(np.int8))
    w = m.op("DequantizeLinear", values, *m.scale(0.009, 0, "int8"))
    y = m.requantise(m.op("Conv", m.x, w, pads=[1, 1, 1, 1]), Y)
    y = m.op("Add", m.op("Conv", y, w, pads=[1, 1, 1, 1]), m.constant(np.float32(0.123)))
    graph = near(m.model(m.quantise(y, Y)), tmp_path, m.rng)
    check_graph(graph, preset("tiny"), m.rng)


# ---- results that stay floats -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Conv", "Gemm", "MatMul", "matrices", "moved", "bias added"])
def test_a_last_product_without_quantisation(tmp_path: Path, kind: str) -> None:
    """The host scales the sums; float32 cannot come closer to the real number than it does."""
    rng, m = np.random.default_rng(5), ModelMaker()
    conv = kind in ("Conv", "moved")
    shape = (1, 4, 5, 5) if conv else (2, 3, 9) if kind == "matrices" else (3, 9)
    x = m.dequantise(m.input("x", shape, "int8"), X)
    size = (6, 4, 3, 3) if conv else (2, 9, 6) if kind == "matrices" else (9, 6)
    w = m.constant(rng.integers(-128, 128, size).astype(np.int8))
    w = m.op("DequantizeLinear", w, *m.scale(0.009, 0, "int8"))
    bias = m.constant(rng.uniform(-3, 3, 6).astype(np.float32))
    given = (x, w) if kind in ("MatMul", "matrices", "bias added") else (x, w, bias)
    operator = "Conv" if conv else "Gemm" if kind == "Gemm" else "MatMul"
    y = m.op(operator, *given)
    if kind == "moved":
        y = m.op("Relu", m.op("Transpose", y, perm=[0, 2, 3, 1]))
    if kind == "bias added":
        y = m.op("Add", bias, y)
    model = m.model(y)
    graph, feeds = graph_of(model, tmp_path), feeds_for(model, rng)
    (ours,), (theirs,) = [run_graph(graph, feeds)[y]], oracle(model, feeds, optimised=False)
    assert (ours.dtype, ours.shape) == (np.float32, theirs.shape)
    step = next(step for step in on_host(graph) if step.function == "finish_sums")
    said = float(step.reason.rsplit(" ", 1)[1])
    assert np.abs(ours - theirs).max() <= said * 1.01
    largest = np.abs(theirs).max()
    assert said < 1000 * UNIT * max(largest, 1) * 64
    check_graph(graph, preset("tiny"), rng)


def test_a_softmax_after_a_last_product(tmp_path: Path) -> None:
    m = Made(6)
    y = m.op("Flatten", m.requantise(m.conv(), Y))
    w = m.constant(m.rng.integers(-9, 10, (216, 10)).astype(np.int8))
    w = m.op("DequantizeLinear", w, *m.scale(0.009, 0, "int8"))
    y = m.op("Softmax", m.op("MatMul", y, w), axis=-1)
    model = m.model(y)
    graph, feeds = graph_of(model, tmp_path), feeds_for(model, m.rng)
    (theirs,) = oracle(model, feeds, optimised=False)
    np.testing.assert_allclose(run_graph(graph, feeds)[y], theirs, atol=1e-5)
    assert [step.op for step in on_host(graph)] == ["MatMul", "Softmax"]


def residual(m: Made) -> str:
    """TensorRT's placement without a QuantizeLinear before the sum."""
    return m.op("Relu", m.op("Add", m.conv(M=4), m.input("r", (1, 4, 6, 6))))


def residual_of_two_products(m: Made) -> str:
    return m.op("Relu", m.op("Add", m.conv(), m.op("Relu", m.conv())))


def averaged(m: Made) -> str:
    return m.op("Flatten", m.op("GlobalAveragePool", m.op("Relu", m.conv())))


def added_by_place(m: Made) -> str:
    """A constant that tells apart more than channels."""
    return m.op("Add", m.conv(), m.constant(m.rng.normal(size=(1, 6, 6, 6)).astype(np.float32)))


@pytest.mark.parametrize("form", [residual, residual_of_two_products, averaged, added_by_place])
def test_floats_that_no_product_can_quantise(tmp_path: Path, form: Any) -> None:
    """The host goes on in float32; the report says by how much ONNX Runtime's sums may differ."""
    m = Made(11)
    y = form(m)
    model = m.model(m.quantise(y, Y), y)
    graph, feeds = graph_of(model, tmp_path), feeds_for(model, m.rng)
    (theirs, floats), ours = oracle(model, feeds, optimised=False), run_graph(graph, feeds)
    actual = ours[model.graph.output[0].name]
    said = [float(n.reason.rsplit(" ", 1)[1]) for n in on_host(graph) if "most" in n.reason]
    assert len(said) == (2 if form is residual_of_two_products else 1)
    error = (sum(said) + 8 * UNIT * np.abs(floats).max()) / np.float32(Y[0])
    ratio = floats.astype(np.float64) / np.float32(Y[0])
    distance = np.abs(ratio - np.floor(ratio) - 0.5)
    assert not np.any((actual != theirs) & (distance > error))
    assert error < 0.01
    check_graph(graph, preset("tiny"), m.rng)


def test_a_result_that_is_both_quantised_and_a_float(tmp_path: Path) -> None:
    m = Made(7)
    y = m.conv()
    q = m.quantise(m.op("Relu", y), Y)
    model = m.model(q, y)
    graph, feeds = graph_of(model, tmp_path), feeds_for(model, m.rng)
    ours, theirs = run_graph(graph, feeds), oracle(model, feeds, optimised=False)
    np.testing.assert_array_equal(ours[q], theirs[0])
    np.testing.assert_allclose(ours[y], theirs[1], rtol=0, atol=1e-5)
    check_graph(graph, preset("tiny"), m.rng)


def test_a_product_of_plain_floats(tmp_path: Path) -> None:
    """What no QuantizeLinear precedes cannot run at all."""
    m = Made(8)
    w = m.constant(m.rng.standard_normal((3, 4, 3, 3)).astype(np.float32))
    with pytest.raises(RowforgeError, match="weight operand"):
        graph_of(m.model(m.quantise(m.op("Conv", m.x, w), Y)), tmp_path)


def test_deep_chains(tmp_path: Path) -> None:
    """No recursion: as many operators as a file may have."""
    m = Made(9)
    y = m.conv()
    for _ in range(1500):
        y = m.op("Identity", y)
    m.nodes.append(onnx.helper.make_node("Relu", [y], ["r"]))
    check(m.model(m.quantise("r", Y)), tmp_path, m.rng, levels=(False,))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["joined", "multiplied", "added"])
def test_several_transposed_forms_of_one_tensor(kind: str, seed: int, tmp_path: Path) -> None:
    """Forms of one shape are told apart, in one operator and in several."""
    rng = np.random.default_rng(seed)
    m = ModelMaker()
    x = m.dequantise(m.input("x", (1, 3, 3, 3), "int8"), X)
    w = m.constant(rng.integers(-127, 128, (3, 3, 1, 1)).astype(np.int8))
    scale = m.constant(np.float32(0.011337))
    weights = m.op("DequantizeLinear", w, scale, m.constant(np.int8(0)))
    stored = m.quantise(m.op("Conv", x, weights), Y)
    forms = [stored]
    for _ in range(3):
        order = [0, *(1 + int(axis) for axis in rng.permutation(3))]
        forms.append(m.op("Transpose", stored, perm=order))
    if kind == "joined":
        outputs = [m.op("Concat", *(forms[int(n)] for n in rng.permutation(4)), axis=1)]
    elif kind == "multiplied":
        matrix = m.constant(rng.integers(-127, 128, (3, 5)).astype(np.int8))
        right = m.op("DequantizeLinear", matrix, scale, m.constant(np.int8(0)))
        outputs = [m.quantise(m.op("MatMul", m.dequantise(form, Y), right), Y) for form in forms]
    else:
        pairs = zip(forms[1:], forms, strict=False)
        outputs = [
            m.quantise(m.op("Add", m.dequantise(a, Y), m.dequantise(b, Y)), Y) for a, b in pairs
        ]
    check(m.model(*outputs), tmp_path, rng, levels=(False,))
