"""Estimates of models and shape lists: cycles, utilisation and traffic by the mapper's model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from compiler.cache.kept import kept
from compiler.cache.source import COMPILER
from compiler.compile import compile_graph, timing_program
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from compiler.options import DEFAULTS, CompileOptions
from compiler.stream.traffic import Transfers
from compiler.workloads.networks import NETWORKS, network_graph
from hw.arch.config import Config
from hw.arch.energy import Technology, technology
from hw.arch.errors import RowforgeError
from hw.arch.program import Layer, Program
from rowforge.energy.document import add_energy
from rowforge.energy.layer_tally import LayerTally, layer_tally
from rowforge.reports.energy_text import energy_text
from rowforge.reports.published import chip_link_rate
from rowforge.reports.removed_text import removed_text
from rowforge.reports.report import caption, layer_row, totals
from rowforge.reports.texttable import Column, text_table, used
from rowforge.running.progress import Progress
from sim.cycles.predict import UNMODELLED, check_skipping, predict

COUNTS = "estimate of the plain program, each layer for itself; the total is the layers' sum"
Timed = Callable[[Graph, Config, CompileOptions], Program]
"""What makes a program of which only the times matter, as `compiler.compile.timing_program`."""
_CODE = (*COMPILER, "rowforge")  # what an estimate is made by
_SUFFIXES = (".tflite", ".onnx")  # of files, which the front ends take or refuse
_PERCENT = 100


def estimate(
    model: str,
    config: Config,
    options: CompileOptions = DEFAULTS,
    *,
    batch: int | None = None,
    table: Technology | None = None,
    density: float | None = None,
    timed: Timed | None = None,
) -> dict[str, Any]:
    """The report of a model file or of a built-in shape list.

    Parameters
    ----------
    model : path of a model file, or a name in `compiler.workloads.networks.NETWORKS`
    config : Config
    options : CompileOptions
    batch : items of every tensor of a shape list, 1 if None; a model file has its own
    table : prices of accesses, the normalised ones if None
    density : share of ifmap words that are not zero, with PEs that skip zeros; then the rows and
        the total also have `expected_cycles`, for which the program is made and run by the exact
        model, as it is for several clusters without a density, too
    timed : makes the program whose layers are shown, for callers who want it too

    What was estimated before comes from the user's cache folder, see `compiler.cache`.

    Raises `RowforgeError` for a model that is neither, or that cannot run on `config`, and for a
    configuration whose cycles nothing models.
    """
    if config.control.microcontroller:
        raise RowforgeError(UNMODELLED)
    if density is not None:
        check_skipping(config, density)
    progress = Progress()
    progress.show(f"estimating {Path(model).name}")
    graph = model_graph(model, config, batch)
    report = graph_report(graph, config, options, table, timed)
    progress.clear()
    if density is not None or config.clusters.several:
        _add_expected(report, graph, config, options, density)
    return report


def graph_report(
    graph: Graph,
    config: Config,
    options: CompileOptions = DEFAULTS,
    table: Technology | None = None,
    timed: Timed | None = None,
) -> dict[str, Any]:
    """The report of a graph, likewise kept; parameters and errors are those of `estimate`."""
    rows, tallies = kept(
        "estimate",
        (config, options, graph),
        lambda: _figures(config, (timed or timing_program)(graph, config, options).layers),
        pack=lambda figures: [figures[0], [tally.as_list() for tally in figures[1]]],
        unpack=lambda entry: (entry[0], [LayerTally.of(*each) for each in entry[1]]),
        code=_CODE,
    )
    report = document(config, rows)
    items = graph.tensors[graph.inputs[0]].shape[0]
    add_energy(config, report, tallies, table or technology(), inferences=items)
    return report


def _figures(
    config: Config, layers: Sequence[Layer]
) -> tuple[list[dict[str, Any]], list[LayerTally]]:
    """Of every layer its row, and what it accesses."""
    return [estimate_row(config, layer) for layer in layers], [layer_tally(each) for each in layers]


def _add_expected(
    report: dict[str, Any],
    graph: Graph,
    config: Config,
    options: CompileOptions,
    density: float | None,
) -> None:
    """`expected_cycles` of every layer by the exact model; with a density, zeros are drawn."""
    layers: dict[str, int] = kept(
        "expected",
        (config, options, graph, density),
        lambda: _expected(graph, config, options, density),
        pack=dict,
        unpack=dict,
        code=(*_CODE, "sim/cycles"),
    )
    for row in report["layers"]:
        row["expected_cycles"] = layers.get(row["name"])
    report["total"]["expected_cycles"] = sum(
        row["expected_cycles"] or 0 for row in report["layers"]
    )
    report["counts"] += "; expected: by the exact model"
    if density is not None:
        report["counts"] += (
            f", with a share of {density:g} of all ifmap words not zero, at random places"
        )


def _expected(
    graph: Graph, config: Config, options: CompileOptions, density: float | None
) -> dict[str, int]:
    """By a layer's name its cycles in a run of the whole program."""
    program = compile_graph(graph, config, replace(options, profile=True))
    progress = Progress()
    found = predict(
        program,
        density=density,
        progress=lambda cycles: progress.show(f"exact model, cycle {cycles:,}"),
    ).layers
    progress.clear()
    return {
        layer.name: found[index]["cycles"]
        for index, layer in enumerate(program.layers)
        if index in found
    }


def model_graph(model: str, config: Config, batch: int | None = None) -> Graph:
    """The graph of a model file or a built-in shape list; parameters and errors of `estimate`."""
    if batch is not None and batch < 1:
        raise RowforgeError(f"--batch must be at least 1, not {batch}")
    if model in NETWORKS:
        return network_graph(model, data_width=config.array.data_width, batch=batch or 1)
    if Path(model).suffix.lower() not in _SUFFIXES:
        raise RowforgeError(
            f"a model must be a .tflite file or one of {', '.join(NETWORKS)}, not {model!r}"
        )
    if batch is not None:
        raise RowforgeError(
            f"--batch is for {', '.join(NETWORKS)}: {Path(model).name} has the batch of its own "
            f"tensors"
        )
    return load_model(model)


def document(config: Config, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows of `estimate_row`, their totals, and what they count: one object."""
    return {"counts": COUNTS, "layers": list(rows), "total": estimate_total(config, rows)}


def estimate_row(config: Config, layer: Layer) -> dict[str, Any]:
    """A layer of the report: the keys of a run's report, `cycles` those of the model, and besides:

    active_pes : PEs that work in an average pass
    active_utilization : utilisation of these
    chip_link_cycles : over a slow link, see `rowforge.reports.published.chip_link_rate`
    """
    row = layer_row(config, layer, layer.model_cycles)
    share = layer.mapping.get("active_pes")
    active = None if share is None else share / _PERCENT
    row["active_pes"] = (
        None if active is None else round(active * config.array.rows * config.array.cols, 1)
    )
    row["active_utilization"] = _of_active(row["utilization"], active)
    row["chip_link_cycles"] = _over_slow_link(config, layer)
    return row


def _of_active(utilisation: float | None, active: float | None) -> float | None:
    return round(utilisation / active, 4) if utilisation and active else None


def _over_slow_link(config: Config, layer: Layer) -> int | None:
    if layer.computing is None:
        return None
    return Transfers(**layer.transfers).cycles(layer.computing, chip_link_rate(config))


def estimate_total(config: Config, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums of the rows; active PEs are those of an average cycle of the layers with mappings."""
    cycles = sum(row["model_cycles"] or 0 for row in rows) or None
    total = totals(config, rows, cycles)
    mapped = [row for row in rows if row["active_pes"] is not None]
    spent = sum(row["cycles"] for row in mapped)
    active = sum(row["active_pes"] * row["cycles"] for row in mapped) / spent if spent else None
    total["active_pes"] = None if active is None else round(active, 1)
    share = None if active is None else active / (config.array.rows * config.array.cols)
    total["active_utilization"] = _of_active(total["utilization"], share)
    total["chip_link_cycles"] = sum(row["chip_link_cycles"] or 0 for row in rows) or None
    return total


# ---- text ---------------------------------------------------------------------------------------

COLUMNS = (
    Column("layer", "name", left=True),
    Column("where", "where", left=True),
    Column("MACs", "macs"),
    Column("cycles", "cycles"),
    Column("expected", "expected_cycles"),
    Column("util.", "utilization", "%"),
    Column("active PEs", "active_pes", ".0f"),
    Column("of active", "active_utilization", "%"),
    Column("bound", "bound", left=True),
    Column("GLB bytes", "glb_bytes"),
    Column("link bytes", "link_bytes"),
    Column("60/200 MHz link", "chip_link_cycles"),
    Column("mapping", "mapping_text", left=True),
)

LEGEND = """\
util.: share of all multiplier-cycles that are MACs; of active: of the PEs that a pass uses.
GLB: psums read and written, ifmaps read. link: raw, filters included.
60/200 MHz link: cycles over a link that moves 0.3 words a cycle, both ways together, or link.rate
where the configuration has less than a word.
mapping: in a PE p filters, q channels, S taps; u units of a column (rows x filter groups);
c columns (rows x filter groups x items, ~ dealt out in a line); F outputs of a row."""


def mapping_text(mapping: Mapping[str, Any]) -> str:
    """A mapping in a few characters, see `LEGEND`; "" if there is none."""
    if not mapping:
        return ""
    line = "~" if mapping["linear"] else ""
    return (
        f"p{mapping['filters']} q{mapping['channels']} S{mapping['taps']} "
        f"u{mapping['unit_rows']}x{mapping['unit_filters']} "
        f"c{mapping['column_rows']}x{mapping['column_filters']}x{mapping['column_items']}{line} "
        f"F{mapping['windows']}"
    )


def text_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the tables show: the layers, then the total."""
    rows = [
        {**row, "macs": row["macs"] or None, "mapping_text": mapping_text(row["mapping"])}
        for row in report["layers"]
    ]
    return [*rows, {"name": "total", **report["total"]}]


def idle_text(report: Mapping[str, Any]) -> list[str]:
    """A line for each layer that leaves PEs idle: which, and why."""
    idle = [(row["name"], row["mapping"].get("idle")) for row in report["layers"]]
    return [f"{name}: {reason}" for name, reason in idle if reason]


def text(report: Mapping[str, Any], *, layer_energy: bool = False) -> str:
    """The report for a reader; `layer_energy`: with the energy of every layer."""
    rows = text_rows(report)
    parts = [text_table(used(COLUMNS, rows), rows), f"{LEGEND}\n{caption(report['counts'])}"]
    if "memory" in report:
        parts.append(report["memory"])
    if lines := idle_text(report):
        parts.append("\n".join(["idle PEs:", *(f"  {line}" for line in lines)]))
    if lines := removed_text(report):
        parts.append("\n".join(lines))
    if energy := energy_text(report, layers=layer_energy):
        parts.append(energy)
    return "\n\n".join(parts)
