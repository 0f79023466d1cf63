"""QONNX's Quant: its formula in NumPy, and the same network in QDQ form on ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from compiler.ir.ops import Conv, HostStep
from hw.arch.errors import RowforgeError
from sim.golden import run_graph
from tests.support.onnx.models import ModelMaker, feeds_for, graph_of, oracle, unchecked

DOMAIN = "qonnx.custom_op.general"


def quant(
    m: ModelMaker, x: str, scale: np.ndarray, bits: float, *, zero: float = 0.0, **given: object
) -> str:
    """A Quant with constant parameters."""
    parameters = (m.constant(np.asarray(v, np.float32)) for v in (scale, zero, bits))
    return str(m.op("Quant", x, *parameters, domain=DOMAIN, **given))


def formula(x: np.ndarray, scale: float, bits: int, *, signed: int, narrow: int) -> np.ndarray:
    """What the operator is defined to compute with zero point 0, in float32."""
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    step = np.float32(scale)
    return np.asarray(np.round(np.clip(x / step, low, high)) * step, dtype=np.float32)


@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("bits", [2, 3, 4, 7, 8])
def test_it_computes_its_formula(bits: int, signed: int, narrow: int, tmp_path: Path) -> None:
    m, rng = ModelMaker(), np.random.default_rng(bits)
    scale = float(rng.uniform(0.01, 0.2))
    y = quant(m, m.input("x", (1, 500)), np.asarray(scale), bits, signed=signed, narrow=narrow)
    graph = graph_of(unchecked(m, y), tmp_path)
    halves = rng.integers(-600, 600, (1, 500)) / 2
    x = (halves * np.float32(scale)).astype(np.float32)
    np.testing.assert_array_equal(
        run_graph(graph, {"x": x})[y], formula(x, scale, bits, signed=signed, narrow=narrow)
    )


Round = Callable[[ModelMaker, str, np.ndarray, int], str]


def _as_quant(m: ModelMaker, x: str, scale: np.ndarray, bits: int) -> str:
    return quant(m, x, scale, bits, signed=1, narrow=0)


def _as_qdq(m: ModelMaker, x: str, scale: np.ndarray, bits: int) -> str:
    """The same as three operators of ONNX."""
    flat = scale.reshape(-1).astype(np.float32)
    pair = m.constant(flat), m.constant(np.zeros(flat.size, np.int8))
    along = {"axis": 0}
    if flat.size == 1:
        pair, along = (m.constant(flat[0]), m.constant(np.int8(0))), {}
    ends = (m.constant(np.int8(sign)) for sign in (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    stored = m.op("Clip", m.op("QuantizeLinear", x, *pair, **along), *ends)
    return str(m.op("DequantizeLinear", stored, *pair, **along))


def _network(rounded: Round) -> tuple[ModelMaker, str]:
    """A convolution with weights of four bits, scales by channel, a Relu, a product of classes."""
    m, rng = ModelMaker(), np.random.default_rng(5)
    x = rounded(m, m.input("x", (1, 3, 6, 6)), np.asarray(0.05), 8)
    w = m.constant(rng.standard_normal((4, 3, 3, 3)).astype(np.float32))
    w = rounded(m, w, np.asarray([0.1, 0.2, 0.15, 0.3], np.float32).reshape(4, 1, 1, 1), 4)
    y = rounded(m, m.op("Relu", m.op("Conv", x, w)), np.asarray(0.11), 6)
    dense = m.constant(rng.standard_normal((64, 5)).astype(np.float32))
    dense = rounded(m, dense, np.asarray(0.25), 3)
    y = m.op("MatMul", m.op("Flatten", y), dense)
    return m, rounded(m, y, np.asarray(0.3), 8)


def test_a_network_takes_the_array_as_its_qdq_form_does(tmp_path: Path) -> None:
    m, y = _network(_as_quant)
    graph = graph_of(unchecked(m, y), tmp_path)
    assert sum(isinstance(node, Conv) for node in graph.nodes) == 2
    steps = {n.function for n in graph.nodes if isinstance(n, HostStep) and not n.folded}
    assert steps <= {"quantise_ort", "dequantise_ort", "rearrange"}
    other, z = _network(_as_qdq)
    model: onnx.ModelProto = other.model(z)
    feeds = feeds_for(model, np.random.default_rng(2))
    expected = oracle(model, feeds, optimised=False)[0]
    np.testing.assert_array_equal(run_graph(graph, feeds)[y], expected)


@pytest.mark.parametrize(
    ("bits", "given"),
    [(1, {}), (9, {}), (4, {"zero": 3.0}), (4, {"rounding_mode": "FLOOR"}), (2.5, {})],
)
def test_other_forms_are_refused(bits: float, given: dict, tmp_path: Path) -> None:
    m = ModelMaker()
    y = quant(m, m.input("x", (1, 5)), np.asarray(0.1), bits, **given)
    with pytest.raises(RowforgeError, match="2 to 8 bits with constant scales, zero point 0"):
        graph_of(unchecked(m, y), tmp_path)
