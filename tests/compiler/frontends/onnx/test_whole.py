"""A network of the operators that run on the host, whole: golden model, program, driver alone."""

from pathlib import Path

import numpy as np
import pytest

from rowforge.configs import preset
from tests.campaigns.models.driver import EXECUTOR, Model, run_model
from tests.compiler.frontends.onnx.operators.test_transposed import decoder
from tests.compiler.frontends.onnx.test_moves import Made, Y
from tests.compiler.support import check_graph
from tests.support.onnx.models import check, save

GATE = (1 / 255, -128, "int8")


def network(m: Made) -> tuple[str, ...]:
    """A decoder, SiLU, a Split, upsampling, blocks, a gate, places, interpolation; the outputs."""
    given = {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
    x = m.requantise(m.op("Relu", decoder(m, **given)), Y)
    x = m.requantise(m.op("Mul", x, m.op("Sigmoid", x)), Y)
    m.op("Split", x, m.constant(np.asarray([2, 3])), outputs=2, axis=1)
    first, second = m.nodes[-1].output
    scales = [m.constant(np.asarray([1, 1, f, f], np.float32)) for f in (2, 1.5)]
    up = m.op(
        "Resize", second, "", scales[0], mode="nearest", nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )  # fmt: skip
    y = m.requantise(m.conv(m.requantise(up, Y), M=4, C=3), Y)
    y = m.op("SpaceToDepth", y, blocksize=2)
    squeezed = m.requantise(m.op("ReduceMax", y, axes=[2, 3]), Y)
    gate = m.requantise(m.op("HardSigmoid", squeezed), GATE)
    y = m.requantise(m.op("Mul", y, gate), Y)
    slopes = m.constant(np.linspace(-0.1, 0.3, 16, dtype=np.float32).reshape(16, 1, 1))
    sloped = m.quantise(m.op("PRelu", y, slopes), Y)
    means = m.quantise(m.op("ReduceMean", first, axes=[1]), Y)
    linear = m.quantise(m.op("Resize", y, "", scales[1], mode="linear"), Y)
    return m.op("ArgMax", y, axis=1), sloped, means, linear


def test_a_network_of_host_steps(tmp_path: Path) -> None:
    m = Made(1)
    model = m.model(*network(m))
    graph = check(model, tmp_path, m.rng, levels=(False,))
    check_graph(graph, preset("tiny"), m.rng)


@pytest.mark.slow
def test_its_program_by_the_driver_alone(tmp_path: Path) -> None:
    m = Made(1)
    path = save(m.model(*network(m)), tmp_path)
    x = m.rng.integers(-128, 128, (2, 4, 6, 6)).astype(np.int8)
    finding = run_model(Model("steps", path, x), EXECUTOR, preset("tiny"), tmp_path)
    assert finding.wrong == ""
    assert finding.host_steps > 8
