"""From a counter block to the accesses that it counts: `counted_accesses`."""

from collections.abc import Iterator, Mapping

from hw.arch.accesses.access import Access, Accesses, DataType, Direction, Level
from hw.arch.config import LINK_WORD_BITS, Config

_READ, _WRITE = Direction.READ, Direction.WRITE


def counted_accesses(config: Config, counters: Mapping[str, int]) -> Accesses:
    """The accesses that a counter block tells of, whether RTL, board or a model counted.

    Parameters
    ----------
    config : Config
        Of the hardware that counted.
    counters : counts by the names of `COUNTERS`
        If those of `ACCESS_COUNTERS` are among them, every level is told by type of data; the link
        as one stream each way otherwise, and of the chip the MACs, the buffer for the array, and
        filters sent.

    Notes
    -----
    A read of the buffer for ifmaps counts as a full beat of the network (`noc.ifmap` words), and
    padding is not read. The last 64-bit word of a pass's filters counts whole, as does the last row
    of a filter scratchpad. Products that were gated are among those at the MACs, since `gated_macs`
    is a part of `macs`. Only a program tells apart what LOAD brings: the link's words for inputs
    include spills and filters for the global buffer, and the buffer's ifmaps include these filters.
    Likewise outputs include spills.
    """
    words: dict[Access, int] = {}
    for access, count in _always(config, counters):
        words[access] = words.get(access, 0) + count
    told = "link_table_words" in counters
    for access, count in _by_type(config, counters) if told else _streams(counters):
        words[access] = words.get(access, 0) + count
    return Accesses.of(words)


_Counts = Iterator[tuple[Access, int]]


def _always(config: Config, n: Mapping[str, int]) -> _Counts:
    """What every accelerator counts.

    Not `glb_act_write_words`: such a write fills some lanes of a buffer word.
    """
    yield Access(Level.MAC, DataType.PSUM, _WRITE), n["macs"]
    ifmaps = n["glb_ifmap_words"] * config.noc.ifmap
    yield Access(Level.BUFFER, DataType.IFMAP, _READ), ifmaps
    for way, name in ((_READ, "glb_psum_read_beats"), (_WRITE, "glb_psum_write_beats")):
        yield Access(Level.BUFFER, DataType.PSUM, way), n[name] * config.psum_beat
    yield Access(Level.NETWORK, DataType.FILTER, _READ), n["filter_words"] * _weights(config)


def _streams(n: Mapping[str, int]) -> _Counts:
    """The link, where nobody tells its words apart."""
    yield Access(Level.LINK, DataType.ANY, _READ), n["link_in_words"]
    yield Access(Level.LINK, DataType.ANY, _WRITE), n["link_out_words"]


def _by_type(config: Config, n: Mapping[str, int]) -> _Counts:
    """What `control.access_counters` counts besides."""
    yield from _array(config, n)
    lanes, weights = config.lanes, _weights(config)
    yield Access(Level.BUFFER, DataType.IFMAP, _READ), n["glb_vector_reads"] * lanes
    yield Access(Level.BUFFER, DataType.IFMAP, _WRITE), n["glb_load_writes"] * lanes
    yield Access(Level.BUFFER, DataType.OFMAP, _WRITE), n["glb_act_write_lanes"]
    yield Access(Level.BUFFER, DataType.OFMAP, _READ), n["glb_store_reads"] * lanes
    filters = n["filter_words_resident"] * weights + n["glb_filter_reads"] * lanes
    yield Access(Level.BUFFER, DataType.FILTER, _READ), filters
    yield Access(Level.BUFFER, DataType.FILTER, _WRITE), n["link_memory_words"] * weights
    brought = {
        DataType.TABLE: n["link_table_words"],
        DataType.FILTER: n["link_filter_words"],
        DataType.RESIDENT: n["link_memory_words"],
        DataType.INPUT: n["link_load_words"],
    }
    for data, count in brought.items():
        yield Access(Level.LINK, data, _READ), count
    commands = n["link_in_words"] - sum(brought.values())
    yield Access(Level.LINK, DataType.COMMAND, _READ), commands
    yield Access(Level.LINK, DataType.OUTPUT, _WRITE), n["link_store_words"]
    headers = n["link_out_words"] - n["link_store_words"]
    yield Access(Level.LINK, DataType.COMMAND, _WRITE), headers


def _array(config: Config, n: Mapping[str, int]) -> _Counts:
    """Scratchpads and networks. What a network delivers is what scratchpads are written with."""
    row, word = config.noc.filter, config.pe.macs
    yield Access(Level.SPAD, DataType.IFMAP, _READ), n["ifmap_spad_reads"]
    yield Access(Level.SPAD, DataType.FILTER, _READ), n["filter_spad_reads"] * row
    yield Access(Level.SPAD, DataType.PSUM, _READ), n["psum_spad_reads"] * word
    yield Access(Level.SPAD, DataType.PSUM, _WRITE), n["psum_spad_writes"] * word
    for level in (Level.SPAD, Level.NETWORK):
        yield Access(level, DataType.IFMAP, _WRITE), n["ifmap_spad_writes"]
        yield Access(level, DataType.FILTER, _WRITE), n["filter_spad_writes"] * row
    yield Access(Level.NETWORK, DataType.IFMAP, _READ), n["ifmap_words_sent"]
    yield Access(Level.NETWORK, DataType.PSUM, _READ), n["psums_fed"] * word
    yield Access(Level.NETWORK, DataType.PSUM, _WRITE), n["psums_collected"] * word
    yield Access(Level.NETWORK, DataType.HOP, _WRITE), n["psum_hops"] * word


def _weights(config: Config) -> int:
    """Weights of a 64-bit word."""
    return LINK_WORD_BITS // config.array.data_width
