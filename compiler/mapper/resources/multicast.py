"""Networks of a Y bus and X buses, psums at the ends of columns: `MulticastNetworks`."""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

import numpy as np

from compiler.mapper.resources.resource import ResourceKind
from compiler.mapper.resources.work import Ints, PassWork, filter_beats, psum_beats
from hw.arch.accesses import Access, DataType, Direction, Level
from hw.arch.config import Config


class MulticastNetworks(ResourceKind):
    """`noc.kind` multicast: each network carries a beat a cycle to all PEs that want it.

    Words are ifmaps with padding, psums in whole beats, and filters as they are sent.
    """

    resources = ("ifmap", "filter", "psum_in", "psum_out")
    once = ("filter",)
    accesses = (
        Access(Level.BUFFER, DataType.IFMAP, Direction.READ),
        Access(Level.BUFFER, DataType.PSUM, Direction.READ),
        Access(Level.BUFFER, DataType.PSUM, Direction.WRITE),
        Access(Level.NETWORK, DataType.FILTER, Direction.READ),
    )

    @property
    def overhead(self) -> int:
        """Cycles of a pass in which the array fills and drains.

        Measured on the RTL of 4 x 4 and 12 x 14 arrays.
        """
        return 14 + self.config.array.rows // 2

    def busy(self, work: PassWork) -> Sequence[Ints]:
        config, noc = self.config, self.config.noc
        results = work.columns * work.windows
        turn_in, turn_out = _psum_turns(config, work.p)
        post = np.maximum(-(-work.p // min(config.post.units, noc.psum_out)), turn_out)
        return [
            work.pixels * work.each(_deliveries(config)[work.q]),
            self._filter_beats(work),
            work.inward * work.each(results * turn_in),
            work.outward * work.each(results * turn_out) + work.ends * work.each(results * post),
        ]

    def words(self, work: PassWork) -> Sequence[Ints]:
        config = self.config
        results = work.columns * work.windows
        psums = work.each(results * psum_beats(config, work.p) * config.psum_beat)
        return [
            work.pixels * work.each(work.q),
            work.inward * psums,
            work.outward * psums,
            self._filter_beats(work) * config.noc.filter,
        ]

    def _filter_beats(self, work: PassWork) -> Ints:
        beats = work.groups * filter_beats(self.config, work.q * work.span * work.steps)
        return work.filters * work.each(beats)


@lru_cache(maxsize=256)
def _deliveries(config: Config) -> Ints:
    """Cycles for which a pixel of so many channels holds the ifmap network, by their number.

    All its beats go to the same PEs, one after another. A PE takes a word a cycle out of the FIFO
    at its entry: beats that the FIFO cannot hold yet keep the network from everyone.
    """
    width, depth = config.noc.ifmap, config.pe.ifmap_fifo
    cycles = [0]
    for channels in range(1, config.pe.ifmap_spad + 1):
        leaves: list[int] = []  # the cycle from which each beat's place is free again
        now = 0
        for beat in range(ceil(channels / width)):
            if beat >= depth:
                now = max(now, leaves[beat - depth])
            words = min(width, channels - beat * width)
            now += 1
            leaves.append(max(now, leaves[-1] if leaves else 0) + words)
        cycles.append(now)
    return np.array(cycles, dtype=np.int64)


def _psum_turns(config: Config, p: Ints) -> tuple[Ints, Ints]:
    """Cycles for which one window of one segment in one column holds the psum networks (in, out).

    The engines serve the columns in turn. A turn lasts as long as the beats take, or until the PE
    has taken or made the psums that the FIFOs at the column's ends do not hold: with p above what
    they hold, the networks wait for PEs. The constants are measured on the RTL.
    """
    beats = psum_beats(config, p)
    held_in = config.noc.column_fifo * config.noc.psum_in - 2
    held_out = config.noc.column_fifo * config.noc.psum_out + 1
    inward = beats * ceil(config.psum_beat / config.noc.psum_in)
    outward = beats * ceil(config.psum_beat / config.noc.psum_out)
    return (
        np.maximum(inward, -(-(p - held_in) // config.pe.macs)),
        np.maximum(outward, -(-(p - held_out) // config.pe.macs)),
    )
