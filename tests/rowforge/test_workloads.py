"""Real networks through the command, on the RTL, against TensorFlow Lite Micro's own tensors."""

import numpy as np
import pytest

from tests.rowforge.support import rowforge
from tests.support.workloads import workload
from tests.thorough import thorough

MODELS = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8")
# Of the smaller models several inputs show that each gets its own output.
INPUTS = {"ad01_int8": 2, "kws_ref_model": 2}
OTHERS = thorough(1, 2)


def golden(name):
    with np.load(workload(f"mlperf_tiny/goldens/{name}_rand.npz")) as arrays:
        return {key: arrays[key] for key in arrays.files}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_mlperf_tiny_on_the_rtl(capsys, tmp_path, name):
    expected = golden(name)
    inputs = INPUTS.get(name, OTHERS)
    x, y, t = (tmp_path / file for file in ("x.npy", "y.npy", "t.npz"))
    np.save(x, expected["input"][:inputs, 0])
    outcome = rowforge(
        capsys,
        *("run", workload(f"mlperf_tiny/{name}.tflite"), "--preset", "tiny", "--target", "rtl"),
        *("--input", x, "--output", y, "--check", "--dump", t),
    )
    assert outcome.status == 0, outcome.err
    np.testing.assert_array_equal(np.load(y), expected["output_tflm"][:inputs, 0])
    with np.load(t) as dump:
        keys = {key.removeprefix("mid_") for key in expected if key.startswith("mid_")}
        assert keys == set(dump.files)
        for key in keys:
            tensor, reference = dump[key], expected[f"mid_{key}"]
            if len(reference):
                np.testing.assert_array_equal(tensor.reshape(reference.shape), reference, key)
        last = expected["last_mac_output_tflm"][0]
        sizes = [dump[key] for key in dump.files if dump[key].size == last.size]
        assert any(np.array_equal(tensor.reshape(last.shape), last) for tensor in sizes)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_mlperf_tiny_on_the_golden_model(capsys, tmp_path, name):
    expected = golden(name)
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, expected["input"][:, 0])
    outcome = rowforge(
        capsys,
        *("run", workload(f"mlperf_tiny/{name}.tflite"), "--preset", "tiny"),
        *("--target", "golden", "--input", x, "--output", y),
    )
    assert outcome.status == 0, outcome.err
    np.testing.assert_array_equal(np.load(y), expected["output_tflm"][:, 0])
