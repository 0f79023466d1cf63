"""Parts of an operand that are loaded piece by piece, while the array computes."""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from compiler.operators.operation import Operand
from hw.arch.config import Config


def pieces(config: Config, part: Operand, count: int) -> Iterator[Operand]:
    """About `count` pieces of a part: items, or channel blocks of one item."""
    surface, box = part.surface, part.box
    if surface.items > 1:
        each = ceil(surface.items / count)
        for first in range(0, surface.items, each):
            last = min(first + each, surface.items)
            items = (box.items[0] + first, box.items[0] + last)
            address = surface.address + first * surface.item_stride
            yield Operand(
                replace(box, items=items), replace(surface, items=last - first, address=address)
            )
        return
    each = ceil(surface.channels / config.lanes / count) * config.lanes
    for first in range(0, surface.channels, each):
        last = min(first + each, surface.channels)
        rows, columns = (0, surface.height), (0, surface.width)
        channels = (box.channels[0] + first, box.channels[0] + last)
        yield Operand(
            replace(box, channels=channels), surface.window(config, rows, columns, (first, last))
        )


def row_pieces(config: Config, part: Operand, count: int) -> Iterator[Operand]:
    """About `count` pieces of a part, of some rows each; none of a part without rows."""
    surface, box = part.surface, part.box
    each = max(ceil(surface.height / count), 1)
    for first in range(0, surface.height, each):
        rows = first, min(first + each, surface.height)
        window = surface.window(config, rows, (0, surface.width), (0, surface.channels))
        yield Operand(replace(box, rows=(box.rows[0] + rows[0], box.rows[0] + rows[1])), window)
