"""A slice of the campaign: MLPerf Tiny's smaller models, and random networks in each way."""

import numpy as np
import pytest

from rowforge.configs import preset
from rowforge.running.compilation import compile_model
from tests.campaigns.c_runtime.networks import random_network
from tests.campaigns.models.recorded import case_named
from tests.support.c_runtime.running import run_c


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ad01_int8:rand", "kws_ref_model:rand"])
def test_models_give_what_was_recorded(name):
    case = case_named(f"mlperf_tiny/{name}")
    recorded = case.recorded()
    program = compile_model(case.path, preset("tiny")).program
    ran = run_c(program, recorded["input"][0])
    (output,) = ran.outputs.values()
    assert not ran.status and not ran.asked
    assert np.array_equal(output.reshape(-1), recorded["output_tflm"][0].reshape(-1))


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 8])
def test_random_networks_are_equal(number):
    finding = random_network(3, number)
    assert finding.shown and not finding.wrong
