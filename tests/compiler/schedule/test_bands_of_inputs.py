"""A network's input comes in bands while the array computes, where that wins."""

import math

import numpy as np

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from compiler.schedule import scheduler
from compiler.workloads.layers import LayerShape, layer_graph
from rowforge.configs import preset
from sim.cycles import predict
from tests.compiler.support import check_graph

CONFIG = preset("eyeriss_v1_int8")
LARGE, SMALL = LayerShape("a", 96, 3, 8, 3, stride=2, pad=1), LayerShape("b", 12, 3, 8, 3, pad=1)


def graph_of(shape: LayerShape):
    """A first layer, and one that reads its output in the buffer."""
    after = LayerShape("c", shape.output[0], 8, 16, 1)
    return layer_graph("x", [shape, after], data_width=8, seed=1)


def program(shape: LayerShape):
    return compile_graph(graph_of(shape), CONFIG, CompileOptions(wrap=True))


def test_a_large_input_comes_in_bands_and_the_output_stays(monkeypatch):
    banded = program(LARGE)
    assert "tiles" in banded.layers[0].reason
    assert "tiles" not in banded.layers[1].reason
    monkeypatch.setattr(scheduler, "_WORTH_BANDS", math.inf)
    whole = program(LARGE)
    assert "tiles" not in whole.layers[0].reason
    assert predict(banded).cycles < 0.9 * predict(whole).cycles


def test_bands_give_the_same_tensors():
    check_graph(graph_of(LARGE), CONFIG, np.random.default_rng(1), wrap=True)
    check_graph(graph_of(LARGE), CONFIG, np.random.default_rng(2), wrap=True, dump=True)


def test_a_small_input_comes_whole():
    assert "tiles" not in program(SMALL).layers[0].reason
