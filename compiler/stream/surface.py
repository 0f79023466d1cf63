"""Where a tensor, or a tile of one, lies in the global buffer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hw.arch.commands import REGION
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program import Box
from hw.arch.program.layout import channel_blocks, channels_per_word


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A box of N x height x width pixels of `channels` channels in the activation layout.

    `address` is the word of item 0, channel block 0, row 0, column 0. Strides are in words; `raw`
    elements are 32 bits wide.
    """

    address: int
    items: int
    height: int
    width: int
    channels: int
    row_stride: int
    plane_stride: int
    item_stride: int
    raw: bool = False

    @classmethod
    def dense(
        cls,
        config: Config,
        address: int,
        shape: tuple[int, int, int, int],
        *,
        raw: bool = False,
    ) -> "Surface":
        """A surface without gaps for (items, height, width, channels)."""
        items, height, width, channels = shape
        plane = height * width
        return cls(
            address=address,
            items=items,
            height=height,
            width=width,
            channels=channels,
            row_stride=width,
            plane_stride=plane,
            item_stride=plane * channel_blocks(config, channels, raw=raw),
            raw=raw,
        )

    def blocks(self, config: Config) -> int:
        """Channel blocks."""
        return channel_blocks(config, self.channels, raw=self.raw)

    def extent(self, config: Config) -> tuple[int, int]:
        """Half-open range of buffer words that holds all of it."""
        last = (
            (self.items - 1) * self.item_stride
            + (self.blocks(config) - 1) * self.plane_stride
            + (self.height - 1) * self.row_stride
            + self.width
        )
        return self.address, self.address + last

    def window(
        self,
        config: Config,
        rows: tuple[int, int],
        columns: tuple[int, int],
        channels: tuple[int, int],
    ) -> "Surface":
        """The part with these half-open ranges; channels start at a whole block."""
        block = channels[0] // channels_per_word(config, raw=self.raw)
        offset = block * self.plane_stride + rows[0] * self.row_stride + columns[0]
        return replace(
            self,
            address=self.address + offset,
            height=rows[1] - rows[0],
            width=columns[1] - columns[0],
            channels=channels[1] - channels[0],
        )

    @property
    def contiguous(self) -> bool:
        """Rows follow each other without a gap, so that a plane is one long row."""
        return self.row_stride == self.width


def surface_words(config: Config, shape: tuple[int, int, int, int], *, raw: bool = False) -> int:
    """Buffer words of a dense surface."""
    items, height, width, channels = shape
    return items * height * width * channel_blocks(config, channels, raw=raw)


def runs(config: Config, address: int, length: int, *, patient: bool) -> Iterator[dict[str, int]]:
    """`REGION` of every LOAD that brings part of so many link words, from a buffer word on.

    A part ends with a whole buffer word.
    """
    most = REGION.fields[[item.name for item in REGION.fields].index("run")].high
    most = most * config.buffer.width // LINK_WORD_BITS & ~1
    for first in range(0, length, most):
        words = min(most, length - first)
        yield {
            "address": address + first * LINK_WORD_BITS // config.buffer.width,
            "run": words * LINK_WORD_BITS // config.buffer.width,
            **dict.fromkeys(("rows", "planes"), 1),
            "words": words,
            "patient": patient,
        }


def movable(config: Config, box: Box, surface: Surface) -> Iterator[tuple[Box, Surface]]:
    """A box at a surface in parts that one command can describe: whole items, or channel blocks.

    The items of one command lie as far apart as their channel blocks take.
    """
    most = REGION.fields[[item.name for item in REGION.fields].index("planes")].high
    items, blocks = surface.items, surface.blocks(config)
    even = items == 1 or surface.item_stride == blocks * surface.plane_stride
    if items * blocks <= most and even:
        yield box, surface
    elif items > 1:
        for item in range(items):
            at = box.items[0] + item
            moved = replace(surface, items=1, address=surface.address + item * surface.item_stride)
            yield from movable(config, replace(box, items=(at, at + 1)), moved)
    else:
        lanes = channels_per_word(config, raw=surface.raw)
        rows, columns = (0, surface.height), (0, surface.width)
        for first in range(0, surface.channels, most * lanes):
            last = min(first + most * lanes, surface.channels)
            channels = (box.channels[0] + first, box.channels[0] + last)
            part = surface.window(config, rows, columns, (first, last))
            yield replace(box, channels=channels), part
