"""What travels into and out of a PE: its pass configuration and the network beats."""

from amaranth.hdl import signed
from amaranth.lib import data
from amaranth.utils import bits_for, ceil_log2

from hw.arch.commands import COLUMN, ROW, TAG
from hw.arch.config import Config


def row_bits(config: Config) -> int:
    """Bits of the number of a row, an ifmap slot, a segment or a filter row tag."""
    return ceil_log2(max(config.rows, 2))


def col_bits(config: Config) -> int:
    """Bits of the number of a column or a filter column tag."""
    return ceil_log2(max(config.cols, 2))


class PassConfig(data.StructLayout):
    """What a PE must know of a pass; constant fields of CONV beside the flags of its row.

    `active`: computes in this pass; `head`: the first of its psum chain; `zero`: a head that starts
    at zero; `tail`: the last of its chain; the other fields are those of `CONSTANTS`.
    """

    def __init__(self, config: Config):
        words = bits_for(config.ifmap_spad)
        super().__init__(
            {
                "active": 1,
                "head": 1,
                "zero": 1,
                "tail": 1,
                "steps": bits_for(config.psum_spad // config.macs_per_pe),
                "taps": words,
                "advance": words,
                "channels": words,
                "windows": config.map_bits,
                "diagonal": 1,
                "window_shift": 5 if config.data_width == 16 else 0,
            }
        )


class IfmapBeat(data.StructLayout):
    """Up to `noc_ifmap` operands of one pixel; `count` - 1 of them are valid beyond the first."""

    def __init__(self, config: Config):
        super().__init__(
            {
                "words": data.ArrayLayout(signed(config.operand_width), config.noc_ifmap),
                "more": bits_for(config.noc_ifmap - 1) if config.noc_ifmap > 1 else 0,
            }
        )


class FilterBeat(data.StructLayout):
    """`noc_filter` weights; `last`: the PE's last beat of the pass."""

    def __init__(self, config: Config):
        super().__init__(
            {
                "words": data.ArrayLayout(signed(config.weight_width), config.noc_filter),
                "last": 1,
            }
        )


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


class PsumWord(data.ArrayLayout):
    """What a psum chain carries in a cycle: one psum for each multiplier of a PE."""

    def __init__(self, config: Config):
        super().__init__(signed(config.psum_width), config.macs_per_pe)


class ChainWord(data.StructLayout):
    """An item of a PE's output: its psums, and whether they leave the column here."""

    def __init__(self, config: Config):
        super().__init__({"psums": PsumWord(config), "tail": 1})


class RowTable(data.StructLayout):
    """What the array knows of a PE row in a pass: the fields of `ROW` without padding."""

    def __init__(self, config: Config):
        tag = row_bits(config)
        widths = {field.name: field.width for field in ROW.fields}
        super().__init__({**widths, "fid": tag, "iid": tag})


class ColumnTable(data.StructLayout):
    """What the array knows of a PE column in a pass."""

    def __init__(self, config: Config):
        wanted = ("active", "tid", "base")
        widths = {f.name: f.width for f in COLUMN.fields if f.name in wanted}
        super().__init__({**widths, "tid": col_bits(config)})
