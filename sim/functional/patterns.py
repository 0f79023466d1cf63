"""Row and column patterns: what the PEs do in a pass, decoded and checked."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hw.arch.commands import (
    COLUMN,
    COLUMNS,
    PATTERN,
    ROW,
    SEGMENT,
    SLOT,
    col_pattern_words,
    row_pattern_words,
)
from hw.arch.config import Config
from hw.arch.program import Words
from hw.arch.program.layout import Ints, unpack_records
from sim.functional.errors import place, require


@dataclass(frozen=True)
class Rows:
    """A row pattern. Field arrays: `rows` of every PE row, `slots` and `segments` of those in use.

    `tails[s]` is the row where segment s ends.
    """

    filters: int
    rows: dict[str, Ints]
    slots: dict[str, Ints]
    segments: dict[str, Ints]
    tails: Ints

    @cached_property
    def active(self) -> Ints:
        """Numbers of the active rows."""
        return np.flatnonzero(self.rows["active"]).astype(np.int64)


@dataclass(frozen=True)
class Columns:
    """A column pattern: the active columns, from column 0."""

    groups: int
    count: int
    columns: dict[str, Ints]


def _first(fields: dict[str, Ints], count: int) -> dict[str, Ints]:
    return {name: column[:count] for name, column in fields.items()}


def decode_rows(config: Config, words: Words) -> Rows:
    """A row pattern from its words; `SemanticsError` if it contradicts itself."""
    assert len(words) == row_pattern_words(config.array.rows)
    header = PATTERN.unpack([int(word) for word in words[: PATTERN.words]])
    tables, position = [], PATTERN.words
    for struct in (ROW, SLOT, SEGMENT):
        end = position + config.array.rows * struct.words
        tables.append(unpack_records(struct, words[position:end]))
        position = end
    rows, slots, segments = tables
    for name in ("slots", "segments"):
        require(
            1 <= header[name] <= config.array.rows,
            f"a row pattern must use 1 to {config.array.rows} {name}, not {header[name]}",
        )
    require(header["filters"] >= 1, "a row pattern must use at least one filter row tag")
    pattern = Rows(
        filters=header["filters"],
        rows=rows,
        slots=_first(slots, header["slots"]),
        segments=_first(segments, header["segments"]),
        tails=_tails(config, rows, segments["head"][: header["segments"]]),
    )
    _check_rows(pattern)
    return pattern


def _tails(config: Config, rows: dict[str, Ints], heads: Ints) -> Ints:
    """The row where each segment ends; every active row belongs to exactly one segment."""
    covered = np.zeros(config.array.rows, dtype=bool)
    tails = []
    previous = -1
    for number, head in enumerate(heads.tolist()):
        with place(f"segment {number}"):
            require(head < config.array.rows, f"head row {head} does not exist")
            require(head > previous, f"head row {head} is not above the segment before")
            behind = np.flatnonzero(rows["tail"][head:])
            require(behind.size, f"no tail row at or above row {head}")
            tail = head + int(behind[0])
            span = slice(head, tail + 1)
            require(rows["active"][span].all(), f"a row of {head} to {tail} is not active")
            require(
                rows["head"][head] and rows["head"][span].sum() == 1,
                f"row {head} must be the only head of rows {head} to {tail}",
            )
            covered[span] = True
            tails.append(tail)
            previous = tail
    stray = np.flatnonzero((rows["active"] != 0) & ~covered)
    require(not stray.size, f"row {stray[0] if stray.size else 0} is active but in no segment")
    return np.array(tails, dtype=np.int64)


def _check_rows(pattern: Rows) -> None:
    rows, active = pattern.rows, pattern.active
    for number, (head, first) in enumerate(
        zip(pattern.segments["head"].tolist(), pattern.segments["first"].tolist(), strict=True)
    ):
        require(
            rows["first"][head] == first,
            f"segment {number} and its head row {head} differ in `first`",
        )
    for name, limit in (("fid", pattern.filters), ("iid", len(pattern.slots["tag"]))):
        for row in active.tolist():
            tag = int(rows[name][row])
            require(tag < limit, f"row {row}: {name} {tag} must be below {limit}")


def decode_columns(config: Config, words: Words) -> Columns:
    """A column pattern from its words; `SemanticsError` if it contradicts itself."""
    assert len(words) == col_pattern_words(config.array.cols)
    header = COLUMNS.unpack([int(word) for word in words[: COLUMNS.words]])
    count = header["columns"]
    columns = unpack_records(COLUMN, words[COLUMNS.words :])
    require(
        1 <= count <= config.array.cols,
        f"a column pattern must use 1 to {config.array.cols} columns, not {count}",
    )
    require(
        (columns["active"] == (np.arange(config.array.cols) < count)).all(),
        f"just the first {count} columns must be active",
    )
    tids = columns["tid"][:count]
    require(
        int(tids.max()) < header["groups"],
        f"column tag tid {int(tids.max())} must be below {header['groups']}",
    )
    return Columns(groups=header["groups"], count=count, columns=_first(columns, count))
