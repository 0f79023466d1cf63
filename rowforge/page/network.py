"""The network as a graph whose layers are coloured by time or energy, as SVG: `network`."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from compiler.ir.graph import Graph
from rowforge.page.wording import figure

_ROWS = 20  # of layers, after which the graph goes on in the next column
_WIDTH, _HEIGHT = 236, 34  # of a layer
_GAP_X, _GAP_Y, _MARGIN = 26, 16, 10
_LETTER = 7.7  # pixels of a letter, about


def network(graph: Graph, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The layers of a graph, each below those that it reads, from one column to the next.

    Parameters
    ----------
    graph : Graph
    rows : the estimate's layers, by name

    A layer's box has its shares of cycles and energy as `--time` and `--energy`, 0 to 1 of the
    most, by which the page's style colours it.
    """
    depths = _depths(graph)
    beside: defaultdict[int, list[str]] = defaultdict(list)
    for node in graph.nodes:
        beside[depths[node.output]].append(node.output)
    places = {
        key: _place(depth, lane, len(keys))
        for depth, keys in beside.items()
        for lane, key in enumerate(keys)
    }
    most_time = max((row["cycles"] or 0 for row in rows.values()), default=0) or 1
    most_energy = max((row["energy"]["total"] for row in rows.values()), default=0) or 1
    edges = [
        _edge(places[key], places[node.output])
        for node in graph.nodes
        for key in node.inputs
        if key in places
    ]
    most = (most_time, most_energy)
    boxes = [
        _box(places[node.output], node.name, node.op, rows.get(node.name, {}), most)
        for node in graph.nodes
    ]
    depth = max(depths.values(), default=0) + 1
    width = 2 * _MARGIN + -(-depth // _ROWS) * (_WIDTH + _GAP_X) - _GAP_X
    height = 2 * _MARGIN + min(depth, _ROWS) * (_HEIGHT + _GAP_Y) - _GAP_Y
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return "\n".join(
        [f'<svg class="network" role="img" aria-label="graph of the layers" {size}>']
        + [*edges, *boxes, "</svg>"]
    )


def _depths(graph: Graph) -> dict[str, int]:
    """By output, how many layers a layer must wait for."""
    depths: dict[str, int] = {}
    for node in graph.nodes:
        before = [depths[key] for key in node.inputs if key in depths]
        depths[node.output] = max(before, default=-1) + 1
    return depths


def _place(depth: int, lane: int, lanes: int) -> tuple[float, float, float]:
    """(x, y, width) of a layer."""
    column, row = divmod(depth, _ROWS)
    width = (_WIDTH - 6 * (lanes - 1)) / lanes
    x = _MARGIN + column * (_WIDTH + _GAP_X) + lane * (width + 6)
    return x, _MARGIN + row * (_HEIGHT + _GAP_Y), width


def _edge(start: tuple[float, float, float], end: tuple[float, float, float]) -> str:
    x1, y1 = start[0] + start[2] / 2, start[1] + _HEIGHT
    x2, y2 = end[0] + end[2] / 2, end[1]
    if y2 > y1 and y2 - y1 <= _GAP_Y + 1:
        way = f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}"
    elif abs(x1 - x2) < _WIDTH and y2 > y1:  # past layers between: along the side
        side = min(start[0], end[0]) - 8
        way = (
            f"M{start[0]:.0f} {y1 - _HEIGHT / 2:.0f}C{side:.0f} {y1 - _HEIGHT / 2:.0f} "
            f"{side:.0f} {y2 + _HEIGHT / 2:.0f} {end[0]:.0f} {y2 + _HEIGHT / 2:.0f}"
        )
    else:  # to the next column
        middle = (start[0] + start[2] + end[0]) / 2
        way = (
            f"M{start[0] + start[2]:.0f} {y1 - _HEIGHT / 2:.0f}H{middle:.0f}"
            f"V{y2 - 6:.0f}H{x2:.0f}V{y2:.0f}"
        )
    return f'<path class="edge" d="{way}"/>'


def _box(
    place: tuple[float, float, float],
    name: str,
    op: str,
    row: Mapping[str, Any],
    most: tuple[float, float],
) -> str:
    """A layer; `most`: cycles and energy of those that have most."""
    x, y, width = place
    most_time, most_energy = most
    cycles = row.get("cycles") or 0
    energy = row["energy"]["total"] if row else 0
    shares = f"--time:{cycles / most_time:.3f};--energy:{energy / most_energy:.3f}"
    time_text = f"{cycles:,} cycles" if cycles else str(row.get("where", ""))
    energy_text = f"{figure(energy)} {row['energy']['unit']}" if energy else "no accesses"
    told = f"{name}: {op}, {row.get('where', '')}; {time_text}; {energy_text}"
    letters = int((width - 12) / _LETTER)
    shown = name if len(name) <= letters else f"{name[: max(letters - 1, 1)]}…"
    return (
        f'<g class="layer" style="{shares}"><title>{escape(told)}</title>'
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_HEIGHT}" rx="5"/>'
        f'<text x="{x + 7:.1f}" y="{y + 14:.1f}" class="name">{escape(shown)}</text>'
        f'<text x="{x + 7:.1f}" y="{y + 27:.1f}" class="figure by-time">{escape(time_text)}</text>'
        f'<text x="{x + 7:.1f}" y="{y + 27:.1f}" class="figure by-energy">{escape(energy_text)}'
        "</text></g>"
    )
