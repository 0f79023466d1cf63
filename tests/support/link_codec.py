"""The driver's codec, for testbenches: what the gateware says is read as the driver reads it."""

from sw_driver import cobs
from sw_driver.frames import Frame, FrameReader, encode_frame

__all__ = ["Frame", "FrameReader", "cobs", "encode_frame"]
