"""Random configurations, every value of every field dealt evenly over a campaign."""

from functools import lru_cache
from itertools import cycle, islice
from math import ceil
from typing import Any

import numpy as np

from hw.arch.config import OF_MICROCONTROLLER, Config
from hw.arch.config.section import Value
from rowforge.configs import preset

CAMPAIGN = 45  # configurations over which the decks are dealt
# Fields whose values are kinds of hardware: each must come up. Of the others, sizes, a few do.
KINDS = (
    "array.rows",
    "array.cols",
    "array.data_width",
    "array.psum_width",
    "pe.kind",
    "pe.macs",
    "noc.ifmap",
    "noc.filter",
    "noc.psum_in",
    "noc.psum_out",
    "noc.pipeline",
    "control.pipeline",
    "buffer.width",
    "buffer.filters",
    "pe.weight_zero_points",
    "pe.zero_gating",
    "post.units",
    "link.width",
    "control.kind",
    "control.access_counters",
    "link.coding",
    "memory.kind",
)

_LEAST = 0  # in a deck: the smallest value that the other fields allow
_ALL = 0  # banks: both kinds of data reach all

# Fields that came later are dealt by themselves: configurations named before keep all others.
_LATER = ("control.pipeline", "control.map_bits", "control.kind")
_LATEST = ("link.rate",)
_NEWEST = ("control.access_counters",)
_LAST = ("buffer.filters",)
_FINAL = ("link.coding",)
_SPARSE = ("pe.kind",)
_MEMORY = ("memory.kind", "memory.latency", "memory.pace")
_SDRAM = ("memory.chip", "memory.clock", "memory.phase")
_ADDED = (_LATER, _LATEST, _NEWEST, _LAST, _FINAL, _SPARSE, _MEMORY, _SDRAM)
# Of random numbers; with the last two, the slices' PEs stay dense, and most of them without memory.
_STREAMS = (1, 2, 3, 4, 5, 6, 17, 8, 9)
_MEMORY_WORDS = 1 << 17

# A field's values; each is dealt equally often. The proportions of 8 and 16 bits follow from the
# number of operators that each of them has.
DECKS: dict[str, tuple[Value, ...]] = {
    "array.rows": (1, 2, 3, 4, 5, 6),
    "array.cols": (1, 2, 3, 4, 5, 6, 7),
    "array.data_width": (8, 8, 16, 8),
    "array.psum_width": tuple(range(16, 41)),
    "pe.kind": ("dense", "skipping"),
    "pe.macs": (1, 2),
    "pe.ifmap_spad": (_LEAST, 1, 5, 8, 12, 17, 24),
    "pe.filter_spad": (_LEAST, 32, 41, 64, 128, 224),
    "pe.psum_spad": (_LEAST, 1, 3, 8, 16, 24),
    "pe.ifmap_fifo": (1, 2, 3, 8),
    "pe.psum_fifo": (2, 3, 4, 8),
    "noc.column_fifo": (2, 3, 4, 8),
    "noc.ifmap": (1, 2, 4, 8, 8),
    "noc.filter": (1, 2, 4, 8),
    "noc.psum_in": (1, 2, 4, 8),
    "noc.psum_out": (1, 2, 4, 8),
    "noc.pipeline": (0, 1),
    "control.pipeline": (0, 1),
    "buffer.banks": (_LEAST, 6, 8, 11, 16, 25),
    "buffer.depth": (32, 64, 128, 256, 512),
    "buffer.width": (32, 64, 128),
    "buffer.act_banks": (_ALL, 4, 7),
    "buffer.psum_banks": (_ALL, 2, 6),
    "buffer.filter_prefetch": (64, 72, 256, 2048),
    "buffer.weight_memory": (0, 0, 1024),
    "buffer.filters": (False, True, True),
    "pe.weight_zero_points": (False, True),
    "pe.zero_gating": (True, False),
    "post.units": (1, 2, 4, 8, 8),
    "post.channels": (16, 24, 64, 512),
    "control.map_bits": (8, 16, 10),
    "control.row_patterns": (2, 3, 5, 16, 32),
    "control.col_patterns": (2, 3, 8),
    "link.width": (64, 64, 8, 64, 16, 64, 32),
    "control.kind": ("engines", "engines", "microcontroller", *("engines",) * 6),
    "link.rate": (1, 0.3, 1, 0.5, 0.125, 1, 0.9),
    "control.access_counters": (False, True, False),
    "link.coding": ("mask", "none", "mask"),
    "control.watchdog": (1 << 18, 1 << 20),
    "memory.kind": ("none", "ram", "none", "none", "axi", "none", "none", "sdram", "none"),
    "memory.latency": (1, 3, 17),
    "memory.pace": (1, 4, 1),
    "memory.chip": ("x16_32mb", "x32_8mb"),
    "memory.clock": (50_000, 27_000, 60_750),
    "memory.phase": (180, 0, 225),
}


def configuration(seed: int, number: int) -> Config:
    """Configuration `number` of the campaign `seed`."""
    block, position = divmod(number, CAMPAIGN)
    return _campaign(seed, block)[position]


MESHES = tuple((y, x) for y in (1, 2, 3) for x in (1, 2, 3) if (y, x) != (1, 1))
"""Rows and columns of clusters; each comes up equally often."""

SMALL_MESH = preset("tiny_mesh").with_values(
    {
        "array.rows": 1,
        "array.cols": 1,
        "clusters.y": 1,
        "buffer.depth": 64,
        "post.channels": 64,
        "control.access_counters": True,
    }
)
"""Two clusters of one PE, whose RTL is soon built; few tensors fit their buffers."""

_MOST_PES = 6  # along an axis of a cluster's array, of all clusters along it


def clustered(seed: int, number: int) -> Config:
    """Configuration `number` of a campaign of several clusters.

    What they are not built with is off. Their arrays are small, so that the simulators are quickly
    built.
    """
    rng = np.random.default_rng([seed, number // len(MESHES), 5])
    y, x = MESHES[rng.permutation(len(MESHES))[number % len(MESHES)]]
    config = configuration(seed, number)
    off: dict[str, Value] = {
        "control.kind": "engines",
        "memory.kind": "none",
        "memory.words": 0,
        "link.coding": "none",
        "buffer.filters": False,
        "array.rows": max(min(config.array.rows, _MOST_PES // y), 1),
        "array.cols": max(min(config.array.cols, _MOST_PES // x), 1),
    }
    return config.with_values({**off, "clusters.y": y, "clusters.x": x})


@lru_cache(maxsize=8)
def _campaign(seed: int, block: int) -> tuple[Config, ...]:
    rng, *added = (np.random.default_rng([seed, block, stream]) for stream in _STREAMS)
    source = {name: stream for names, stream in zip(_ADDED, added, strict=True) for name in names}
    hands = {name: _deal(source.get(name, rng), values) for name, values in DECKS.items()}
    return tuple(
        _built({name: hand[position] for name, hand in hands.items()}, rng)
        for position in range(CAMPAIGN)
    )


def _deal(rng: np.random.Generator, values: tuple[Value, ...]) -> list[Any]:
    """Every value equally often, in random order."""
    cards = list(islice(cycle(values), CAMPAIGN))
    return [cards[index] for index in rng.permutation(CAMPAIGN)]


def _built(values: dict[str, Any], rng: np.random.Generator) -> Config:
    """The configuration of these values, moved to the nearest ones that can be built.

    Scratchpads and buffer are usually large enough for a layer of any shape: what is refused tells
    nothing about the gateware.
    """
    v = dict(values)
    if v["array.data_width"] != 8:
        v["control.kind"] = "engines"
    if v["control.kind"] == "microcontroller":
        v |= {name: min(v[name], most) for name, most in OF_MICROCONTROLLER.items()}
        v["control.access_counters"] = False
        v["link.coding"] = "none"
        v["pe.kind"] = "dense"
        v["array.psum_width"] = min(v["array.psum_width"], v["buffer.width"])
    if v["control.kind"] == "microcontroller":
        v["memory.kind"] = "none"
    v["memory.words"] = _MEMORY_WORDS if v["memory.kind"] != "none" else 0
    if v["pe.kind"] == "skipping":
        v["pe.zero_gating"] = True
    generous = rng.random(3) < (0.85, 0.85, 0.85)
    width, K = v["array.data_width"], v["pe.macs"]
    v["buffer.width"] = max(v["buffer.width"], 32 if v["array.psum_width"] <= 32 else 64)
    lanes = v["buffer.width"] // width
    v["noc.filter"] = max(min(v["noc.filter"], 64 // width), K)
    v["noc.psum_in"], v["noc.psum_out"] = max(v["noc.psum_in"], K), max(v["noc.psum_out"], K)
    beat = max(v["noc.psum_in"], v["noc.psum_out"])
    v["noc.ifmap"] = min(v["noc.ifmap"], lanes)
    v["post.units"] = min(v["post.units"], lanes, beat)
    v["post.channels"] = max(v["post.channels"], 2 * lanes if generous[2] else 16)
    v["post.channels"] = ceil(v["post.channels"] / v["post.units"]) * v["post.units"]
    v["pe.ifmap_spad"] = max(v["pe.ifmap_spad"], v["noc.ifmap"] if generous[0] else 1)
    psums = max(v["pe.psum_spad"], v["post.units"] if generous[1] else 1)
    v["pe.psum_spad"] = ceil(psums / K) * K
    least = 2 * v["noc.filter"]
    if generous[0] and generous[1]:
        words = v["noc.ifmap"] * ceil(v["post.units"] / K) * K
        least = max(least, 2 * ceil(words / v["noc.filter"]) * v["noc.filter"])
    v["pe.filter_spad"] = max(v["pe.filter_spad"], least)
    _size_buffer(v, lanes, beat, bool(generous[2]))
    return Config.of(v)


def _size_buffer(v: dict[str, Any], lanes: int, beat: int, generous: bool) -> None:
    """Banks that hold a psum beat twice, and room for a few pixels beside them."""
    slots = min(beat, v["buffer.width"] // v["array.psum_width"])
    pair = 2 * ceil(beat / slots)
    pixels = (6144 if generous else 1024) * 8 // v["buffer.width"]
    least = pair + ceil(pixels / v["buffer.depth"])
    v["buffer.banks"] = min(max(v["buffer.banks"], least), 64)
    if v["buffer.act_banks"] != _ALL:
        v["buffer.act_banks"] = min(max(v["buffer.act_banks"], least - pair), v["buffer.banks"])
    if v["buffer.psum_banks"] != _ALL:
        v["buffer.psum_banks"] = min(max(v["buffer.psum_banks"], pair), v["buffer.banks"])
