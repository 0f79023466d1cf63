"""From a counter block to the accesses that it counts: `counted_accesses`."""

from collections.abc import Mapping

from hw.arch.accesses.access import Access, Accesses, DataType, Direction, Level
from hw.arch.config import LINK_WORD_BITS, Config

_READ, _WRITE = Direction.READ, Direction.WRITE
_COUNTED = {
    "macs": Access(Level.MAC, DataType.PSUM, _WRITE),
    "glb_ifmap_words": Access(Level.BUFFER, DataType.IFMAP, _READ),
    "glb_psum_read_beats": Access(Level.BUFFER, DataType.PSUM, _READ),
    "glb_psum_write_beats": Access(Level.BUFFER, DataType.PSUM, _WRITE),
    "filter_words": Access(Level.NETWORK, DataType.FILTER, _READ),
    "link_in_words": Access(Level.LINK, DataType.ANY, _READ),
    "link_out_words": Access(Level.LINK, DataType.ANY, _WRITE),
}
"""The counters that count accesses.

The others count time, or a part of these (`gated_macs`), or accesses of which the number of words
is not known (`glb_act_write_words`: a write fills some lanes of a buffer word).
"""


def counted_accesses(config: Config, counters: Mapping[str, int]) -> Accesses:
    """The accesses that a counter block tells of, whether RTL, board or cycle model counted.

    Parameters
    ----------
    config : Config
        Of the hardware that counted.
    counters : counts by the names of `COUNTERS`

    Notes
    -----
    A read of the buffer for ifmaps counts as a full beat of the network (`noc.ifmap` words), and
    padding is not read. The last 64-bit word of a pass's filters counts whole.
    """
    each = {
        "glb_ifmap_words": config.noc.ifmap,
        "glb_psum_read_beats": config.psum_beat,
        "glb_psum_write_beats": config.psum_beat,
        "filter_words": LINK_WORD_BITS // config.array.data_width,
    }
    return Accesses.of(
        {access: counters[name] * each.get(name, 1) for name, access in _COUNTED.items()}
    )
