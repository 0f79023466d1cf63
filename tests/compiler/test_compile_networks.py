"""The built-in shape lists, and estimates of networks that have no weights."""

import pytest

from compiler.compile import compile_graph, estimate_graph
from compiler.workloads.layers import LayerShape, layer_graph
from compiler.workloads.networks import (
    NETWORKS,
    choose_layers,
    conv_layers,
    network_graph,
    network_layers,
)
from hw.arch.errors import RowforgeError
from tests.compiler.mapper.test_mapper import preset

# Published multiply-accumulates of one inference.
_MACS = {
    "alexnet": 724_406_816,
    "vgg16": 15_470_264_320,
    "googlenet": 1_582_671_872,
    "resnet50": 3_857_973_248,
    "mobilenet_v1": 568_740_352,
    "mobilenet_v1_0.5_128": 49_160_192,
    "fastdepth": 366_393_384,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_published_size(name: str) -> None:
    assert network_graph(name).macs == _MACS[name]


def test_googlenet_has_the_published_layers_and_weights() -> None:
    """57 convolutions with 6.0 million weights (V. Sze et al., Proc. IEEE 105(12), 2017)."""
    layers = conv_layers("googlenet")
    weights = sum(layer.M * layer.C * layer.R**2 for layer in layers)
    assert (len(layers), round(weights / 1e6, 1)) == (57, 6.0)


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_and_graphs_count_alike(name: str) -> None:
    layers = network_layers(name)
    nodes = network_graph(name).nodes
    assert [(layer.name, layer.macs) for layer in layers] == [(n.name, n.macs) for n in nodes]
    assert [(*layer.output, layer.M) for layer in layers] == [n.output_image for n in nodes]


@pytest.mark.parametrize(
    ("name", "count", "macs"), [("alexnet", 5, 665_784_864), ("vgg16", 13, 15_346_630_656)]
)
def test_convolutions_have_the_published_size(name: str, count: int, macs: int) -> None:
    layers = conv_layers(name)
    assert len(layers) == count
    assert sum(layer.macs for layer in layers) == macs


def test_chosen_layers_keep_their_order() -> None:
    layers = conv_layers("vgg16")
    names = [layer.name for layer in choose_layers(layers, "conv5-3, 2,conv1-2,1")]
    assert names == ["conv1-1", "conv1-2", "conv5-3"]


def test_random_weights_follow_from_the_seed() -> None:
    shape = LayerShape("a", 6, 4, 8, 3, 1, 1, 2, W=4)
    first, again, other = (layer_graph("x", [shape], seed=seed).nodes[0] for seed in (1, 1, 2))
    assert first.weights.shape == (8, 3, 3, 2)
    assert first.output_image == (6, 4, 8)
    assert (first.weights == again.weights).all()
    assert (first.bias == again.bias).all()
    assert (first.weights != other.weights).any()
    wide = layer_graph("x", [shape], data_width=16, seed=1).nodes[0]
    assert wide.weights.dtype.itemsize == 2
    assert abs(wide.weights.astype(int)).max() > 1 << 14


def test_a_batch_multiplies_the_work() -> None:
    assert network_graph("alexnet", batch=4, data_width=16).macs == 4 * _MACS["alexnet"]


@pytest.mark.parametrize(("name", "batch"), [("lenet", 1), ("alexnet", 0)])
def test_what_is_no_network_is_refused(name: str, batch: int) -> None:
    with pytest.raises(RowforgeError, match="must be"):
        network_graph(name, batch=batch)


@pytest.mark.slow
def test_estimates_need_no_weights_and_agree_with_the_program() -> None:
    graph = network_graph("mobilenet_v1_0.5_128")
    config = preset("eyeriss_v1_int8")
    layers = estimate_graph(graph, config)
    assert sum(layer.macs for layer in layers) == _MACS["mobilenet_v1_0.5_128"]
    assert all(layer.model_cycles and layer.bound for layer in layers)
    program = compile_graph(graph, config)
    assert [layer.accesses for layer in program.layers] == [layer.accesses for layer in layers]
