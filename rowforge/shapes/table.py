"""What layer shapes cost, one row a shape: `shape_table`."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from compiler.options import DEFAULTS, CompileOptions
from hw.arch.config import Config
from hw.arch.energy import Technology, technology
from hw.arch.errors import RowforgeError
from rowforge.estimation import graph_report
from rowforge.running.progress import Progress
from rowforge.shapes.shape import BareLayer

COLUMNS = (
    *("op", "in_channels", "filters", "height", "width", "kernel", "stride"),
    *("cycles", "energy", "link_bytes"),
)
"""Of a row, in order: the shape, and the figures of its estimate, empty where it was refused."""


@dataclass(frozen=True)
class ShapeTable:
    """Rows of shapes.

    Attributes
    ----------
    technology : the table by which energy is priced
    unit : of the energy
    rows : a value for each of `COLUMNS`
    refusals : why shapes without figures have none, by their names
    """

    technology: str
    unit: str
    rows: Sequence[Mapping[str, Any]]
    refusals: Mapping[str, str]

    def as_csv(self) -> str:
        """A line of titles and one for each row."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "technology": self.technology,
            "unit": self.unit,
            "rows": list(self.rows),
            "refusals": dict(self.refusals),
        }


def shape_table(
    shapes: Sequence[BareLayer],
    config: Config,
    options: CompileOptions = DEFAULTS,
    table: Technology | None = None,
) -> ShapeTable:
    """Cycles, energy and link bytes of each shape as the only layer of a network.

    Each row equals `rowforge.estimate` of a model of that one layer: inputs, filters and outputs
    cross the link. Shapes that the accelerator cannot compute have a row without figures.
    """
    table = table or technology()
    options = replace(options, keep_constant_channels=True)  # weights are zeros: a shape's only
    rows, refusals = [], {}
    progress = Progress()
    for number, shape in enumerate(shapes, start=1):
        progress.show(f"shape {number} of {len(shapes)}")
        try:
            figures = _figures(shape, config, options, table)
        except RowforgeError as error:
            figures = dict.fromkeys(("cycles", "energy", "link_bytes"))
            refusals[shape.name] = " ".join(str(error).split())
        rows.append({**_sizes(shape), **figures})
    progress.clear()
    return ShapeTable(table.name, table.unit, rows, refusals)


def _sizes(shape: BareLayer) -> dict[str, Any]:
    return {
        "op": str(shape.kind),
        "in_channels": shape.channels,
        "filters": shape.filters,
        "height": shape.height,
        "width": shape.width,
        "kernel": shape.kernel,
        "stride": shape.stride,
    }


def _figures(
    shape: BareLayer, config: Config, options: CompileOptions, table: Technology
) -> dict[str, Any]:
    total = graph_report(shape.graph(config.array.data_width), config, options, table)["total"]
    return {
        "cycles": total["cycles"],
        "energy": total["energy"]["total"],
        "link_bytes": total["link_bytes"],
    }
