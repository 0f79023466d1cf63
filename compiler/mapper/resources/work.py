"""What the passes of mappings have to do, whatever hardware does it: `PassWork`."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.config import Config

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class PassWork:
    """Passes of many candidate mappings with one F tile: arrays over candidates and over entries.

    A candidate has an entry for each kind of pass that its fold has. Where arrays of both sorts
    meet, `each` spreads those over the candidates.

    Attributes
    ----------
    windows : windows of a pass
    at : candidate of each entry, [entry]
    p, q, span : filters, channels and taps of a filter row in a PE, [candidate]
    steps : multiply steps for one ifmap word, [candidate]
    columns : columns in use, [candidate]
    groups : filter groups side by side in the columns, [candidate]
    pixels : ifmap pixels, each of q channels, that are sent to the array, [entry]
    inward, outward : chains that take psums from the buffer, that leave psums there, [entry]
    ends : chains whose results are finished, [entry]
    filters : rows of filters, each for every group, [entry]
    """

    windows: int
    at: Ints
    p: Ints
    q: Ints
    span: Ints
    steps: Ints
    columns: Ints
    groups: Ints
    pixels: Ints
    inward: Ints
    outward: Ints
    ends: Ints
    filters: Ints

    def each(self, values: Ints) -> Ints:
        """Values of the candidates for every entry."""
        if len(values) == len(self.at):  # one entry for each
            return values
        found: Ints = values.take(self.at)  # half the time of an index
        return found


def multiply_steps(config: Config, p: Ints, q: Ints, multiplier: int) -> Ints:
    """Multiply steps for one ifmap word: filters (or filters of a channel) over the multipliers."""
    if multiplier:
        p = p // q
    return -(-p // config.pe.macs)


def filter_beats(config: Config, multiplies: Ints) -> Ints:
    """Filter beats that a PE takes for so many multiply steps of a window."""
    return -(-multiplies * config.pe.macs // config.noc.filter)


def psum_beats(config: Config, p: Ints) -> Ints:
    """Beats of the psum buffer that hold the psums of a window."""
    return -(-p // config.psum_beat)
