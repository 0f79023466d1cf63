"""What the exact model says of programs in a memory; the contract compares it with the RTL."""

from functools import cache
from itertools import pairwise

import pytest

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from sim.cycles import predict
from sim.cycles.replays import predict_replays
from sim.outside.behaviour import AxiBehaviour

SMALL = {"array.rows": 2, "array.cols": 2, "pe.filter_spad": 64, "buffer.depth": 256}
RAM = {"memory.kind": "ram", "memory.words": 4096}
AXI = {"memory.kind": "axi", "memory.words": 4096}
LAYERS = (LayerShape("a", 6, 8, 8, 3), LayerShape("b", 8, 8, 12, 3))


@cache
def graph():
    return layer_graph("two", LAYERS, seed=1)


def program(*values: dict[str, object], profile: bool = False) -> Program:
    config = Config.of(SMALL | dict(pair for each in values for pair in each.items()))
    return compile_graph(graph(), config, CompileOptions(profile=profile))


def test_a_slower_memory_takes_longer() -> None:
    paces = [predict_replays(program(RAM, {"memory.pace": pace})).cycles for pace in (1, 2, 8)]
    latencies = [
        predict_replays(program(AXI), behaviour=AxiBehaviour(latency=latency)).cycles
        for latency in (1, 8, 64)
    ]
    assert all(fast < slow for fast, slow in pairwise(paces))
    assert all(fast < slow for fast, slow in pairwise(latencies))


def test_a_fast_memory_is_nearly_as_fast_as_a_full_link() -> None:
    """The core is the same, and so are its counters that do not tell the time."""
    replayed, fed = predict_replays(program(RAM, profile=True)), predict(program(profile=True))
    assert fed.cycles <= replayed.cycles <= 1.1 * fed.cycles
    for index, layer in fed.layers.items():
        for name in ("passes", "macs", "link_in_words", "glb_ifmap_words"):
            assert replayed.layers[index][name] == layer[name]


def test_the_session_has_the_upload_too() -> None:
    found = predict_replays(program(RAM))
    assert found.cycles == sum(found.runs) and len(found.runs) == 1
    assert found.session > found.cycles + 500  # words of the image


@pytest.mark.parametrize(
    ("values", "behaviour", "said"),
    [
        ({}, AxiBehaviour(), 'memory.kind must be "ram", "sdram" or "axi"'),
        (AXI, AxiBehaviour(pauses=3), "pauses at random or fails"),
        (AXI, AxiBehaviour(bad=0), "pauses at random or fails"),
    ],
)
def test_what_cannot_be_predicted_is_refused(
    values: dict[str, object], behaviour: AxiBehaviour, said: str
) -> None:
    with pytest.raises(RowforgeError, match=said):
        predict_replays(program(values), behaviour=behaviour)


def test_zeros_are_for_pes_that_skip_them() -> None:
    with pytest.raises(RowforgeError, match=r"pe\.kind must be"):
        predict_replays(program(RAM), density=0.5)
    skipping = {**RAM, "pe.kind": "skipping", "pe.zero_gating": True}
    dense = predict_replays(program(skipping)).cycles
    assert predict_replays(program(skipping), density=0.2).cycles < dense
