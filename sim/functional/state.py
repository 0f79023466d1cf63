"""Everything that the executor's units share: memories, tables, counters, trace."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hw.arch.config import Config
from hw.arch.counters import ACCESS_COUNTERS, COUNTERS
from hw.arch.entries import PARAM, TABLE
from hw.arch.program import Words
from hw.arch.program.layout import Ints
from sim.functional.contents import Contents
from sim.functional.errors import require
from sim.functional.filters import PassFilters
from sim.functional.hazards import HazardCheck
from sim.functional.memory import BufferMemory
from sim.functional.patterns import Columns, Rows

TABLE_ENTRIES = 256


@dataclass(frozen=True)
class TraceRecord:
    """Where the results of one pass come from: arrays of equal length, one element a result.

    `tag`: of the CONV command; `number`: of the pass in it; `words`, `lanes`: where the result went
    (in mode RAW the first of its lanes); `segments`, `columns`, `windows`: where it was computed.
    """

    tag: int
    number: int
    words: Ints
    lanes: Ints
    segments: Ints
    columns: Ints
    windows: Ints


@dataclass(frozen=True)
class Origin:
    """The place in a CONV command that wrote a lane of a buffer word."""

    tag: int
    number: int
    segment: int
    column: int
    window: int


class RecordMemory:
    """A memory of records, field by field; entries that were never written may not be read."""

    def __init__(self, name: str, fields: tuple[str, ...], entries: int):
        self.name = name
        self.entries = entries
        self.fields = {field: np.zeros(entries, dtype=np.int64) for field in fields}
        self._written = np.zeros(entries, dtype=bool)

    def fill(self, first: int, values: dict[str, Ints]) -> None:
        """Write consecutive entries."""
        for name, column in values.items():
            self.fields[name][first : first + len(column)] = column
            self._written[first : first + len(column)] = True

    def read(self, index: Ints) -> dict[str, Ints]:
        """The fields of entries; `SemanticsError` if one does not exist or was never written."""
        low, high = int(index.min()), int(index.max())
        require(0 <= low <= high < self.entries, f"{self.name} entry {high} does not exist")
        written = self._written[index]
        if not written.all():
            require(False, f"{self.name} entry {int(index[~written][0])} was never written")
        return {name: column[index] for name, column in self.fields.items()}


@dataclass
class State:
    """The accelerator's state; `filters` is the weight memory in 64-bit words.

    `held`: what the pass before has left in the PEs; None: it has released its filters.
    `contents` says what buffer words hold, if the program's steps are known. `nonzero`: of every
    pass, which of its ifmap words are not zero, in the order of delivery, if that is wanted.
    """

    config: Config
    memory: BufferMemory = field(init=False)
    hazards: HazardCheck = field(init=False)
    rows: dict[int, Rows] = field(default_factory=dict)
    columns: dict[int, Columns] = field(default_factory=dict)
    params: RecordMemory = field(init=False)
    table: RecordMemory = field(init=False)
    filters: Words = field(init=False)
    counters: dict[str, int] = field(init=False)
    held: PassFilters | None = None
    trace: list[TraceRecord] | None = None
    contents: Contents | None = None
    nonzero: list[NDArray[np.bool_]] | None = None

    def __post_init__(self) -> None:
        config = self.config
        self.memory = BufferMemory(config)
        self.hazards = HazardCheck(config)
        self.params = RecordMemory(
            "parameter", tuple(item.name for item in PARAM.fields), config.post.channels
        )
        self.table = RecordMemory("table", tuple(item.name for item in TABLE.fields), TABLE_ENTRIES)
        self.filters = np.zeros(config.buffer.weight_memory // 8, dtype=np.uint64)
        self.clear_counters()

    def clear_counters(self) -> None:
        """All counters 0, those of accesses too, which not every configuration tells."""
        self.counters = {item.name: 0 for item in (*COUNTERS.fields, *ACCESS_COUNTERS)}

    def keep_masks(self) -> None:
        """From now on, keep which ifmap words on their way to the PEs are zero."""
        self.nonzero = []

    def mask_stream(self) -> NDArray[np.uint8]:
        """A bit for every ifmap word sent since then, in order, 1: not zero; the first one lowest.

        `sim.cycles.predict` takes it.
        """
        assert self.nonzero is not None, "masks were not kept"
        words = np.concatenate([np.zeros(0, np.bool_), *self.nonzero])
        return np.packbits(words, bitorder="little")

    def count(self, **events: int) -> None:
        """Add to counters."""
        for name, number in events.items():
            self.counters[name] += number
