"""Row and column patterns: what the PEs do in a pass, decoded and checked."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hw.arch.config import Config
from hw.arch.patterns import COLUMN, COLUMNS, PATTERN, ROW, ROW_BITS, SEGMENT, SLOT, row_words
from hw.arch.program import Words
from hw.arch.program.layout import Ints, unpack_records
from sim.functional.errors import place, require


@dataclass(frozen=True)
class Rows:
    """A row pattern. Field arrays: `rows` of every PE row, `slots` and `segments` of those in use.

    `tails[s]` is the row where segment s ends; `first_unit`, `turn` and `period` as in `PATTERN`.
    """

    filters: int
    first_unit: int
    turn: int
    period: int
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
    """A column pattern: the active columns, from column 0; `first_group` as in `COLUMNS`."""

    groups: int
    first_group: int
    count: int
    columns: dict[str, Ints]


def _check_length(words: Words, wanted: int) -> None:
    require(
        len(words) == wanted,
        f"a pattern with these entries must have {wanted} words, not {len(words)}",
    )


def _rows(config: Config, words: Words, count: int) -> dict[str, Ints]:
    """Fields of `ROW` of every PE row from the first `count` entries; the others are 0."""
    halves = np.stack([words & np.uint64((1 << ROW_BITS) - 1), words >> np.uint64(ROW_BITS)], 1)
    given = unpack_records(ROW, halves.reshape(-1)[:count])
    return {name: np.pad(column, (0, config.array.rows - count)) for name, column in given.items()}


def split_patterns(words: Words, count: int, most: int) -> tuple[list[Words], int | None]:
    """The patterns of a payload, each as long as its first word says.

    Parameters
    ----------
    words : Words
    count : int
        How many patterns there should be.
    most : int
        Words of the longest one.

    Returns
    -------
    patterns : list of Words
    left : int or None
        Words that are left where the payload cannot be what it should be; None if it is.
    """
    patterns: list[Words] = []
    for _ in range(count):
        size = PATTERN.unpack([int(words[0])])["words"] if len(words) else 0
        if not 1 <= size <= most:
            return patterns, len(words)
        if size > len(words):
            return patterns, 0
        patterns.append(words[:size])
        words = words[size:]
    return patterns, len(words) or None


def decode_rows(config: Config, words: Words) -> Rows:
    """A row pattern from its words; `SemanticsError` if it contradicts itself."""
    header = PATTERN.unpack([int(word) for word in words[: PATTERN.words]])
    for name in ("rows", "slots", "segments"):
        require(
            1 <= header[name] <= config.array.rows,
            f"a row pattern must use 1 to {config.array.rows} {name}, not {header[name]}",
        )
    first_slot = PATTERN.words + row_words(header["rows"])
    first_segment = first_slot + header["slots"] * SLOT.words
    _check_length(words, first_segment + header["segments"] * SEGMENT.words)
    rows = _rows(config, words[PATTERN.words : first_slot], header["rows"])
    slots = unpack_records(SLOT, words[first_slot:first_segment])
    segments = unpack_records(SEGMENT, words[first_segment:])
    require(header["filters"] >= 1, "a row pattern must use at least one filter row tag")
    pattern = Rows(
        **{name: header[name] for name in ("filters", "first_unit", "turn", "period")},
        rows=rows,
        slots=slots,
        segments=segments,
        tails=_tails(config, rows, segments["head"]),
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
    header = COLUMNS.unpack([int(word) for word in words[: COLUMNS.words]])
    count = header["columns"]
    require(
        1 <= count <= config.array.cols,
        f"a column pattern must use 1 to {config.array.cols} columns, not {count}",
    )
    _check_length(words, COLUMNS.words + count * COLUMN.words)
    columns = unpack_records(COLUMN, words[COLUMNS.words :])
    require(columns.pop("active").all(), f"all of the first {count} columns must be active")
    last = int(columns["tid"].max())
    require(last < header["groups"], f"column tag tid {last} must be below {header['groups']}")
    columns["psum"] = header["psum"] * np.arange(count)
    return Columns(
        groups=header["groups"], first_group=header["first_group"], count=count, columns=columns
    )
