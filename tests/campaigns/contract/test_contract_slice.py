"""A slice of the contract on the two configurations that the fuzzer's slice has built."""

from dataclasses import replace

import pytest

from hw.arch.errors import RowforgeError
from tests.campaigns.contract.compare import LayerResult, compare
from tests.campaigns.contract.test_buffered_filters import FIELDS, SKIPPING
from tests.campaigns.fuzz.cases import NARROW, WIDE, slice_case
from tests.thorough import thorough

SLICE = [(NARROW, place) for place in range(12)] + [(WIDE, place) for place in range(8)]


@pytest.mark.slow
def test_model_and_rtl_agree_in_every_counter_of_every_layer() -> None:
    layers = 0
    for number, place in SLICE:
        try:
            result = compare(slice_case(number, place))
        except RowforgeError:
            continue
        assert result.exact, f"{number}, {place}: {result}"
        layers += len(result.layers)
    assert layers >= len(SLICE)


@pytest.mark.slow
@pytest.mark.parametrize("number", thorough([NARROW], [NARROW, WIDE]))  # a simulator for each
def test_the_other_kind_of_pe_and_control_pipeline_is_known_to_the_model(number: int) -> None:
    """Cycles and accesses of PEs that skip zeros depend on the data; none is slower."""
    layers, saved = 0, 0
    for place in range(6):
        case = slice_case(number, place)
        if number == NARROW:  # on a simulator that tests of filters in the buffer have, too
            other = case.config.with_values({**FIELDS, **SKIPPING})
        else:
            kind = {"pe.kind": "skipping", "pe.zero_gating": True}
            other = case.config.with_values({**kind, "control.pipeline": 0})
        assert other.control.pipeline != case.config.control.pipeline
        try:
            result = compare(replace(case, config=other))
        except RowforgeError:
            continue
        assert result.exact, f"{number}, {place}: {result}"
        assert result.dense is not None and not result.slower
        layers += len(result.layers)
        saved += result.dense - result.rtl
    assert layers >= 4 and saved > 0


@pytest.mark.parametrize(
    ("model", "rtl", "holds"),
    [(100, 100, True), (116, 100, True), (117, 100, False), (10_100, 10_000, True)]
    + [(10_101, 10_000, False), (9_899, 10_000, False), (84, 100, True), (83, 100, False)],
)
def test_the_contract_is_16_cycles_or_one_percent(model: int, rtl: int, holds: bool) -> None:
    assert LayerResult("layer", "CONV", model, rtl).holds is holds
