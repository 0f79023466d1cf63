"""Layouts shared by the pieces of the post-processing unit."""

from collections.abc import Set

from amaranth.hdl import Mux, Shape, Value, signed
from amaranth.lib import data

from hw.arch.commands import ADDRESS, Rounding
from hw.arch.config import Config
from hw.arch.entries import PARAM
from hw.post.items import item_layout

ZERO_POINT_BITS = 10
BANKS = 2  # layer configurations that may be in flight at once

PARAM_LAYOUT = data.StructLayout(
    {field.name: Shape(field.width, field.signed) for field in PARAM.fields}
)
"""Requantisation parameters of a channel: the low bits of the two words of `PARAM`, without gap."""


def stored_param_layout(modes: Set[Rounding]) -> data.StructLayout:
    """What the parameter memory holds of an entry: no addend if no mode reads it."""
    members = dict(PARAM_LAYOUT.members)
    if modes.isdisjoint({Rounding.AFFINE, Rounding.SCALE16}):
        del members["addend"]
    return data.StructLayout(members)


def lane_config_layout(data_width: int) -> data.StructLayout:
    """What a lane must know of a layer; constant while results of that layer are in flight.

    Members
    -------
    mode : Rounding
    zero_point : signed, 10 bits
        Added to the rounded value (0 for 16-bit data).
    low, high : signed, data_width + 1 bits
        Clamp bounds of the sum, low <= high. The extra bit lets them span unsigned outputs too.
        They are within the stored type: -128..127 or 0..255, -32768..32767.
    """
    return data.StructLayout(
        {
            "mode": Rounding,
            "zero_point": signed(ZERO_POINT_BITS),
            "low": signed(data_width + 1),
            "high": signed(data_width + 1),
        }
    )


def processor_config_layout(config: Config) -> data.StructLayout:
    """What the post-processor must know of a layer.

    Members
    -------
    lane : lane_config_layout(data_width)
    plane : 20 bits
        Buffer words from channel block to channel block of a 32-bit output (mode RAW).
    """
    return data.StructLayout(
        {"lane": lane_config_layout(config.array.data_width), "plane": ADDRESS}
    )


def placement_layout(config: Config) -> data.StructLayout:
    """Where the results of an item belong: the members of `item_layout` after requantisation."""
    members = item_layout(config, config.array.psum_width).members
    return data.StructLayout({name: members[name] for name in ("mask", "addr", "lane", "bank")})


def buffer_write_layout(config: Config) -> data.StructLayout:
    """A write into the global buffer.

    Members
    -------
    addr : 20 bits
        Buffer word.
    mask : one bit a lane
        Lanes of `array.data_width` bits that are written.
    data : buffer.width
    """
    return data.StructLayout({"addr": ADDRESS, "mask": config.lanes, "data": config.buffer.width})


def of_bank(cfg: data.View, bank: Value) -> data.View:
    """The element of a two-element array, by a multiplexer: its Verilog has no variable shift."""
    layout = cfg.shape().elem_shape
    return layout(Mux(bank, cfg[1].as_value(), cfg[0].as_value()))
