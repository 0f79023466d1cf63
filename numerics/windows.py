"""Geometry of sliding windows."""


def output_size(size: int, taps: int, stride: int, dilation: int, pads: int) -> int:
    """Output positions along one axis; `pads` is the sum of both ends."""
    return (size + pads - ((taps - 1) * dilation + 1)) // stride + 1
