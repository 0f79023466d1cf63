"""Configurations that no test holds, drawn from a seed: one of each kind."""

from collections.abc import Iterator
from random import Random
from typing import Any

from hw.arch.config import Config
from hw.arch.errors import RowforgeError

Values = dict[str, Any]

# What makes a kind; everything else is drawn.
KINDS: dict[str, Values] = {
    "two_macs": {
        "array.rows": 3,
        "array.cols": 5,
        "array.data_width": 16,
        "pe.macs": 2,
        "link.width": 32,
    },
    "wide": {
        "array.rows": 6,
        "array.cols": 7,
        "buffer.width": 128,
        "pe.weight_zero_points": True,
        "noc.pipeline": 1,
        "control.pipeline": 1,
        "link.width": 16,
    },
    "microcontroller": {
        "array.rows": 3,
        "array.cols": 2,
        "buffer.width": 32,
        "noc.ifmap": 1,
        "noc.psum_in": 1,
        "noc.psum_out": 1,
        "control.kind": "microcontroller",
        "buffer.weight_memory": 4096,
    },
}

_DRAWN: dict[str, tuple[Any, ...]] = {
    "array.psum_width": tuple(range(22, 40)),
    "pe.ifmap_spad": tuple(range(12, 40)),
    "pe.filter_spad": tuple(range(96, 260, 4)),
    "pe.psum_spad": tuple(range(6, 26, 2)),
    "pe.ifmap_fifo": (1, 2, 3, 4),
    "pe.psum_fifo": (2, 3, 4),
    "pe.zero_gating": (False, True),
    "noc.ifmap": (1, 2, 4, 8),
    "noc.filter": (1, 2, 4, 8),
    "noc.psum_in": (2, 4),
    "noc.psum_out": (2, 4),
    "noc.column_fifo": (2, 3, 4, 5),
    "buffer.banks": tuple(range(5, 20)),
    "buffer.depth": (128, 256, 512),
    "buffer.filter_prefetch": (256, 512, 1024),
    "post.units": (1, 2, 4),
    "post.channels": tuple(range(48, 200, 8)),
    "link.width": (8, 16, 32),
    "control.map_bits": tuple(range(10, 17)),
    "control.row_patterns": tuple(range(4, 17)),
    "control.col_patterns": tuple(range(2, 9)),
}
_TRIES = 1000


def drawn(seed: int) -> Iterator[tuple[str, Config]]:
    """Name and configuration of every kind; the same for the same seed."""
    for kind, values in KINDS.items():
        yield kind, _one(Random(f"{kind} {seed}"), values)


def _one(random: Random, fixed: Values) -> Config:
    for _ in range(_TRIES):
        values = {name: random.choice(choices) for name, choices in _DRAWN.items()} | fixed
        try:
            return Config.of(values)
        except RowforgeError as error:
            reason = error
    raise RowforgeError(f"no configuration in {_TRIES} draws: {reason}")
