"""The PE array as the firmware's registers show it: a model without pipelines.

Beats wait until every PE that wants them has room, columns work window by window and segment by
segment, FIFOs at the columns' ends are as deep as the configuration says. Protocol errors, writes
that no PE wants among them, raise `ArrayError`.
"""

from dataclasses import dataclass, field

import numpy as np

from hw.arch.config import Config
from hw.arch.patterns import COLUMN, ROW
from hw.microcontroller.registers import ACTIVITY, MAP

OFFSETS = {register.name: register.offset for register in MAP}


class ArrayError(AssertionError):
    """The firmware breaks a rule of the array."""


def require(condition: object, message: str) -> None:
    if not condition:
        raise ArrayError(message)


def signed(value: int, bits: int) -> int:
    """The low bits of a number as a signed one."""
    return ((value & ((1 << bits) - 1)) ^ (1 << (bits - 1))) - (1 << (bits - 1))


@dataclass
class PE:
    """The scratchpads of a PE; `freed` words of the pass have left it, `due` are to come in all."""

    fid: int
    iid: int
    tid: int
    tag: int
    words: list[int] = field(default_factory=list)
    freed: int = 0
    filters: list[int] = field(default_factory=list)
    loaded: bool = False


@dataclass
class Segment:
    """Rows of a psum chain; `fed`: it adds to psums from the buffer."""

    head: int
    tail: int
    fed: bool


@dataclass
class Column:
    """Where a column is in its windows, what waits at its ends."""

    pes: dict[int, PE]
    window: int = 0
    segment: int = 0
    psum: int = 0
    fed: list[tuple[int, int]] = field(default_factory=list)  # row, psum
    out: list[int] = field(default_factory=list)
    results: list[int] | None = None  # of the window's segment


@dataclass
class Shape:
    """What a pass computes: the numbers that follow ENDS and WINDOWS."""

    steps: int
    psums: int
    taps: int
    advance: int
    windows: int

    @property
    def rounds(self) -> int:
        """Channels with psums of their own."""
        return self.psums // self.steps

    @property
    def words(self) -> int:
        """Ifmap words of a PE in the pass."""
        return (self.windows - 1) * self.advance + self.taps


class ArrayModel:
    """Table registers, passes, networks and columns; `products` have been computed so far."""

    def __init__(self, config: Config):
        self.config = config
        self.written: dict[int, int] = {}  # the last value of every register
        self.columns: dict[int, Column] = {}
        self.segments: list[Segment] = []
        self.shape: Shape | None = None
        self.released = True  # the PEs hold no filters when the pass is over
        self.products = 0
        self.activity = dict.fromkeys(ACTIVITY, 0)

    # ---- passes -------------------------------------------------------------------------------

    def _table(self, name: str, number: int = 0) -> int:
        return self.written.get(OFFSETS[name] + 4 * number, 0)

    def issue(self) -> None:
        """Begin the pass in the table registers."""
        require(self.idle(), "a pass begins before the one before has ended")
        step_end, slot_end, last_tap, last_free = (
            signed(self._table("ENDS") >> 8 * i, 8) for i in range(4)
        )
        windows = self._table("WINDOWS")
        steps, psums = step_end + 2, slot_end + 2
        require(psums % steps == 0, f"{psums} psums are no multiple of {steps} steps")
        taps = last_tap + 1 + psums // steps
        self.shape = Shape(steps, psums, taps, (last_free & 255) + 1, windows & 0xFFFF)
        rows = {i: ROW.unpack([self._table("ROW", i)]) for i in range(self.config.array.rows)}
        rows = {i: row for i, row in rows.items() if row["active"]}
        self.segments = self._segments(rows, bool(windows >> 31))
        kept = {} if self.released else self.columns
        self.released, self.columns = bool(windows >> 30 & 1), {}
        for j in range(self.config.array.cols):
            column = COLUMN.unpack([self._table("COLUMN", j)])
            if column["active"]:
                self.columns[j] = Column(
                    {
                        i: PE(
                            fid=row["fid"],
                            iid=row["iid"],
                            tid=column["tid"],
                            tag=row["ioff"] + column["base"],
                        )
                        for i, row in rows.items()
                    }
                )
        self._keep_filters(kept)

    def _keep_filters(self, before: dict[int, Column]) -> None:
        """PEs go on with the filters of the pass before, which has not released them."""
        for j, column in before.items():
            for i, pe in column.pes.items():
                require(pe.loaded, "a pass ends before its filters have come")
                held = self.columns[j].pes[i]
                held.filters, held.loaded = pe.filters, True

    def _segments(self, rows: dict[int, dict[str, int]], zero: bool) -> list[Segment]:
        segments, head = [], None
        for i, row in sorted(rows.items()):
            if row["head"]:
                require(head is None, f"row {i} begins a segment inside another one")
                head = i
            require(head is not None, f"row {i} belongs to no segment")
            assert head is not None
            if row["tail"]:
                fresh = zero and bool(rows[head]["first"])
                segments.append(Segment(head, i, not fresh))
                head = None
        require(head is None, "a segment has no tail")
        return segments

    def idle(self) -> bool:
        """Nothing of a pass is left anywhere."""
        if self.shape is None:
            return True
        return all(
            column.window == self.shape.windows and not column.fed and not column.out
            for column in self.columns.values()
        )

    # ---- networks -----------------------------------------------------------------------------

    def _wanting(self, row: int, tag: int, *, ifmap: bool) -> list[PE]:
        return [
            pe
            for column in self.columns.values()
            for pe in column.pes.values()
            if (row, tag) == ((pe.iid, pe.tag) if ifmap else (pe.fid, pe.tid))
        ]

    def take_filter(self, tag: int, beat: int) -> bool:
        """Deliver a filter beat."""
        wanting = self._wanting(tag & 0xFFFF, tag >> 16, ifmap=False)
        for pe in wanting:
            require(not pe.loaded, "a PE gets a filter beat after its last one")
            pe.filters += [
                signed(beat >> 12 * i, self.config.weight_width)
                for i in range(self.config.noc.filter)
            ]
            require(len(pe.filters) <= self.config.filter_half, "a filter scratchpad overflows")
            pe.loaded = bool(beat >> 31)
        return True

    def take_ifmap(self, tag: int, operand: int) -> bool:
        """Deliver an ifmap word, if all that want it have room; returns whether it is gone."""
        assert self.shape is not None
        wanting = self._wanting(tag & 0xFFFF, tag >> 16, ifmap=True)
        room = self.config.pe.ifmap_spad + self.config.pe.ifmap_fifo
        if any(len(pe.words) - pe.freed >= room for pe in wanting):
            return False
        for pe in wanting:
            pe.words.append(signed(operand, self.config.operand_width))
            require(len(pe.words) <= self.shape.words, "a PE gets too many ifmap words")
        return True

    # ---- columns ------------------------------------------------------------------------------

    def feed(self, number: int, psum: int) -> None:
        """A psum from the buffer."""
        column = self.columns[number]
        require(len(column.fed) < self.config.noc.column_fifo, f"column {number} takes no psum")
        column.fed.append((self._table("PSUM_ROW"), signed(psum, self.config.array.psum_width)))

    def ready(self) -> int:
        """PSUM_READY."""
        return sum(
            1 << j for j, c in self.columns.items() if len(c.fed) < self.config.noc.column_fifo
        )

    def valid(self) -> int:
        """PSUM_VALID."""
        return sum(1 << j for j, column in self.columns.items() if column.out)

    def collect(self, number: int) -> int:
        """A result of a column."""
        column = self.columns[number]
        require(column.out, f"column {number} has no psum")
        return column.out.pop(0)

    def work(self) -> None:
        """Compute what can be computed."""
        for column in self.columns.values():
            while self._step(column):
                pass

    def _step(self, column: Column) -> bool:
        """The next psum of a column; whether there was one."""
        shape = self.shape
        assert shape is not None
        if column.window == shape.windows or len(column.out) >= self.config.noc.column_fifo:
            return False
        segment = self.segments[column.segment]
        pes = [column.pes[i] for i in range(segment.head, segment.tail + 1)]
        if column.results is None:
            need = column.window * shape.advance + shape.taps
            if any(not pe.loaded or len(pe.words) < need for pe in pes):
                return False
            column.results = self._results(pes, column.window)
        total = column.results[column.psum]
        if segment.fed:
            if not column.fed or column.fed[0][0] != segment.head:
                return False
            total += column.fed.pop(0)[1]
        column.out.append(signed(total, self.config.array.psum_width))
        column.psum += 1
        if column.psum == shape.psums:
            self._leave(column, pes)
        return True

    def _leave(self, column: Column, pes: list[PE]) -> None:
        shape = self.shape
        assert shape is not None
        for pe in pes:
            pe.freed += shape.advance
        column.psum, column.results = 0, None
        column.segment += 1
        if column.segment == len(self.segments):
            column.segment = 0
            column.window += 1

    def _results(self, pes: list[PE], window: int) -> list[int]:
        """Psums of a segment's window, summed over its PEs."""
        shape = self.shape
        assert shape is not None
        total = np.zeros(shape.psums, dtype=np.int64)
        for pe in pes:
            first = window * shape.advance
            words = np.array(pe.words[first : first + shape.taps], dtype=np.int64)
            filters = np.array(pe.filters[: shape.taps * shape.steps], dtype=np.int64)
            products = words[:, None] * filters.reshape(shape.taps, shape.steps)
            rounds = products.reshape(-1, shape.rounds, shape.steps)
            total += rounds.sum(axis=0).reshape(-1)
            self.activity["fired"] += products.size
        return [int(value) for value in total]
