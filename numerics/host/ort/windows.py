"""The values below each tap of sliding windows."""

import numpy as np

from numerics.registry import Array


def window_taps(
    x: Array,
    *,
    image: tuple[int, int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int],
    dilation: tuple[int, int],
    fill: float,
) -> list[Array]:
    """For every tap of the window, row by row, the padded input below it: [N, E, F, C]."""
    top, left, bottom, right = pad
    images = x.reshape(-1, *image)
    padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    counts = [
        (padded.shape[axis + 1] - ((window[axis] - 1) * dilation[axis] + 1)) // stride[axis] + 1
        for axis in (0, 1)
    ]
    taps = []
    for r in range(window[0]):
        for s in range(window[1]):
            y, z = r * dilation[0], s * dilation[1]
            taps.append(
                padded[
                    :,
                    y : y + (counts[0] - 1) * stride[0] + 1 : stride[0],
                    z : z + (counts[1] - 1) * stride[1] + 1 : stride[1],
                ]
            )
    return taps
