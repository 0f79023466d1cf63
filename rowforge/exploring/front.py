"""Which trials cannot be bettered: `front`; and how good a front is: `hypervolume`."""

from collections.abc import Sequence

from rowforge.exploring.search import Trial
from rowforge.exploring.space import SearchSpace

Point = tuple[float, ...]


def signed(space: SearchSpace, trial: Trial) -> Point:
    """The objectives of a trial, all to be made small."""
    pairs = zip(space.objectives, trial.objectives(space), strict=True)
    return tuple(-value if objective.largest else value for objective, value in pairs)


def dominates(one: Point, other: Point) -> bool:
    """Whether one is nowhere worse and somewhere better; both to be made small."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def front(space: SearchSpace, trials: Sequence[Trial]) -> list[Trial]:
    """Trials within the budget that no other one dominates, by their first objective.

    Of several with the same objectives, the first is there.
    """
    points: dict[Point, Trial] = {}
    for trial in trials:
        if trial.fits(space):
            points.setdefault(signed(space, trial), trial)
    best = [
        (point, trial)
        for point, trial in points.items()
        if not any(dominates(other, point) for other in points)
    ]
    return [trial for _, trial in sorted(best, key=lambda pair: pair[0])]


def hypervolume(points: Sequence[Point], worst: Point) -> float:
    """The volume of what some point dominates, up to a point that is worse than all."""
    inside = [point for point in points if all(a < b for a, b in zip(point, worst, strict=True))]
    if not inside:
        return 0.0
    if len(worst) == 1:
        return worst[0] - min(point[0] for point in inside)
    volume, ordered = 0.0, sorted(inside)  # slabs along the first objective
    for place, point in enumerate(ordered):
        end = ordered[place + 1][0] if place + 1 < len(ordered) else worst[0]
        rest = [each[1:] for each in ordered[: place + 1]]
        volume += (end - point[0]) * hypervolume(rest, worst[1:])
    return volume
