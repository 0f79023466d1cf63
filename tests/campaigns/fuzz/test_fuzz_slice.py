"""Nineteen runs of the fuzzer on two small configurations, one of each data width."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.ops import Conv
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from numerics.quantisation import Requant, RoundingRule
from rowforge.configs import preset
from tests.campaigns.fuzz.cases import (
    CASES,
    NARROW,
    SLICE_SEED,
    WIDE,
    Case,
    make_case,
    slice_case,
)
from tests.campaigns.fuzz.configs import CAMPAIGN, KINDS, configuration
from tests.campaigns.fuzz.coverage import ITEMS, wanted
from tests.campaigns.fuzz.refusals import confirmed
from tests.campaigns.fuzz.run import main
from tests.campaigns.fuzz.runner import run_case
from tests.compiler.support import single

SEED = SLICE_SEED
WINDOWED = 32  # of seed 5: 16 bits whose psums hold windows of products alone
ZEROED = (4000, 4001, 4003, 13002, 13004, 13006)  # cases of seed 5
WHOLE = (4, 13)  # configurations of 16 bits whose psums hold whole sums
SLICE = [(NARROW, place) for place in range(12)] + [(WIDE, place) for place in range(1, 8)]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "place"), SLICE)
def test_rtl_equals_the_golden_model_in_every_tensor(number: int, place: int) -> None:
    outcome = run_case(slice_case(number, place), rtl=True)
    assert outcome.status == "passed", outcome.message


def test_the_slice_has_both_data_widths() -> None:
    assert {configuration(SEED, n).array.data_width for n in (NARROW, WIDE)} == {8, 16}


@pytest.mark.parametrize("number", range(12))
def test_command_streams_without_time_equal_the_golden_model(number: int) -> None:
    for place in range(4):
        outcome = run_case(make_case(7, number * CASES + place), rtl=False)
        assert outcome.status != "failed", f"{outcome.label}: {outcome.message}"


@pytest.mark.parametrize("number", WHOLE)
def test_arrays_that_scale_16_bit_sums(number: int) -> None:
    config = configuration(5, number)
    assert (config.array.data_width, config.array.psum_width >= 32) == (16, True)
    outcomes = [run_case(make_case(5, number * CASES + place), rtl=False) for place in range(6)]
    assert [o.message for o in outcomes if o.status != "passed"] == []


@pytest.mark.parametrize("index", ZEROED)
def test_16_bit_zero_points_of_onnx(index: int) -> None:
    case = make_case(5, index)
    outcome = run_case(case, rtl=False)
    assert outcome.status != "failed", outcome.message
    assert case.graph.rounding is RoundingRule.ORT


def test_only_whole_sums_have_16_bit_zero_points() -> None:
    windowed, whole = [WINDOWED * CASES + place for place in range(6)], ZEROED
    shares = [
        [_has_zero_points(make_case(5, index)) for index in group] for group in (windowed, whole)
    ]
    assert not any(shares[0])
    assert sum(shares[1]) >= 2  # others draw 0


def _has_zero_points(case: Case) -> bool:
    tensors = [tensor for tensor in case.graph.tensors.values() if tensor.dtype == "int16"]
    return any(tensor.quantisation and tensor.quantisation.zero_point[0] for tensor in tensors)


@pytest.mark.parametrize(
    ("scale", "bias", "sentence"),
    [
        (2.0**-18, 0, "output scales must be at least 2^-16 beside a zero point of 9000"),
        (
            2.0**-9,
            (1 << 31) - 600_000,
            "its sums must fit 32 bits together with its output's zero point of 9000, not reach 9",
        ),
    ],
)
def test_refusals_beside_a_zero_point_are_confirmed_if_true(
    scale: float, bias: int, sentence: str
) -> None:
    def confirms(**changes: Any) -> bool:
        given = {"scale": scale, "bias": bias, "zero_point": 9000, **changes}
        return confirmed(_of_zero_point(**given), f"n: {sentence}")

    assert confirms()
    assert not confirms(zero_point=9001)
    assert not confirms(scale=2.0**-5, bias=0)
    near = _of_zero_point(scale=scale, bias=bias, zero_point=400)
    assert not confirmed(near, f"n: {sentence.replace('9000', '400')}")
    with pytest.raises(RowforgeError) as found:
        case = _of_zero_point(scale=scale, bias=bias, zero_point=9000)
        compile_graph(case.graph, case.config)
    assert confirmed(case, str(found.value))


def _of_zero_point(*, scale: float, bias: int, zero_point: int) -> Case:
    """Three products by 1, and an output of 16 bits."""
    stage = Requant(
        scale=np.array([scale]),
        fixed=True,
        rounding=RoundingRule.ORT,
        zero_point=zero_point,
        low=-(1 << 15),
        high=(1 << 15) - 1,
        dtype="int16",
    )
    node = Conv(
        name="n",
        op="Conv",
        inputs=("x",),
        output="y",
        image=(1, 1, 3),
        weights=np.ones((1, 1, 1, 3), np.int8),
        weight_zero_point=np.zeros(1, np.int64),
        bias=np.array([bias]),
        input_zero_point=0,
        stage=stage,
    )
    graph = single(node, {"x": (1, 1, 1, 3)}, "int16", (1, 1, 1, 1))
    config = preset("tiny_16x8")
    return Case(seed=1, index=1, theme="refused", config=config, graph=graph, inputs=[])


def test_a_case_follows_from_its_name() -> None:
    first, second = make_case(3, 5002), make_case(3, 5002)
    assert first.config == second.config
    assert first.options == second.options
    assert [repr(node) for node in first.graph.nodes] == [repr(n) for n in second.graph.nodes]


def test_a_campaign_has_every_kind_of_hardware() -> None:
    configs = [configuration(SEED, number) for number in range(CAMPAIGN)]
    for name in KINDS:
        counts = Counter(str(config.value(name)) for config in configs)
        assert set(wanted()[f"config {name}"]) <= set(counts), name
    assert all(isinstance(config, Config) for config in configs)


def test_items_of_the_coverage_table_are_named_once() -> None:
    for group, items in ITEMS.items():
        assert len(items) == len(set(items)), group


def test_an_untrue_refusal_is_not_confirmed() -> None:
    cases = (make_case(SEED, NARROW * CASES + place) for place in range(12))
    case = next(case for case in cases if isinstance(case.graph.nodes[0], Conv))
    node = case.graph.nodes[0].name
    assert not confirmed(case, f"{node}: pe.ifmap_spad must be at least 99 (channels), not 24")
    assert not confirmed(case, f"{node}: the weather must be better")
    assert not confirmed(case, "nobody: pe.psum_spad must be at least 1 (psums), not 0")


def test_each_of_several_refusals_is_confirmed() -> None:
    case = make_case(1, 5004)
    with pytest.raises(RowforgeError) as found:
        compile_graph(case.graph, case.config)
    message = str(found.value)
    assert message.startswith("2 layers cannot run:\n") and confirmed(case, message)
    assert not confirmed(case, message.replace("at least 24", "at least 25"))
    assert not confirmed(case, message.replace("n0, n1", "n0, n9"))
    assert not confirmed(case, message.replace("CONV (layers", "CONV for layers"))


def test_the_command_reports_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--engine", "functional", "--n", "5", "--configs", "1", "--seed", "4"]) == 0
    printed = capsys.readouterr().out
    assert "5 runs executed on 1 configurations (functional)" in printed
    assert "operator:" in printed
    assert main(["--engine", "functional", "--only", "4:2"]) == 0
