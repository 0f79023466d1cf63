"""What bands that slide down a buffer bring: `slid_words`."""

from math import ceil

from compiler.operators.operation import Operation, Shape4
from compiler.schedule.parts.places import slides


def slid_words(
    operation: Operation, size: Shape4, sliding: int, sets: int, words: int
) -> tuple[int, int]:
    """Buffer words that bands bring while others are in use, and all that they bring.

    size : of a tile; sliding : rows of the buffer
    sets : times that all bands come; words : of a band
    """
    N, E, F, _ = operation.target
    items, height, columns, _ = size
    spans = [
        operation.reach_along(1, (row, min(row + height, E)), 0) for row in range(0, E, height)
    ]
    early = rows = free = 0
    strips = ceil(N / items) * ceil(F / columns) * sets
    for strip in range(min(strips, 2)):
        times = 1 if strip == 0 else strips - 1  # all but the first begin like the second
        found = list(slides(spans, sliding, free))
        free = found[-1].first
        early += times * sum(slide.early for slide in found)
        lengths = (last - first for first, last in spans)
        rows += times * sum(n - slide.kept for n, slide in zip(lengths, found, strict=True))
    line = words // operation.longest_reach(1, height, 0)
    return early * line, rows * line


def common_rows(operation: Operation, rows: int) -> int:
    """Rows that the bands of the first two tiles, of so many rows, have in common."""
    first, second = (operation.reach_along(1, (n * rows, (n + 1) * rows), 0) for n in (0, 1))
    return max(first[1] - second[0], 0)
