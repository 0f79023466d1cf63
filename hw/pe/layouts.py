"""What travels into and out of a PE: its pass configuration and the network beats."""

from amaranth.hdl import Mux, Signal, Value, ValueLike, signed
from amaranth.lib import data
from amaranth.utils import bits_for, ceil_log2

from hw.arch.commands import COLUMN, ROW, TAG
from hw.arch.config import Config


def row_bits(config: Config) -> int:
    """Bits of the number of a row, an ifmap slot, a segment or a filter row tag."""
    return ceil_log2(max(config.array.rows, 2))


def col_bits(config: Config) -> int:
    """Bits of the number of a column or a filter column tag."""
    return ceil_log2(max(config.array.cols, 2))


class PassConfig(data.StructLayout):
    """What a PE must know of a pass: flags of its row, and what follows from CONV's constants.

    `active`: computes in this pass; `head`: the first of its psum chain; `zero`: a head that starts
    at zero; `tail`: the last of its chain.

    A *round* is what uses every psum slot once: an ifmap word or, if `diagonal`, a pixel. Ends are
    the indices of the items before the last one, -1 where the first is the last: `step_end` of the
    steps of an ifmap word, `slot_end` of the slots of a round. `last_tap`: the ifmap word before
    the window's last round, -1 likewise; `last_free`: the last one that the next window does not
    need; `windows`: their number; `single`: it is 1. `pass_constants` computes them.
    """

    def __init__(self, config: Config):
        slots = config.pe.psum_spad // config.pe.macs
        super().__init__(
            {
                "active": 1,
                "head": 1,
                "zero": 1,
                "tail": 1,
                "step_end": end_shape(slots),
                "slot_end": end_shape(slots),
                "last_tap": end_shape(config.pe.ifmap_spad),
                "last_free": range(max(config.pe.ifmap_spad, 2)),
                "windows": config.control.map_bits,
                "single": 1,
                "window_shift": 5 if config.array.data_width == 16 else 0,
            }
        )


def end_shape(most: int) -> range:
    """The shape of an end: the index before the last of up to `most` items, or -1."""
    return range(-1, max(most, 2) - 1)


def at_once(end: Value) -> Value:
    """The first item is the last: no index reaches this end."""
    return end[-1]


def reaches(index: Signal, end: Value) -> Value:
    """The next item is the last; never while the end is -1."""
    return index == end.as_unsigned()[: len(index)]


def pass_constants(config: Config, constants) -> dict[str, ValueLike]:
    """The fields of `PassConfig` that follow from a pass table's `CONSTANTS`.

    Taps are a multiple of the channels and at least `advance`; the latter, steps, windows and
    psums are at least 1, and psums are those of all slots, less the ones that `odd` drops.
    """
    span = Mux(constants.diagonal, constants.channels, 1)  # ifmap words of a round
    slots = constants.psums
    if config.pe.macs == 2:
        slots = (constants.psums + Mux(constants.odd, span, 0)) >> 1
    return {
        "step_end": constants.steps - 2,
        "slot_end": slots - 2,
        "last_tap": constants.taps - span - 1,
        "last_free": constants.advance - 1,
        "windows": constants.windows,
        "single": constants.windows == 1,
        "window_shift": constants.window_shift if config.array.data_width == 16 else 0,
    }


class IfmapBeat(data.StructLayout):
    """Up to `noc.ifmap` operands of one pixel; `count` - 1 of them are valid beyond the first."""

    def __init__(self, config: Config):
        super().__init__(
            {
                "words": data.ArrayLayout(signed(config.operand_width), config.noc.ifmap),
                "more": bits_for(config.noc.ifmap - 1) if config.noc.ifmap > 1 else 0,
            }
        )


class FilterBeat(data.StructLayout):
    """`noc.filter` weights; `last`: the PE's last beat of the pass."""

    def __init__(self, config: Config):
        super().__init__(
            {
                "words": data.ArrayLayout(signed(config.weight_width), config.noc.filter),
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
        super().__init__(signed(config.array.psum_width), config.pe.macs)


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
