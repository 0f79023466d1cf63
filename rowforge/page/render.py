"""The page itself: one HTML file without anything from elsewhere: `render`."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from hw.arch.errors import RowforgeError
from hw.arch.version import version_text
from rowforge.estimation import mapping_text
from rowforge.page.activity import buffer_map, heat_map
from rowforge.page.exhibit import Exhibit
from rowforge.page.metrics import metrics
from rowforge.page.network import network
from rowforge.page.schedule import schedule
from rowforge.page.wording import figure
from rowforge.reports.roofline import roofline
from rowforge.reports.stacked_bars import energy_bars
from rowforge.reports.texttable import Column
from sim.cycles.trace import Trace

TABS = (
    ("metrics", "Metrics"),
    ("network", "Network"),
    ("layers", "Layers"),
    ("roofline", "Roofline"),
    ("energy", "Energy"),
    ("pes", "PEs"),
    ("buffer", "Buffer"),
    ("schedule", "Schedule"),
    ("bounds", "Bounds"),
)
"""The parts of the page: id and title of each."""

COLUMNS = (
    Column("layer", "name", left=True),
    Column("operator", "op", left=True),
    Column("where", "where", left=True),
    Column("MACs", "macs"),
    Column("cycles", "cycles"),
    Column("utilisation", "utilization", "%"),
    Column("bound", "bound", left=True),
    Column("link bytes", "link_bytes"),
    Column("buffer bytes", "glb_bytes"),
    Column("energy", "energy.total"),
    Column("mapping", "mapping_text", left=True),
)


def render(exhibits: Sequence[Exhibit], *, clock: float | None = None) -> str:
    """The page of these exhibits.

    `clock` in MHz turns cycles into time; None: nobody says what it is. Figures are embedded as
    JSON in the element with the id `data`. Raises `RowforgeError` without the template library.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise RowforgeError(
            "report needs jinja2, which the extra rowforge[report] installs"
        ) from None
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_text("page.html"))
    return template.render(
        style=_text("page.css"),
        script=_text("page.js"),
        data=_embedded([_data(exhibit) for exhibit in exhibits]),
        tabs=TABS,
        columns=COLUMNS,
        exhibits=[_view(exhibit) for exhibit in exhibits],
        metrics=metrics(exhibits, clock),
        version=version_text(),
        clock=clock,
    )


def _text(name: str) -> str:
    return (resources.files("rowforge") / "page" / name).read_text(encoding="utf-8")


def _data(exhibit: Exhibit) -> dict[str, Any]:
    return {
        "model": Path(exhibit.subject.model).name,
        "configuration": exhibit.subject.configuration,
        "estimate": exhibit.estimate,
        "schedule": schedule(exhibit.traced, exhibit.names),
        "suggestions": exhibit.suggestions,
    }


def _embedded(value: Any) -> str:
    """JSON that cannot end the element in which it stands."""
    return json.dumps(value, separators=(",", ":")).replace("</", "<\\/").replace("<!--", "<\\!--")


def _view(exhibit: Exhibit) -> dict[str, Any]:
    """What the template shows of an exhibit."""
    rows = [{**row, "mapping_text": mapping_text(row["mapping"])} for row in exhibit.rows]
    return {
        "title": exhibit.subject.title,
        "unit": exhibit.estimate["total"]["energy"]["unit"],
        "counts": exhibit.estimate["counts"],
        "network": network(exhibit.graph, {row["name"]: row for row in exhibit.rows}),
        "rows": [[_cell(column, row) for column in COLUMNS] for row in rows],
        "roofline": _drawn(roofline, exhibit.subject.config, exhibit.estimate),
        "energy": _drawn(energy_bars, exhibit.estimate),
        "heat": _heat(exhibit.traced, exhibit.names, exhibit.slowest),
        "buffer": buffer_map(exhibit.subject.config, exhibit.traced, exhibit.names),
        "cycles": exhibit.traced.cycles,
        "bounds": exhibit.suggestions,
    }


def _cell(column: Column, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a cell shows, what it is sorted by, and on which side it stands."""
    value = column.value(row)
    text = figure(value) if isinstance(value, float) and not column.form else column.text(row)
    return {"text": text, "value": "" if value is None else value, "left": column.left}


def _drawn(draw: Any, *parts: Any) -> str:
    """A picture, or why there is none."""
    try:
        return str(draw(*parts))
    except RowforgeError as error:
        return f"<p>{error}</p>"


def _heat(found: Trace, names: Sequence[str], slowest: Sequence[Mapping[str, Any]]) -> list[str]:
    """Maps of the whole run and of the slowest layers on the array."""
    if not found.running:
        return ["<p>No layer has passes.</p>"]
    maps = [heat_map(sum(found.running.values()), found.cycles, "whole run")]  # type: ignore[arg-type]
    for row in slowest:
        layer = names.index(row["name"])
        if layer in found.running:
            running = found.running[layer]
            maps.append(heat_map(running, int(running.max()), row["name"]))
    return maps
