"""Filters in the global buffer wherever there is room, whether that pays or not."""

from collections.abc import Hashable, Sequence

import pytest

from compiler.nest.images import FilterImage
from compiler.schedule import filter_store
from compiler.schedule.filter_store import Home, homes
from compiler.schedule.goal import Goal
from compiler.stream.hazards import Span
from compiler.stream.timeline import Timeline
from compiler.stream.traffic import Transfers


def place_every_image(patch: pytest.MonkeyPatch) -> list[int]:
    """Makes the compiler do so from now on; returns the growing list of buffer words taken."""
    taken: list[int] = []

    def places(
        goal: Goal,
        images: Sequence[FilterImage],
        span: Span,
        moves: Transfers,
        computing: int,
        timeline: Timeline,
    ) -> dict[Hashable, Home]:
        known = {image.key: image for image in reversed(images)}
        found = homes(list(known.values())[::-1], span, timeline)
        taken.extend(known[key].words for key in found)
        return found

    patch.setattr(filter_store, "place_filters_of", places)
    return taken
