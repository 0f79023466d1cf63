"""Row and column patterns: what every PE row and column does in a pass, word by word.

A pattern is as long as its first word says: it holds entries for what is in use, and no others.
"""

from collections.abc import Sequence

from hw.arch.commands import ADDRESS, CHANNEL, ID, TAG
from hw.arch.fields import WORD_BITS, Field, Struct

ROW_BITS = WORD_BITS // 2
"""Two entries of `ROW` share a word: that of an even row has the lower half."""

PATTERN = Struct(
    "pattern",
    (
        Field("words", 8, "words of the pattern, this one included"),
        Field("rows", ID, "rows that have an entry, from row 0; the others are not active"),
        Field("slots", ID, "ifmap slots"),
        Field("segments", ID, "segments"),
        Field("filters", ID, "filter row tags in use"),
        Field("first_unit", ADDRESS, "filters in the buffer: words added to the pass's address"),
        Field("turn", ID, "row tags before the first that `unit_jump` precedes; 0: none has it"),
        Field("period", ID, "row tags from such a one to the next; 0: there is one at most"),
    ),
    "First word of a row pattern; entries of rows (two a word), of slots and of segments follow.",
)

ROW = Struct(
    "row",
    (
        Field("active", 1, "the row computes in this pass"),
        Field("head", 1, "first row of a segment: takes its psum from the buffer or from zero"),
        Field("tail", 1, "last row of a segment: its psum leaves the column"),
        Field("first", 1, "head only: may start at zero (no earlier partial sum)"),
        Field("fid", ID, "filter row tag"),
        Field("iid", ID, "ifmap row tag (slot)"),
        Field("ioff", TAG, "ifmap column tag of this row less that of its column"),
    ),
    "A PE row in a row pattern.",
)

SLOT = Struct(
    "slot",
    (
        Field("address", ADDRESS, "words from the pass's ifmap address to the first row and pixel"),
        Field("lane", 4, "lane of the group's first channel in a buffer word"),
        Field("x", 12, "pixels added to the pass's first column (tap offset)", signed=True),
        Field("tag", TAG, "column tag of the first ifmap row"),
        Field("outer", 8, "outer steps"),
        Field("outer_step", 8, "ifmap rows between outer steps"),
        Field("inner", 8, "inner steps in an outer step"),
        Field("inner_step", 8, "ifmap rows between inner steps"),
        Field("outer_words", ADDRESS, "buffer words between outer steps"),
        Field("inner_words", ADDRESS, "buffer words between inner steps"),
    ),
    "An ifmap channel group that a pass streams, and which of its rows.",
)

SEGMENT = Struct(
    "segment",
    (
        Field("head", ID, "row of the segment's head"),
        Field("first", 1, "no earlier partial sum exists"),
        Field("last", 1, "the sum is complete after this segment"),
        Field("psum", ADDRESS, "psum beats added to the pass's psum address"),
        Field("channel", CHANNEL, "channels added to the pass's first output channel"),
        Field("output", ADDRESS, "words added to the pass's output address"),
    ),
    "A segment of the psum chains in a row pattern, bottom to top.",
)

COLUMNS = Struct(
    "columns",
    (
        Field("words", 8, "words of the pattern, this one included"),
        Field("columns", ID, "active columns, from column 0"),
        Field("groups", ID, "filter column tags in use"),
        Field("psum", ADDRESS, "psum beats from a column to the next one"),
        Field("first_group", ADDRESS, "filters in the buffer: words added to the pass's address"),
    ),
    "First word of a column pattern; an entry for each active column follows.",
)

COLUMN = Struct(
    "column",
    (
        Field("active", 1, "the column computes in this pass"),
        Field("tid", ID, "filter column tag (filter group)"),
        Field("base", TAG, "ifmap column tag of the column's first filter row"),
        Field("channel", CHANNEL, "channels added to the pass's first output channel"),
        Field("output", ADDRESS, "words added to the pass's output address"),
    ),
    "A PE column in a column pattern.",
)


def row_words(rows: int) -> int:
    """Words that the entries of so many rows take in a row pattern."""
    return -(-rows * ROW_BITS // WORD_BITS)


def row_pattern_words(rows: int) -> int:
    """Words of the longest row pattern for so many PE rows."""
    return PATTERN.words + row_words(rows) + rows * (SLOT.words + SEGMENT.words)


def col_pattern_words(cols: int) -> int:
    """Words of the longest column pattern for so many PE columns."""
    return COLUMNS.words + cols * COLUMN.words


def pack_rows(entries: Sequence[Sequence[int]]) -> list[int]:
    """Words of packed entries of `ROW`, row 0 first."""
    halves = [word for entry in entries for word in entry]
    halves += [0] * (len(halves) % 2)
    return [low | high << ROW_BITS for low, high in zip(halves[::2], halves[1::2], strict=True)]
