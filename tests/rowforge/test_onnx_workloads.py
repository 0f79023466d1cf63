"""Real ONNX networks through the command, on the RTL, against ONNX Runtime's own tensors."""

import numpy as np
import pytest

from tests.campaigns.models.onnx import MODELS
from tests.rowforge.support import rowforge
from tests.support.workloads import workload
from tests.thorough import thorough

AGAIN = "pretrainedResnet_quant_tf2onnx_qdq"  # a second ResNet-8, by the keyword model's converter


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name != thorough(AGAIN, "")])
def test_on_the_rtl(capsys, tmp_path, name):
    with np.load(workload(f"onnx/goldens/{name}.npz")) as arrays:
        expected = {key: arrays[key] for key in arrays.files}
    x, y, t = (tmp_path / file for file in ("x.npy", "y.npy", "t.npz"))
    np.save(x, expected["input"][0])
    outcome = rowforge(
        capsys,
        *("run", workload(f"onnx/{name}.onnx"), "--preset", "tiny", "--target", "rtl"),
        *("--rounding", "ort", "--input", x, "--output", y, "--check", "--dump", t),
    )
    assert outcome.status == 0, outcome.err
    np.testing.assert_array_equal(np.load(y), expected["output_ort_noopt"][0])
    with np.load(t) as dump:
        written = {key.replace("/", "_"): key for key in dump.files}
        for key in (key for key in expected if key.startswith("mid_")):
            tensor, reference = dump[written[key.split("_", 2)[2]]], expected[key][0]
            assert tensor.dtype == reference.dtype
            assert tensor.shape == reference.shape
            np.testing.assert_array_equal(tensor, reference, key)


def test_a_program_file_of_an_onnx_model(capsys, tmp_path):
    """The layouts of inputs and outputs travel with the program."""
    name = "mnist_8_qoperator_u8s8_pt"
    with np.load(workload(f"onnx/goldens/{name}.npz")) as arrays:
        inputs, outputs = arrays["input"][:2, 0], arrays["output_ort_noopt"][:2, 0]
    x, y, program = (tmp_path / file for file in ("x.npy", "y.npy", "m.rfp"))
    np.save(x, inputs)
    compiled = rowforge(
        capsys, "compile", workload(f"onnx/{name}.onnx"), "--preset", "tiny", "-o", program
    )
    assert compiled.status == 0, compiled.err
    outcome = rowforge(
        capsys, "run", program, "--target", "golden", "--input", x, "--output", y, "--json"
    )
    assert outcome.status == 0, outcome.err
    np.testing.assert_array_equal(np.load(y), outputs)
    places = {layer["op"]: layer["where"] for layer in outcome.document["layers"]}
    assert places == {
        "QuantizeLinear": "host",
        "QLinearConv": "array",
        "MaxPool": "array",
        "Reshape": "folded",
        "QGemm": "array",
        "DequantizeLinear": "host",
    }
