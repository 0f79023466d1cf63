"""Random configurations, every value of every field dealt evenly over a campaign."""

from functools import lru_cache
from itertools import cycle, islice
from math import ceil
from typing import Any

import numpy as np

from hw.arch.config import OF_PROCESSOR, Config

CAMPAIGN = 45  # configurations over which the decks are dealt
# Fields whose values are kinds of hardware: each must come up. Of the others, sizes, a few do.
KINDS = (
    "rows",
    "cols",
    "data_width",
    "psum_width",
    "macs_per_pe",
    "noc_ifmap",
    "noc_filter",
    "noc_psum_in",
    "noc_psum_out",
    "bus_pipeline",
    "control_pipeline",
    "glb_width",
    "weight_zero_points",
    "zero_gating",
    "post_units",
    "link_width",
    "processor",
)

_LEAST = 0  # in a deck: the smallest value that the other fields allow
_ALL = 0  # banks: both kinds of data reach all

# Fields that came later are dealt by themselves: configurations named before keep all others.
_LATER = {"control_pipeline", "map_bits", "processor"}

# A field's values; each is dealt equally often. The proportions of 8 and 16 bits follow from the
# number of operators that each of them has.
DECKS: dict[str, tuple[int, ...]] = {
    "rows": (1, 2, 3, 4, 5, 6),
    "cols": (1, 2, 3, 4, 5, 6, 7),
    "data_width": (8, 8, 16, 8),
    "psum_width": tuple(range(16, 41)),
    "macs_per_pe": (1, 2),
    "ifmap_spad": (_LEAST, 1, 5, 8, 12, 17, 24),
    "filter_spad": (_LEAST, 32, 41, 64, 128, 224),
    "psum_spad": (_LEAST, 1, 3, 8, 16, 24),
    "ifmap_fifo": (1, 2, 3, 8),
    "psum_fifo": (2, 3, 4, 8),
    "column_fifo": (2, 3, 4, 8),
    "noc_ifmap": (1, 2, 4, 8, 8),
    "noc_filter": (1, 2, 4, 8),
    "noc_psum_in": (1, 2, 4, 8),
    "noc_psum_out": (1, 2, 4, 8),
    "bus_pipeline": (0, 1),
    "control_pipeline": (0, 1),
    "glb_banks": (_LEAST, 6, 8, 11, 16, 25),
    "glb_depth": (32, 64, 128, 256, 512),
    "glb_width": (32, 64, 128),
    "glb_act_banks": (_ALL, 4, 7),
    "glb_psum_banks": (_ALL, 2, 6),
    "filter_prefetch": (64, 72, 256, 2048),
    "weight_memory": (0, 0, 1024),
    "weight_zero_points": (False, True),
    "zero_gating": (True, False),
    "post_units": (1, 2, 4, 8, 8),
    "post_channels": (16, 24, 64, 512),
    "map_bits": (8, 16, 10),
    "row_patterns": (2, 3, 5, 16, 32),
    "col_patterns": (2, 3, 8),
    "link_width": (64, 64, 8, 64, 16, 64, 32),
    "processor": (False, False, True, False, False, False, False, False, False),
    "watchdog": (1 << 18, 1 << 20),
}


def configuration(seed: int, number: int) -> Config:
    """Configuration `number` of the campaign `seed`."""
    block, position = divmod(number, CAMPAIGN)
    return _campaign(seed, block)[position]


@lru_cache(maxsize=8)
def _campaign(seed: int, block: int) -> tuple[Config, ...]:
    rng, later = (np.random.default_rng([seed, block, stream]) for stream in (1, 2))
    hands = {
        name: _deal(later if name in _LATER else rng, values) for name, values in DECKS.items()
    }
    return tuple(
        _built({name: hand[position] for name, hand in hands.items()}, rng)
        for position in range(CAMPAIGN)
    )


def _deal(rng: np.random.Generator, values: tuple[int, ...]) -> list[Any]:
    """Every value equally often, in random order."""
    cards = list(islice(cycle(values), CAMPAIGN))
    return [cards[index] for index in rng.permutation(CAMPAIGN)]


def _built(values: dict[str, Any], rng: np.random.Generator) -> Config:
    """The configuration of these values, moved to the nearest ones that can be built.

    Scratchpads and buffer are usually large enough for a layer of any shape: what is refused tells
    nothing about the gateware.
    """
    v = dict(values)
    v["processor"] &= v["data_width"] == 8
    if v["processor"]:
        v |= {name: min(v[name], most) for name, most in OF_PROCESSOR.items()}
        v["psum_width"] = min(v["psum_width"], v["glb_width"])
    generous = rng.random(3) < (0.85, 0.85, 0.85)
    width, K = v["data_width"], v["macs_per_pe"]
    v["glb_width"] = max(v["glb_width"], 32 if v["psum_width"] <= 32 else 64)
    lanes = v["glb_width"] // width
    v["noc_filter"] = max(min(v["noc_filter"], 64 // width), K)
    v["noc_psum_in"], v["noc_psum_out"] = max(v["noc_psum_in"], K), max(v["noc_psum_out"], K)
    beat = max(v["noc_psum_in"], v["noc_psum_out"])
    v["noc_ifmap"] = min(v["noc_ifmap"], lanes)
    v["post_units"] = min(v["post_units"], lanes, beat)
    v["post_channels"] = max(v["post_channels"], 2 * lanes if generous[2] else 16)
    v["post_channels"] = ceil(v["post_channels"] / v["post_units"]) * v["post_units"]
    v["ifmap_spad"] = max(v["ifmap_spad"], v["noc_ifmap"] if generous[0] else 1)
    psums = max(v["psum_spad"], v["post_units"] if generous[1] else 1)
    v["psum_spad"] = ceil(psums / K) * K
    least = 2 * v["noc_filter"]
    if generous[0] and generous[1]:
        words = v["noc_ifmap"] * ceil(v["post_units"] / K) * K
        least = max(least, 2 * ceil(words / v["noc_filter"]) * v["noc_filter"])
    v["filter_spad"] = max(v["filter_spad"], least)
    _size_buffer(v, lanes, beat, bool(generous[2]))
    return Config(**v)


def _size_buffer(v: dict[str, Any], lanes: int, beat: int, generous: bool) -> None:
    """Banks that hold a psum beat twice, and room for a few pixels beside them."""
    slots = min(beat, v["glb_width"] // v["psum_width"])
    pair = 2 * ceil(beat / slots)
    pixels = (6144 if generous else 1024) * 8 // v["glb_width"]
    least = pair + ceil(pixels / v["glb_depth"])
    v["glb_banks"] = min(max(v["glb_banks"], least), 64)
    if v["glb_act_banks"] != _ALL:
        v["glb_act_banks"] = min(max(v["glb_act_banks"], least - pair), v["glb_banks"])
    if v["glb_psum_banks"] != _ALL:
        v["glb_psum_banks"] = min(max(v["glb_psum_banks"], pair), v["glb_banks"])
