"""Positions along an axis as loops of equal steps, which a command can count."""

from collections.abc import Iterator
from dataclasses import dataclass

from compiler.moves.pieces import Along


@dataclass(frozen=True)
class Steps:
    """`count` times: the input goes on by `source` positions, the output by `target`."""

    count: int
    source: int
    target: int

    def in_words(self, source: int, target: int) -> "Steps":
        """The same with so many words a position."""
        return Steps(self.count, self.source * source, self.target * target)


@dataclass(frozen=True)
class Stretch:
    """Positions that loops visit, beginning with these of the input and the output."""

    source: int
    target: int
    loops: tuple[Steps, Steps]


def stretches(along: Along) -> Iterator[Stretch]:
    """An axis as few stretches: rising, equal distances, each position as often in turn."""
    source, place = along.source, 0
    while place < len(source):
        times = _equal(source, place)
        count, step = 1, 0
        while (after := place + count * times) < len(source) and _equal(source, after) == times:
            distance = source[after] - source[after - 1]
            if distance < 0 or (count > 1 and distance != step):
                break
            count, step = count + 1, distance
        loops = Steps(count, step, times * along.step), Steps(times, 0, along.step)
        yield Stretch(source[place], along.start + place * along.step, loops)
        place += count * times


def _equal(source: tuple[int, ...], place: int) -> int:
    """How many equal positions follow each other."""
    end = place + 1
    while end < len(source) and source[end] == source[place]:
        end += 1
    return end - place
