"""Which tasks the columns of the array hold, wave after wave, and the room of their psums."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, gcd

import numpy as np

from compiler.mapper.space import MappedBlock, Mapping
from hw.arch.config import Config
from hw.arch.program.layout import psum_beats


@dataclass(frozen=True)
class ColumnTask:
    """A column's share of a wave: batch item, filter group of the wave, output row."""

    item: int
    group: int
    row: int


@dataclass(frozen=True)
class ColumnWave:
    """The columns of one wave; `first` is its first filter group, counted from the first wave's."""

    first: int
    tasks: tuple[ColumnTask, ...]

    @property
    def groups(self) -> int:
        """Filter groups in the wave."""
        return self.tasks[-1].group + 1


def column_waves(mapping: Mapping, groups: int) -> tuple[ColumnWave, ...]:
    """The waves whose columns differ: one, or in a linear mapping all that `groups` groups take.

    A grid puts `cn` items x `cm` groups x `ce` rows side by side. A linear mapping deals the rows
    of all groups out to the columns in turn.
    """
    if not mapping.linear:
        sides = product(range(mapping.cn), range(mapping.cm), range(mapping.ce))
        return (ColumnWave(0, tuple(ColumnTask(*side) for side in sides)),)
    waves = []
    for begin in range(0, groups * mapping.ce, mapping.width):
        end = min(begin + mapping.width, groups * mapping.ce)
        first = begin // mapping.ce
        tasks = (divmod(task, mapping.ce) for task in range(begin, end))
        waves.append(
            ColumnWave(first, tuple(ColumnTask(0, group - first, row) for group, row in tasks))
        )
    return tuple(waves)


def filter_groups(block: MappedBlock) -> int:
    """Filter groups of a block, those of a column's units taken as one."""
    first, last = block.filters
    return ceil((last - first) / (block.mapping.p * block.mapping.fold.um))


def linear_period(rows: int, width: int) -> tuple[int, int]:
    """(waves, filter groups) after which a linear mapping of so many rows repeats."""
    common = gcd(rows, width)
    return rows // common, width // common


@lru_cache(maxsize=65536)
def linear_waves(rows: int, width: int, groups: int) -> tuple[int, int]:
    """(waves of a linear mapping, how many hold more than ceil(width / rows) filter groups)."""
    total = rows * groups
    begin = np.arange(0, total, width)
    last = np.minimum(begin + width, total) - 1
    held = last // rows - begin // rows + 1
    return len(begin), int((held > ceil(width / rows)).sum())


def column_psums(config: Config, mapping: Mapping, windows: int) -> int:
    """Psum beats of so many windows of one unit in one column."""
    return windows * psum_beats(config, mapping.p)


def wave_psums(config: Config, mapping: Mapping) -> int:
    """Psum beats of all units and columns of a wave."""
    return mapping.fold.units * mapping.columns * column_psums(config, mapping, mapping.windows)
