"""What cannot be built although each section is right by itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hw.arch.errors import RowforgeError

if TYPE_CHECKING:
    from hw.arch.config.config import Config

LINK_WORD_BITS = 64

OF_MICROCONTROLLER: Mapping[str, int] = {
    "array.rows": 16,
    "array.cols": 8,
    "array.data_width": 8,
    "pe.macs": 1,
    "noc.ifmap": 1,
    "noc.filter": 2,
    "noc.psum_in": 1,
    "noc.psum_out": 1,
    "buffer.width": 32,
    "post.units": 1,
    "link.width": 32,
}
"""What a configuration whose `control.kind` is microcontroller may have at most."""


def check_combinations(config: "Config") -> None:
    """Refuse what cannot be built, naming field, value, limit and a value that works."""
    _check_microcontroller(config)
    _check_networks(config)
    _check_words(config)
    _check_psum_banks(config)
    _check_clusters(config)


def _check_microcontroller(config: "Config") -> None:
    if not config.control.microcontroller:
        return
    for name, most in OF_MICROCONTROLLER.items():
        if int(config.value(name)) > most:
            raise RowforgeError(
                f'{name} must be at most {most} with control.kind "microcontroller", '
                f"not {config.value(name)}"
            )
    if config.link.codes:
        raise RowforgeError(
            f'link.coding must be "none" with control.kind "microcontroller", not '
            f'"{config.link.coding}": firmware knows no codes'
        )
    if config.memory.present:
        raise RowforgeError(
            f'memory.kind must be "none" with control.kind "microcontroller", not '
            f'"{config.memory.kind}": firmware takes its words from the link'
        )
    if config.pe.kind != "dense":
        raise RowforgeError(
            f'pe.kind must be "dense" with control.kind "microcontroller", not "{config.pe.kind}": '
            "firmware, which hands out the words, is slower than any PE"
        )
    if config.control.access_counters:
        raise RowforgeError(
            'control.access_counters must be false with control.kind "microcontroller", not true: '
            "firmware counts none of them"
        )


def _check_networks(config: "Config") -> None:
    noc, macs, data_width = config.noc, config.pe.macs, config.array.data_width
    if noc.filter * data_width > LINK_WORD_BITS:
        raise RowforgeError(
            f"noc.filter must be at most {LINK_WORD_BITS // data_width} with "
            f"array.data_width {data_width} (a link word has 64 bits), not {noc.filter}"
        )
    for name in ("filter", "psum_in", "psum_out"):
        if getattr(noc, name) < macs:
            raise RowforgeError(
                f"noc.{name} must be at least pe.macs ({macs}), not {getattr(noc, name)}"
            )
    if config.filter_half < noc.filter:
        raise RowforgeError(
            f"pe.filter_spad must be at least {2 * noc.filter} (two halves of one "
            f"{noc.filter}-word beat), not {config.pe.filter_spad}"
        )


def _check_words(config: "Config") -> None:
    """What one word of the buffer, or one beat of psums, must hold."""
    width, units = config.buffer.width, config.post.units
    for name in ("noc.ifmap", "post.units"):
        if int(config.value(name)) > config.lanes:
            raise RowforgeError(
                f"{name} must be at most {config.lanes} (activations in a {width}-bit "
                f"buffer word), not {config.value(name)}"
            )
    if units > config.psum_beat:
        raise RowforgeError(
            f"post.units must be at most {config.psum_beat} (psums of a psum network beat), "
            f"not {units}"
        )
    if width < config.array.psum_width:
        raise RowforgeError(
            f"buffer.width must be at least array.psum_width ({config.array.psum_width}), not "
            f"{width}; 64 works"
        )


def _check_psum_banks(config: "Config") -> None:
    if config.psum_groups < 1:
        raise RowforgeError(
            f"buffer.banks must give psums at least {2 * config.banks_per_beat} banks (a beat of "
            f"{config.psum_beat} psums of {config.array.psum_width} bits, twice), not "
            f"{config.buffer.psum_banks or config.buffer.banks}"
        )


def _check_clusters(config: "Config") -> None:
    """What several clusters are not built with yet."""
    if not config.clusters.several:
        return
    unbuilt: Mapping[str, object] = {
        "control.kind": "engines",
        "memory.kind": "none",
        "link.coding": "none",
        "buffer.filters": False,
    }
    axis = "clusters.y" if config.clusters.y > 1 else "clusters.x"
    for name, only in unbuilt.items():
        value = config.value(name)
        if value != only:
            raise RowforgeError(
                f"{name} must be {_written(only)} with {axis} {config.value(axis)}, not "
                f"{_written(value)}: this is built for a single cluster only"
            )


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
