"""What the front end decides about ONNX Runtime's arithmetic: faults there are found."""

from typing import Any

import pytest

from compiler.frontends.onnx.operators import average as onnx_average
from compiler.frontends.onnx.operators import binary as onnx_binary
from compiler.frontends.onnx.operators import chain as onnx_chain
from compiler.frontends.onnx.operators import select as onnx_select
from tests.campaigns.ort_arithmetic.run import campaign
from tests.support.onnx.processor import need_for

SEED = 1
WITHIN = 250  # cases, in which a fault must show
SLICE = 40

_proof = onnx_average._cannot_differ


def _without_offset(scale: Any, target: Any, count: int, offset: int) -> bool:
    return _proof(scale, target, count, 0)


FAULTS: list[tuple[str, Any, str, Any]] = [
    ("QLinearAdd, scalar first", onnx_binary, "_exchanged", lambda first, second: False),
    ("QLinearAdd, channels second", onnx_binary, "_exchanged", lambda first, second: True),
    ("QLinearAveragePool, one sum", onnx_average, "_cannot_differ", _without_offset),
    ("QLinearAveragePool, one sum", onnx_average, "_adds_zero_first", lambda node: False),
    ("AveragePool of float32", onnx_average, "order_of_taps", lambda image, window: "rows"),
    ("MaxPool of float32", onnx_select, "order_of_taps", lambda image, window: "rows"),
    ("Clip of float32", onnx_chain, "_has_bound", lambda *arguments: True),
]


@pytest.mark.parametrize(("name", "module", "function", "fault"), FAULTS)
def test_a_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, module: Any, function: str, fault: Any
) -> None:
    monkeypatch.setattr(module, function, fault)
    onnx_binary._exact.cache_clear()
    try:
        assert any(campaign(name, 1, SEED, index).failures for index in range(WITHIN))
    finally:
        onnx_binary._exact.cache_clear()


@pytest.mark.parametrize(
    "name",
    [
        "QLinearAdd, scalar first",
        "QLinearMul, scalar second",
        "Add between DQ and Q, odd",
        "QLinearAveragePool",
        "QLinearAveragePool, one sum",
        "AveragePool between DQ and Q",
        "ReduceMean between DQ and Q",
        "MaxPool of float32",
        "Q after DQ and an activation",
        "QLinearConcat",
        "QGemm",
        "Sigmoid between DQ and Q",
        "constants between DQ and Q",
        "Erf of float32",
        "PRelu between DQ and Q",
        "QLinearLeakyRelu",
        "Slice, stored",
        "Split, quantised after",
        "Gather, integers",
        "Resize to nearest, stored",
        "Resize, linear, floats",
        "DepthToSpace, quantised after",
    ],
)
def test_more_cases_of_what_the_front_end_decides(name: str) -> None:
    need_for(name)
    tally = campaign(name, SLICE, SEED)
    assert tally.failures == []
    assert tally.compared > 0
