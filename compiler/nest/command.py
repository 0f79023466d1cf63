"""A CONV command of a block before it is known where its operands lie: `NestCommand`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.mapper.space import Run
from compiler.nest.command_filters import PlacedFilters
from compiler.stream.loops import Loop, loop_records
from hw.arch.commands import ADDRESS, CONSTANTS
from hw.arch.patterns import COLUMNS, PATTERN
from hw.arch.program import Words


@dataclass(frozen=True, kw_only=True)
class NestCommand:
    """What a CONV command of a block holds wherever its operands lie.

    constants, records : packed, `sync` left open; rows, columns : patterns
    moved : how far the loops that are commands have come; loops : those of the nest
    length : words of filters
    """

    run: Run
    constants: Words
    records: Sequence[int]
    rows: tuple[tuple[int, ...], ...]
    columns: tuple[tuple[int, ...], ...]
    moved: Mapping[str, int]
    loops: list[Loop]
    length: int

    def from_buffer(self, placed: PlacedFilters) -> "NestCommand":
        """The command that takes its filters from the buffer."""
        fields = {**placed.layout.fields, "unit_jump": placed.walk.jump}
        records, _ = loop_records([placed.layout.stepped(loop) for loop in self.loops])
        walks = placed.walk.passes * (len(self.rows) // len(placed.walk.passes))
        return replace(
            self,
            constants=self.constants | np.array(CONSTANTS.pack(fields), dtype=np.uint64),
            records=[word for record in records for word in record],
            rows=tuple(
                _headed(pattern, PATTERN.pack(walk))
                for pattern, walk in zip(self.rows, walks, strict=True)
            ),
            columns=tuple(
                _headed(pattern, COLUMNS.pack({"first_group": first % (1 << ADDRESS)}))
                for pattern, first in zip(self.columns, placed.groups, strict=True)
            ),
        )


def _headed(pattern: tuple[int, ...], more: Sequence[int]) -> tuple[int, ...]:
    """The pattern with more fields in its first word, where they are 0."""
    return (pattern[0] | more[0], *pattern[1:])
