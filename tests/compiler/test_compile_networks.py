"""The built-in shape lists, and estimates of networks that have no weights."""

import pytest

from compiler.compile import compile_graph, estimate_graph
from compiler.networks import NETWORKS, network_graph
from hw.arch.errors import RowforgeError
from tests.compiler.test_mapper import preset

# Published multiply-accumulates of one inference.
_MACS = {
    "alexnet": 724_406_816,
    "vgg16": 15_470_264_320,
    "resnet50": 3_857_973_248,
    "mobilenet_v1": 568_740_352,
    "mobilenet_v1_0.5_128": 49_160_192,
    "fastdepth": 366_393_384,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_published_size(name: str) -> None:
    assert network_graph(name).macs == _MACS[name]


def test_a_batch_multiplies_the_work() -> None:
    assert network_graph("alexnet", batch=4, data_width=16).macs == 4 * _MACS["alexnet"]


@pytest.mark.parametrize(("name", "batch"), [("lenet", 1), ("alexnet", 0)])
def test_what_is_no_network_is_refused(name: str, batch: int) -> None:
    with pytest.raises(RowforgeError, match="must be"):
        network_graph(name, batch=batch)


def test_estimates_need_no_weights_and_agree_with_the_program() -> None:
    graph = network_graph("mobilenet_v1_0.5_128")
    config = preset("eyeriss_v1_int8")
    layers = estimate_graph(graph, config)
    assert sum(layer.macs for layer in layers) == _MACS["mobilenet_v1_0.5_128"]
    assert all(layer.model_cycles and layer.bound for layer in layers)
    program = compile_graph(graph, config)
    assert [layer.link_bytes for layer in program.layers] == [layer.link_bytes for layer in layers]
