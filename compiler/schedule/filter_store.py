"""Filters that lie in the global buffer while a layer runs: `hold_filters`."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from compiler.nest.images import FilterImage
from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Operand
from compiler.schedule.goal import Figure, Goal
from compiler.stream.hazards import Span
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface
from compiler.stream.timeline import Ahead, Timeline, first_gap
from compiler.stream.traffic import RESIDENT, Transfers
from hw.arch.accesses import Accesses
from hw.arch.commands import DESCRIPTOR_WORDS, Opcode
from hw.arch.config import LINK_WORD_BITS
from hw.arch.program import Box

Job: TypeAlias = tuple[Box, Sequence[Operand], Surface]
"""A tile, the parts of the operands that it needs, where it goes."""

_LOAD_WORDS = 1 + DESCRIPTOR_WORDS[Opcode.LOAD]


@dataclass(frozen=True)
class Home:
    """Where an image lies: its first buffer word, and where it is loaded if that is ahead."""

    address: int
    ahead: Ahead | None = None


class FilterStore:
    """Places of filter images; each is loaded before the first command that needs it, or ahead.

    Parameters
    ----------
    places : by key of the image; commands with other images stream theirs
    """

    def __init__(self, stream: StreamBuilder, places: Mapping[Hashable, Home]) -> None:
        self._stream, self._places = stream, places
        self._loaded: set[Hashable] = set()

    def __call__(self, image: FilterImage) -> int | None:
        """The place of an image, which is loaded if it has one; see `FilterPlaces`."""
        home = self._places.get(image.key)
        if home is None:
            return None
        if image.key not in self._loaded:
            self._loaded.add(image.key)
            self._stream.load_filters(home.address, image.links, image.filters, home.ahead)
        return home.address

    def waits(self, image: FilterImage) -> bool:
        """Whether an image is loaded just before the first command that needs it."""
        home = self._places.get(image.key)
        return home is not None and home.ahead is None


def hold_filters(
    stream: StreamBuilder,
    goal: Goal,
    operation: ConvOperation,
    jobs: Sequence[Job],
    span: Span,
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
    places = place_filters_of(goal, images, (begin, end), moves, computing, stream.timeline)
    if places:
        operation.buffered = store = FilterStore(stream, places)
        for image in images:
            if image.key in places and not store.waits(image):
                store(image)


def place_filters_of(
    goal: Goal,
    images: Sequence[FilterImage],
    span: Span,
    moves: Transfers,
    computing: int,
    timeline: Timeline,
) -> dict[Hashable, Home]:
    """Places within a span of buffer words for the filters of a layer that are sent repeatedly.

    What saves most words of the link for the room that it takes goes first. It is loaded ahead,
    beside the commands of earlier layers, if that costs less than waiting for it. Of what is not,
    the array waits for what the layer's first command needs: where everything could have a place,
    what saves least is streamed, and its commands go first, if the goal's figure is better so. None
    have a place if it is not better than without.

    Parameters
    ----------
    images : of all CONV commands of the layer, in order
    moves, computing : of the layer with all filters streamed, whose words are counted here
    timeline : of what has been emitted
    """
    sent = _sums(images, [image.sent for image in images])
    known = {image.key: image for image in reversed(images)}
    saved = {key: sent[key] - image.links - _LOAD_WORDS for key, image in known.items()}
    order = sorted(saved, key=lambda key: -saved[key] / known[key].words)
    places = homes([known[key] for key in order if saved[key] > 0], span, timeline)
    options: list[dict[Hashable, Home]] = [{}, places]
    if places and len(places) == len(known) and not moves.words:
        least = min(places, key=lambda key: saved[key])
        options.append({key: place for key, place in places.items() if key != least})

    def weight(option: dict[Hashable, Home]) -> tuple[Figure, int]:
        words = sum(sent.values()) - sum(saved[key] for key in option)
        return _figure(goal, images, option, moves, computing), words

    return min(options, key=weight)


def homes(images: Sequence[FilterImage], span: Span, timeline: Timeline) -> dict[Hashable, Home]:
    """Places for as many images as fit, the first ones first."""
    places: dict[Hashable, Home] = {}
    others: list[Ahead] = []
    used: list[Span] = []
    for image in images:
        ahead = timeline.ahead(image.words, image.links, span, used, others)
        if ahead is not None and ahead.waits < image.links:
            others.append(ahead)
            home = Home(ahead.address, ahead)
        else:
            address = first_gap(image.words, span, used)
            if address is None:
                continue
            home = Home(address)
        places[image.key] = home
        used.append((home.address, home.address + image.words))
    return places


def _sums(images: Sequence[FilterImage], words: Sequence[int]) -> Counter[Hashable]:
    """Words by key of the image."""
    sums = Counter[Hashable]()
    for image, count in zip(images, words, strict=True):
        sums[image.key] += count
    return sums


def _figure(
    goal: Goal,
    images: Sequence[FilterImage],
    places: Mapping[Hashable, Home],
    moves: Transfers,
    computing: int,
) -> Figure:
    """The goal's figure of the layer if these images have places."""
    config = goal.config
    placed = [image for image in images if image.key in places]
    links = sum({image.key: image.links + _LOAD_WORDS for image in placed}.values())
    streamed = sum(image.sent for image in images if image.key not in places)
    bits = sum(image.taken for image in placed) * LINK_WORD_BITS
    homes = [home.ahead for home in places.values()]
    waits = sum(ahead.waits for ahead in homes if ahead is not None)
    late = [image for image in placed if places[image.key].ahead is None]
    if late and moves.words:
        waits += late[0].links
    elif late:
        # Other commands go first (see `lower_nest`), and the first LOAD comes after theirs.
        first = [image.cycles for image in images if image not in late]
        waits += max(0, min(late[0].links, streamed + late[0].links - sum(first)))
    return goal.figure(
        replace(
            moves,
            filters=max(streamed + links - waits, 0),
            exposed=moves.exposed + waits,
            reads=moves.reads + bits // config.buffer.width,
        ),
        computing,
        Accesses.of({RESIDENT: bits // config.array.data_width}),
    )
