"""What the array and the command fields allow, and what to say when nothing fits."""

from math import ceil

from compiler.mapper.folding import fold_run
from compiler.mapper.space import ConvShape, Fold, Mapping
from hw.arch.commands import TAG
from hw.arch.config import Config

MOST_SLOT_ROWS = 255  # ifmap rows that a slot can stream


def tag_span(shape: ConvShape, fold: Fold, ce: int) -> int:
    """Column tags that one batch item needs in a pass: ifmap rows from first to last."""
    filter_rows = 1 if fold.row_loop else shape.R
    return (fold.ue * ce - 1) * shape.stride[0] + (filter_rows - 1) * shape.dilation[0] + 1


def violations(config: Config, shape: ConvShape, mapping: Mapping, psum_beats: int) -> list[str]:
    """Every limit of the hardware that a mapping breaks; an empty list for a legal one.

    Written apart from the search, as a check of it.
    """
    fold, K = mapping.fold, config.pe.macs
    taps = fold.q * fold.span
    in_word = shape.multiplier or mapping.p
    step = ceil(in_word / K)
    slots = step * K * (fold.q if shape.multiplier else 1)
    span = tag_span(shape, fold, mapping.ce)
    several = mapping.cm * fold.um > 1
    one_group = not several if shape.multiplier else fold.q >= shape.C
    held = fold.units * mapping.columns * mapping.windows * ceil(mapping.p / config.psum_beat)
    counts = [len(fold_run(shape, fold, run, config.array.rows)) for run in fold.runs]
    waits = max(counts) > 1 or len(counts) > 1 or fold.runs[0].chunks > 1
    waits |= (fold.row_loop and shape.R > 1) or (fold.tap_loop and fold.span < shape.S)
    checks = {
        "columns": mapping.columns <= config.array.cols,
        "ifmap_spad": taps <= config.pe.ifmap_spad,
        "psum_spad": slots <= config.pe.psum_spad,
        "filter_spad": taps * step * K <= config.filter_half,
        "column tags": span * mapping.cn <= 1 << TAG,
        "ifmap rows of a slot": span <= MOST_SLOT_ROWS,
        "slot lane": one_group or fold.q % config.noc.ifmap == 0,
        "first channel": not several or mapping.p % config.post.units == 0,
        "items": shape.N % mapping.cn == 0,
        "row patterns": max(counts) <= config.control.row_patterns,
        "psums": not waits or held <= psum_beats,
    }
    return [name for name, fine in checks.items() if not fine]


def refusal(config: Config, shape: ConvShape) -> str:
    """One sentence on why a nest has no mapping: a field and the smallest value that would do."""
    channels = min(shape.C, config.noc.ifmap)
    filters = min(shape.M, config.post.units)
    if shape.multiplier:
        filters = channels * shape.multiplier
    if config.pe.ifmap_spad < channels:
        return (
            f"pe.ifmap_spad must be at least {channels} (channels of an ifmap network beat), "
            f"not {config.pe.ifmap_spad}"
        )
    if config.pe.psum_spad < filters:
        return (
            f"pe.psum_spad must be at least {filters} (psums that are written together), "
            f"not {config.pe.psum_spad}"
        )
    words = channels * ceil(filters / config.pe.macs) * config.pe.macs
    if shape.multiplier:
        words = channels * ceil(shape.multiplier / config.pe.macs) * config.pe.macs
    if config.filter_half < words:
        beats = ceil(words / config.noc.filter) * config.noc.filter
        return (
            f"pe.filter_spad must be at least {2 * beats} (two halves of {words} filter words), "
            f"not {config.pe.filter_spad}"
        )
    pairs = shape.R * shape.S if shape.multiplier else shape.R * shape.S * shape.C
    if pairs > config.array.rows:
        return (
            f"psums of a window must fit the buffer between passes: buffer.banks must be more than "
            f"{config.buffer.banks} or buffer.depth more than {config.buffer.depth}"
        )
    return (
        f"the layer's filter must fit {config.control.row_patterns} row patterns; "
        f"control.row_patterns must be more than {config.control.row_patterns}"
    )
