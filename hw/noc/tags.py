"""What the multicast networks compare: tags of beats, and the widths of row and column numbers."""

from amaranth.lib import data
from amaranth.utils import ceil_log2

from hw.arch.commands import TAG
from hw.arch.config import Config
from hw.pe.layouts import FilterBeat, IfmapBeat


def row_bits(config: Config) -> int:
    """Bits of the number of a row, an ifmap slot, a segment or a filter row tag."""
    return ceil_log2(max(config.array.rows, 2))


def col_bits(config: Config) -> int:
    """Bits of the number of a column or a filter column tag."""
    return ceil_log2(max(config.array.cols, 2))


class TaggedBeat(data.StructLayout):
    """A beat on a Y bus: payload, row and column tag, and the pass table (bank) of its tags."""

    def __init__(self, payload, *, row: int, tag: int):
        super().__init__({"payload": payload, "row": row, "tag": tag, "bank": 1})


def ifmap_bus(config: Config) -> TaggedBeat:
    """What the ifmap network's Y bus carries, for the row tag of a slot and an ifmap row."""
    return TaggedBeat(IfmapBeat(config), row=row_bits(config), tag=TAG)


def filter_bus(config: Config) -> TaggedBeat:
    """What the filter network's Y bus carries, for a filter row tag and a filter column tag."""
    return TaggedBeat(FilterBeat(config), row=row_bits(config), tag=col_bits(config))
