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
from rowforge.page.case import Case
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


def render(cases: Sequence[Case], *, clock: float | None = None) -> str:
    """The page of these cases.

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
        data=_embedded([_data(case) for case in cases]),
        tabs=TABS,
        columns=COLUMNS,
        cases=[_view(case) for case in cases],
        metrics=metrics(cases, clock),
        version=version_text(),
        clock=clock,
    )


def _text(name: str) -> str:
    return (resources.files("rowforge") / "page" / name).read_text(encoding="utf-8")


def _data(case: Case) -> dict[str, Any]:
    return {
        "model": Path(case.subject.model).name,
        "configuration": case.subject.configuration,
        "estimate": case.estimate,
        "schedule": schedule(case.traced, case.names),
    }


def _embedded(value: Any) -> str:
    """JSON that cannot end the element in which it stands."""
    return json.dumps(value, separators=(",", ":")).replace("</", "<\\/").replace("<!--", "<\\!--")


def _view(case: Case) -> dict[str, Any]:
    """What the template shows of a case."""
    rows = [{**row, "mapping_text": mapping_text(row["mapping"])} for row in case.rows]
    return {
        "title": case.subject.title,
        "unit": case.estimate["total"]["energy"]["unit"],
        "counts": case.estimate["counts"],
        "network": network(case.graph, {row["name"]: row for row in case.rows}),
        "rows": [[_cell(column, row) for column in COLUMNS] for row in rows],
        "roofline": _drawn(roofline, case.subject.config, case.estimate),
        "energy": _drawn(energy_bars, case.estimate),
        "heat": _heat(case.traced, case.names, case.slowest),
        "buffer": buffer_map(case.subject.config, case.traced, case.names),
        "cycles": case.traced.cycles,
        "bounds": case.suggestions,
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
