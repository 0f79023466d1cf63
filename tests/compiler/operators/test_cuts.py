"""Where an axis is cut, beside a walk over its positions."""

from collections import Counter
from itertools import product

from compiler.operators.cuts import AxisCuts, Span


def walked(size: int, nest: int, part: int) -> list[Span]:
    """A span ends after `part` positions, at the end of a nest that it began in, and at the end."""
    spans, begin = [], 0
    for position in range(1, size + 1):
        inside = part < nest and position % nest == 0
        if position - begin == part or inside or position == size:
            spans.append((begin, position))
            begin = position
    return spans


def test_spans_are_those_of_a_walk() -> None:
    for size, nest, part in product(range(1, 30), (4, 6, 7, 30), range(1, 10)):
        cuts = AxisCuts(size, nest, part)
        expected = walked(size, nest, part)
        assert list(cuts) == expected and len(cuts) == len(expected), cuts
        assert cuts.lengths() == Counter(end - begin for begin, end in expected), cuts
        assert cuts[1:3] == expected[1:3]


def test_a_long_axis_is_not_walked() -> None:
    cuts = AxisCuts(10**12, 10**12, 1)
    assert len(cuts) == 10**12
    assert cuts[10**11] == (10**11, 10**11 + 1)
    assert cuts.lengths() == {1: 10**12}
