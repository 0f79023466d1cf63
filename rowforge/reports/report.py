"""The per-layer report of a run, as an object for `--json` and as a table."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from hw.arch.accesses import glb_bytes, link_bytes, resident_bytes
from hw.arch.config import Config
from hw.arch.program import Layer, Program
from numerics.host.sums import IN_PARTS, UNROUNDED
from rowforge.reports.removed_text import removed_text
from rowforge.reports.texttable import Column, text_table, used

Counters = Mapping[int, Mapping[str, int]]
Row = Mapping[str, Any]

_WIDTH = 100  # characters of a caption line
_INTERNAL = ("parts",)  # of a mapping: serves `compiler.nest.locate`, not a reader


COUNTS = (
    "plain run: nothing is checked or dumped, layers follow one another back to back in the total; "
    "a layer's own cycles are read after it, with nothing of its neighbours under way"
)
"""What the figures of a run's report are of: the value of `counts`, and the table's caption."""


def report(
    program: Program,
    counters: Counters,
    cycles: int | None,
    edge_values: Mapping[str, int | None] | None = None,
    edge_steps: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """One object: a row for every layer, the totals, and in `counts` which run the figures are of.

    `cycles` are the RTL's counters where RTL ran, else None: the total's of the plain run, a
    layer's of the counted run (see `rowforge.running.execution`); `utilisation` follows from them,
    or from the model's cycles where there are none. `link_bytes` move in every run. A program that
    keeps filters in the weight memory has `resident_bytes` besides, which would move in every run
    too, and in the totals `memory_bytes`, which fill that memory once. `edge_values` are those of
    `rowforge.running.execution.Result`: 0 for a layer that is not among them, None if nothing was
    counted. A layer that has some has `edge_steps` of the same result beside them.
    """
    rows = [
        layer_row(program.config, layer, _counted(counters.get(index)))
        for index, layer in enumerate(program.layers)
    ]
    for row in rows:
        row["edge_values"] = None if edge_values is None else edge_values.get(row["name"], 0)
        if row["edge_values"]:
            row["edge_steps"] = (edge_steps or {}).get(row["name"], 1)
    total = totals(program.config, rows, cycles)
    known = all(row["edge_values"] is not None for row in rows)
    total["edge_values"] = _sum(rows, "edge_values") if known else None
    if len(program.memory):
        for row, layer in zip(rows, program.layers, strict=True):
            row["resident_bytes"] = resident_bytes(program.config, layer.accesses)
        total["resident_bytes"] = _sum(rows, "resident_bytes")
        total["memory_bytes"] = 8 * len(program.memory)
    return {"counts": COUNTS, "layers": rows, "total": total}


def totals(config: Config, rows: Sequence[Row], cycles: int | None) -> dict[str, Any]:
    """The sums of the rows of layers that took so many cycles together."""
    total: dict[str, Any] = {
        name: _sum(rows, name) for name in ("macs", "model_cycles", "glb_bytes", "link_bytes")
    }
    total["cycles"] = cycles
    on_array = _sum([row for row in rows if row["where"] == "array"], "macs")
    total["utilization"] = utilisation(config, on_array or 0, cycles or total["model_cycles"])
    order = ("macs", "cycles", "model_cycles", "utilization", "glb_bytes", "link_bytes")
    return {**{name: total[name] for name in order}, "edge_values": None}


def utilisation(config: Config, macs: int, cycles: int | None) -> float | None:
    """Share of all multiplier-cycles that computed a MAC; None without cycles or MACs."""
    if not cycles or not macs:
        return None
    return round(macs / (cycles * config.multipliers * config.clusters.count), 4)


def layer_row(config: Config, layer: Layer, cycles: int | None) -> dict[str, Any]:
    """The row of a layer that took so many cycles; None: no clock ran."""
    return {
        "name": layer.name,
        "op": layer.op,
        "where": layer.where,
        "reason": layer.reason,
        "macs": layer.macs,
        "cycles": cycles,
        "model_cycles": layer.model_cycles,
        "utilization": utilisation(config, layer.macs, cycles or layer.model_cycles),
        "bound": layer.bound,
        "glb_bytes": glb_bytes(config, layer.accesses) or None,
        "link_bytes": link_bytes(config, layer.accesses) or None,
        "edge_values": None,
        "mapping": {k: v for k, v in layer.mapping.items() if k not in _INTERNAL},
        "removed": dict(layer.removed),
    }


def _counted(counters: Mapping[str, int] | None) -> int | None:
    return (counters["cycles"] or None) if counters else None


def _sum(rows: Sequence[Row], name: str) -> int | None:
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else None


# ---- the table ----------------------------------------------------------------------------------

_COLUMNS = (
    Column("layer", "name", left=True),
    Column("where", "where", left=True),
    Column("MACs", "macs"),
    Column("cycles", "cycles"),
    Column("model", "model_cycles"),
    Column("util.", "utilization", "%"),
    Column("bound", "bound", left=True),
    Column("link bytes", "link_bytes"),
    Column("resident", "resident_bytes"),
    Column("edge values", "edge_values"),
)
_BOUNDED = (UNROUNDED, IN_PARTS)  # reasons of layers that say how far float32 sums may lie off
_NAMED = 8  # layers in a sentence; the table and the JSON object have them all
_EMPTY_AT_ZERO = ("macs", "resident_bytes", "edge_values")


def table(document: Mapping[str, Any]) -> str:
    """The report as lines of text: a row a layer, the total last, then which run is counted.

    Empty columns are left out. Layers with unrounded results follow, a line each, and layers that
    lost channels.
    """
    rows = [
        {**row, **{name: row.get(name) or None for name in _EMPTY_AT_ZERO}}
        for row in (*document["layers"], {"name": "total", **document["total"]})
    ]
    text = text_table(used(_COLUMNS, rows), rows)
    lines = [caption(document["counts"])] if "counts" in document else []
    lines += unrounded_sentences(document)
    lines += removed_text(document)
    return "\n\n".join([text, "\n".join(lines)]) if lines else text


def unrounded_sentences(document: Mapping[str, Any]) -> list[str]:
    """What a report says about layers whose float results cannot be ONNX Runtime's in every bit."""
    found = [row for row in document["layers"] if str(row.get("reason")).startswith(_BOUNDED)]
    lines = [f"{row['name']}: {row['reason']}" for row in found[:_NAMED]]
    if len(found) > _NAMED:
        lines.append(f"{len(found) - _NAMED} more layers likewise, with their bounds in the JSON")
    return lines


def caption(counts: str) -> str:
    """Which run is counted, in lines of a table's width."""
    return textwrap.fill(f"counted: {counts}.", _WIDTH)


def edge_sentence(document: Mapping[str, Any]) -> str:
    """What a run says about values beside a rounding edge; nothing where there is none."""
    count = document["total"]["edge_values"]
    if count is None:
        return (
            "edge values: not counted (values so near to a rounding edge that ONNX Runtime's "
            "float32 sums may round them the other way; the golden model counts them: a run of "
            "the model with --target golden or --check)"
        )
    if not count:
        return ""
    found = [row for row in document["layers"] if row["edge_values"]]
    most = max(row["edge_steps"] for row in found)
    layers = [
        f"{row['name']} ({row['edge_steps']} at most)" if most > 1 else row["name"] for row in found
    ]
    if len(layers) > _NAMED:
        layers = [*layers[:_NAMED], f"{len(layers) - _NAMED} more layers"]
    values, lie, they = ("value", "lies", "it") if count == 1 else ("values", "lie", "they")
    return (
        f"edge values: {count} {values} of {', '.join(layers)} {lie} so near to a rounding edge "
        f"that ONNX Runtime's float32 sums may round {'it' if count == 1 else 'them'} the other "
        f"way, where {they} may be {'as many steps off' if most > 1 else 'one step off'}"
    )
