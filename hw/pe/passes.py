"""What a dense PE must know of a pass, and how it follows from a CONV command."""

from amaranth.hdl import ValueLike
from amaranth.lib import data

from hw.arch.config import Config
from hw.pe.layouts import end_shape, round_words, segment_ends
from hw.pe.pe import PassConfig


class DensePass(PassConfig):
    """`PassConfig` of a dense PE.

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
                "step_end": end_shape(slots),
                "slot_end": end_shape(slots),
                "last_tap": end_shape(config.pe.ifmap_spad),
                "last_free": range(max(config.pe.ifmap_spad, 2)),
                "windows": config.control.map_bits,
                "single": 1,
                "window_shift": 5 if config.array.data_width == 16 else 0,
            }
        )


def pass_constants(config: Config, constants: data.View) -> dict[str, ValueLike]:
    """The fields of `DensePass` that follow from a pass table's `CONSTANTS`.

    Taps are a multiple of the channels and at least `advance`, which is at least 1, as windows are.
    """
    return {
        **segment_ends(config, constants),
        "last_tap": constants.taps - round_words(constants) - 1,
        "last_free": constants.advance - 1,
        "windows": constants.windows,
        "single": constants.windows == 1,
        "window_shift": constants.window_shift if config.array.data_width == 16 else 0,
    }
