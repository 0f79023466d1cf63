"""The layers of a report as a table that reads well in a notebook: `LayerTable`."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, overload

from hw.arch.errors import RowforgeError
from rowforge.reports.svg import FAINT, box, document, text
from rowforge.reports.texttable import Column, text_table, used

Row = Mapping[str, Any]

COLUMNS = (
    Column("layer", "name", left=True),
    Column("operator", "op", left=True),
    Column("where", "where", left=True),
    Column("MACs", "macs"),
    Column("cycles", "cycles"),
    Column("model", "model_cycles"),
    Column("util.", "utilization", "%"),
    Column("bound", "bound", left=True),
    Column("GLB bytes", "glb_bytes"),
    Column("link bytes", "link_bytes"),
)
"""What is shown of a row; `LayerTable.frame` has all of it."""

_WIDTH, _LEFT, _RIGHT, _STEP, _BAR, _TOP = 760, 190, 130, 24, 16, 44
_COLOUR = "#2b6cb0"


class Picture:
    """A picture in SVG, which notebooks show.

    Attributes
    ----------
    svg : the document
    """

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Write it; `RowforgeError` for a name without .svg or a file that cannot be made."""
        path = Path(path)
        if path.suffix != ".svg":
            raise RowforgeError(f"a picture's name must end in .svg, not {path.name!r}")
        try:
            path.write_text(self.svg, encoding="utf-8")
        except OSError as error:
            raise RowforgeError(f"cannot write {path}: {error.strerror or error}") from None


class LayerTable(Sequence[Row]):
    """Rows of a report's layers, in their order.

    A row is a mapping with the keys of `rowforge.reports.report.layer_row` or more, as the "layers"
    of a report or an estimate have them. `print` shows a table of text, a notebook one in HTML.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> "LayerTable": ...

    def __getitem__(self, index: int | slice) -> "Row | LayerTable":
        if isinstance(index, slice):
            return LayerTable(self._rows[index])
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __repr__(self) -> str:
        if not self._rows:
            return "no layers"
        return text_table(self._columns, self._rows, total=False)

    def _repr_html_(self) -> str:
        heads = "".join(_cell("th", column.title, column) for column in self._columns)
        lines = [
            "".join(_cell("td", column.text(row), column) for column in self._columns)
            for row in self._rows
        ]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"

    def frame(self) -> Any:
        """All of the rows as a pandas DataFrame, a column for each key.

        Raises `RowforgeError` if pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise RowforgeError(
                "frame needs pandas, which is not installed; the rows themselves are mappings"
            ) from None
        return pandas.DataFrame([dict(row) for row in self._rows])

    def plot(self, key: str = "cycles") -> Picture:
        """A bar for each layer that has a figure under this key; dots lead into nested mappings.

        Of rows without counted cycles, "cycles" are the model's. Raises `RowforgeError` if no layer
        has such a figure.
        """
        column = Column(key, key)
        found = [(str(row["name"]), _figure(column, row)) for row in self._rows]
        bars = [(name, figure) for name, figure in found if figure]
        if not bars:
            raise RowforgeError(f"no layer has a figure {key!r} to draw")
        most = max(figure for _, figure in bars)
        parts = [text(16, 24, f"{key} of the layers", size=15)]
        for place, (name, figure) in enumerate(bars):
            y = _TOP + place * _STEP
            width = max((_WIDTH - _LEFT - _RIGHT) * figure / most, 1)
            said = f"{figure:,}" if isinstance(figure, int) else f"{figure:.4g}"
            parts += [
                text(_LEFT - 10, y + 13, name, size=12, fill=FAINT, anchor="end"),
                box(_LEFT, y, width, _BAR, _COLOUR, f"{name}: {said}"),
                text(_LEFT + width + 8, y + 13, said, size=12),
            ]
        return Picture(document(_WIDTH, _TOP + len(bars) * _STEP + 12, parts))

    @property
    def _columns(self) -> list[Column]:
        return used(COLUMNS, self._rows)


def _figure(column: Column, row: Row) -> int | float | None:
    value = column.value(row)
    if value is None and column.key == "cycles":
        value = row.get("model_cycles")
    return value if isinstance(value, int | float) else None


def _cell(tag: str, said: str, column: Column) -> str:
    side = "left" if column.left else "right"
    return f'<{tag} style="text-align:{side}">{escape(said)}</{tag}>'
