"""What travels into and out of a PE, and how the ends of its counts are told."""

from amaranth.hdl import Mux, Signal, Value, ValueLike, signed
from amaranth.lib import data
from amaranth.utils import bits_for

from hw.arch.config import Config


def end_shape(most: int) -> range:
    """The shape of an end: the index before the last of up to `most` items, or -1."""
    return range(-1, max(most, 2) - 1)


def at_once(end: Value) -> Value:
    """The first item is the last: no index reaches this end."""
    return end[-1]


def reaches(index: Signal, end: Value) -> Value:
    """The next item is the last; never while the end is -1."""
    return index == end.as_unsigned()[: len(index)]


def segment_ends(config: Config, constants: data.View) -> dict[str, ValueLike]:
    """The ends of a PE's words in a window, from a pass table's `CONSTANTS`.

    `slot_end` of all of them, a word for each slot; `step_end` of those of one ifmap word. Steps
    and psums are at least 1, and psums are those of all slots, less the ones that `odd` drops.
    """
    slots = constants.psums
    if config.pe.macs == 2:
        dropped = Mux(constants.odd, round_words(constants), 0)
        slots = (constants.psums + dropped) >> 1
    return {"step_end": constants.steps - 2, "slot_end": slots - 2}


def round_words(constants: data.View) -> Value:
    """Ifmap words of a round: a word or, where every channel has slots of its own, a pixel."""
    return Mux(constants.diagonal, constants.channels, 1)


class IfmapBeat(data.StructLayout):
    """Up to `noc.ifmap` operands of one pixel; `more` are valid beyond the first."""

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


class PsumWord(data.ArrayLayout):
    """What a psum chain carries in a cycle: one psum for each multiplier of a PE."""

    def __init__(self, config: Config):
        super().__init__(signed(config.array.psum_width), config.pe.macs)


class ChainWord(data.StructLayout):
    """An item of a PE's output: its psums, and whether they leave the column here."""

    def __init__(self, config: Config):
        super().__init__({"psums": PsumWord(config), "tail": 1})
