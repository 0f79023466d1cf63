"""The tables and pictures of docs/energy.md, made of results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.commands import CHIP, NETWORKS, named
from benchmarks.results import ROOT
from benchmarks.tables import NOT_MEASURED, Result, Results, Row, origin
from hw.arch.accesses import Level
from hw.arch.energy import AccessPrice, technology, technology_names
from rowforge.chip import report as chip_report
from rowforge.chip import study
from rowforge.configs import preset
from rowforge.reports.energy_text import layer_rows
from rowforge.reports.roofline import roofline
from rowforge.reports.stacked_bars import panels_of_bars
from rowforge.reports.texttable import Column, markdown_table, used

BARS = ROOT / "docs" / "energy-alexnet.svg"
ROOFLINE = ROOT / "docs" / "roofline-alexnet.svg"

SCHEDULES = {
    "alexnet_chip": "the chip's own",
    "alexnet": "ours, fewest cycles",
    "alexnet_energy": "ours, least energy",
}
"""Results of AlexNet's CONV layers at batch 4, with what to call them."""

_BILLION = 1e9
_ABSENT = (Level.MEMORY, Level.IDLE)  # levels of which the tables of these pages have no price
_LEVELS = tuple(
    Column(level.value, f"levels.{level.value}", ".2f") for level in Level if level not in _ABSENT
)
_SCHEDULES = (
    Column("schedule", "label", left=True),
    *_LEVELS,
    Column("total", "total", ".2f"),
    Column("DRAM MB", "link_bytes", "MB"),
)
_LAYERS = (
    Column("layer", "name", left=True),
    *(Column(level.value, level.value, ".2f") for level in Level if level not in _ABSENT),
    Column("total", "total", ".2f"),
    Column("a MAC", "per_mac", ".2f"),
)
_CHIP_MAPPINGS = (
    Column("layer", "name", left=True),
    Column("mapping", "mapping_text", left=True),
    Column("zeros", "zeros", "%"),
    Column("GLB MB", "glb_bytes", "MB"),
    Column("publ.", "published.glb_bytes", "MB"),
    Column("DRAM MB", "link_bytes", "MB"),
    Column("publ.", "published.link_bytes", "MB"),
    Column("ratio", "ratio.link_bytes", ".3f"),
)
_NETWORKS = (
    Column("network", "label", left=True),
    Column("MACs", "macs"),
    *_LEVELS,
    Column("total", "total", ".2f"),
)
_TECHNOLOGIES = (
    Column("table", "name", left=True),
    Column("unit", "unit", left=True),
    Column("process", "process", left=True),
    Column("source", "source", left=True),
    Column("licence", "licence", left=True),
)
_PRICES = (
    Column("entry", "entry", left=True),
    *(Column(name, name.replace(".", "_")) for name in technology_names()),
)


def energy_tables(results: Results) -> dict[str, str]:
    """Every table of the page by the name that marks its place."""
    return {
        "technologies": markdown_table(_TECHNOLOGIES, _technologies()),
        "prices": markdown_table(_PRICES, _prices()),
        "energy schedules": _schedules(results),
        "energy layers": _layers("alexnet", results),
        "energy networks": _networks(results),
        "alexnet chip": _chip("alexnet_chip", results),
        "vgg16 chip": _chip("vgg16_chip", results),
        "energy study": _study(results),
    }


def energy_pictures(results: Results) -> dict[Path, str]:
    """Every picture of the page by its file; those whose results are missing are left out."""
    found = {}
    reports = {name: results[name]["report"] for name in SCHEDULES if _priced(results, name)}
    if len(reports) == len(SCHEDULES):
        found[BARS] = _bars(reports)
    if _priced(results, "alexnet"):
        found[ROOFLINE] = roofline(preset(CHIP), reports["alexnet"])
    return found


def _priced(results: Results, name: str) -> bool:
    """Whether there is a result that tells of energy; older ones do not."""
    return name in results and "energy" in results[name]["report"]["total"]


def _missing(name: str) -> str:
    return f"{NOT_MEASURED} `{named(name).command}`"


def _origins(names: Sequence[str], results: Results) -> str:
    return "\n".join(f"- {origin(name, results[name])}" for name in names)


# ---- technologies -------------------------------------------------------------------------------


def _technologies() -> list[Row]:
    rows: list[Row] = []
    for name in technology_names():
        table = technology(name)
        first = table.prices[0]
        rows.append({"name": f"`{name}`", "unit": table.unit, **_origin(first)})
    return rows


def _origin(price: AccessPrice) -> dict[str, str]:
    return {"process": price.process, "source": price.source, "licence": price.licence}


def _prices() -> Sequence[Row]:
    """A row for each kind of entry that some table has, as energy for so many bits."""
    rows: dict[str, dict[str, Any]] = {}
    for name in technology_names():
        for price in technology(name).prices:
            row = rows.setdefault(_entry(price), {"entry": _entry(price)})
            bits = "" if price.bits == 16 else f" / {price.bits} b"
            row[name.replace(".", "_")] = f"{price.energy:g}{bits}"
    return sorted(rows.values(), key=lambda row: _place(str(row["entry"])))


def _entry(price: AccessPrice) -> str:
    words = [price.level.value, " and ".join(sorted(price.data)), price.direction or ""]
    return ", ".join(word for word in (*words, "gated" if price.gated else "") if word)


def _place(entry: str) -> tuple[int, str]:
    return list(Level).index(Level(entry.split(",")[0])), entry


# ---- AlexNet ------------------------------------------------------------------------------------


def _schedules(results: Results) -> str:
    """Normalised energy of the CONV layers by level, one schedule below the other."""
    if missing := [name for name in SCHEDULES if not _priced(results, name)]:
        return _missing(missing[0])
    rows = [{"label": label, **_by_level(results[name])} for name, label in SCHEDULES.items()]
    return f"{markdown_table(_SCHEDULES, rows)}\n\n{_origins(tuple(SCHEDULES), results)}"


def _by_level(result: Result) -> dict[str, Any]:
    total = result["report"]["total"]
    levels = {name: spent / _BILLION for name, spent in total["energy"]["by_level"].items()}
    return {
        **total,
        "levels": levels,
        "total": total["energy"]["total"] / _BILLION,
    }


def _layers(name: str, results: Results) -> str:
    if not _priced(results, name):
        return _missing(name)
    rows = layer_rows(results[name]["report"], _BILLION)
    return f"{markdown_table(_LAYERS, rows)}\n\n{origin(name, results[name])}"


def _bars(reports: Mapping[str, Row]) -> str:
    """Schedules by level, then each by data type at its levels, all in 10^9 MACs."""
    spent = {name: report["total"]["energy"] for name, report in reports.items()}
    by_level = [(SCHEDULES[name], _scaled(energy["by_level"])) for name, energy in spent.items()]
    panels = [("AlexNet's CONV layers, batch 4: 10^9 MACs by level", by_level)]
    panels += [
        (
            f"{SCHEDULES[name]}: by level and data type",
            [
                (level.value, _scaled(energy["detail"][level]))
                for level in Level
                if level in energy["detail"]
            ],
        )
        for name, energy in spent.items()
    ]
    return panels_of_bars(panels)


def _scaled(parts: Mapping[str, float]) -> dict[str, float]:
    return {name: spent / _BILLION for name, spent in parts.items()}


# ---- networks -----------------------------------------------------------------------------------


def _networks(results: Results) -> str:
    """Normalised energy of an inference of the networks in int8."""
    names = [f"{network}_int8" for network in NETWORKS]
    if missing := [name for name in names if not _priced(results, name)]:
        return _missing(missing[0])
    rows = [
        {"label": f"`{network}`", **_by_level(results[name])}
        for network, name in zip(NETWORKS, names, strict=True)
    ]
    return f"{markdown_table(_NETWORKS, rows)}\n\n{_origins(names, results)}"


# ---- the chip -----------------------------------------------------------------------------------


def _chip(name: str, results: Results) -> str:
    if name not in results:
        return _missing(name)
    rows = chip_report.text_rows(results[name]["report"])
    table = markdown_table(used(_CHIP_MAPPINGS, rows), rows)
    return f"{table}\n\n{origin(name, results[name])}"


def _study(results: Results) -> str:
    name = "energy_study"
    if name not in results:
        return _missing(name)
    report = results[name]["report"]
    figures = report["figures"]
    layers = study.layer_rows(report)
    reasons = "\n".join(f"- *{figure['name']}*: {figure['why']}." for figure in figures)
    return "\n\n".join(
        (
            markdown_table(study.FIGURE_COLUMNS, figures),
            "Why they differ:",
            reasons,
            "Energy in 10^9 MACs at batch 16 by the rule of ISCA 2016 (four accesses of a register "
            "file for each MAC, nothing skipped), ours beside the published:",
            markdown_table(study.LAYER_COLUMNS, layers),
            *study.sentences(report),
            origin(name, results[name]),
        )
    )
