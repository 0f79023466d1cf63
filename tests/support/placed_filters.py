"""Filters in the global buffer wherever there is room, whether that pays or not."""

from collections.abc import Hashable, Sequence

import pytest

from compiler.nest.images import FilterImage
from compiler.schedule import filter_store
from compiler.schedule.goal import Goal
from compiler.stream.traffic import Transfers


def place_every_image(patch: pytest.MonkeyPatch) -> list[int]:
    """Makes the compiler do so from now on; returns the growing list of buffer words taken."""
    taken: list[int] = []

    def places(
        goal: Goal,
        images: Sequence[FilterImage],
        span: tuple[int, int],
        moves: Transfers,
        computing: int,
    ) -> dict[Hashable, int]:
        found: dict[Hashable, int] = {}
        address, end = span
        for image in images:
            if image.key not in found and address + image.words <= end:
                found[image.key] = address
                address += image.words
                taken.append(image.words)
        return found

    patch.setattr(filter_store, "place_filters_of", places)
    return taken
