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

CONFIG = Config(
    processor=True,
    rows=4,
    cols=3,
    psum_width=24,
    ifmap_spad=12,
    filter_spad=256,
    psum_spad=8,
    ifmap_fifo=1,
    psum_fifo=2,
    column_fifo=2,
    noc_ifmap=1,
    noc_filter=2,
    noc_psum_in=1,
    noc_psum_out=1,
    glb_banks=8,
    glb_depth=512,
    glb_width=32,
    post_channels=64,
    row_patterns=4,
    col_patterns=4,
    weight_memory=1024,
    link_width=32,
    watchdog=1 << 14,
)

_MOST_MACS = 40_000
_ATTEMPTS = 300
_VALUES: dict[str, tuple[Any, ...]] = {
    "rows": (1, 2, 3, 5, 8, 16),
    "cols": (1, 2, 3, 5, 8),
    "psum_width": (20, 23, 24, 28, 32),
    "ifmap_spad": (5, 8, 12, 17, 24),
    "filter_spad": (32, 64, 128, 512),
    "psum_spad": (1, 3, 8, 16),
    "ifmap_fifo": (1, 2),
    "column_fifo": (2, 4),
    "noc_filter": (1, 2),
    "glb_banks": (4, 8, 12),
    "glb_depth": (128, 512),
    "glb_act_banks": (0, 3),
    "glb_psum_banks": (0, 2),
    "post_channels": (16, 64, 512),
    "row_patterns": (2, 5, 16),
    "col_patterns": (2, 3, 8),
    "weight_memory": (0, 0, 1024),
    "weight_zero_points": (True, False),
    "map_bits": (8, 10, 16),
    "link_width": (8, 16, 32),
}


def random_config(rng: np.random.Generator) -> Config:
    """A configuration that can be built."""
    for _ in range(_ATTEMPTS):
        chosen = {name: values[rng.integers(len(values))] for name, values in _VALUES.items()}
        try:
            return Config(**{**CONFIG.as_dict(), **chosen})  # type: ignore[arg-type]
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
