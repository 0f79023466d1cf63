"""What moves between the parts of the framed link."""

from amaranth.lib import data

from hw.arch.frames import FRAME
from hw.base.layouts import layout

BYTE = data.StructLayout({"data": 8, "end": 1})
"""A byte of a frame, or (`end`) the end of the frame, with no byte."""

DECODED = data.StructLayout({"data": 8, "end": 1, "broken": 1})
"""The same after the decoder; `broken`, with `end`: the encoding was wrong."""

RECEIVED = data.StructLayout({"header": layout(FRAME), "good": 1})
"""A frame without its payload; unless `good` nothing of it means anything."""
