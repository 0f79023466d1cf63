"""What a thinner network would cost, layer by layer: `whatif`."""

from collections.abc import Mapping
from typing import Any

from compiler.ir.graph import Graph
from compiler.options import DEFAULTS, CompileOptions
from hw.arch.config import Config
from hw.arch.energy import Technology, technology
from rowforge.estimation import graph_report
from rowforge.reports.texttable import Column, text_table, used
from rowforge.thinning.filters import chosen_layer, removed_filters, without_filters
from rowforge.thinning.narrow import check_bits, narrower

NO_HARDWARE = "weights of fewer bits are no hardware of ours: their energy is scaled by the table"
"""What is said of every figure to which `--bits` contributed."""

_FIGURES = ("cycles", "energy", "link_bytes")


def whatif(
    graph: Graph,
    config: Config,
    options: CompileOptions = DEFAULTS,
    table: Technology | None = None,
    *,
    prune: Mapping[str, float] | None = None,
    bits: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """One object: "layers", most energy first, and their "total", with figures before and after.

    Energy-aware pruning begins with the layer that takes most energy, so that is the order: by
    energy before, and `rank` counts from 1. A row has `name`, `op`, `rank`, `share` (of all energy
    before), `filters` and `filters_after` (None for layers without), `bits` (None where weights are
    as wide as data), and `cycles`, `energy` and `link_bytes`, each also with `_after`.

    Parameters
    ----------
    graph, config, options, table : as of an estimate
    prune : share of filters that go, by layer; see `without_filters`
    bits : bits of weights, by layer; for energy only, see `rowforge.thinning.narrow`

    Raises `RowforgeError` for names, shares and bits that cannot be, and as `estimate` does.
    """
    prune, bits, table = prune or {}, bits or {}, table or technology()
    for name, width in bits.items():
        chosen_layer(graph, name, "--bits")
        check_bits(config, name, width)
    before = graph_report(graph, config, options, table)
    thinner = without_filters(graph, prune)
    after = graph_report(thinner, config, options, table) if prune else before
    narrowed = [_narrowed(config, row, bits) for row in after["layers"]]
    whole = before["total"]["energy"]["total"]
    rows = []
    for row, changed in zip(before["layers"], narrowed, strict=True):
        entry = {"name": row["name"], "op": row["op"], "bits": bits.get(row["name"])}
        entry |= _filters(graph, row["name"], prune)
        entry["share"] = _figures(row)["energy"] / whole if whole else 0.0
        rows.append({**entry, **_compared(_figures(row), changed)})
    rows.sort(key=lambda row: -float(row["energy"]))
    for rank, row in enumerate(rows, start=1):
        row["rank"] = rank
    found = {"technology": table.name, "unit": table.unit, "layers": rows, "total": _total(rows)}
    return {**found, "note": NO_HARDWARE if bits else ""}


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "cycles": row["cycles"] or 0,
        "energy": row["energy"]["total"],
        "link_bytes": row["link_bytes"] or 0,
    }


def _narrowed(config: Config, row: Mapping[str, Any], bits: Mapping[str, int]) -> dict[str, Any]:
    figures = _figures(row)
    if row["name"] in bits:
        figures["energy"] = narrower(config, row["energy"]["detail"], bits[row["name"]])
    return figures


def _filters(graph: Graph, name: str, prune: Mapping[str, float]) -> dict[str, Any]:
    """Before and after; None for a layer that has none."""
    counts: dict[str, Any] = dict.fromkeys(("filters", "filters_after"))
    for node in graph.nodes:
        if node.name == name and (weights := getattr(node, "weights", None)) is not None:
            gone = (
                removed_filters(chosen_layer(graph, name, "--prune"), prune[name], name)
                if (name in prune)
                else 0
            )
            counts = {"filters": len(weights), "filters_after": len(weights) - gone}
    return counts


def _compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {**before, **{f"{name}_after": after[name] for name in _FIGURES}}


def _total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = [*_FIGURES, *(f"{name}_after" for name in _FIGURES)]
    return {name: sum(row[name] for row in rows) for name in names}


# ---- text ---------------------------------------------------------------------------------------

_COLUMNS = (
    Column("rank", "rank"),
    Column("layer", "name", left=True),
    Column("filters", "filters"),
    Column("after", "filters_after"),
    Column("bits", "bits"),
    Column("share", "share", "%"),
    Column("energy", "energy", ".4g"),
    Column("after", "energy_after", ".4g"),
    Column("cycles", "cycles"),
    Column("after", "cycles_after"),
    Column("link bytes", "link_bytes"),
    Column("after", "link_bytes_after"),
)


def whatif_text(document: Mapping[str, Any]) -> str:
    """The object for a reader."""
    counted = [row for row in document["layers"] if row["energy"]]
    rows = [*counted, {"name": "total", **document["total"]}]
    lines = [
        text_table(used(_COLUMNS, rows), rows),
        "",
        f"energy in {document['unit']} ({document['technology']}); layers with most of it first, "
        "as energy-aware pruning takes them",
    ]
    if document["note"]:
        lines.append(document["note"])
    return "\n".join(lines)
