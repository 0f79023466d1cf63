"""A slice of the campaign beside ONNX Runtime's arithmetic, and whether it finds faults."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compiler.frontends.onnx.operators import binary as onnx_binary
from numerics import mlas
from numerics.host.ort import arithmetic as ort
from numerics.host.ort import pool as ort_pool
from tests.campaigns.ort_arithmetic.case import Case, Step
from tests.campaigns.ort_arithmetic.run import (
    FULL_CAMPAIGN,
    Tally,
    campaign,
    differing,
    draw,
    main,
    missing,
)
from tests.campaigns.ort_arithmetic.steps import STEPS
from tests.support.onnx.processor import need_for

SEED = 1
SLICE = 6
WITHIN = 250  # cases, in which a fault must show


@pytest.mark.parametrize("name", STEPS)
def test_a_step_computes_as_onnx_runtime(name: str) -> None:
    need_for(name)
    tally = campaign(name, SLICE, SEED)
    assert tally.failures == []
    assert tally.compared > 0


@pytest.mark.parametrize("name", ["QLinearMul, odd", "QLinearConv", "QLinearAveragePool"])
def test_a_case_follows_from_its_numbers(name: str) -> None:
    first, second = (draw(name, STEPS[name], 5, 17) for _ in range(2))
    assert first.model.SerializeToString() == second.model.SerializeToString()
    other = draw(name, STEPS[name], 5, 18)
    assert first.model.SerializeToString() != other.model.SerializeToString()


def test_what_does_not_come_up_is_named() -> None:
    step = Step(lambda case: None, ("type int8", "type uint8"))
    assert missing(step, Tally(cases=9, tags=Counter({"type int8": 5, "type uint8": 3}))) == []
    assert missing(step, Tally(cases=9, tags=Counter({"type int8": 5}))) == ["type uint8 (0)"]
    (line,) = missing(
        replace(step, wanted=()), Tally(cases=9, refused=5, reasons=Counter({"too wide": 5}))
    )
    assert "5 of 9 are not: too wide" in line


def test_a_bit_of_a_float_counts() -> None:
    x = np.asarray([0.0, np.nan, 1.0], dtype=np.float32)
    assert differing(x, x.copy()) == 0
    assert differing(x, np.asarray([-0.0, np.nan, 1.0], dtype=np.float32)) == 1
    assert differing(x, np.asarray([0.0, 0.0, 1.0], dtype=np.float32)) == 1
    assert differing(x, x.astype(np.float64)) == 3


def test_the_command_reports(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--n", "2", "--step", "QLinearConcat"]) == 0
    assert "QLinearConcat: 2 cases, 0 refused" in capsys.readouterr().out

    def one_more(x: Any, **parameters: Any) -> Any:
        return dequantise(x, **parameters) + np.float32(1)

    dequantise = ort.dequantise_ort
    monkeypatch.setattr("compiler.frontends.onnx.operators.requant.dequantise_ort", one_more)
    assert main(["--n", "2", "--step", "Q after DQ and"]) == 1
    assert "FAILED Q after DQ and an activation 1:0" in capsys.readouterr().out

    make = STEPS["QLinearConcat"].make

    def narrow(case: Case) -> None:
        make(case)
        case.tags.clear()

    monkeypatch.setitem(STEPS, "QLinearConcat", Step(narrow, ("type int8",)))
    assert main(["--n", str(FULL_CAMPAIGN), "--step", "QLinearConcat"]) == 1
    assert "FAILED QLinearConcat: below 3: type int8 (0)" in capsys.readouterr().out


# ---- faults that were there, put back ------------------------------------------------------------


def _product_in_float64(a: Any, b: Any, scales: Any, zeros: Any, scale: Any, zero: Any) -> Any:
    ratio = np.float32(scales[0]) * np.float32(scales[1]) / scale
    product = (a.astype(np.float64) - zeros[0]) * (b.astype(np.float64) - zeros[1])
    return (product.astype(np.float32) * ratio).astype(np.float64) + float(zero)


def _fused_product(a: Any, b: Any, scales: Any, zeros: Any, scale: Any, zero: Any) -> Any:
    ratio = np.float32(scales[0]) * np.float32(scales[1]) / scale
    product = (a.astype(np.float64) - zeros[0]) * (b.astype(np.float64) - zeros[1])
    return (product * float(ratio) + float(zero)).astype(np.float32)


def _unfused_sum(a: Any, b: Any, scales: Any, zeros: Any, scale: Any, zero: Any) -> Any:
    first, second = (np.float32(real) / scale for real in scales)
    rest = zero - (first * np.float32(zeros[0]) + second * np.float32(zeros[1]))
    return a.astype(np.float32) * first + (b.astype(np.float32) * second + rest)


def _saturated(real: Any, *, low: int, high: int, dtype: str) -> Any:
    return np.clip(np.rint(np.nan_to_num(real)), low, high).astype(dtype)


def _sums_in_lanes(taps: Any, batch: int) -> Any:
    return ort_pool._in_lanes(taps, 1)


FAULTS: list[tuple[str, Any, str, Any]] = [
    ("QLinearMul, tensors", ort, "_qlinear_product", _product_in_float64),
    ("QLinearMul, scalar second", ort, "_qlinear_product", _fused_product),
    ("QLinearAdd, tensors", ort, "_qlinear_sum", _unfused_sum),
    ("QLinearMul, scalar first", ort, "round_on_x86", _saturated),
    ("ReduceMean of float32", ort_pool, "_aligned", _sums_in_lanes),
    ("DynamicQuantizeLinear", mlas, "value_range", lambda x: (np.nanmin(x), np.nanmax(x))),
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
