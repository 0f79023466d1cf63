"""The energy of a report as tables: what each level and data type costs, and each layer."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from hw.arch.accesses import DataType, Level
from rowforge.reports.texttable import Column, text_table, used

_WIDTH = 100  # characters of a caption line
_THOUSAND, _MILLION, _BILLION = 1e3, 1e6, 1e9
_LEVELS = (
    Column("level", "level", left=True),
    *(Column(data.value, data.value, ",.2f") for data in DataType),
    Column("total", "total", ",.2f"),
    Column("share", "share", "%"),
)
_LAYERS = (
    Column("layer", "name", left=True),
    *(Column(level.value, level.value, ",.2f") for level in Level),
    Column("total", "total", ",.2f"),
    Column("share", "share", "%"),
    Column("a MAC", "per_mac", ",.2f"),
)


def energy_text(document: Mapping[str, Any], *, layers: bool = False) -> str:
    """Energy by level and data type, with `layers` also layer by layer; "" if none is spent."""
    energy = document["total"]["energy"]
    if not energy["total"]:
        return ""
    scale, unit = _scale(energy["total"], energy["unit"])
    rows = level_rows(energy, scale)
    parts = [text_table(used(_LEVELS, rows), rows)]
    if layers:
        rows = layer_rows(document, scale)
        parts.append(text_table(used(_LAYERS, rows), rows))
    parts.append(textwrap.fill(energy_sentence(energy, unit), _WIDTH))
    return "\n\n".join(parts)


def level_rows(energy: Mapping[str, Any], scale: float = 1) -> list[dict[str, Any]]:
    """A row for each level that costs something, then the total, in multiples of `scale`."""
    rows = [
        {
            "level": level.value,
            **{name: value / scale for name, value in energy["detail"][level.value].items()},
            "total": energy["by_level"][level.value] / scale,
            "share": energy["by_level"][level.value] / energy["total"],
        }
        for level in Level
        if level.value in energy["detail"]
    ]
    types = {name: value / scale for name, value in energy["by_type"].items()}
    return [*rows, {"level": "total", **types, "total": energy["total"] / scale, "share": 1.0}]


def layer_rows(document: Mapping[str, Any], scale: float = 1) -> list[dict[str, Any]]:
    """A row for each layer that costs something, then the total, in multiples of `scale`."""
    spent = document["total"]["energy"]["total"]
    found: Sequence[Mapping[str, Any]] = [
        *document["layers"],
        {"name": "total", **document["total"]},
    ]
    return [
        {
            "name": row["name"],
            **{name: value / scale for name, value in row["energy"]["by_level"].items()},
            "total": row["energy"]["total"] / scale,
            "share": row["energy"]["total"] / spent,
            "per_mac": row["energy"]["per_mac"],
        }
        for row in found
        if row["energy"]["total"]
    ]


def energy_sentence(energy: Mapping[str, Any], unit: str) -> str:
    """What a table of energy shows, how much of it is known, and what that is an inference."""
    gated = energy["gated_macs"]
    zeros = (
        "no product is skipped, as nothing tells how many activations are zero"
        if gated is None
        else f"{gated:,} products are skipped, whose activation stands for zero"
    )
    said = f"energy in {unit} by the table {energy['technology']}; {zeros}."
    if energy["partial"]:
        said += f" A part only, without {', '.join(energy['missing'])}."
    if energy["per_mac"] is not None:
        said += f" {energy['per_mac']:.3g} {energy['unit']} a MAC."
    if energy["inferences_per_joule"] is not None:
        said += f" {energy['inferences_per_joule']:,.1f} inferences a joule."
    return said


def _scale(total: float, unit: str) -> tuple[float, str]:
    """A power of ten in which a total reads well, and its name with the unit."""
    if unit == "pJ":
        steps = ((_BILLION, "mJ"), (_MILLION, "µJ"), (_THOUSAND, "nJ"))
        return next(((size, name) for size, name in steps if total >= size), (1, unit))
    steps = ((_BILLION, "10^9"), (_MILLION, "10^6"), (_THOUSAND, "10^3"))
    return next(
        ((size, f"{name} {unit}s") for size, name in steps if total >= size), (1, f"{unit}s")
    )
