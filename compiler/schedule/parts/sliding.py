"""What bands that slide down a buffer bring: `slid_words`."""

from functools import lru_cache
from math import ceil

from compiler.operators.cuts import Span
from compiler.operators.operation import Operation, Shape4
from compiler.schedule.parts.places import slides


def slid_words(
    operation: Operation, size: Shape4, sliding: int, sets: int, words: int
) -> tuple[int, int]:
    """Buffer words that bands bring while others are in use, and all that they bring.

    size : of a tile; sliding : rows of the buffer
    sets : times that all bands come; words : of a band
    """
    N, _, F, _ = operation.target
    items, height, columns, _ = size
    strips = ceil(N / items) * ceil(F / columns) * sets
    first, second = _strips(operation.reaches(1, height, 0), sliding)
    # All but the first begin like the second.
    early, rows = (one + (strips - 1) * more for one, more in zip(first, second, strict=True))
    line = words // operation.longest_reach(1, height, 0)
    return early * line, rows * line


@lru_cache(maxsize=4096)  # of tiles that differ in columns and channels the bands are the same
def _strips(spans: tuple[Span, ...], sliding: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows that come early, and all that come, of the first strip of bands and of the second."""
    strips, free = [], 0
    for _ in range(2):
        found = list(slides(spans, sliding, free))
        free = found[-1].first
        kept = sum(slide.kept for slide in found)
        rows = sum(last - first for first, last in spans) - kept
        strips.append((sum(slide.early for slide in found), rows))
    return strips[0], strips[1]


def common_rows(operation: Operation, rows: int) -> int:
    """Rows that the bands of the first two tiles, of so many rows, have in common."""
    first, second = (operation.reach_along(1, (n * rows, (n + 1) * rows), 0) for n in (0, 1))
    return max(first[1] - second[0], 0)
