"""Eyeriss v2's published figures beside ours, by the exact model: `eyeriss_v2_study`."""

from collections.abc import Mapping
from typing import Any

from compiler.compile import compile_graph
from compiler.options import DEFAULTS, CompileOptions
from compiler.workloads.networks import network_graph
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.reports.texttable import Column, text_table
from rowforge.running.progress import Progress
from sim.cycles.predict import check_modelled, predict

MHZ = 200
PUBLISHED_RATES = {"mobilenet_v1_0.5_128": {"dense": 1282.1, "sparse": 1470.6}}
"""Inferences a second at batch 1 and 200 MHz, DRAM not counted: with all weights, and pruned."""

DENSITIES = (None, 0.75, 0.6)
"""Shares of ifmap words that are not zero, in every layer; None: no word is zero."""

WHOLE = {"buffer.depth": 8192, "buffer.weight_memory": 1 << 18}
"""What a cluster must hold so that no layer waits for the host, as in the published figures."""

COUNTS = (
    "cycles of a whole inference by the exact model, every link word counted; zeros at random "
    f"places; inferences a second at {MHZ} MHz; published: Eyeriss v2 with all weights, its DRAM "
    "not counted"
)


def eyeriss_v2_study(
    network: str, config: Config, options: CompileOptions = DEFAULTS
) -> dict[str, Any]:
    """Rows of two configurations, each with several shares of zeros.

    The first one is `config`; the other has memories that hold all tensors and weights (`WHOLE`).

    Parameters
    ----------
    network : a name in `PUBLISHED_RATES`
    config : Config
    options : CompileOptions

    Raises `RowforgeError` for another network, or if it cannot be computed or modelled.
    """
    if network not in PUBLISHED_RATES:
        raise RowforgeError(f"network must be one of {', '.join(PUBLISHED_RATES)}, not {network!r}")
    check_modelled(config)
    graph = network_graph(network, data_width=config.array.data_width)
    rows = []
    progress = Progress()
    for overrides in ({}, WHOLE):
        progress.show(f"compiling {network}")
        program = compile_graph(graph, config.with_values(overrides), options)
        skips = config.pe.kind == "skipping"
        for density in DENSITIES if skips else DENSITIES[:1]:
            progress.show(f"{network}, exact model")
            rows.append(_row(network, program, overrides, density))
    progress.clear()
    return {"counts": COUNTS, "published": PUBLISHED_RATES[network], "rows": rows}


def _row(
    network: str, program: Program, overrides: Mapping[str, int], density: float | None
) -> dict[str, Any]:
    cycles = predict(program, density=density).cycles
    config = program.config
    macs = sum(layer.macs for layer in program.layers)
    published = PUBLISHED_RATES[network]["dense"]
    rate = 1e6 * MHZ / cycles
    return {
        "overrides": dict(overrides),
        "density": density,
        "cycles": cycles,
        "inferences_per_s": round(rate, 1),
        "of_published": round(rate / published, 3),
        "utilization": round(macs / (cycles * config.multipliers * config.clusters.count), 4),
        "weight_memory_bytes": program.memory.nbytes,
    }


COLUMNS = (
    Column("memories", "memories", left=True),
    Column("not zero", "density", left=True),
    Column("cycles", "cycles"),
    Column("inferences/s", "inferences_per_s"),
    Column("of published", "of_published", ".3f"),
    Column("util.", "utilization", "%"),
)


def text(report: Mapping[str, Any]) -> str:
    """The report for a reader."""
    rows = [
        {
            **row,
            "memories": ", ".join(f"{name} {value}" for name, value in row["overrides"].items())
            or "as configured",
            "density": "all" if row["density"] is None else f"{row['density']:g}",
        }
        for row in report["rows"]
    ]
    figures = ", ".join(f"{kind} {value}" for kind, value in report["published"].items())
    table = text_table(COLUMNS, rows, total=False)
    return f"{table}\n\npublished: {figures} inferences/s\n{report['counts']}"
