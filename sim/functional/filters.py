"""The filters of a pass: sent with it, from a memory, or still in the PEs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import ADDRESS
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.program import Words
from hw.arch.program.layout import Ints, cell_filters, filter_words, unpack_filters
from sim.functional.errors import require
from sim.functional.patterns import Columns, Rows

_SHARED = ("taps", "steps", "odd", "diagonal", "filter_beats", "weight_zero", "weight_signed")


@dataclass(frozen=True)
class PassFilters:
    """What the PEs hold.

    weights : [filter row tag, filter column tag, taps, psums of a word]
    shared : constants that all passes with these filters have in common
    rows, columns : the tags of active PE rows and columns; -1 where a row is not active
    """

    weights: NDArray[np.float64]
    shared: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @classmethod
    def sent(
        cls,
        config: Config,
        constants: Mapping[str, int],
        rows: Rows,
        columns: Columns,
        words: Words,
    ) -> "PassFilters":
        """Filters that come with a pass, `words` of the link."""
        weights = decode_filters(config, constants, words, rows.filters, columns.groups)
        return cls(weights, *_place(constants, rows, columns))

    def check(self, constants: Mapping[str, int], rows: Rows, columns: Columns) -> None:
        """A pass that is sent none uses those of the pass before, in the same PEs."""
        require(
            _place(constants, rows, columns) == (self.shared, self.rows, self.columns),
            "the pass reuses filters that other PEs hold, or that were made for other constants",
        )


def _place(
    constants: Mapping[str, int], rows: Rows, columns: Columns
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    tags = np.where(rows.rows["active"] != 0, rows.rows["fid"], -1)
    return (
        tuple(constants[name] for name in _SHARED),
        tuple(tags.tolist()),
        tuple(columns.columns["tid"].tolist()),
    )


def unit_words(config: Config, constants: Mapping[str, int]) -> int:
    """Buffer words that hold what a PE is sent for a pass."""
    if constants["cells"]:
        return constants["psums"] // cell_filters(config) * constants["taps"]
    link = filter_words(config, constants["filter_beats"])
    whole = max(config.buffer.width // LINK_WORD_BITS, 1)
    return -(-link // whole) * whole * LINK_WORD_BITS // config.buffer.width


def unit_offsets(config: Config, constants: Mapping[str, int]) -> Ints:
    """Where the buffer words of a unit lie, from its first one on, in the order of its beats."""
    if not constants["cells"]:
        return np.arange(unit_words(config, constants))
    channels = constants["channels"]
    taps = np.arange(constants["taps"] // channels) * constants["tap_stride"]
    cells = np.arange(constants["psums"] // cell_filters(config)) * constants["group_stride"]
    offsets: Ints = taps[:, None, None] + np.arange(channels)[:, None] + cells
    return offsets.reshape(-1)


def unit_places(
    config: Config,
    constants: Mapping[str, int],
    bases: Mapping[str, int],
    rows: Rows,
    columns: Columns,
) -> Ints:
    """Where the filters of a pass begin in the buffer.

    Shape (filter row tag, filter column tag), buffer words, which wrap as addresses do.
    """
    tags = np.arange(rows.filters)
    step, stride = unit_words(config, constants), constants["group_stride"]
    if constants["cells"]:
        step = constants["channels"]
        stride *= constants["psums"] // cell_filters(config)
    jumps = np.zeros(rows.filters, dtype=np.int64)
    if rows.turn:
        jumps[rows.turn :: rows.period or rows.filters] = constants["unit_jump"]
    begin = bases["weights"] + rows.first_unit + columns.first_group
    first = begin + tags * step + np.cumsum(jumps)
    places: Ints = first[:, None] + np.arange(columns.groups) * stride
    return places % (1 << ADDRESS)


def multiplier_results(config: Config, constants: Mapping[str, int]) -> int:
    """Psums that one ifmap word contributes to."""
    return constants["steps"] * config.pe.macs - constants["odd"]


def decode_filters(
    config: Config, constants: Mapping[str, int], words: Words, filters: int, groups: int
) -> NDArray[np.float64]:
    """Weights of a pass, shape (filter row tag, filter column tag, taps, psums of a word)."""
    stored = unpack_filters(
        config,
        words,
        filters * groups * constants["filter_beats"],
        signed=bool(constants["weight_signed"]),
    ).reshape(filters, groups, -1)
    taps, steps = constants["taps"], constants["steps"] * config.pe.macs
    weights = stored[..., : taps * steps].reshape(filters, groups, taps, steps)
    weights = weights[..., : multiplier_results(config, constants)] - constants["weight_zero"]
    result: NDArray[np.float64] = weights.astype(np.float64)
    return result
