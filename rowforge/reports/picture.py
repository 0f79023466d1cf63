"""The demo's picture as plain SVG: digits with what was read, and where the cycles went."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowforge.reports.svg import FAINT, INK, document, text

_GOOD, _BAD, _BAR = "#0a7d4f", "#c81e1e", "#2b6cb0"
_WIDTH, _MARGIN = 860, 30
_PIXEL, _GAP = 8, 17  # of a digit, between digits
_BAR_HEIGHT, _BAR_STEP, _LABEL, _FIGURES = 16, 24, 190, 150


def picture(
    images: NDArray[np.int8],
    read: Sequence[int],
    labels: Sequence[int],
    rows: Sequence[Mapping[str, Any]],
    caption: str,
) -> str:
    """An SVG document.

    Parameters
    ----------
    images : int8, (N, H, W, 1)
    read, labels : the class that the accelerator found for each image, and the true one
    rows : rows of `rowforge.reports.report.report` with "name", "cycles" and "utilization"
    caption : the line on top
    """
    digits, height = _digits(images, read, labels, 64)
    bars, height = _bars([row for row in rows if row["cycles"]], height + 46)
    return document(_WIDTH, height, [text(_MARGIN, 34, caption, size=18), *digits, *bars])


def _digits(
    images: NDArray[np.int8], read: Sequence[int], labels: Sequence[int], top: int
) -> tuple[list[str], int]:
    """The digits in rows, each with what was read below it; and where they end."""
    height, width = images.shape[1] * _PIXEL, images.shape[2] * _PIXEL
    across = (_WIDTH - 2 * _MARGIN + _GAP) // (width + _GAP)
    parts: list[str] = []
    for number, image in enumerate(images[..., 0]):
        row, column = divmod(number, across)
        x, y = _MARGIN + column * (width + _GAP), top + row * (height + 34)
        parts += [f'<g shape-rendering="crispEdges" transform="translate({x},{y})">']
        parts += _pixels(image)
        parts += ["</g>"]
        right = read[number] == labels[number]
        said = f"{read[number]}" if right else f"{read[number]}, not {labels[number]}"
        parts.append(
            text(
                *(x + width // 2, y + height + 18, said),
                fill=_GOOD if right else _BAD,
                bold=True,
                anchor="middle",
            )
        )
    return parts, top + -(-len(images) // across) * (height + 34)


def _pixels(image: NDArray[np.int8]) -> Iterable[str]:
    height, width = image.shape
    yield f'<rect width="{width * _PIXEL}" height="{height * _PIXEL}" fill="#f5f7fa"/>'
    for (y, x), value in np.ndenumerate(image):
        ink = (int(value) + 128) / 255
        if ink > 0:
            yield (
                f'<rect x="{x * _PIXEL}" y="{y * _PIXEL}" width="{_PIXEL}" height="{_PIXEL}" '
                f'fill="{INK}" fill-opacity="{ink:.2f}"/>'
            )


def _bars(rows: Sequence[Mapping[str, Any]], top: int) -> tuple[list[str], int]:
    """A bar for the cycles of each layer; and where they end."""
    parts = [text(_MARGIN, top - 16, "cycles of a digit on the RTL, layer by layer", size=15)]
    room = _WIDTH - 2 * _MARGIN - _LABEL - _FIGURES
    longest = max((row["cycles"] for row in rows), default=1)
    for number, row in enumerate(rows):
        y, x = top + number * _BAR_STEP, _MARGIN + _LABEL
        width = max(round(room * row["cycles"] / longest), 1)
        busy = row["utilization"]
        figures = f"{row['cycles']:,}" + (f", {100 * busy:.0f} % of the PEs" if busy else "")
        parts += [
            text(_MARGIN, y + 13, row["name"], fill=FAINT),
            f'<rect x="{x}" y="{y}" width="{width}" height="{_BAR_HEIGHT}" fill="{_BAR}" '
            'fill-opacity="0.3"/>',
            f'<rect x="{x}" y="{y}" width="{round(width * (busy or 0))}" '
            f'height="{_BAR_HEIGHT}" fill="{_BAR}"/>',
            text(x + width + 8, y + 13, figures),
        ]
    return parts, top + len(rows) * _BAR_STEP + _MARGIN
