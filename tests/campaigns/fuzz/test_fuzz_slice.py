"""Nineteen runs of the fuzzer on two small configurations, one of each data width."""

from collections import Counter

import pytest

from compiler.compile import compile_graph
from compiler.ir.ops import Conv
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from tests.campaigns.fuzz.cases import CASES, NARROW, SLICE_SEED, WIDE, make_case, slice_case
from tests.campaigns.fuzz.configs import CAMPAIGN, KINDS, configuration
from tests.campaigns.fuzz.coverage import ITEMS, wanted
from tests.campaigns.fuzz.refusals import confirmed
from tests.campaigns.fuzz.run import main
from tests.campaigns.fuzz.runner import run_case

SEED = SLICE_SEED
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
