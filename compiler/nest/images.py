"""Filters of CONV commands that lie in the global buffer: `FilterImage`."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from compiler.stream.loops import Loop
from compiler.stream.resident import Filters
from hw.arch.config import LINK_WORD_BITS, Config

FILTER_STEPS = ("band", "wave", "group", "tap", "row", "pass")
"""What of a loop's steps changes the filters of a pass."""


@dataclass(frozen=True)
class FilterImage:
    """The filters of one CONV command as the buffer holds them: those of every pass once.

    Attributes
    ----------
    key : equal for commands with equal images
    words : buffer words that it takes; links : words of the link that bring it
    stride : buffer words from the filters of a pass to those of the next
    sent : words of the link that the command takes if its filters are streamed
    read : the words that it reads of the buffer otherwise, in words of the link
    filters : makes the filters; a dry stream never does
    """

    key: Hashable
    words: int
    links: int
    stride: int
    sent: int
    read: int
    filters: Callable[[], Filters]


FilterPlaces: TypeAlias = Callable[[FilterImage], int | None]
"""Tells the buffer word where a command's image lies, or None: its filters are streamed.

It is asked before the command is emitted, and may load the image then.
"""


def image_unit(config: Config) -> int:
    """Words of the link in which an image is measured, so that every pass begins a buffer word."""
    return max(config.buffer.width // LINK_WORD_BITS, 1)


def filter_image(
    config: Config,
    key: Hashable,
    loops: Sequence[Loop],
    moved: Mapping[str, int],
    longest: int,
    sent: int,
    read: int,
    filters: Callable[[], Filters],
) -> FilterImage:
    """The image of a command.

    key : equal for commands that take their filters from equal weights in the same way
    moved : how far loops that are commands have come
    longest : link words of the pass that is sent most; sent, read : see `FilterImage`
    """
    unit = image_unit(config)
    stride = -(-longest // unit) * unit
    steps = tuple(
        (loop.count, *(loop.steps.get(name, 0) for name in FILTER_STEPS)) for loop in loops
    )
    start = tuple(moved.get(name, 0) for name in FILTER_STEPS)
    links = stride * prod(loop.count for loop in loops if depends(loop))
    return FilterImage(
        key=(key, steps, start),
        words=links * LINK_WORD_BITS // config.buffer.width,
        links=links,
        stride=stride * LINK_WORD_BITS // config.buffer.width,
        sent=sent,
        read=read,
        filters=filters,
    )


def depends(loop: Loop) -> bool:
    """Whether the filters change when the loop steps."""
    return any(name in loop.steps for name in FILTER_STEPS)
