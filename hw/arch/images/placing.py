"""Ranges of the memory for tensors that lie there for a while: `place`."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lifetime:
    """Words that are needed from one step to another, both included."""

    words: int
    first: int
    last: int


def place(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """The first word of each, and the words that are needed in all.

    Whatever lives at the same time lies apart: each takes the lowest gap, in the order in which
    they begin, the larger ones first.
    """
    order = sorted(range(len(lifetimes)), key=lambda i: (lifetimes[i].first, -lifetimes[i].words))
    placed: dict[int, int] = {}
    total = 0
    for index in order:
        new = lifetimes[index]
        others = sorted(
            (start, start + lifetimes[i].words)
            for i, start in placed.items()
            if lifetimes[i].last >= new.first and lifetimes[i].first <= new.last
        )
        start = 0
        for begin, end in others:
            if begin >= start + new.words:
                break
            start = max(start, end)
        placed[index] = start
        total = max(total, start + new.words)
    return [placed[index] for index in range(len(lifetimes))], total
