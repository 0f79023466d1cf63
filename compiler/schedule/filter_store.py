"""Filters that lie in the global buffer while a layer runs: `hold_filters`."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from compiler.nest.images import FilterImage
from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Operand
from compiler.schedule.goal import Figure, Goal
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
        """The place of an image, which is loaded if it has one; see `FilterPlaces`."""
        address = self._places.get(image.key)
        if address is not None and image.key not in self._loaded:
            self._loaded.add(image.key)
            self._stream.load_filters(address, image.links, image.filters)
        return address

    def holds(self, image: FilterImage) -> bool:
        """Whether an image has a place."""
        return image.key in self._places


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
    places = place_filters_of(goal, images, (begin, end), moves, computing)
    if places:
        operation.buffered = FilterStore(stream, places)


def place_filters_of(
    goal: Goal,
    images: Sequence[FilterImage],
    span: tuple[int, int],
    moves: Transfers,
    computing: int,
) -> dict[Hashable, int]:
    """Places within a span of buffer words for the filters of a layer that are sent repeatedly.

    What saves most words of the link for the room that it takes goes first. The array waits for
    what the layer's first command needs: where everything could have a place, what saves least is
    streamed, and its commands go first, if the goal's figure is better so. None have a place if it
    is not better than without.

    Parameters
    ----------
    images : of all CONV commands of the layer, in order
    moves, computing : of the layer with all filters streamed, whose words are counted here
    """
    sent = _sums(images, [image.sent for image in images])
    known = {image.key: image for image in reversed(images)}
    saved = {key: sent[key] - image.links - _LOAD_WORDS for key, image in known.items()}
    address, end = span
    places: dict[Hashable, int] = {}
    for key in sorted(saved, key=lambda key: -saved[key] / known[key].words):
        if saved[key] > 0 and address + known[key].words <= end:
            places[key] = address
            address += known[key].words
    options: list[dict[Hashable, int]] = [{}, places]
    if places and len(places) == len(known) and not moves.words:
        least = min(places, key=lambda key: saved[key])
        options.append({key: place for key, place in places.items() if key != least})

    def weight(option: dict[Hashable, int]) -> tuple[Figure, int]:
        words = sum(sent.values()) - sum(saved[key] for key in option)
        return _figure(goal, images, option, moves, computing), words

    return min(options, key=weight)


def _sums(images: Sequence[FilterImage], words: Sequence[int]) -> Counter[Hashable]:
    """Words by key of the image."""
    sums = Counter[Hashable]()
    for image, count in zip(images, words, strict=True):
        sums[image.key] += count
    return sums


def _figure(
    goal: Goal,
    images: Sequence[FilterImage],
    places: Mapping[Hashable, int],
    moves: Transfers,
    computing: int,
) -> Figure:
    """The goal's figure of the layer if these images have places."""
    config = goal.config
    placed = [image for image in images if image.key in places]
    links = sum({image.key: image.links + _LOAD_WORDS for image in placed}.values())
    others = [image for image in images if image.key not in places]
    streamed = sum(image.sent for image in others)
    bits = sum(image.taken for image in placed) * LINK_WORD_BITS
    waits = placed[0].links if placed else 0
    if not moves.words:
        # Streamed commands go first (see `lower_nest`), and the first LOAD comes after theirs.
        waits = max(0, min(waits, streamed + waits - sum(image.cycles for image in others)))
    return goal.figure(
        replace(
            moves,
            filters=streamed + links - waits,
            exposed=moves.exposed + waits,
            reads=moves.reads + bits // config.buffer.width,
        ),
        computing,
        Accesses.of({RESIDENT: bits // config.array.data_width}),
    )
