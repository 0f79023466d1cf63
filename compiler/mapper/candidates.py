"""Mappings that the search weighs up, many at once: `Candidates`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.mapper.resources.work import Ints
from compiler.mapper.space import Fold, Mapping


@dataclass(frozen=True)
class Candidates:
    """Mappings of a nest with one F tile: arrays over the candidates.

    folds : the folds in use; fold : number of each candidate's
    p, ce, cm, cn : as in `Mapping`
    width : columns in use if they are no grid of items, filter groups and rows; otherwise 0
    """

    folds: tuple[Fold, ...]
    fold: Ints
    p: Ints
    ce: Ints
    cm: Ints
    cn: Ints
    width: Ints

    @classmethod
    def joined(cls, groups: Sequence[tuple[Fold, Sequence[Any]]]) -> "Candidates":
        """Candidates of several folds: (fold, (p, ce, cm, cn, width)).

        p is an array; others are arrays for all folds, or numbers for all.
        """
        sizes = [len(values[0]) for _, values in groups]
        columns = [np.repeat(np.arange(len(groups)), sizes)]
        for index in range(5):
            column = [values[index] for _, values in groups]
            if column and isinstance(column[0], np.ndarray):
                columns.append(np.concatenate(column).astype(np.int64, copy=False))
            else:
                columns.append(np.repeat(np.array(column, dtype=np.int64), sizes))
        return cls(tuple(fold for fold, _ in groups), *columns)

    def __len__(self) -> int:
        return len(self.p)

    def of_folds(self, value: Callable[[Fold], int]) -> Ints:
        """A number of each candidate's fold."""
        return np.array([value(fold) for fold in self.folds], dtype=np.int64)[self.fold]

    @property
    def columns(self) -> Ints:
        """Columns in use."""
        return np.where(self.width > 0, self.width, self.ce * self.cm * self.cn)

    def mapping(self, index: int, windows: int) -> Mapping:
        """One candidate."""
        return Mapping(
            fold=self.folds[self.fold[index]],
            p=int(self.p[index]),
            ce=int(self.ce[index]),
            cm=int(self.cm[index]),
            cn=int(self.cn[index]),
            windows=windows,
            width=int(self.width[index]),
        )
