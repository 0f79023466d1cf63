"""The PEs: filters in, windows times filters, segments added up."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hw.arch.config import Config
from hw.arch.program.layout import Ints
from sim.functional.errors import require
from sim.functional.filters import multiplier_results
from sim.functional.ifmaps import Windows
from sim.functional.patterns import Columns, Rows


def check_constants(config: Config, constants: Mapping[str, int]) -> None:
    """What a PE can hold, and what the constants must agree on."""
    words = constants["steps"] * config.pe.macs
    channels, taps = constants["channels"], constants["taps"]
    slots = words * (channels if constants["diagonal"] else 1)
    results = multiplier_results(config, constants)
    filter_words = taps * words
    beats = -(-filter_words // config.noc.filter)
    for condition, message in (
        (
            all(constants[name] for name in ("steps", "channels", "taps", "windows", "items")),
            "steps, channels, taps, windows and items must be at least 1",
        ),
        (channels and taps % channels == 0, f"taps ({taps}) must be a multiple of {channels}"),
        (
            1 <= constants["advance"] <= taps,
            f"advance must be 1 to {taps}, not {constants['advance']}",
        ),
        (not constants["odd"] or config.pe.macs == 2, "odd needs two multipliers a PE"),
        (
            constants["psums"] == results * (channels if constants["diagonal"] else 1),
            f"psums ({constants['psums']}) do not follow from steps, odd and channels",
        ),
        (
            taps <= config.pe.ifmap_spad,
            f"taps ({taps}) exceed pe.ifmap_spad ({config.pe.ifmap_spad})",
        ),
        (
            slots <= config.pe.psum_spad,
            f"psum slots ({slots}) exceed pe.psum_spad ({config.pe.psum_spad})",
        ),
        (
            filter_words <= config.filter_half,
            f"filter words ({filter_words}) exceed half a pe.filter_spad ({config.filter_half})",
        ),
        (
            constants["filter_beats"] == beats,
            f"filter_beats must be {beats}, not {constants['filter_beats']}",
        ),
        (
            constants["pixel_beats"] == -(-channels // config.noc.ifmap),
            f"pixel_beats must be {-(-channels // config.noc.ifmap)}",
        ),
        (
            constants["psum_beats"] == -(-constants["psums"] // config.psum_beat),
            f"psum_beats must be {-(-constants['psums'] // config.psum_beat)}",
        ),
    ):
        require(condition, message)
    _check_operands(config, constants)


def _check_operands(config: Config, constants: Mapping[str, int]) -> None:
    zero, low = constants["zero"], -128 if constants["signed"] else 0
    if config.array.data_width == 16:
        require(constants["window_shift"] <= 16, "window_shift must be at most 16")
        plain = constants["signed"] and not zero
        require(plain, "16-bit activations are signed and have no zero point")
    else:
        require(not constants["window_shift"], "8-bit products are not shifted")
        require(low <= zero <= low + 255, f"the ifmap zero point {zero} is no stored value")
    if config.weight_width == config.array.data_width:
        plain = constants["weight_signed"] and not constants["weight_zero"]
        require(plain, "the configuration has no weight zero points and no unsigned weights")


def compute(
    config: Config,
    constants: Mapping[str, int],
    rows: Rows,
    columns: Columns,
    weights: NDArray[np.float64],
    windows: Windows,
) -> Ints:
    """What every segment adds in every column: shape (F, segments, columns, psums).

    Exact in float64: products have at most 32 bits, a segment adds at most 32 · 255 of them.
    """
    active = rows.active
    fid = rows.rows["fid"][active][:, None]
    filters = weights[fid, columns.columns["tid"]]  # rows, columns, taps, results
    values = windows.values[windows.stream]  # rows, columns, F, taps
    if constants["diagonal"]:
        results = _diagonal(constants, values, filters)
    elif constants["window_shift"]:
        results = _shifted(values, filters, constants["window_shift"])
    else:
        results = values @ filters
    position = np.full(config.array.rows, -1)
    position[active] = np.arange(len(active))
    sums = [
        results[position[head] : position[tail] + 1].sum(axis=0)
        for head, tail in zip(rows.segments["head"], rows.tails, strict=True)
    ]
    return np.stack(sums).transpose(2, 0, 1, 3).astype(np.int64)


def _diagonal(
    constants: Mapping[str, int], values: NDArray[np.float64], filters: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each channel has psums of its own: psum c · mult + m adds the taps of channel c."""
    shape, q = values.shape, constants["channels"]
    pixels = shape[-1] // q
    split = values.reshape(*shape[:-1], pixels, q)
    per_channel = filters.reshape(*filters.shape[:2], 1, pixels, q, filters.shape[-1])
    products = split[..., None] * per_channel
    if constants["window_shift"]:
        products = np.floor(products / (1 << constants["window_shift"]))
    result: NDArray[np.float64] = products.sum(axis=3).reshape(*shape[:-1], -1)
    return result


def _shifted(
    values: NDArray[np.float64], filters: NDArray[np.float64], shift: int
) -> NDArray[np.float64]:
    """Every product is shifted right by itself, rounded down."""
    total = np.zeros((*values.shape[:-1], filters.shape[-1]))
    for tap in range(values.shape[-1]):
        product = values[..., tap, None] * filters[:, :, None, tap, :]
        total += np.floor(product / (1 << shift))
    return total


def skips_zeros(config: Config, constants: Mapping[str, int]) -> bool:
    """Whether zeros of such a pass have no steps."""
    return config.pe.kind == "skipping" and not constants["diagonal"]


def multiply_steps(
    config: Config, constants: Mapping[str, int], windows: Windows
) -> tuple[int, int]:
    """Words of all windows of all PEs that have steps, and those of them that stand for zeros.

    Where zeros are skipped, a window of nothing else has one word. That a window may end with one
    more, which only sends, depends on time and is not counted.
    """
    zeros = windows.values == 0
    if skips_zeros(config, constants):
        empty = int(zeros.all(axis=2).sum(axis=1)[windows.stream].sum())
        used = int((~zeros).sum(axis=(1, 2))[windows.stream].sum())
        return used + empty, empty
    words = windows.stream.size * constants["windows"] * constants["taps"]
    gated = int(zeros.sum(axis=(1, 2))[windows.stream].sum())
    return words, gated if config.pe.zero_gating else 0


def array_accesses(
    config: Config,
    constants: Mapping[str, int],
    rows: Rows,
    columns: Columns,
    windows: Windows,
    zero: NDArray[np.bool_],
) -> dict[str, int]:
    """What PEs and networks move in a pass besides filters, of `ACCESS_COUNTERS`.

    zero : for each segment, whether its psums start at zero.
    """
    pes, taps, count = windows.stream.size, constants["taps"], constants["windows"]
    span = constants["channels"] if constants["diagonal"] else 1
    words = count * constants["steps"] * span  # psum words that a PE sends
    chains = columns.count * len(zero)
    used = windows.values != 0 if config.pe.zero_gating else np.ones_like(windows.values, bool)
    if skips_zeros(config, constants):
        rounds, _ = multiply_steps(config, constants, windows)
        psums = (rounds - pes * count) * constants["steps"]
    else:
        # Only a product between the first and the last of its sum can be left out.
        between = used[:, :, span : taps - span].sum(axis=(1, 2))[windows.stream].sum()
        psums = pes * words + int(between) * constants["steps"] if taps > span else 0
    return {
        **_ifmap_accesses(config, constants, windows),
        "filter_spad_reads": _filter_reads(config, constants, used, windows.stream),
        "psum_spad_reads": psums,
        "psum_spad_writes": psums,
        "psum_hops": (pes - chains) * words,
        "psums_fed": columns.count * int((~zero).sum()) * words,
        "psums_collected": chains * words,
    }


def _ifmap_accesses(
    config: Config, constants: Mapping[str, int], windows: Windows
) -> dict[str, int]:
    """Accesses of the ifmap scratchpads; PEs of the kind "skipping" do not keep zeros there."""
    advance, taps = constants["advance"], constants["taps"]
    if config.pe.kind != "skipping":
        pes, count = windows.stream.size, constants["windows"]
        return {
            "ifmap_spad_reads": pes * count * taps,
            "ifmap_spad_writes": pes * ((count - 1) * advance + taps),
        }
    words = windows.values != 0
    stored = words[:, :, :advance].sum(axis=(1, 2)) + words[:, -1, advance:].sum(axis=1)
    return {
        "ifmap_spad_reads": int(words.sum(axis=(1, 2))[windows.stream].sum()),
        "ifmap_spad_writes": int(stored[windows.stream].sum()),
    }


def _filter_reads(
    config: Config, constants: Mapping[str, int], used: NDArray[np.bool_], stream: Ints
) -> int:
    """Rows of which a window uses a weight, over all windows and PEs.

    used : (streams, F, taps), the words whose products are made
    """
    each = constants["steps"] * config.pe.macs  # weights of a word
    if config.pe.kind == "skipping":  # a row for every word that needs it
        tap = np.arange(constants["taps"])
        rows = ((tap + 1) * each - 1) // config.noc.filter - tap * each // config.noc.filter + 1
        return int((used * rows).sum(axis=(1, 2))[stream].sum())
    weight = np.arange(constants["taps"] * each)
    row = weight // config.noc.filter
    of_tap = np.zeros((constants["taps"], int(row[-1]) + 1), dtype=np.float32)
    of_tap[weight // each, row] = 1
    reads = ((used.astype(np.float32) @ of_tap) > 0).sum(axis=(1, 2))
    return int(reads[stream].sum())
