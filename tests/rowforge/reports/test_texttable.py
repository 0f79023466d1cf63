"""Tables of text and of Markdown."""

from rowforge.reports.texttable import Column, markdown_table, text_table, used

COLUMNS = (
    Column("name", "name", left=True),
    Column("count", "count"),
    Column("share", "inner.share", "%"),
    Column("size", "size", "MB"),
    Column("ratio", "ratio", ".2f"),
    Column("empty", "nothing"),
)
ROWS = (
    {"name": "a", "count": 1234567, "inner": {"share": 0.5}, "size": 2_345_000, "ratio": 1.239},
    {"name": "total", "count": None, "inner": None, "size": 0},
)


def test_values_are_formatted():
    assert [column.text(ROWS[0]) for column in COLUMNS] == [
        "a",
        "1,234,567",
        "50.0 %",
        "2.35",
        "1.24",
        "",
    ]
    assert [column.text(ROWS[1]) for column in COLUMNS] == ["total", "", "", "0.00", "", ""]


def test_columns_without_values_are_left_out():
    assert [column.title for column in used(COLUMNS, ROWS)] == [
        "name",
        "count",
        "share",
        "size",
        "ratio",
    ]


def test_a_text_table_is_aligned():
    assert text_table(COLUMNS[:2], ROWS).splitlines() == [
        "name       count",
        "----------------",
        "a      1,234,567",
        "----------------",
        "total",
    ]


def test_a_markdown_table():
    assert markdown_table(COLUMNS[:2], ROWS).splitlines() == [
        "| name | count |",
        "| :-- | --: |",
        "| a | 1,234,567 |",
        "| total |  |",
    ]
