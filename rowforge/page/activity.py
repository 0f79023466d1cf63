"""PEs and buffer over the run, as SVG: `heat_map` and `buffer_map`."""

from collections.abc import Sequence

from hw.arch.config import Config
from rowforge.reports.svg import FAINT, box, line, text
from sim.cycles.machine import Numbers
from sim.cycles.trace import TOUCH, Touching, Trace

_WIDTH, _LEFT, _RIGHT = 860, 64, 12
_BUFFER_HEIGHT, _TOP, _BOTTOM = 360, 34, 40
_HEAT = 240  # pixels across a heat map, at most
_CELL = 34  # of a PE, at most
_STEP = 64  # words, of which the scale is a multiple

COLOURS = {
    Touching.LOADED: "#2b6cb0",
    Touching.WRITTEN: "#2f855a",
    Touching.READ: "#90cdf4",
    Touching.PSUMS: "#b7791f",
    Touching.FILTERS: "#c05621",
    Touching.STORED: "#805ad5",
}
NAMES = {
    Touching.LOADED: "loaded",
    Touching.WRITTEN: "results written",
    Touching.READ: "read as ifmaps",
    Touching.PSUMS: "psums",
    Touching.FILTERS: "filters",
    Touching.STORED: "stored to the host",
}


def heat_map(running: Numbers, cycles: int, title: str) -> str:
    """The array as a grid, row 0 at the bottom: how much of the time each PE is in a pass.

    running : (columns, rows), cycles of each PE in a pass, of `cycles`
    """
    columns, rows = running.shape
    cell = min(_CELL, max(_HEAT // columns, 8))
    width, height = columns * cell + 4, rows * cell + 42
    parts = [text(2, 14, title, size=12)]
    for column in range(columns):
        for row in range(rows):
            share = int(running[column, row]) / max(cycles, 1)
            x, y = 2 + column * cell, 24 + (rows - 1 - row) * cell
            told = f"row {row}, column {column}: in a pass {100 * share:.1f} % of the time"
            parts.append(
                f'<rect class="pe" style="--share:{share:.3f}" x="{x}" y="{y}" width="{cell - 1}" '
                f'height="{cell - 1}"><title>{told}</title></rect>'
            )
    mean = float(running.mean()) / max(cycles, 1)
    parts.append(text(2, height - 4, f"mean {100 * mean:.0f} %", size=11, fill=FAINT))
    return _svg(max(width, int(7.4 * len(title)) + 4), height, parts, "heat map of the PEs")


def buffer_map(config: Config, found: Trace, names: Sequence[str]) -> str:
    """Time to the right, buffer words upwards: who uses which words when.

    What is loaded or written stays, shown faintly, until the last layer that reads or stores it.
    Words are those between the lowest and the highest that a layer's commands and passes name.
    """
    whole = config.buffer.banks * config.buffer.depth
    top = max((row[TOUCH.index("high")] + 1 for row in found.touches.tolist()), default=whole)
    words = min(-(-top // _STEP) * _STEP, whole)
    room, high = _WIDTH - _LEFT - _RIGHT, _BUFFER_HEIGHT - _TOP - _BOTTOM

    def across(cycle: float) -> float:
        return _LEFT + room * cycle / max(found.cycles, 1)

    def up(word: float) -> float:
        return _TOP + high * (1 - word / words)

    parts = _legend()
    for quarter in range(5):
        word = words * quarter // 4
        parts.append(line((_LEFT, up(word)), (_WIDTH - _RIGHT, up(word)), "#e4e7eb"))
        parts.append(text(_LEFT - 6, up(word) + 4, f"{word:,}", size=11, fill=FAINT, anchor="end"))
        cycle = found.cycles * quarter // 4
        anchor = "end" if quarter == 4 else "middle"
        place = (across(cycle), _BUFFER_HEIGHT - 20, f"{cycle:,}")
        parts.append(text(*place, size=11, fill=FAINT, anchor=anchor))
    parts.append(text(_WIDTH - _RIGHT, _BUFFER_HEIGHT - 4, "cycles", size=11, anchor="end"))
    parts.append(text(_LEFT, _BUFFER_HEIGHT - 4, f"words 0 to {words:,} of {whole:,}", size=11))
    touches = [dict(zip(TOUCH, row, strict=True)) for row in found.touches.tolist()]
    for touch in touches:
        kind = Touching(touch["kind"])
        y, tall = up(touch["high"] + 1), up(touch["low"]) - up(touch["high"] + 1)
        name = names[touch["layer"]] if 0 <= touch["layer"] < len(names) else "no layer"
        told = (
            f"{name}: {NAMES[kind]}, words {touch['low']:,} to {touch['high']:,}, "
            f"cycles {touch['begin']:,} to {touch['end']:,}"
        )
        until = _lasts(touch, touches)
        x, width = across(touch["begin"]), max(across(touch["end"]) - across(touch["begin"]), 1.5)
        if until > touch["end"]:
            stay = box(x, y, across(until) - x, max(tall, 1), COLOURS[kind], told)
            parts.append(stay.replace("<rect ", '<rect fill-opacity="0.22" ', 1))
        solid = box(x, y, width, max(tall, 1), COLOURS[kind], told)
        opacity = "0.35" if kind is Touching.READ else "0.8"
        parts.append(solid.replace("<rect ", f'<rect fill-opacity="{opacity}" ', 1))
    return _svg(_WIDTH, _BUFFER_HEIGHT, parts, "words of the buffer in use over time")


def _lasts(touch: dict[str, int], touches: Sequence[dict[str, int]]) -> int:
    """The cycle until which what was put into the buffer is needed."""
    if touch["kind"] not in (Touching.LOADED, Touching.WRITTEN):
        return touch["end"]
    meets = [
        other
        for other in touches
        if other["low"] <= touch["high"]
        and other["high"] >= touch["low"]
        and other["begin"] >= touch["begin"]
        and other is not touch
    ]
    replaced = [
        other["begin"]
        for other in meets
        if other["kind"] in (Touching.LOADED, Touching.WRITTEN) and other["layer"] != touch["layer"]
    ]
    until = min(replaced, default=1 << 62)
    used = [
        other["end"]
        for other in meets
        if other["kind"] in (Touching.READ, Touching.STORED) and other["begin"] < until
    ]
    return max([touch["end"], *(min(end, until) for end in used)])


def _legend() -> list[str]:
    parts, x = [], float(_LEFT)
    for kind, name in NAMES.items():
        parts += [box(x, 6, 12, 12, COLOURS[kind]), text(x + 16, 17, name, size=12, fill=FAINT)]
        x += 34 + 6.6 * len(name)
    return parts


def _svg(width: int, height: int, parts: Sequence[str], told: str) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return "\n".join([f'<svg role="img" aria-label="{told}" {size}>', *parts, "</svg>"])
