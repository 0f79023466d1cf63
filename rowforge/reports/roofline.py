"""Layers under the roofs of multipliers and link, as SVG: `roofline`."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.errors import RowforgeError
from rowforge.reports.published import chip_link_rate
from rowforge.reports.svg import FAINT, document, dot, line, text

_WIDTH, _HEIGHT = 860, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 30, 50, 60
_FULL, _SLOW, _ROOF = "#2b6cb0", "#c05621", "#1f2933"
_WORD_BYTES = LINK_WORD_BITS // 8
_LABEL_WIDTH = 60.0  # of a name, in pixels
_LABELLED = 16  # layers that have room for their names


def roofline(config: Config, report: Mapping[str, Any]) -> str:
    """MACs a cycle over MACs a link byte, both logarithmic, for each layer with both.

    Filled marks are cycles over a link that moves a word each way in a cycle, hollow ones, if there
    are any, those over the slow link (`chip_link_cycles`). The roofs are the multipliers, and the
    link at either rate.

    Raises `RowforgeError` if no layer has products, cycles and link bytes.
    """
    rows = [
        row
        for row in report["layers"]
        if row.get("macs") and row.get("link_bytes") and _cycles(row)
    ]
    if not rows:
        raise RowforgeError("a roofline needs layers with MACs, cycles and link bytes")
    plane = _Plane([point for row in rows for point in _points(row)], config.multipliers)
    rate = chip_link_rate(config)
    roofs = (
        (2.0, "a word each way in a cycle", _FULL),
        (rate, f"{rate:g} words a cycle", _SLOW),
    )
    parts = [text(_LEFT, 28, "MACs a cycle over MACs a byte on the link", size=15), *plane.axes()]
    for words, said, colour in roofs:
        parts += plane.slope(words * _WORD_BYTES, f"link of {said}", colour)
    parts += plane.level(config.multipliers, f"{config.multipliers} multipliers")
    for row in rows:
        for (x, y), slow in zip(_points(row), (False, True), strict=False):
            told = f"{row['name']}: {y:.1f} MACs a cycle, {x:.1f} a byte"
            colour = _SLOW if slow else _FULL
            parts.append(dot(plane.x(x), plane.y(y), colour, told, hollow=slow))
    if len(rows) <= _LABELLED:
        parts += _labels(plane, rows)
    return document(_WIDTH, _HEIGHT, parts)


def _labels(plane: "_Plane", rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names beside the filled marks, each below the one before where they would meet."""
    parts: list[str] = []
    before, y = -_LABEL_WIDTH, 0.0
    for row in sorted(rows, key=lambda row: _points(row)[0]):
        intensity, speed = _points(row)[0]
        x = plane.x(intensity)
        y = y + 14 if x - before < _LABEL_WIDTH and y else plane.y(speed) + 16
        parts.append(text(x + 8, y, row["name"], size=11, fill=FAINT))
        before = x
    return parts


def _points(row: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(MACs a byte, MACs a cycle) over the full link, then over the slow one if that is known."""
    intensity = row["macs"] / row["link_bytes"]
    cycles = [_cycles(row), row.get("chip_link_cycles")]
    return [(intensity, row["macs"] / count) for count in cycles if count]


def _cycles(row: Mapping[str, Any]) -> int | None:
    """Counted cycles, or the model's where no clock ran."""
    return row.get("cycles") or row.get("model_cycles")


class _Plane:
    """Places of figures on the picture, both axes from one power of ten to another."""

    def __init__(self, points: Sequence[tuple[float, float]], peak: int) -> None:
        xs, ys = [x for x, _ in points], [*(y for _, y in points), float(peak)]
        self._x = floor(log10(min(xs))), max(ceil(log10(max(xs))), floor(log10(min(xs))) + 1)
        self._y = floor(log10(min(ys))), ceil(log10(max(ys) * 1.01))

    def x(self, value: float) -> float:
        """The column of MACs a byte."""
        low, high = self._x
        return _LEFT + (log10(value) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """The row of MACs a cycle."""
        low, high = self._y
        return _HEIGHT - _BOTTOM - (log10(value) - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def axes(self) -> list[str]:
        """Lines and figures at powers of ten."""
        parts = []
        bottom, top = (self.y(10.0**power) for power in self._y)
        left, right = (self.x(10.0**power) for power in self._x)
        for power in range(self._x[0], self._x[1] + 1):
            x = self.x(10.0**power)
            parts += [
                line((x, bottom), (x, top), "#e4e7eb"),
                text(x, bottom + 20, f"{10.0**power:g}", fill=FAINT, anchor="middle"),
            ]
        for power in range(self._y[0], self._y[1] + 1):
            y = self.y(10.0**power)
            parts += [
                line((left, y), (right, y), "#e4e7eb"),
                text(left - 8, y + 4, f"{10.0**power:g}", fill=FAINT, anchor="end"),
            ]
        parts.append(text((left + right) / 2, bottom + 42, "MACs a byte", anchor="middle"))
        return parts

    def level(self, value: float, said: str) -> list[str]:
        """A roof that no intensity raises."""
        left, right = (10.0**power for power in self._x)
        y = self.y(value)
        return [
            line((self.x(left), y), (self.x(right), y), _ROOF),
            text(self.x(left) + 6, y - 6, said),
        ]

    def slope(self, bytes_a_cycle: float, said: str, colour: str) -> list[str]:
        """A roof that grows with intensity, as far as it lies in the picture."""
        (left, right), (low, high) = (
            tuple(10.0**power for power in ends) for ends in (self._x, self._y)
        )
        begin, end = max(left, low / bytes_a_cycle), min(right, high / bytes_a_cycle)
        if begin >= end:
            return []
        first, last = ((self.x(x), self.y(x * bytes_a_cycle)) for x in (begin, end))
        middle = (first[0] + last[0]) / 2, (first[1] + last[1]) / 2
        return [
            line(first, last, colour, "6 4"),
            text(middle[0] - 6, middle[1] - 6, said, size=11, fill=colour, anchor="end"),
        ]
