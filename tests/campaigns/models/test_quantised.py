"""The campaign of networks that ONNX Runtime quantises: one of them, and what folding gives."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from sim.golden.run import run_graph, run_node
from tests.campaigns.models import quantised as quantised_campaign
from tests.campaigns.models.folding import folded
from tests.campaigns.models.quantised import NETWORKS, Findings, main, quantised
from tests.support.onnx import layerwise as onnx_layerwise
from tests.support.onnx.layerwise import LayerFindings
from tests.support.onnx.models import ModelMaker, oracle
from tests.support.workloads import workload


@pytest.mark.parametrize(
    "network",
    [pytest.param(n, marks=pytest.mark.slow if n.name == "ResNet-8" else ()) for n in NETWORKS],
    ids=lambda network: network.name,
)
def test_a_network_layer_by_layer(network, capsys: pytest.CaptureFixture[str]) -> None:
    workload("onnx/goldens")
    workload("datasets")
    status = main(["--inputs", "1", "--only", network.name])
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "2 quantised networks, 0 differ" in printed


@pytest.mark.slow
def test_a_wrong_value_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a layer on equal operands, of a plain run, of the program, of too many at an edge."""
    workload("onnx/goldens")
    arguments = ["--inputs", "1", "--only", "ResNet"]

    def wrong(node, arrays):
        value = run_node(node, arrays)
        if value.dtype == np.int8 and value.size == 8192:
            value = value.copy()
            value.reshape(-1)[5] += 1
        return value

    with monkeypatch.context() as patch:
        patch.setattr(onnx_layerwise, "run_node", wrong)
        assert main(arguments) == 1
        assert "1 of 8192 values differ" in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(quantised_campaign, "program_differs", lambda graph, x: 3)
        assert main(arguments) == 1
        assert "WRONG 3 output values of the program" in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(quantised_campaign, "run_graph", lambda graph, feeds: _moved(graph, feeds))
        patch.setattr(quantised_campaign, "program_differs", lambda graph, x: 0)
        assert main(arguments) == 1
        assert "values of a plain run differ" in capsys.readouterr().out
    edges = LayerFindings(stored=100_000, tensors=1, edges={"t": ["place"] * 6})
    assert not Findings(edges).good
    edges.edges["t"].pop()
    assert Findings(edges).good


def _moved(graph, feeds):
    values = run_graph(graph, feeds)
    return {k: a + np.int8(1) if a.dtype == np.int8 else a for k, a in values.items()}


def test_the_option_changes_the_biases(tmp_path: Path) -> None:
    """Else the two halves of the campaign would be one."""
    workload("onnx/goldens")
    kinds = []
    for biases in (True, False):
        path, _ = quantised(NETWORKS[0], tmp_path, biases=biases)
        model = onnx.load(path)
        held = {t.name for t in model.graph.initializer}
        products = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm") and n.input[2:]]
        assert len(products) >= 9
        kinds.append(sum(node.input[2] in held for node in products))
    assert kinds[0] == 0
    assert kinds[1] >= 9


def test_folding_leaves_the_real_numbers() -> None:
    """A Relu that the quantiser left out comes back; one after an average does not."""
    m, q = ModelMaker(), (0.5, -128, "int8")
    x = m.dequantise(m.quantise(m.input("x", (1, 2, 4, 4)), (0.25, 0, "int8")), (0.25, 0, "int8"))
    stored = m.constant(np.arange(-8, 10, dtype=np.int8).reshape(1, 2, 3, 3))
    y = m.op("Conv", x, m.dequantise(stored, (0.5, 0, "int8")))
    z = m.op("AveragePool", m.requantise(y, q), kernel_shape=[2, 2])
    model = folded(m.model(m.requantise(z, q)))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["Conv", "Relu", "AveragePool", "Identity"]
    x = np.random.default_rng(1).integers(-40, 40, (1, 2, 4, 4)).astype(np.float32)
    weights = np.arange(-8, 10).reshape(2, 3, 3) * 0.5
    windows = [[np.sum(x[0, :, i : i + 3, j : j + 3] * weights) for j in (0, 1)] for i in (0, 1)]
    (actual,) = oracle(model, {"x": x}, optimised=False)
    assert actual.item() == np.mean(np.maximum(windows, 0))
