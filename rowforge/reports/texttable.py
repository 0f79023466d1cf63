"""Tables as aligned lines of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column: its title, the key of its values (dots lead into nested rows), how they look.

    `form`: "" as they are (integers with separators), "%" a share in percent, "MB" bytes in 10^6,
    or a format specification. `left`: aligned to the left.
    """

    title: str
    key: str
    form: str = ""
    left: bool = False

    def value(self, row: Row) -> Any:
        """The row's value, None if it has none."""
        value: Any = row
        for part in self.key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def text(self, row: Row) -> str:
        """The cell."""
        value = self.value(row)
        if value is None:
            return ""
        if self.form == "%":
            return f"{100 * value:.1f} %"
        if self.form == "MB":
            return f"{value / 1e6:.2f}"
        if self.form:
            return format(value, self.form)
        return f"{value:,}" if isinstance(value, int) else str(value)


def used(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """The columns that hold something in some row."""
    return [column for column in columns if any(column.text(row) for row in rows)]


def text_table(columns: Sequence[Column], rows: Sequence[Row], *, total: bool = True) -> str:
    """Lines of text: titles, a line for each row; if it is a `total`, the last one apart."""
    cells = [[column.title for column in columns]]
    cells += [[column.text(row) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = []
    for line in cells:
        parts = [
            cell.ljust(width) if column.left else cell.rjust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    rule = "-" * max(len(line) for line in lines)
    if not total:
        return "\n".join([lines[0], rule, *lines[1:]])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def apart(columns: Sequence[Column], *keys: str) -> list[Sequence[Column]]:
    """The columns of several narrower tables.

    Each of `keys` begins a table of its own, in which the first column stands again. Raises
    `ValueError` for a key that no column has.
    """
    names = [column.key for column in columns]
    starts = [0, *map(names.index, keys)]
    parts = [columns[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return [parts[0], *([columns[0], *part] for part in parts[1:])]


def markdown_table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """The same as a Markdown table."""
    lines = [[column.title for column in columns]]
    lines.append([":--" if column.left else "--:" for column in columns])
    lines += [[column.text(row) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
