"""Enumerates the folds of a nest: channels and taps in a PE, units in a column, channel runs."""

from collections.abc import Iterator
from math import ceil

from compiler.mapper.passes import filter_limit
from compiler.mapper.space import ConvShape, Fold, Run, channel_groups, tap_ranges
from hw.arch.config import Config

_MOST_UNITS = 32
_FEW_UNITS = 3


def folds(config: Config, shape: ConvShape) -> Iterator[Fold]:
    """Every fold worth costing; none if no PE can hold a window (see `mapper.legal.refusal`)."""
    for span in spans(config, shape):
        for q in channel_counts(config, shape, span):
            yield from _with_units(config, shape, q, span)


def spans(config: Config, shape: ConvShape) -> list[int]:
    """Taps of a filter row in a PE: the row cut into 1, 2, ... equal ranges."""
    if shape.dilation[1] > 1:
        return [1]
    most = min(shape.S, config.pe.ifmap_spad)
    return sorted({ceil(shape.S / n) for n in range(1, shape.S + 1)} & set(range(1, most + 1)))


def channel_counts(config: Config, shape: ConvShape, span: int) -> list[int]:
    """Channels in a PE: all of them, or a multiple of the ifmap beat that stays in the tensor."""
    most = config.pe.ifmap_spad // span
    if shape.multiplier:
        step = -(-shape.multiplier // config.pe.macs) * config.pe.macs
        most = min(most, config.pe.psum_spad // step)
    stored = shape.C if shape.exact else ceil(shape.C / config.lanes) * config.lanes
    counts = [
        q
        for q in range(config.noc.ifmap, min(most, shape.C) + 1, config.noc.ifmap)
        if shape.multiplier or ceil(shape.C / q) * q <= stored
    ]
    if shape.multiplier:
        unit = lane_unit(config, shape)
        whole = [q for q in counts if q % unit == 0]
        odd = shape.C % unit
        return whole + (list(range(odd, most + 1, unit)) if odd else [])
    if most >= shape.C and shape.C not in counts:
        counts.append(shape.C)
    return counts


def filter_counts(config: Config, shape: ConvShape, fold: Fold) -> list[int]:
    """Legal p of a fold; a depthwise fold has one."""
    most_steps = filter_limit(config, fold)
    if shape.multiplier:
        fits = ceil(shape.multiplier / config.pe.macs) <= most_steps
        return [fold.q * shape.multiplier] if fits else []
    most = min(config.pe.psum_spad, most_steps * config.pe.macs, shape.M)
    unit = config.post.units
    odd = shape.M % unit
    counts = list(range(unit, most + 1, unit))
    return counts + (list(range(odd, most + 1, unit)) if odd else [])


def lane_unit(config: Config, shape: ConvShape) -> int:
    """Filters (channels) by which a nest can be cut: whole post-processing and ifmap beats."""
    if not shape.multiplier:
        return config.post.units
    unit = config.noc.ifmap
    while unit * shape.multiplier % config.post.units:
        unit += config.noc.ifmap
    return unit


def cut_unit(config: Config, shape: ConvShape) -> int:
    """Filters (channels) by which a nest is cut into blocks, but for the last.

    Results of partial nests are stored wave by wave: no two waves may share a buffer word.
    """
    unit = lane_unit(config, shape)
    return max(unit, config.lanes) if shape.partial else unit


def _with_units(config: Config, shape: ConvShape, q: int, span: int) -> Iterator[Fold]:
    groups = channel_groups(shape, q)
    ranges = tap_ranges(shape, span)
    pairs = groups * ranges * shape.R
    if ceil(pairs / config.array.rows) > config.control.row_patterns:
        yield from _in_runs(config, shape, q, span)
        return
    best = 0.0
    for units in range(1, _MOST_UNITS + 1):
        passes = ceil(units * pairs / config.array.rows)
        if passes > config.control.row_patterns:
            return
        share = units * pairs / (passes * config.array.rows)
        # Rows that are full already: further units only help to fill the columns of odd sizes.
        if share <= best + 1e-9 and not (shape.partial and units <= _FEW_UNITS):
            continue
        best = max(share, best)
        for ue in range(1, units + 1):
            if units % ue == 0 and ue <= shape.E:
                yield Fold(
                    q=q, span=span, ue=ue, um=units // ue, runs=(Run(first=0, groups=groups),)
                )
        if share == 1.0 and not (shape.partial and units < _FEW_UNITS):
            return


def _in_runs(config: Config, shape: ConvShape, q: int, span: int) -> Iterator[Fold]:
    """Folds of one unit whose passes outnumber the row patterns: loops and runs walk the rest."""
    ranges = tap_ranges(shape, span)
    most = config.control.row_patterns * config.array.rows
    for row_loop, tap_loop in ((False, False), (True, False), (True, True)):
        pairs = (1 if tap_loop else ranges) * (1 if row_loop else shape.R)
        if pairs > most:
            continue
        runs = _runs(config, channel_groups(shape, q), q, most // pairs)
        yield Fold(q=q, span=span, runs=runs, row_loop=row_loop, tap_loop=tap_loop)


def _runs(config: Config, groups: int, q: int, most: int) -> tuple[Run, ...]:
    """At most `most` groups a chunk; chunks that are looped over start at lane 0 of a plane.

    Prefers chunks that divide the groups evenly; then chunks and a remainder that share the
    patterns; then runs of their own, each with patterns of its own.
    """
    if groups <= most:
        return (Run(first=0, groups=groups),)
    aligned = [n for n in range(most, 0, -1) if n * q % config.lanes == 0]
    even = next((n for n in aligned if groups % n == 0), 0)
    if even and even * 2 > aligned[0]:
        return (Run(first=0, groups=even, chunks=groups // even),)
    for n in aligned:
        rest = groups % n
        runs = (Run(first=0, groups=n, chunks=groups // n),)
        return runs + ((Run(first=groups - rest, groups=rest),) if rest else ())
    return tuple(
        Run(first=first, groups=min(most, groups - first)) for first in range(0, groups, most)
    )
