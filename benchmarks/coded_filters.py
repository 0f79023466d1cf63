"""Filters as codes: link words, cycles and results of a large fully connected layer.

`python -m benchmarks.coded_filters` writes docs/results/coded-filters.json. Results are those of
the executor without time, compared with the golden model; cycles are those of the exact model,
which equals the RTL.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.results import RESULTS, commit, tools
from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.ir.ops import Conv
from compiler.options import CompileOptions
from compiler.workloads.layers import LayerShape
from hw.arch.config import Config
from rowforge.configs import preset
from rowforge.running.crop import Workload
from rowforge.running.seeded import Shares, seeded_layer, sparse_values
from sim.cycles import predict
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sw_driver.runtime import Runtime

PRESET = "eyeriss_v1_int8"
SIZE = 4096  # inputs and outputs
ZEROS = 0.91  # share of the weights
RATES = (1, 0.3)
_SEED = 1


def layer(config: Config, size: int) -> tuple[Graph, Any]:
    """(the layer, its input), the same for the same configuration and size."""
    shape = LayerShape("dense", 1, size, size, 1)
    graph, x = seeded_layer(Workload(config, shape, 1), Shares(0.5, 0.5), seed=_SEED)
    (node,) = graph.nodes
    assert isinstance(node, Conv)
    weights = sparse_values(node.weights.shape, config.array.data_width, ZEROS, _SEED)
    return replace(graph, nodes=(replace(node, weights=weights),)), x


def measured(graph: Graph, config: Config, x: Any) -> dict[str, Any]:
    """Link words of the filters, cycles by link rate, and whether every output is right."""
    program = compile_graph(graph, config, CompileOptions(wrap=True, profile=True))
    run = Runtime(FunctionalAccelerator(config), config).run(program, x)
    (y,) = run.outputs.values()
    golden = run_graph(graph, x, psum_width=config.array.psum_width)[graph.outputs[0]]
    return {
        "equal": bool((y == golden).all()),
        "filter_words": sum(layer["link_filter_words"] for layer in run.counters.values()),
        "cycles": {
            str(rate): predict(program, rate=rate, values=run.tensors).cycles for rate in RATES
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    base = preset(PRESET).with_values({"control.access_counters": True})
    graph, x = layer(base, SIZE)
    runs = {
        coding: measured(graph, base.with_values({"link.coding": coding}), x)
        for coding in ("none", "mask")
    }
    share = runs["mask"]["filter_words"] / runs["none"]["filter_words"]
    result = {
        "command": "python -m benchmarks.coded_filters",
        "commit": commit(),
        "tools": tools(simulated=True),
        "report": {"preset": PRESET, "size": SIZE, "zeros": ZEROS, "share": share, "runs": runs},
    }
    path = RESULTS / "coded-filters.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["report"]))
    return 0 if all(run["equal"] for run in runs.values()) and share <= 0.25 else 1


if __name__ == "__main__":
    sys.exit(main())
