"""What the scratchpads and networks of the array move in a pass, zeros left out as PEs do."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hw.arch.config import Config
from hw.arch.program.layout import Ints
from sim.functional.ifmaps import Windows
from sim.functional.patterns import Columns, Rows


def array_accesses(
    config: Config,
    constants: Mapping[str, int],
    rows: Rows,
    columns: Columns,
    windows: Windows,
    zero: NDArray[np.bool_],
) -> dict[str, int]:
    """Those of `ACCESS_COUNTERS` that PEs count.

    zero : for each segment, whether its psums start at zero.
    """
    pes, taps, count = windows.stream.size, constants["taps"], constants["windows"]
    span = constants["channels"] if constants["diagonal"] else 1
    words = count * constants["steps"] * span  # psum words that a PE sends
    chains = columns.count * len(zero)
    used = windows.values != 0 if config.pe.zero_gating else np.ones_like(windows.values, bool)
    # Only a product between the first and the last of its sum can be left out.
    between = used[:, :, span : taps - span].sum(axis=(1, 2))[windows.stream].sum()
    psums = pes * words + int(between) * constants["steps"] if taps > span else 0
    return {
        "ifmap_spad_reads": pes * count * taps,
        "ifmap_spad_writes": pes * ((count - 1) * constants["advance"] + taps),
        "filter_spad_reads": _filter_reads(config, constants, used, windows.stream),
        "filter_spad_writes": pes * constants["filter_beats"],
        "psum_spad_reads": psums,
        "psum_spad_writes": psums,
        "psum_hops": (pes - chains) * words,
        "psums_fed": columns.count * int((~zero).sum()) * words,
        "psums_collected": chains * words,
    }


def _filter_reads(
    config: Config, constants: Mapping[str, int], used: NDArray[np.bool_], stream: Ints
) -> int:
    """Rows of which a window uses a weight, over all windows and PEs.

    used : (streams, F, taps), the words whose products are made
    """
    each = constants["steps"] * config.pe.macs  # weights of a word
    weight = np.arange(constants["taps"] * each)
    row = weight // config.noc.filter
    of_tap = np.zeros((constants["taps"], int(row[-1]) + 1), dtype=np.float32)
    of_tap[weight // each, row] = 1
    reads = ((used.astype(np.float32) @ of_tap) > 0).sum(axis=(1, 2))
    return int(reads[stream].sum())
