"""Bars of energy, stacked by data type or by level, as SVG: `energy_bars`."""

from collections.abc import Mapping, Sequence
from typing import Any

from hw.arch.accesses import DataType, Level
from hw.arch.errors import RowforgeError
from rowforge.reports.svg import FAINT, box, document, text

_WIDTH, _MARGIN, _LABEL, _FIGURE = 860, 30, 190, 110
_BAR, _STEP, _LEGEND = 18, 26, 22

COLOURS = {
    DataType.IFMAP: "#2b6cb0",
    DataType.INPUT: "#90cdf4",
    DataType.FILTER: "#c05621",
    DataType.PSUM: "#2f855a",
    DataType.OFMAP: "#68d391",
    DataType.OUTPUT: "#9ae6b4",
    DataType.SPILL: "#d53f8c",
    DataType.COMMAND: "#718096",
    DataType.TABLE: "#cbd5e0",
    Level.MAC: "#4a5568",
    Level.SPAD: "#2f855a",
    Level.NETWORK: "#b7791f",
    Level.BUFFER: "#2b6cb0",
    Level.MEMORY: "#805ad5",
    Level.LINK: "#c05621",
    Level.IDLE: "#a0aec0",
}
"""Of data types and levels; others are grey."""

Parts = Mapping[str, float]
Bars = Sequence[tuple[str, Parts]]


def energy_bars(report: Mapping[str, Any]) -> str:
    """The energy of a report: a bar for each level by data type, one for each layer by level.

    Raises `RowforgeError` if nothing is spent.
    """
    total = report["total"]["energy"]
    if not total["total"]:
        raise RowforgeError("a picture of energy needs some")
    unit = total["unit"]
    layers = [
        (row["name"], row["energy"]["by_level"])
        for row in report["layers"]
        if row["energy"]["total"]
    ]
    levels = [(name, total["detail"][name]) for name in Level if name in total["detail"]]
    partial = f", without {', '.join(total['missing'])}" if total["partial"] else ""
    panels = (
        (f"energy by level and data type, {unit}{partial}", levels),
        (f"energy of the layers by level, {unit}", layers),
    )
    return panels_of_bars(panels)


def panels_of_bars(panels: Sequence[tuple[str, Bars]]) -> str:
    """Panels with titles, one below the other; the bars of a panel have one scale.

    Each bar is a label and its parts by the value of a data type or level.
    """
    parts: list[str] = []
    y = _MARGIN
    for title, bars in panels:
        more, y = _panel(title, bars, y)
        parts += more
    return document(_WIDTH, y, parts)


def _panel(title: str, bars: Bars, top: int) -> tuple[list[str], int]:
    """A panel from `top` on, and where it ends."""
    parts = [text(_MARGIN, top, title, size=15)]
    bars = [(label, _in_order(bar)) for label, bar in bars]
    present = {name: 0.0 for _, bar in bars for name in bar}
    names = list(_in_order(present))
    x = _MARGIN
    for name in names:
        parts += [
            box(x, top + 10, 12, 12, _colour(name)),
            text(x + 16, top + 21, name, fill=FAINT),
        ]
        x += 30 + 8 * len(name)
    top += 12 + _LEGEND
    room = _WIDTH - 2 * _MARGIN - _LABEL - _FIGURE
    longest = max((sum(bar.values()) for _, bar in bars), default=0) or 1
    for number, (label, bar) in enumerate(bars):
        y, x_bar = top + number * _STEP, float(_MARGIN + _LABEL)
        parts.append(text(_MARGIN, y + 14, label, fill=FAINT))
        for name, energy in bar.items():
            width = room * energy / longest
            parts.append(box(x_bar, y, width, _BAR, _colour(name), f"{label}: {name} {energy:.3g}"))
            x_bar += width
        parts.append(text(x_bar + 8, y + 14, f"{sum(bar.values()):.3g}"))
    return parts, top + len(bars) * _STEP + _MARGIN


def _in_order(bar: Parts) -> Parts:
    """The parts of a bar from the innermost level outwards, types in their own order."""
    places = {name: place for place, name in enumerate((*Level, *DataType))}
    return dict(sorted(bar.items(), key=lambda part: places.get(part[0], len(places))))


def _colour(name: str) -> str:
    return COLOURS.get(name, "#a0aec0")  # type: ignore[call-overload, no-any-return]
