"""Whatever is added to a product before it is quantised: the real number decides the rounding."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.ir.ops import Conv, HostStep
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, RoundingRule
from rowforge.configs import preset
from sim.golden import run_graph
from tests.compiler.support import check_graph
from tests.support.onnx.exact import check_exact
from tests.support.onnx.models import ModelMaker, feeds_for, graph_of, oracle

X = (0.0617, -3, "int8")
Y = (0.05, 7, "int8")
WS = 0.00931


class Made(ModelMaker):
    """A model with one product whose bias is still to be chosen."""

    def __init__(self, seed: int, kind: str, **shape: Any) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.kind = kind
        self.M = 6
        conv = kind == "Conv"
        x = self.input("x", (1, 4, 6, 6) if conv else (5, 36), "int8")
        self.x = self.dequantise(x, X)
        size = (self.M, 4, 3, 3) if conv else (36, self.M)
        self.scales = self.rng.uniform(0.5, 2.0, self.M).astype(np.float32) * np.float32(WS)
        values = self.constant(self.rng.integers(-30, 31, size).astype(np.int8))
        zero = self.constant(np.zeros(self.M, np.int8))
        self.w = self.op(
            "DequantizeLinear", values, self.constant(self.scales), zero, axis=0 if conv else 1
        )

    def product(self, *bias: str, **given: Any) -> str:
        return self.op(self.kind, self.x, self.w, *bias, **given)

    def floats(self, *shape: int, low: float = -2.0, high: float = 2.0) -> str:
        value = self.rng.uniform(low, high, shape or (self.M,)).astype(np.float32)
        return self.constant(value)

    def stored(self, dtype: str, scale: Any, zero: int = 0, **given: Any) -> str:
        info = np.iinfo(dtype)
        values = self.rng.integers(max(info.min, -2000), min(info.max, 2000) + 1, self.M)
        scale = np.asarray(scale, np.float32)
        zeros = np.full(scale.shape, zero, dtype)
        return self.op(
            "DequantizeLinear", self.constant(values.astype(dtype)), self.constant(scale),
            self.constant(zeros), **given,
        )  # fmt: skip

    def done(self, y: str) -> Any:
        return self.model(self.quantise(y, Y))

    @property
    def axis(self) -> tuple[int, ...]:
        """The shape of one value for each channel."""
        return (1, self.M, 1, 1) if self.kind == "Conv" else (self.M,)


def float_bias(m: Made) -> str:
    return m.product(m.floats()) if m.kind != "MatMul" else m.op("Add", m.product(), m.floats())


def int32_of_another_scale(m: Made) -> str:
    return _given(m, m.stored("int32", 0.00123))


def int32_of_other_scales(m: Made) -> str:
    return _given(m, m.stored("int32", m.rng.uniform(0.0005, 0.002, m.M), axis=0))


def int8_bias(m: Made) -> str:
    return _given(m, m.stored("int8", 0.0171, 5))


def uint8_bias(m: Made) -> str:
    return _given(m, m.stored("uint8", 0.0171, 117))


def _given(m: Made, bias: str) -> str:
    return m.product(bias) if m.kind != "MatMul" else m.op("Add", bias, m.product())


def added(m: Made) -> str:
    return m.op("Add", m.product(), m.floats(*m.axis))


def added_first(m: Made) -> str:
    return m.op("Add", m.floats(*m.axis), m.product())


def added_scalar(m: Made) -> str:
    return m.op("Add", m.product(), m.floats(1))


def added_everywhere(m: Made) -> str:
    """A constant of the output's whole shape that tells only channels apart."""
    value = m.rng.uniform(-2, 2, m.axis).astype(np.float32)
    shape = (1, m.M, 4, 4) if m.kind == "Conv" else (5, m.M)
    return m.op("Add", m.product(), m.constant(np.broadcast_to(value, shape).copy()))


def subtracted(m: Made) -> str:
    return m.op("Sub", m.product(), m.floats(*m.axis))


def subtracted_from(m: Made) -> str:
    return m.op("Sub", m.floats(*m.axis), m.product())


def added_to_a_bias(m: Made) -> str:
    return m.op("Add", float_bias(m), m.floats(*m.axis))


def added_to_an_integer_bias(m: Made) -> str:
    unit = np.float32(X[0]) * m.scales
    inner = m.stored("int32", unit, axis=0)
    return m.op("Add", _given(m, inner), m.floats(*m.axis))


def added_dequantised(m: Made) -> str:
    stored = m.stored("int8", 0.013)
    return m.op("Add", m.product(), m.op("Reshape", stored, m.constant(np.asarray(m.axis))))


def multiplied_and_added(m: Made) -> str:
    y = m.op("Mul", m.product(), m.floats(*m.axis, low=0.5, high=1.5))
    return m.op("Relu", m.op("Add", y, m.floats(*m.axis)))


def divided(m: Made) -> str:
    return m.op("Div", float_bias(m), m.floats(*m.axis, low=-1.5, high=-0.5))


def normalised(m: Made) -> str:
    return _normalised(m, m.product())


def normalised_after_an_add(m: Made) -> str:
    return m.op("Add", _normalised(m, m.op("Sub", m.product(), m.floats(*m.axis))), m.floats(1))


def _normalised(m: Made, y: str) -> str:
    gamma = m.floats(low=-1.5, high=1.5)
    parameters = gamma, m.floats(), m.floats(), m.floats(low=0.5, high=1.5)
    return m.op("BatchNormalization", y, *parameters)


def moved_and_added(m: Made) -> str:
    """The channels' axis is followed through moves."""
    y = m.op("Identity", m.op("Dropout", m.product()))
    if m.kind == "Conv":
        y = m.op("Transpose", y, perm=[0, 2, 3, 1])
        y = m.op("Reshape", y, m.constant(np.asarray([2, 8, -1])))
        return m.op("Add", y, m.floats())
    y = m.op("Unsqueeze", y, m.constant(np.asarray([0, 3])))
    return m.op("Add", y, m.floats(m.M, 1))


FORMS = (
    float_bias, int32_of_another_scale, int32_of_other_scales, int8_bias, uint8_bias, added,
    added_first, added_scalar, added_everywhere, subtracted, subtracted_from, added_to_a_bias,
    added_to_an_integer_bias, added_dequantised, multiplied_and_added, divided, normalised,
    normalised_after_an_add, moved_and_added,
)  # fmt: skip


@pytest.mark.parametrize("kind", ["Conv", "Gemm", "MatMul"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_forms(tmp_path: Path, kind: str, form: Any) -> None:
    """Golden is the real number rounded; the command stream yields golden's values."""
    m = Made(len(form.__name__), kind)
    graph = check_exact(m.done(form(m)), tmp_path, m.rng)
    on_array = [node for node in graph.nodes if node.place.value == "array"]
    assert [type(node) for node in on_array] == [Conv]
    assert not any(isinstance(n, HostStep) and n.place.value == "host" for n in graph.nodes)
    check_graph(graph, preset("tiny"), m.rng)


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 1.7), (1.0, -0.4), (-0.7, 1.0), (2.5, 0.3)])
@pytest.mark.parametrize("shape", [(6,), (1, 6), (1,), (1, 1), (5, 6)])
def test_alpha_and_beta(tmp_path: Path, alpha: float, beta: float, shape: tuple[int, ...]) -> None:
    m = Made(3, "Gemm")
    bias = m.rng.uniform(-2, 2, shape[-1:]).astype(np.float32)
    y = m.product(m.constant(np.broadcast_to(bias, shape).copy()), alpha=alpha, beta=beta)
    check_exact(m.done(y), tmp_path, m.rng)


@pytest.mark.parametrize("kind", ["Conv", "Gemm", "MatMul"])
@pytest.mark.parametrize("form", ["none", "int32", "whole floats"])
def test_a_bias_on_the_grid_stays_an_integer(tmp_path: Path, kind: str, form: str) -> None:
    """As quantisers write it: no fixed point, the mode of the integer operators."""
    m = Made(5, kind)
    if form == "none":
        y = m.product()
    elif form == "int32":
        y = _given(m, m.stored("int32", np.float32(X[0]) * m.scales, axis=0))
    else:
        y = _given(m, m.constant(np.zeros(m.M, np.float32)))
    graph = check_exact(m.done(y), tmp_path, m.rng, affine=False)
    assert all(n.stage.scale.dtype == np.float64 for n in graph.nodes if isinstance(n, Conv))


@pytest.mark.parametrize("kind", ["Conv", "Gemm"])
def test_a_scale_a_hundred_thousandth_off_is_another_scale(tmp_path: Path, kind: str) -> None:
    m = Made(6, kind)
    values = m.constant(m.rng.integers(-(1 << 22), 1 << 22, m.M).astype(np.int32))
    scale = (np.float32(X[0]) * m.scales * np.float32(1 + 9e-6)).astype(np.float32)
    bias = m.op("DequantizeLinear", values, m.constant(scale), axis=0)
    q = (3.0, 0, "int8")
    check_exact(m.model(m.quantise(m.product(bias), q)), tmp_path, m.rng)


@pytest.mark.parametrize("per_column", [False, True])
def test_a_matrix_for_every_item(tmp_path: Path, per_column: bool) -> None:
    """Every item has the same bias and the same scales of columns."""
    m, rng = ModelMaker(), np.random.default_rng(7)
    x = m.dequantise(m.input("x", (2, 3, 5, 9), "int8"), X)
    values = m.constant(rng.integers(-30, 31, (2, 3, 9, 4)).astype(np.int8))
    scale = rng.uniform(0.005, 0.02, 4 if per_column else 1).astype(np.float32)
    zero = m.constant(np.zeros(len(scale), np.int8))
    w = m.op("DequantizeLinear", values, m.constant(scale), zero, axis=3)
    bias = m.constant(rng.uniform(-2, 2, 4).astype(np.float32))
    y = m.op("Sub", m.op("MatMul", x, w), bias)
    graph = check_exact(m.model(m.quantise(y, Y)), tmp_path, rng)
    check_graph(graph, preset("tiny"), rng)


def test_weights_without_a_negative(tmp_path: Path) -> None:
    """A negative factor turns weights of -128 round by their complement."""
    for dtype in ("int8", "uint8"):
        m = ModelMaker()
        rng = np.random.default_rng(8)
        x = m.dequantise(m.input("x", (1, 3, 5, 5), "int8"), X)
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max + 1, (4, 3, 3, 3)).astype(dtype)
        values[0, 0, 0], values[1, 0, 0] = info.min, info.max
        zero = 0 if dtype == "int8" else 121
        w = m.op("DequantizeLinear", m.constant(values), *m.scale(WS, zero, dtype))
        factor = m.constant(np.asarray([-1.5, 0.7, -0.3, 1.1], np.float32).reshape(1, 4, 1, 1))
        y = m.op("Add", m.op("Mul", m.op("Conv", x, w), factor), m.constant(np.float32(0.777)))
        check_exact(m.model(m.quantise(y, (0.5, 3, "int8"))), tmp_path, rng)


def test_channels_whose_output_is_constant(tmp_path: Path) -> None:
    """Dead filters, and factors of 0, have a bias that no integer could hold."""
    m = ModelMaker()
    rng = np.random.default_rng(9)
    x = m.dequantise(m.input("x", (1, 3, 5, 5), "int8"), X)
    values = rng.integers(-30, 31, (5, 3, 3, 3)).astype(np.int8)
    values[1] = values[3] = 0
    scales = np.asarray([WS, 1e-12, WS, 1e-20, WS], np.float32)
    w = m.op("DequantizeLinear", m.constant(values), m.constant(scales), axis=0)
    bias = m.constant(np.asarray([0.3, 1.125, -0.2, -77.7, 0.9], np.float32))
    factor = m.constant(np.asarray([1, 1, 0, 1, 1.3], np.float32).reshape(1, 5, 1, 1))
    y = m.op("Mul", m.op("Conv", x, w, bias), factor)
    model = m.model(m.quantise(y, (0.05, 7, "int8")))
    graph = graph_of(model, tmp_path)
    feeds = feeds_for(model, rng)
    ours = run_graph(graph, feeds)[model.graph.output[0].name]
    (theirs,) = oracle(model, feeds, optimised=False)
    np.testing.assert_array_equal(ours, theirs)
    assert [len(np.unique(ours[0, c])) for c in (1, 2, 3)] == [1, 1, 1]
    check_graph(graph, preset("tiny"), rng)


def test_a_bias_beyond_32_bits(tmp_path: Path) -> None:
    m = ModelMaker()
    rng = np.random.default_rng(9)
    x = m.dequantise(m.input("x", (1, 3, 5, 5), "int8"), (1.0, 0, "int8"))
    values = rng.integers(-30, 31, (2, 3, 3, 3)).astype(np.int8)
    w = m.op("DequantizeLinear", m.constant(values), *m.scale(0.01, 0, "int8"))
    y = m.op("Conv", x, w, m.constant(np.asarray([1.0, 100.5 * 3e5], np.float32)))
    y = m.quantise(y, (3e5, 0, "int8"))
    with pytest.raises(RowforgeError, match="does not fit 32 bits at the scale"):
        graph_of(m.model(y), tmp_path)


def test_a_bias_finer_than_fixed_point(tmp_path: Path) -> None:
    m = ModelMaker()
    x = m.dequantise(m.input("x", (1, 1, 3, 3), "int8"), (1.0, 0, "int8"))
    w = m.op("DequantizeLinear", m.constant(np.ones((1, 1, 1, 1), np.int8)), *m.scale(1, 0, "int8"))
    y = m.op("Conv", x, w, m.constant(np.asarray([1e-7], np.float32)))
    with pytest.raises(RowforgeError, match="small part of the accumulator's unit"):
        graph_of(m.model(m.quantise(y, (1e-4, 0, "int8"))), tmp_path)


def test_only_rounding_ort_keeps_such_a_bias(tmp_path: Path) -> None:
    m = Made(1, "Conv")
    graph = graph_of(m.done(float_bias(m)), tmp_path)
    stage = next(n.stage for n in graph.nodes if isinstance(n, Conv))
    assert isinstance(stage, Requant)
    assert stage.affine
    with pytest.raises(RowforgeError, match="only rounding 'ort'"):
        run_graph(graph, feeds_for(m.done(float_bias(m)), m.rng), RoundingRule.TFLM)
