"""Waves that finish sums in slices: exact results, and counters of the models as on the RTL."""

from dataclasses import replace

import numpy as np
import pytest

from sim.cycles import predict
from tests.campaigns.contract.compare import compare, compiled
from tests.campaigns.fuzz.cases import NARROW, WIDE, Case, random_inputs, slice_case
from tests.campaigns.fuzz.runner import run_case
from tests.compiler.schedule.test_chunk_cuts import forced
from tests.compiler.schedule.test_chunk_slices import most_slices, sliced
from tests.compiler.support import conv_graph


@pytest.fixture
def case(number: int, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Two items of a convolution whose waves come in as many slices as there can be."""
    monkeypatch.setattr("compiler.schedule.chunks._shares", most_slices)
    forced(monkeypatch, sliced)
    found = slice_case(number, 0)
    dtype = "int16" if found.config.array.data_width == 16 else "int8"
    rng = np.random.default_rng(5)
    graph = conv_graph(rng, (7, 6, 32), 16, (3, 3), pad=(1, 1, 1, 1), batch=2, dtype=dtype)
    options = {"wrap": True, "objective": "cycles", "dump": False, "profile": False}
    inputs = [random_inputs(rng, graph)]
    return replace(found, graph=graph, inputs=inputs, options=options, stall_seed=3)


@pytest.mark.parametrize("number", [NARROW])
def test_the_cycle_model_skips_nothing_that_matters(case: Case) -> None:
    outcome = run_case(case, rtl=False)
    assert outcome.status == "passed", outcome.message
    program = compiled(case)
    widths = {part["block"]["mapping"]["windows"] for part in program.layers[0].mapping["parts"]}
    assert len(widths) > 1
    assert predict(program) == predict(program, skip=False)


@pytest.mark.slow
@pytest.mark.parametrize("number", [WIDE])
def test_model_and_rtl_agree_in_every_counter(case: Case) -> None:
    outcome = run_case(case, rtl=True)
    assert outcome.status == "passed", outcome.message
    result = compare(case)
    assert result.exact, result
