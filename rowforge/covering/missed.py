"""Names of points that were missed, those of a signal's bits together."""

import re
from collections.abc import Iterable

from sim.coverage.points import Point, PointKind

_BIT = re.compile(r"(.*)\[(\d+)\]:(.*)")


def missed_names(points: Iterable[Point]) -> list[str]:
    """Points as `KIND POINT`, sorted; `toggle held[3-9,12]:0->1` for the bits of a signal."""
    bits: dict[tuple[str, str], list[int]] = {}
    names = []
    for point in points:
        found = _BIT.fullmatch(point.what) if point.kind is PointKind.TOGGLE else None
        if found is None:
            names.append(f"{point.kind} {point}")
        else:
            bits.setdefault((found[1], found[3]), []).append(int(found[2]))
    for (signal, edge), numbers in bits.items():
        names.append(f"{PointKind.TOGGLE} {signal}[{ranges(numbers)}]:{edge}")
    return sorted(names)


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as "3-9,12"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
