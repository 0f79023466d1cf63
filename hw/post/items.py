"""What the array and the vector engine hand to the post-processor."""

from amaranth.hdl import signed
from amaranth.lib import data

from hw.arch.commands import ADDRESS
from hw.arch.config import Config

PARAM_ROW = 16
"""Bits of a parameter memory row (`param` in `OUTPUT`)."""


def item_layout(config: Config, acc_width: int) -> data.StructLayout:
    """`post.units` accumulators of neighbouring channels, and where their results belong.

    Members
    -------
    acc : array of post.units signed accumulators, acc_width bits
    mask : post.units bits
        Accumulators that exist; the others are not written.
    addr : 20 bits
        Buffer word of the results (of the channel block, in mode RAW).
    lane : unsigned
        Lane of the first result in its channel block, a multiple of post.units.
    row : 16 bits
        Parameter memory row.
    bank : 1
        Which of the two output configurations holds.
    """
    units = config.post.units
    return data.StructLayout(
        {
            "acc": data.ArrayLayout(signed(acc_width), units),
            "mask": units,
            "addr": ADDRESS,
            "lane": range(config.lanes),
            "row": PARAM_ROW,
            "bank": 1,
        }
    )
