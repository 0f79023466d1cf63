"""Configurations that areas are measured on: `configuration`, `VARIATIONS`, `varied`."""

from typing import Any

import numpy as np

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.configs import preset

VALUES: dict[str, tuple[Any, ...]] = {
    "array.rows": (2, 3, 4, 5, 6, 8, 10),
    "array.cols": (2, 3, 4, 5, 6, 7, 8, 12),
    "array.data_width": (8, 8, 8, 16),
    "array.psum_width": (20, 24, 28, 32),
    "pe.macs": (1, 1, 2),
    "pe.kind": ("dense", "dense", "dense", "skipping"),
    "pe.ifmap_spad": (12, 16, 24, 32),
    "pe.filter_spad": (128, 192, 224, 448, 512, 1024),
    "pe.psum_spad": (8, 16, 24, 32),
    "pe.ifmap_fifo": (1, 2, 4),
    "pe.psum_fifo": (2, 4),
    "pe.weight_zero_points": (False, False, True),
    "pe.zero_gating": (False, True),
    "noc.ifmap": (1, 2, 4),
    "noc.filter": (1, 2, 4, 8),
    "noc.psum_in": (1, 2, 4),
    "noc.psum_out": (1, 2, 4),
    "noc.column_fifo": (2, 4, 8),
    "noc.pipeline": (0, 1),
    "buffer.banks": (8, 12, 16, 25, 32),
    "buffer.depth": (256, 512, 1024, 2048, 4096),
    "buffer.width": (32, 64),
    "buffer.filter_prefetch": (512, 2048, 8192),
    "buffer.filters": (False, False, True),
    "buffer.weight_memory": (0, 0, 65536),
    "post.units": (1, 2, 4),
    "post.channels": (256, 512, 1024),
    "link.width": (16, 32, 64),
    "link.coding": ("none", "none", "mask"),
    "control.pipeline": (0, 1),
    "control.map_bits": (8, 10, 16),
    "control.access_counters": (False, False, True),
}
"""What each field is drawn from; a value that stands twice comes up twice as often."""


def configuration(seed: int, number: int) -> Config:
    """Configuration `number` of a seed: the first one drawn that can be built."""
    rng = np.random.default_rng([seed, number])
    while True:
        drawn = {name: values[rng.integers(len(values))] for name, values in VALUES.items()}
        try:
            return Config.of(drawn)
        except RowforgeError:
            continue


_BASE = {"array.rows": 4, "array.cols": 4, "link.width": 32}
_WIDE = {"buffer.width": 64, "noc.psum_in": 4, "noc.psum_out": 4}
_GATED = {"pe.zero_gating": True}
VARIATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"array.psum_width": 32},
    {"buffer.width": 64},
    {"noc.psum_in": 4},
    {"noc.psum_out": 4},
    {"noc.ifmap": 4},
    {"noc.filter": 8},
    {"buffer.banks": 16},
    {"array.rows": 8, "array.cols": 8},
    {"control.pipeline": 0, "noc.pipeline": 0},
    {**_WIDE, "post.units": 4},
    {"array.data_width": 16},
    {"pe.macs": 2, "noc.psum_in": 2, "noc.psum_out": 2, "pe.kind": "skipping"} | _GATED,
    {"link.coding": "mask", "buffer.filters": True, "control.map_bits": 16},
    {"link.width": 64, "buffer.weight_memory": 65536, "control.access_counters": True},
    {"buffer.depth": 8192, "buffer.banks": 25, "noc.column_fifo": 8, "post.channels": 1024},
    {"buffer.filter_prefetch": 16384, "pe.filter_spad": 128, "pe.psum_spad": 32},
    {**_WIDE, "array.psum_width": 32, "noc.ifmap": 4, "noc.filter": 8},
)
"""What is changed, one thing or a few, of a small array that is else as on the ULX3S."""


def varied(number: int) -> Config:
    """The configuration of a variation."""
    return preset("ulx3s_85f").with_values({**_BASE, **VARIATIONS[number]})
