"""What mappings and programs cost: `python -m tests.compiler.figures` rewrites the record.

Whoever makes mappings better rewrites it and looks at the difference; whoever makes them worse by
mistake is told by `test_figures.py`.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.ir.ops import Add, Conv, Pool, PoolKind
from compiler.mapper.search import OBJECTIVES, search
from compiler.mapper.space import ConvShape, Plan
from compiler.operators.convolve import ConvOperation
from compiler.options import CompileOptions
from compiler.schedule.chunks import ChunkTiling, find_chunks
from compiler.schedule.goal import Goal
from compiler.schedule.space import Space
from compiler.schedule.tiling import Tiling, find_tiling
from hw.arch.accesses import DataType, Level, glb_bytes, link_bytes
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Load, Store
from tests.compiler.mapper.test_mapper import preset, whole_buffer
from tests.compiler.support import conv_graph, single

RECORD = Path(__file__).with_name("figures.json")
Figures = dict[str, list[Any]]
Graphs = dict[str, tuple[Config, Graph]]

_WORDS = (
    (Level.BUFFER, DataType.IFMAP),
    (Level.BUFFER, DataType.PSUM),
    (Level.NETWORK, DataType.FILTER),
)
CONFIGS = {
    **{name: preset(name) for name in ("tiny", "eyeriss_v1", "eyeriss_v1_int8")},
    "two_macs": preset("eyeriss_v1_int8_x2"),
    "patterns": Config.of(
        {
            "array.rows": 6,
            "array.cols": 7,
            "control.row_patterns": 3,
            "control.col_patterns": 2,
            "buffer.depth": 128,
        }
    ),
    "bare": Config.of(
        {
            "array.rows": 3,
            "array.cols": 5,
            "pe.ifmap_spad": 4,
            "pe.filter_spad": 32,
            "pe.psum_spad": 8,
            "buffer.depth": 64,
            "noc.psum_in": 1,
            "noc.psum_out": 2,
        }
    ),
}
SHAPES = {
    "plain": ConvShape(N=1, M=64, C=32, E=16, F=16, R=3, S=3),
    "strided": ConvShape(N=1, M=48, C=24, E=14, F=13, R=5, S=5, stride=(2, 2)),
    "wide stride": ConvShape(N=1, M=33, C=3, E=11, F=17, R=7, S=6, stride=(4, 3)),
    "dilated": ConvShape(N=1, M=16, C=12, E=9, F=21, R=3, S=3, dilation=(2, 2)),
    "pointwise": ConvShape(N=1, M=96, C=64, E=14, F=14, R=1, S=1),
    "dense": ConvShape(N=1, M=250, C=600, E=1, F=1, R=1, S=1),
    "batch": ConvShape(N=4, M=32, C=16, E=7, F=7, R=3, S=3),
    "depthwise": ConvShape(N=1, M=40, C=40, E=12, F=12, R=3, S=3, multiplier=1),
    "multiplied": ConvShape(N=2, M=36, C=12, E=10, F=9, R=3, S=2, multiplier=3),
    "chunk": ConvShape(N=1, M=32, C=16, E=10, F=12, R=3, S=3, exact=True, partial=True),
    "line": ConvShape(N=1, M=20, C=40, E=1, F=60, R=1, S=9),
}


def measured() -> dict[str, Figures]:
    """All figures, as they are now."""
    graphs = _graphs()
    return {
        "mappings": dict(_mappings()),
        "programs": dict(_programs(graphs)),
        "tilings": dict(_tilings(graphs)),
    }


def _mappings() -> Iterator[tuple[str, list[Any]]]:
    """Of every shape on every configuration, and for every objective on one of them.

    The cycles, then the other figures of `Cost`, or the sentence of the refusal.
    """
    for config_name, config in CONFIGS.items():
        beats = whole_buffer(config) // 2
        aims = OBJECTIVES if config_name == "eyeriss_v1_int8" else ("cycles",)
        for (name, shape), aim in ((item, aim) for item in SHAPES.items() for aim in aims):
            try:
                plan = search(config, shape, beats, aim)
            except RowforgeError as error:
                yield f"{config_name}, {name}, {aim}", [str(error)]
                continue
            yield f"{config_name}, {name}, {aim}", _cost(plan)


def _cost(plan: Plan) -> list[int]:
    load = plan.load
    words = [load.accesses.words(*kind) for kind in _WORDS]
    return [load.cycles, *load.busy.amounts, *words, load.passes, len(plan.blocks)]


def _programs(graphs: Graphs) -> Iterator[tuple[str, list[Any]]]:
    """Of every graph: cycles, link and buffer bytes, tiles; its words; loads, stores; mapping."""
    for name, (config, graph) in graphs.items():
        program = compile_graph(graph, config, CompileOptions(wrap=True))
        (layer,) = program.layers
        words = sum(step.words.size for step in program.steps if hasattr(step, "words"))
        moves = [sum(isinstance(step, kind) for step in program.steps) for kind in (Load, Store)]
        moved = [count(config, layer.accesses) for count in (link_bytes, glb_bytes)]
        costs = [layer.model_cycles, *moved]
        mapping = {key: value for key, value in layer.mapping.items() if key != "parts"}
        yield name, [*costs, layer.bound, layer.reason, words, *moves, mapping]


def _tilings(graphs: Graphs) -> Iterator[tuple[str, list[Any]]]:
    """Of every convolution, with nothing else in the buffer: tiles, and tiles by chunks."""
    for name, (config, graph) in graphs.items():
        (node,) = graph.nodes
        if not isinstance(node, Conv):
            continue
        operation = ConvOperation(config, node, True, "cycles")
        space = Space(config)
        nothing, goal = (False, False), Goal(config, "cycles")
        found = (
            find_tiling(space, operation, nothing, space.limit(0), goal),
            find_chunks(space, operation, goal),
        )
        yield name, [None if tiling is None else list(_plain(tiling)) for tiling in found]


def _plain(tiling: Tiling | ChunkTiling) -> Iterator[Any]:
    for value in asdict(tiling).values():
        yield list(value) if isinstance(value, tuple) else value


def _graphs() -> Graphs:
    tiny, chip, bare = CONFIGS["tiny"], CONFIGS["eyeriss_v1"], CONFIGS["bare"]
    narrow = Config.of({"buffer.banks": 10, "buffer.depth": 64, "pe.psum_spad": 16})
    rng = np.random.default_rng(1)
    same = {"pad": (1, 1, 1, 1)}
    return {
        "whole": (tiny, conv_graph(rng, (10, 11, 12), 20, (3, 3), **same)),
        "tiles": (tiny, conv_graph(rng, (32, 30, 24), 20, (3, 3), **same)),
        "tiles of a batch": (tiny, conv_graph(rng, (16, 14, 24), 16, (3, 3), batch=6)),
        "wide rows": (bare, conv_graph(rng, (6, 200, 8), 8, (3, 3), **same)),
        "channels in chunks": (narrow, conv_graph(rng, (9, 8, 480), 40, (3, 3), **same)),
        "flat": (tiny, conv_graph(rng, (12, 9, 40), 24, (1, 1))),
        "groups": (tiny, conv_graph(rng, (9, 9, 48), 32, (3, 3), groups=4)),
        "depthwise": (tiny, conv_graph(rng, (30, 30, 32), 32, (3, 3), groups=32, stride=(2, 2))),
        "dense": (tiny, conv_graph(rng, (1, 1, 700), 130, (1, 1))),
        "raw": (tiny, conv_graph(rng, (12, 12, 12), 20, (3, 3), raw=True)),
        "16 bits": (chip, conv_graph(rng, (14, 14, 96), 64, (3, 3), dtype="int16", **same)),
        "two multipliers": (CONFIGS["two_macs"], conv_graph(rng, (28, 28, 64), 64, (3, 3))),
        "pool": (tiny, _pool((40, 40, 32))),
        "sum": (tiny, _sum((24, 24, 40))),
    }


def _pool(image: tuple[int, int, int]) -> Graph:
    node = Pool(
        name="n", op="POOL", inputs=("x",), output="y", image=image, batch=1,
        kind=PoolKind.MAX, window=(3, 3), stride=(2, 2), pad=(0, 0, 1, 1),
        count_include_pad=False, low=-128, high=127, dtype="int8",
    )  # fmt: skip
    return single(node, {"x": (1, *image)}, "int8", (1, *node.output_image))


def _sum(image: tuple[int, int, int]) -> Graph:
    node = Add(
        name="n", op="ADD", inputs=("x", "z"), output="y", scales=(0.5, 0.25),
        zero_points=(3, -4), output_scale=0.5, output_zero_point=0, low=-128, high=127,
        dtype="int8",
    )  # fmt: skip
    return single(node, {"x": (1, *image), "z": (1, *image)}, "int8", (1, *image))


def main() -> None:
    """Rewrite the record, an entry a line."""
    lines = []
    for kind, figures in measured().items():
        entries = [f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in figures.items()]
        lines.append(f"  {json.dumps(kind)}: {{\n" + ",\n".join(entries) + "\n  }")
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
