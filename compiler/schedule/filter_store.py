"""Filters that lie in the global buffer while a layer runs: `hold_filters`."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from compiler.nest.images import FilterImage
from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Operand
from compiler.schedule.goal import Goal
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface
from compiler.stream.traffic import RESIDENT, Transfers
from hw.arch.accesses import Accesses
from hw.arch.commands import DESCRIPTOR_WORDS, Opcode
from hw.arch.config import LINK_WORD_BITS
from hw.arch.program import Box

Job: TypeAlias = tuple[Box, Sequence[Operand], Surface]
"""A tile, the parts of the operands that it needs, where it goes."""

_LOAD_WORDS = 1 + DESCRIPTOR_WORDS[Opcode.LOAD]


class FilterStore:
    """Places of filter images; each is loaded before the first command that needs it.

    Parameters
    ----------
    places : by key of the image, its first buffer word; commands with other images stream theirs
    """

    def __init__(self, stream: StreamBuilder, places: Mapping[Hashable, int]) -> None:
        self._stream, self._places = stream, places
        self._loaded: set[Hashable] = set()

    def __call__(self, image: FilterImage) -> int | None:
        """As `FilterPlaces`."""
        self.load(image)
        return self._places.get(image.key)

    def load(self, image: FilterImage) -> None:
        """Loads an image that has a place, once."""
        address = self._places.get(image.key)
        if address is not None and image.key not in self._loaded:
            self._loaded.add(image.key)
            self._stream.load_filters(address, image.links, image.filters)


def hold_filters(
    stream: StreamBuilder,
    goal: Goal,
    operation: ConvOperation,
    jobs: Sequence[Job],
    span: tuple[int, int],
    psum_beats: int,
    moves: Transfers,
    computing: int,
) -> None:
    """Lets a layer take those filters from the buffer for which the goal's figure is better so.

    Parameters
    ----------
    jobs : what will be emitted, in order
    span : buffer words that are free, as far as they are not psums'
    moves, computing : see `place_filters_of`
    """
    operation.buffered = None
    if not stream.config.buffer.filters or stream.config.buffer.weight_memory:
        return
    images: list[FilterImage] = []
    begin, end = span
    for tile, parts, target in jobs:
        found, floor = operation.filter_images(stream, tile, parts, target, psum_beats)
        images += found
        end = min(end, floor)
    places = place_filters_of(goal, images, (begin, end), moves, computing, stream)
    if places:
        operation.buffered = store = FilterStore(stream, places)
        if not moves.words:
            # Tables wait for the commands before, a LOAD need not: it goes first.
            for image in images:
                store.load(image)


def place_filters_of(
    goal: Goal,
    images: Sequence[FilterImage],
    span: tuple[int, int],
    moves: Transfers,
    computing: int,
    stream: StreamBuilder,
) -> dict[Hashable, int]:
    """Places within a span of buffer words for the filters of a layer that are sent repeatedly.

    What saves most words of the link for the room that it takes goes first. None have a place if
    the goal's figure of the layer is not better for it.

    Parameters
    ----------
    images : of all CONV commands of the layer, in order
    moves, computing : of the layer with all filters streamed, whose words are counted here
    stream : what has been emitted, whose computing hides what is loaded before the first command
    """
    sent, taken = Counter[Hashable](), Counter[Hashable]()
    for image in images:
        sent[image.key] += image.sent
        taken[image.key] += image.taken
    known = {image.key: image for image in reversed(images)}
    saved = {key: sent[key] - image.links - _LOAD_WORDS for key, image in known.items()}
    begin, end = span
    waits, ahead = 0, stream.ahead  # words of the link for which the array waits
    places: dict[Hashable, int] = {}
    for key in sorted(saved, key=lambda key: -saved[key] / known[key].words):
        image = known[key]
        if saved[key] <= 0 or begin + image.words > end:
            continue
        # What the layer before still uses is left alone where there is room elsewhere: its
        # computing hides the LOAD then.
        free = stream.free_from(image.words, (begin, end))
        places[key] = begin if free is None else free
        hidden = 0 if free is None else min(ahead, image.links)
        waits, ahead = waits + image.links - hidden, ahead - hidden
        begin = places[key] + image.words
    if not places:
        return {}
    total, kept = sum(sent.values()), sum(sent[key] for key in places)
    bits = sum(taken[key] for key in places) * LINK_WORD_BITS
    links = sum(known[key].links for key in places)
    if moves.words:
        waits = max(waits, next(image.links for image in images if image.key in places))
    config = goal.config
    before = goal.figure(replace(moves, filters=total), computing)
    after = goal.figure(
        replace(
            moves,
            filters=total - kept + links - waits + _LOAD_WORDS * len(places),
            exposed=moves.exposed + waits,
            reads=moves.reads + bits // config.buffer.width,
        ),
        computing,
        Accesses.of({RESIDENT: bits // config.array.data_width}),
    )
    return places if after <= before else {}
