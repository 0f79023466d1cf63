"""`rowforge quantize`: accuracy, the report, refusals."""

import builtins
import re

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.datasets import load_digits

from compiler.frontends import load_model
from rowforge.quantiser import quantise_model
from sim.golden import run_graph
from tests.rowforge.support import rowforge
from tests.support.onnx.models import ModelMaker, oracle, save
from tests.support.workloads import workload

CALIBRATION, TESTED = 100, 300


def upscaled_digits():
    """scikit-learn's 8 x 8 digits as the 28 x 28 images of MNIST: bilinear to 20 x 20, centred."""
    images = load_digits().images.astype(np.float32)[: CALIBRATION + TESTED] * np.float32(255 / 16)
    place = np.linspace(0, 7, 20)
    first = np.minimum(place.astype(int), 6)
    share = (place - first).astype(np.float32)
    rows = images[:, first] * (1 - share)[:, None] + images[:, first + 1] * share[:, None]
    scaled = rows[:, :, first] * (1 - share) + rows[:, :, first + 1] * share
    return np.pad(scaled, ((0, 0), (4, 4), (4, 4)))[:, None]


def float_model(folder, *, quantised=False):
    rng, m = np.random.default_rng(0), ModelMaker()
    x = m.input("x", (1, 3, 8, 8))
    w = m.constant(rng.standard_normal((4, 3, 3, 3)).astype(np.float32))
    y = m.op("Relu", m.op("Conv", x, w, pads=[1, 1, 1, 1]))
    if quantised:
        y = m.requantise(y, (0.1, 0, "int8"))
    return save(m.model(m.op("GlobalAveragePool", y)), folder)


def test_digits_agree_with_the_float_model(capsys, tmp_path):
    model, images = workload("onnx/mnist_8.onnx"), upscaled_digits()
    np.savez(tmp_path / "calibration.npz", Input3=images[:CALIBRATION])
    outcome = rowforge(
        capsys,
        *("quantize", model, "--calibration", tmp_path / "calibration.npz"),
        *("-o", tmp_path / "q.onnx"),
    )
    assert outcome.status == 0, outcome.err
    measured = re.findall(r"^(\S+) +(\w+) +(\d+\.\d) dB$", outcome.out, flags=re.MULTILINE)
    assert {op for _, op, _ in measured} >= {"Relu", "Gemm"}
    worst = min(measured, key=lambda row: float(row[2]))
    assert f"worst: {worst[0]} ({worst[2]} dB)" in outcome.out
    tested = images[CALIBRATION:]
    np.save(tmp_path / "x.npy", tested)
    outcome = rowforge(
        capsys,
        *("run", tmp_path / "q.onnx", "--preset", "tiny", "--target", "golden"),
        *("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"),
    )
    assert outcome.status == 0, outcome.err
    session = onnxruntime.InferenceSession(str(model))
    expected = [session.run(None, {"Input3": image[None]})[0].argmax() for image in tested]
    agreement = np.mean(np.load(tmp_path / "y.npy").argmax(axis=1) == expected)
    assert agreement >= 0.99


def test_a_model_without_a_batch_dimension_of_one(capsys, tmp_path):
    model = float_model(tmp_path)
    loaded = onnx.load(model)
    loaded.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(loaded, model)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "c.npy", rng.standard_normal((8, 3, 8, 8)).astype(np.float32))
    outcome = rowforge(
        capsys, "quantize", model, "--calibration", tmp_path / "c.npy", "-o", tmp_path / "q.onnx"
    )
    assert outcome.status == 0, outcome.err
    assert rowforge(capsys, "run", tmp_path / "q.onnx", "--preset", "tiny", "--target", "golden",
                    "--check").status == 0  # fmt: skip


def inverted_residuals(folder):
    """A small network as PyTorch exports them: normalised input, BatchNormalization, ReLU6."""
    rng, m = np.random.default_rng(0), ModelMaker()

    def weights(*shape):
        scaled = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        return m.constant(scaled.astype(np.float32))

    def normalised(x, channels):
        sign = np.where(rng.random(channels) < 0.1, -1, 1)
        gamma, variance = rng.uniform(0.5, 1.5, (2, channels))
        beta, mean = 0.1 * rng.standard_normal((2, channels))
        parameters = (sign * gamma, beta, mean, variance)
        return m.op(
            "BatchNormalization", x, *(m.constant(p.astype(np.float32)) for p in parameters)
        )

    def relu6(x):
        return m.op("Clip", x, m.constant(np.float32(0)), m.constant(np.float32(6)))

    def block(x, C, times):
        M = times * C
        y = relu6(normalised(m.op("Conv", x, weights(M, C, 1, 1)), M))
        y = m.op("Conv", y, weights(M, 1, 3, 3), pads=[1, 1, 1, 1], group=M)
        y = m.op("Conv", relu6(normalised(y, M)), weights(C, M, 1, 1))
        return m.op("Add", x, normalised(y, C))

    x = m.op("Sub", m.input("x", ("N", 3, 16, 16)), m.constant(np.full((1, 3, 1, 1), 0.5, "f")))
    x = m.op("Div", x, m.constant(np.full((1, 3, 1, 1), 0.25, "f")))
    x = m.op("Conv", x, weights(8, 3, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2])
    x = block(block(relu6(normalised(x, 8)), 8, 2), 8, 3)
    branches = [m.op("Relu", m.op("Conv", x, weights(8, 8, 1, 1))) for _ in range(2)]
    x = m.op("MaxPool", m.op("Concat", *branches, axis=1), kernel_shape=[2, 2], strides=[2, 2])
    x = m.op("Flatten", m.op("GlobalAveragePool", x))
    return save(m.model(m.op("Softmax", m.op("Gemm", x, weights(10, 16), transB=1))), folder)


def test_a_network_of_inverted_residuals(tmp_path):
    """Everything after the quantiser equals ONNX Runtime's float32 arithmetic in every bit."""
    rng, result = np.random.default_rng(1), tmp_path / "q.onnx"
    images = rng.random((20, 3, 16, 16)).astype(np.float32)
    errors = quantise_model(inverted_residuals(tmp_path), images, result)
    assert min(error.sqnr for error in errors) > 25
    graph, quantised = load_model(result), onnx.load(result)
    served = {node.op for node in graph.nodes if node.place.value == "array"}
    assert served >= {"Conv", "Concat", "MaxPool", "Gemm"}
    for image in rng.random((5, 1, 3, 16, 16)).astype(np.float32):
        (expected,) = oracle(quantised, {"x": image}, optimised=False)
        np.testing.assert_array_equal(run_graph(graph, image)[graph.outputs[0]], expected)


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ((8, 3, 8, 9), np.float32, ["(N, 3, 8, 8)", "(8, 3, 8, 9)"]),
        ((8, 3, 8, 8), np.float64, ["float32", "float64"]),
        ((0, 3, 8, 8), np.float32, ["as many"]),
    ],
)
def test_calibration_that_does_not_fit(capsys, tmp_path, shape, dtype, words):
    np.save(tmp_path / "c.npy", np.zeros(shape, dtype=dtype))
    outcome = rowforge(
        capsys,
        *("quantize", float_model(tmp_path), "--calibration", tmp_path / "c.npy"),
        *("-o", tmp_path / "q.onnx"),
    )
    outcome.assert_refused(*words)
    assert not (tmp_path / "q.onnx").exists()


def test_a_quantised_model_is_refused(capsys, tmp_path):
    np.save(tmp_path / "c.npy", np.zeros((2, 3, 8, 8), dtype=np.float32))
    model = float_model(tmp_path, quantised=True)
    rowforge(
        capsys, "quantize", model, "--calibration", tmp_path / "c.npy", "-o", tmp_path / "q.onnx"
    ).assert_refused("quantised already", "QuantizeLinear")


def test_without_onnxruntime_it_says_what_to_install(capsys, tmp_path, monkeypatch):
    load = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("onnxruntime"):
            raise ImportError(name)
        return load(name, *arguments, **options)

    np.save(tmp_path / "c.npy", np.zeros((2, 3, 8, 8), dtype=np.float32))
    model = float_model(tmp_path)
    monkeypatch.setattr(builtins, "__import__", without)
    rowforge(
        capsys, "quantize", model, "--calibration", tmp_path / "c.npy", "-o", tmp_path / "q.onnx"
    ).assert_refused("onnxruntime", "pip install 'rowforge[quantize]'")


# ---- what could not run is told before any work -------------------------------------------------


@pytest.fixture
def idle(monkeypatch):
    """No input may be calibrated on."""

    def called(*arguments):
        raise AssertionError("the quantiser has been asked")

    monkeypatch.setattr("rowforge.quantiser._quantise", called)


def attempt(capsys, folder, m, output, shape):
    model = save(m.model(output), folder)
    np.save(folder / "c.npy", np.random.default_rng(0).random(shape).astype(np.float32))
    return rowforge(
        capsys, "quantize", model, "--calibration", folder / "c.npy", "-o", folder / "q.onnx"
    )


def image_weights(m, M=4, C=3):
    values = np.random.default_rng(1).standard_normal((M, C, 3, 3))
    return m.constant(values.astype(np.float32))


@pytest.mark.usefixtures("idle")
def test_all_blockers_of_a_float_model_at_once(capsys, tmp_path):
    m = ModelMaker()
    x = m.op("Softplus", m.op("Conv", m.input("x", (1, 3, 8, 8)), image_weights(m)))
    x = m.op("Elu", m.op("Softplus", m.op("Conv", x, image_weights(m, 8, 4))))
    x = m.op("MatMul", x, m.op("Transpose", x, perm=[0, 1, 3, 2]))
    outcome = attempt(capsys, tmp_path, m, m.op("Hardmax", x, axis=1), (4, 3, 8, 8))
    outcome.assert_refused("quantised, could not run: 5 operators cannot run:")
    assert [line.split(" (")[0] for line in outcome.err.splitlines()[1:]] == [
        "  2 x Softplus",
        "  1 x Elu",
        "  1 x MatMul",
        "  1 x Hardmax",
    ]
    assert not (tmp_path / "q.onnx").exists()


@pytest.mark.usefixtures("idle")
def test_one_blocker_of_a_float_model_is_one_sentence(capsys, tmp_path):
    m = ModelMaker()
    x = m.op("Sin", m.op("Conv", m.input("x", (1, 3, 8, 8)), image_weights(m)))
    outcome = attempt(capsys, tmp_path, m, x, (4, 3, 8, 8))
    outcome.assert_refused("operator 1 Sin 'n1' cannot run: no such operator is supported")
    assert outcome.err.count("\n") == 1


@pytest.mark.usefixtures("idle")
def test_a_shape_that_is_not_fixed(capsys, tmp_path):
    m = ModelMaker()
    x = m.op("Conv", m.input("x", ("N", 3, "H", 8)), image_weights(m))
    attempt(capsys, tmp_path, m, x, (4, 3, 8, 8)).assert_refused("unknown size on axis 2")


def test_operators_that_preparation_removes_are_no_blockers(capsys, tmp_path):
    """A Slice of everything and arithmetic on constants alone."""
    m = ModelMaker()
    x = m.op("Conv", m.input("x", (1, 3, 8, 8)), image_weights(m))
    zero, end = m.constant(np.asarray([0])), m.constant(np.asarray([np.iinfo(np.int64).max]))
    x = m.op("Slice", x, zero, end, m.constant(np.asarray([1])))
    bias = m.op("Exp", m.constant(np.linspace(-1, 1, 4, dtype=np.float32).reshape(1, 4, 1, 1)))
    outcome = attempt(capsys, tmp_path, m, m.op("Relu", m.op("Add", x, bias)), (4, 3, 8, 8))
    assert outcome.status == 0, outcome.err


def test_a_normalisation_before_the_first_convolution(capsys, tmp_path, monkeypatch):
    parameters = np.asarray([[1.5, 0.5, 2], [0.1, 0, -1], [0.2, 0.1, 0], [1, 2, 0.5]], np.float32)

    def model(normalise):
        m = ModelMaker()
        x = normalise(m, m.input("x", (1, 3, 8, 8)))
        return m, m.op("Conv", x, image_weights(m))

    def as_one(m, x):
        return m.op("BatchNormalization", x, *(m.constant(row) for row in parameters))

    def in_parts(m, x):
        gamma, beta, mean, variance = parameters.reshape(4, 1, 3, 1, 1)
        factor = gamma / np.sqrt(variance + np.float32(1e-5))
        x = m.op("Mul", x, m.constant(factor))
        return m.op("Add", x, m.constant(beta - mean * factor))

    shape = (4, 3, 8, 8)
    for form in (as_one, in_parts):
        outcome = attempt(capsys, tmp_path, *model(form), shape)
        assert outcome.status == 0, outcome.err
