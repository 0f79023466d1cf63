"""Maps at the limit of what `control.map_bits` counts, and beyond: cut into tiles, or refused."""

from typing import Any

import numpy as np
import pytest

from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.ir.ops import Add, Pool, PoolKind
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from tests.campaigns.fuzz.cases import Case
from tests.campaigns.fuzz.refusals import confirmed
from tests.campaigns.fuzz.runner import run_case
from tests.compiler.support import conv_graph, random_inputs, single

CONFIG = Config.of(
    {
        "array.rows": 3,
        "array.cols": 2,
        "control.map_bits": 8,
        "buffer.banks": 8,
        "buffer.depth": 512,
        "array.psum_width": 32,
    }
)
MOST = 127  # rows or columns, padding included


def _conv(image: tuple[int, int, int], taps: tuple[int, int], **geometry: Any) -> Graph:
    return conv_graph(np.random.default_rng(image), image, 5, taps, **geometry)


def _pool(image: tuple[int, int, int], window: tuple[int, int], stride: tuple[int, int]) -> Graph:
    node = Pool(
        name="n",
        op="POOL",
        inputs=("x",),
        output="y",
        image=image,
        kind=PoolKind.MAX,
        window=window,
        stride=stride,
        low=-128,
        high=127,
        dtype="int8",
    )
    return single(node, {"x": (1, *image)}, "int8", (1, *node.output_image))


def _add(image: tuple[int, int, int]) -> Graph:
    node = Add(
        name="n",
        op="ADD",
        inputs=("x", "x2"),
        output="y",
        scales=(0.03, 0.05),
        zero_points=(3, -7),
        output_scale=0.06,
        output_zero_point=1,
        low=-128,
        high=127,
        dtype="int8",
    )
    return single(node, dict.fromkeys(node.inputs, (1, *image)), "int8", (1, *image))


GRAPHS = {
    "conv of the largest map": _conv((3, MOST - 2, 4), (3, 3), pad=(1, 1, 1, 1)),
    "conv a column wider": _conv((3, MOST - 1, 4), (3, 3), pad=(1, 1, 1, 1)),
    "conv of many columns": _conv((2, 3 * MOST, 3), (1, 5), stride=(1, 2), pad=(0, 2, 0, 2)),
    "conv of many rows": _conv((2 * MOST, 2, 3), (4, 1), stride=(3, 1)),
    "1 x 1 of many pixels": _conv((20, 19, 8), (1, 1)),
    "depthwise": _conv((4, 150, 5), (3, 3), groups=5, pad=(1, 1, 1, 1)),
    "pool of the largest map": _pool((2, MOST, 4), (2, 3), (2, 2)),
    "pool of many columns": _pool((3, 2 * MOST + 1, 4), (3, 3), (1, 3)),
    "sum": _add((2, 200, 6)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_maps_are_cut_to_what_the_hardware_counts(name: str) -> None:
    graph = GRAPHS[name]
    inputs = [random_inputs(graph, np.random.default_rng(1))]
    case = Case(
        seed=1,
        index=1,
        theme=name,
        config=CONFIG,
        graph=graph,
        inputs=inputs,
        options={"dump": True, "profile": True, "objective": "cycles"},
    )
    outcome = run_case(case, rtl=True)
    assert outcome.status == "passed", outcome.message


@pytest.mark.parametrize("name", GRAPHS)
def test_without_the_limit_the_same_maps_need_fewer_commands(name: str) -> None:
    """The limit is what cuts them: the maps at the limit take as many commands with more bits."""
    few, many = (
        len(compile_graph(GRAPHS[name], CONFIG.with_values({"control.map_bits": bits})).steps)
        for bits in (16, 8)
    )
    assert (few == many) == ("largest" in name or "1 x 1" in name)


@pytest.mark.parametrize(
    ("graph", "need"),
    [
        (_pool((1, 140, 4), (1, 128), (1, 1)), 9),
        (_conv((3, 300, 4), (3, 3), dilation=(1, 130)), 10),
    ],
)
def test_a_window_that_is_too_wide_is_refused(graph: Graph, need: int) -> None:
    with pytest.raises(RowforgeError, match=f"map_bits must be at least {need} .*, not 8") as found:
        compile_graph(graph, CONFIG)
    case = Case(seed=1, index=1, theme="refused", config=CONFIG, graph=graph, inputs=[])
    assert confirmed(case, str(found.value))
    assert not confirmed(case, f"n: control.map_bits must be at least {need + 1} (more than that)")
    compile_graph(graph, CONFIG.with_values({"control.map_bits": need}))
