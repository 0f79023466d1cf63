"""What travels into and out of a PE: its pass configuration and the network beats."""

from amaranth.hdl import signed
from amaranth.lib import data
from amaranth.utils import bits_for

from hw.arch.commands import COLUMN, ROW
from hw.arch.config import Config


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
                "windows": 16,
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

    def __init__(self):
        super().__init__({field.name: field.width for field in ROW.fields})


class ColumnTable(data.StructLayout):
    """What the array knows of a PE column in a pass."""

    def __init__(self):
        wanted = ("active", "tid", "base")
        super().__init__({f.name: f.width for f in COLUMN.fields if f.name in wanted})
