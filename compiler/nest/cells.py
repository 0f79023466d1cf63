"""Filters that lie in cells, for commands whose PEs hold different shares of them: `CellLayout`."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil, prod

from compiler.mapper.space import (
    ConvShape,
    FilterSpan,
    MappedBlock,
    Plan,
    channel_groups,
    tap_ranges,
)
from compiler.nest.filters import FilterBank
from compiler.nest.images import FilterLayout
from hw.arch.commands import CONSTANTS
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program import Words
from hw.arch.program.layout import cell_filters, to_link_words

_MOST_APART = next(item.high for item in CONSTANTS.fields if item.name == "tap_stride")


@dataclass(frozen=True)
class CellLayout(FilterLayout):
    """Filters as cells: a buffer word has the weights of some filters for one channel and tap.

    Cells of the same filters lie in the order [channel group, tap, filter row, channel of the
    group]. For one tap that is the order of the channels, whatever the groups.

    Attributes
    ----------
    cells : of all filters, for one channel and tap; channels, taps, rows : of each, with padding
    q, span : of a PE; across : cells of its filters
    width : bits of a cell
    """

    cells: int
    channels: int
    taps: int
    rows: int
    q: int
    span: int
    across: int
    width: int

    @property
    def key(self) -> Hashable:
        """Equal for layouts in which the same filters lie in the same way."""
        together = self.q if self.taps * self.rows > 1 else 0
        return "cells", self.cells, self.channels, self.taps, self.rows, together

    @property
    def words(self) -> int:
        """Buffer words of the image."""
        return self.cells * self._apart

    @property
    def links(self) -> int:
        """Words of the link that bring it."""
        return self.words * self.width // LINK_WORD_BITS

    @property
    def unit_links(self) -> int:
        """Words of the link that a PE takes for a pass."""
        return self.q * self.span * self.across * self.width // LINK_WORD_BITS

    @property
    def step(self) -> int:
        """Buffer words from a unit to the next."""
        return self.q

    @property
    def strides(self) -> dict[str, int]:
        """Buffer words from filter group to filter group, and so on, by `FILTER_STEPS`."""
        return {
            "band": self.across * self._apart,
            "group": self.q * self.taps * self.rows,
            "tap": self.q * self.rows * self.span,
            "row": self.q,
        }

    @property
    def fields(self) -> dict[str, int]:
        """`CONSTANTS` of commands that take their filters from here."""
        apart = self.q * self.rows if self.span > 1 else 0
        return {"cells": 1, "group_stride": self._apart, "tap_stride": apart}

    @property
    def _apart(self) -> int:
        """Buffer words from the cells of some filters to those of the next."""
        return self.channels * self.taps * self.rows

    def packed(self, config: Config, bank: FilterBank) -> Words:
        """Link words of all cells."""
        bands, groups, rows, ranges, _ = bank.words.shape
        each = self.width // config.array.data_width
        parts = bank.words.reshape(
            bands, groups, rows, ranges, self.span, self.q, self.across, each
        )
        ordered = parts.transpose(0, 6, 1, 3, 4, 2, 5, 7)
        return to_link_words(ordered.reshape(-1, each))


def cell_layout(
    config: Config, shape: ConvShape, block: MappedBlock, filters: FilterSpan
) -> CellLayout | None:
    """Of some filters, a share of which is the block's; None if they cannot lie so."""
    mapping = block.mapping
    fold, each = mapping.fold, cell_filters(config)
    (first, last), (begin, end) = block.filters, filters
    sizes = (mapping.p, config.pe.macs), (end - begin, mapping.p), (last - first, mapping.p)
    whole = all(size % part == 0 for size, part in ((mapping.p, each), *sizes))
    if shape.multiplier or config.buffer.width < LINK_WORD_BITS or not whole:
        return None
    if (first - begin) % each or (mapping.steps[1] != 1 and mapping.cm > 1):
        return None
    layout = CellLayout(
        cells=(end - begin) // each,
        channels=channel_groups(shape, fold.q) * fold.q,
        taps=tap_ranges(shape, fold.span) * fold.span,
        rows=shape.R,
        q=fold.q,
        span=fold.span,
        across=mapping.p // each,
        width=config.buffer.width,
    )
    return layout if layout.fields["tap_stride"] <= _MOST_APART else None


def cell_filters_of(config: Config, plan: Plan, block: MappedBlock) -> FilterSpan:
    """The filters of an image for a block: those of the largest block that can share it."""
    first, last = block.filters
    found = [block.filters]
    for other in plan.blocks:
        begin, end = other.filters
        if begin <= first and last <= end:
            own, shared = (
                cell_layout(config, plan.shape, each, other.filters) for each in (other, block)
            )
            if own is not None and shared is not None and own.key == shared.key:
                found.append(other.filters)
    return max(found, key=lambda filters: filters[1] - filters[0])


def cell_words(config: Config, shape: Sequence[int]) -> int:
    """Buffer words of filters [M, R, S, C] in cells, without padding; 0 if none may be there."""
    if not config.buffer.filters or config.buffer.weight_memory:
        return 0
    return ceil(shape[0] / cell_filters(config)) * prod(shape[1:])


def cell_images(config: Config, plan: Plan) -> dict[Hashable, int] | None:
    """Buffer words of the images in cells of a plan, each once; None if a block can have none."""
    found: dict[Hashable, int] = {}
    for block in plan.blocks:
        filters = cell_filters_of(config, plan, block)
        layout = cell_layout(config, plan.shape, block, filters)
        if layout is None:
            return None
        found[filters, layout.key] = layout.words
    return found
