"""The order of the filters: from a weight tensor to the filter stream of every pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.mapper.columns import ColumnWave
from compiler.mapper.folding import RowPass
from compiler.mapper.space import ConvShape, Mapping, channel_groups, tap_ranges
from hw.arch.config import Config
from hw.arch.program import Words
from hw.arch.program.layout import pack_filters

Array = NDArray[Any]


@dataclass(frozen=True)
class FilterBank:
    """All filter blocks of a block of the output, each in the order in which a PE holds it.

    words : [filter group, channel group, filter row, tap range, words of whole beats]
        In a depthwise nest a filter group is the channel group of a unit and axis 1 has length 1.
    beats : beats of a PE in a pass
    """

    words: Array
    beats: int


def filter_bank(
    config: Config, shape: ConvShape, mapping: Mapping, weights: Array, zero: int
) -> FilterBank:
    """The filters [M, R, S, C] (stored values) of one block; `zero` is stored where none are."""
    if shape.multiplier:
        blocks = _depthwise(config, shape, mapping, weights, zero)
    else:
        blocks = _plain(config, shape, mapping, weights, zero)
    flat = blocks.reshape(*blocks.shape[:4], -1)
    beats = ceil(flat.shape[-1] / config.noc.filter)
    padded = _filled(flat, {4: beats * config.noc.filter}, zero)
    return FilterBank(padded, beats)


def _plain(config: Config, shape: ConvShape, mapping: Mapping, weights: Array, zero: int) -> Array:
    """[filter group, channel group, row, range, tap, channel, step x multiplier]."""
    fold, p, K = mapping.fold, mapping.p, config.pe.macs
    groups, ranges = channel_groups(shape, fold.q), tap_ranges(shape, fold.span)
    bands = ceil(len(weights) / p)
    full = _filled(weights, {0: bands * p, 2: ranges * fold.span, 3: groups * fold.q}, zero)
    split = full.reshape(bands, p, shape.R, ranges, fold.span, groups, fold.q)
    ordered = split.transpose(0, 5, 2, 3, 4, 6, 1)
    return _filled(ordered, {6: ceil(p / K) * K}, zero)


def _depthwise(
    config: Config, shape: ConvShape, mapping: Mapping, weights: Array, zero: int
) -> Array:
    """[channel group, 1, row, range, tap, channel, step x multiplier]."""
    fold, each, K = mapping.fold, shape.multiplier, config.pe.macs
    ranges = tap_ranges(shape, fold.span)
    bands = ceil(len(weights) / (fold.q * each))
    full = _filled(weights, {0: bands * fold.q * each, 2: ranges * fold.span}, zero)
    split = full.reshape(bands, fold.q, each, shape.R, ranges, fold.span)
    ordered = split.transpose(0, 3, 4, 5, 1, 2)[:, None]
    return _filled(ordered, {6: ceil(each / K) * K}, zero)


def _filled(array: Array, sizes: dict[int, int], value: int) -> Array:
    """The array grown at the end of some axes to the given sizes."""
    pads = [(0, sizes.get(axis, size) - size) for axis, size in enumerate(array.shape)]
    return np.pad(array, pads, constant_values=value)


def pass_filters(
    config: Config,
    bank: FilterBank,
    mapping: Mapping,
    row_pass: RowPass,
    wave: ColumnWave,
    band: int,
    origin: Sequence[int],
) -> Words:
    """Link words of one pass: for every filter row tag, for every filter column tag.

    band : first filter group of the wave loop; origin : (group, tap range, filter row) of the chunk
    """
    keys = np.array(row_pass.filters)
    group, tap, row = (keys[:, i + 1] + origin[i] for i in range(3))
    unit_step, column_step = mapping.steps
    columns = (wave.first + np.arange(wave.groups)) * column_step
    bands = band + keys[:, :1] * unit_step + columns
    chosen = bank.words[bands, group[:, None], row[:, None], tap[:, None]]
    return pack_filters(config, chosen)
