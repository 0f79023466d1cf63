"""Random configurations and networks for the firmware."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.ir.ops import Conv
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from tests.campaigns.fuzz.builder import GraphBuilder
from tests.campaigns.fuzz.values import stored

Theme = Callable[[GraphBuilder], object]

CONFIG = Config.of(
    {
        "control.kind": "microcontroller",
        "array.rows": 4,
        "array.cols": 3,
        "array.psum_width": 24,
        "pe.ifmap_spad": 12,
        "pe.filter_spad": 256,
        "pe.psum_spad": 8,
        "pe.ifmap_fifo": 1,
        "pe.psum_fifo": 2,
        "noc.column_fifo": 2,
        "noc.ifmap": 1,
        "noc.filter": 2,
        "noc.psum_in": 1,
        "noc.psum_out": 1,
        "buffer.banks": 8,
        "buffer.depth": 512,
        "buffer.width": 32,
        "post.channels": 64,
        "control.row_patterns": 4,
        "control.col_patterns": 4,
        "buffer.weight_memory": 1024,
        "buffer.filters": True,
        "link.width": 32,
        "control.watchdog": 1 << 14,
    }
)

_MOST_MACS = 40_000
_ATTEMPTS = 300
_VALUES: dict[str, tuple[Any, ...]] = {
    "array.rows": (1, 2, 3, 5, 8, 16),
    "array.cols": (1, 2, 3, 5, 8),
    "array.psum_width": (20, 23, 24, 28, 32),
    "pe.ifmap_spad": (5, 8, 12, 17, 24),
    "pe.filter_spad": (32, 64, 128, 512),
    "pe.psum_spad": (1, 3, 8, 16),
    "pe.ifmap_fifo": (1, 2),
    "noc.column_fifo": (2, 4),
    "noc.filter": (1, 2),
    "buffer.banks": (4, 8, 12),
    "buffer.depth": (128, 512),
    "buffer.act_banks": (0, 3),
    "buffer.psum_banks": (0, 2),
    "post.channels": (16, 64, 512),
    "control.row_patterns": (2, 5, 16),
    "control.col_patterns": (2, 3, 8),
    "buffer.weight_memory": (0, 0, 1024),
    "buffer.filters": (True, False),
    "pe.weight_zero_points": (True, False),
    "control.map_bits": (8, 10, 16),
    "link.width": (8, 16, 32),
}


def random_config(rng: np.random.Generator) -> Config:
    """A configuration that can be built."""
    for _ in range(_ATTEMPTS):
        chosen = {name: values[rng.integers(len(values))] for name, values in _VALUES.items()}
        try:
            return CONFIG.with_values(chosen)
        except RowforgeError:
            continue
    raise RuntimeError("no configuration found")


def random_network(
    rng: np.random.Generator, config: Config, theme: Theme
) -> tuple[Graph, Program] | None:
    """A small network of a theme with its program; None if the configuration has none."""
    for _ in range(_ATTEMPTS // 10):
        dtype = str(rng.choice(["int8", "uint8"]))
        builder = GraphBuilder(
            rng, config, dtype, wrap=False, size=float(rng.choice([0.3, 0.6, 1.0]))
        )
        try:
            theme(builder)
            graph = builder.graph(theme.__name__)
            if sum(node.macs for node in graph.nodes if isinstance(node, Conv)) > _MOST_MACS:
                continue
            return graph, compile_graph(
                graph, config, CompileOptions(profile=bool(rng.random() < 0.5))
            )
        except RowforgeError:
            continue
    return None


def random_inputs(rng: np.random.Generator, graph: Graph) -> dict[str, NDArray[Any]]:
    """Arrays by tensor name."""
    tensors = [graph.tensors[key] for key in graph.inputs]
    return {each.name: stored(rng, each.shape, each.dtype, 0) for each in tensors}
