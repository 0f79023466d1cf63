"""The parts that pictures in SVG are made of."""

from collections.abc import Iterable
from xml.sax.saxutils import escape

INK, FAINT = "#1f2933", "#7b8794"


def document(width: int, height: int, parts: Iterable[str]) -> str:
    """A whole picture of so many pixels on white."""
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def text(
    x: float,
    y: float,
    said: str,
    *,
    size: int = 13,
    fill: str = INK,
    bold: bool = False,
    anchor: str = "start",
) -> str:
    """A line of text whose start, middle or end is at (x, y)."""
    weight = ' font-weight="bold"' if bold else ""
    placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}"{weight}{placed}>'
        f"{escape(said)}</text>"
    )


def box(x: float, y: float, width: float, height: float, fill: str, told: str = "") -> str:
    """A filled rectangle, which says `told` under the pointer."""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"'
    if not told:
        return f"<rect {place}/>"
    return f"<rect {place}><title>{escape(told)}</title></rect>"


def line(
    start: tuple[float, float], end: tuple[float, float], stroke: str = FAINT, dash: str = ""
) -> str:
    """A straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"{dashed}/>'
    )


def dot(x: float, y: float, fill: str, told: str, *, hollow: bool = False) -> str:
    """A mark at (x, y), which says `told` under the pointer."""
    paint = f'fill="#ffffff" stroke="{fill}" stroke-width="2"' if hollow else f'fill="{fill}"'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" {paint}><title>{escape(told)}</title></circle>'
