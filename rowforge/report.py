"""The per-layer report of a run, as an object for `--json` and as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from hw.arch.config import Config
from hw.arch.program import Layer, Program

Counters = Mapping[int, Mapping[str, int]]
Row = Mapping[str, Any]

_INTERNAL = ("parts",)  # of a mapping: serves `compiler.lower.locate`, not a reader


def report(program: Program, counters: Counters, cycles: int | None) -> dict[str, Any]:
    """One object: a row for every layer, and the totals.

    `cycles` are the RTL's counters where RTL ran, else None; `utilization` follows from them, or
    from the model's cycles where there are none.
    """
    rows = [
        _layer(program.config, layer, counters.get(index))
        for index, layer in enumerate(program.layers)
    ]
    total: dict[str, Any] = {
        name: _sum(rows, name) for name in ("macs", "model_cycles", "glb_bytes", "link_bytes")
    }
    total["cycles"] = cycles
    on_array = _sum([row for row in rows if row["where"] == "array"], "macs")
    total["utilization"] = utilization(
        program.config, on_array or 0, cycles or total["model_cycles"]
    )
    order = ("macs", "cycles", "model_cycles", "utilization", "glb_bytes", "link_bytes")
    return {"layers": rows, "total": {name: total[name] for name in order}}


def utilization(config: Config, macs: int, cycles: int | None) -> float | None:
    """Share of all multiplier-cycles that computed a MAC; None without cycles or MACs."""
    if not cycles or not macs:
        return None
    return round(macs / (cycles * config.rows * config.cols * config.macs_per_pe), 4)


def _layer(config: Config, layer: Layer, counted: Mapping[str, int] | None) -> dict[str, Any]:
    cycles = counted["cycles"] or None if counted else None
    return {
        "name": layer.name,
        "op": layer.op,
        "where": layer.where,
        "reason": layer.reason,
        "macs": layer.macs,
        "cycles": cycles,
        "model_cycles": layer.model_cycles,
        "utilization": utilization(config, layer.macs, cycles or layer.model_cycles),
        "bound": layer.bound,
        "glb_bytes": layer.glb_bytes,
        "link_bytes": layer.link_bytes,
        "mapping": {k: v for k, v in layer.mapping.items() if k not in _INTERNAL},
    }


def _sum(rows: Sequence[Row], name: str) -> int | None:
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else None


# ---- the table ----------------------------------------------------------------------------------

_COLUMNS = (
    ("layer", "name"),
    ("where", "where"),
    ("MACs", "macs"),
    ("cycles", "cycles"),
    ("model", "model_cycles"),
    ("util.", "utilization"),
    ("bound", "bound"),
    ("link bytes", "link_bytes"),
)
_LEFT = ("layer", "where", "bound")


def table(document: Mapping[str, Any]) -> str:
    """The report as lines of text: a row a layer, the total last; empty columns are left out."""
    rows = [*document["layers"], {"name": "total", **document["total"]}]
    columns = [c for c in _COLUMNS if any(row.get(c[1]) not in (None, "") for row in rows)]
    cells = [[title for title, _ in columns]]
    cells += [[_cell(name, row.get(name)) for _, name in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = []
    for line in cells:
        parts = [
            cell.ljust(width) if title in _LEFT else cell.rjust(width)
            for cell, width, (title, _) in zip(line, widths, columns, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    rule = "-" * max(len(line) for line in lines)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _cell(name: str, value: Any) -> str:
    if value is None or (name == "macs" and not value):
        return ""
    if name == "utilization":
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, int) else str(value)
